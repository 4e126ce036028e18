//! `[director]`: what concerns the whole machine.

use std::collections::BTreeMap;

use toml::de::DeValue;

use crate::model::{
    BackendKind, DirectorSettings, Family, InvalidMark, MarkRange, Share, Sysctl, Variant, VipPlace,
};

use super::across;
use super::codes::Code;
use super::diagnostic::{Report, Spot};
use super::reader::{Checked, Fields, Reported, Scope, Value, integer};
use super::resolve::Draft;
use super::schema;
use super::surroundings;
use super::text::clean;

/// The most rules that iptables may be asked to have: each packet passes all of them.
const MOST_RULES: u32 = 1_000_000;

/// `[director]`, and where what the groups can contradict is written.
#[derive(Default)]
pub(super) struct ReadDirector {
    pub(super) settings: DirectorSettings,
    sysctls: BTreeMap<Sysctl, Spot>,
    sync: Option<Spot>,
    vips: Option<Spot>,
    marks: Option<Spot>,
    local_traffic: Option<Spot>,
}

/// Reads `[director]`; a setting with a mistake keeps its default.
pub(super) fn read(scope: &mut Scope<'_>, value: Value<'_>) -> ReadDirector {
    let mut read = ReadDirector::default();
    let Ok(fields) = scope.table(value, "director", &schema::DIRECTOR) else { return read };
    let settings = &mut read.settings;
    if let Ok(Some(backend)) = backend(scope, &fields) {
        settings.backend = backend;
    }
    if let Some(field) = fields.get("variant") {
        let words =
            [("auto", None), ("nft", Some(Variant::Nft)), ("legacy", Some(Variant::Legacy))];
        settings.variant = scope.word(field.value, "variant", &words).unwrap_or_default();
    }
    if let Some(field) = fields.get("max-rules") {
        settings.max_rules = max_rules(scope, field.value).unwrap_or(settings.max_rules);
    }
    if let Some(field) = fields.get("marks") {
        settings.marks = marks(scope, field.value).unwrap_or(settings.marks);
        read.marks = Some(field.value.spot);
    }
    if let Some(field) = fields.get("local-traffic") {
        settings.local_traffic = scope.boolean(field.value, "local-traffic") == Ok(true);
        read.local_traffic = settings.local_traffic.then_some(field.key);
    }
    if let Ok(place) = vips(scope, &fields) {
        settings.vips = place;
        read.vips = fields.get("vips").map(|field| field.value.spot);
    }
    if let Some(field) = fields.get("ask-above") {
        settings.ask_above = share(scope, field.value).unwrap_or(settings.ask_above);
    }
    if let Some(field) = fields.get("sysctl") {
        for (sysctl, (value, spot)) in surroundings::sysctls(scope, field) {
            read.sysctls.insert(sysctl.clone(), spot);
            settings.sysctls.insert(sysctl, value);
        }
    }
    if let Some(field) = fields.get("timeouts") {
        settings.timeouts = surroundings::timeouts(scope, field);
    }
    if let Some(field) = fields.get("sync") {
        settings.sync = surroundings::sync(scope, field).ok();
        read.sync = Some(field.key);
    }
    read
}

/// Reports what `[director]` says against what the groups need.
pub(super) fn check(report: &mut Report, read: &ReadDirector, drafts: &[Draft]) {
    across::range(report, drafts, read.settings.marks, read.marks);
    if let Some(spot) = read.local_traffic {
        across::local_traffic(report, drafts, spot);
    }
    for draft in drafts.iter().filter(|draft| draft.enabled) {
        let name = clean(&draft.name);
        if let (VipPlace::Bind(device), Some(spot)) = (&read.settings.vips, read.vips)
            && let Some(&(vip, vip_spot)) = draft.vips.iter().find(|(vip, _)| !vip.is_host())
        {
            let label = report.label(spot, "VIPs are bound here");
            let message =
                format!("group {name}: the prefix {vip} cannot be an address of {device}");
            let diagnostic = report.error(Code::PrefixNotBound, vip_spot, &message);
            diagnostic
                .label("more than one address")
                .also(label)
                .help("write vips = \"route\" in [director]: then all of the prefix is local");
            diagnostic.group = Some(name.clone());
        }
        let Some(group) = &draft.group else { continue };
        for sysctl in group.needed_sysctls() {
            let (Some(value), Some(&spot)) =
                (read.settings.sysctls.get(&sysctl), read.sysctls.get(&sysctl))
            else {
                continue;
            };
            // Who says that known clients return to a server that drains shall have that.
            let may_differ = sysctl.ipvs_name() == Some("expire_quiescent_template");
            if value == "1" || may_differ {
                continue;
            }
            let label = report.label(draft.spot, format!("group {name} needs it to be 1"));
            let message = format!("group {name} does not work with {sysctl} = {value}");
            let diagnostic = report.error(Code::SysctlContradicts, spot, &message);
            diagnostic
                .label("not what the group needs")
                .also(label)
                .help(format!("leave {sysctl} out: it is set to 1 while a group needs it"));
            diagnostic.group = Some(name.clone());
        }
        let has = |family| group.vips.iter().any(|vip| vip.family() == family);
        let across = group.real_servers.iter().find(|server| {
            !has(server.family()) || {
                // With VIPs of both families, a tunnel serves the one that has no server.
                Family::BOTH.into_iter().any(|family| {
                    has(family)
                        && server.family() != family
                        && server.serves(family)
                        && !group.real_servers.iter().any(|other| other.family() == family)
                })
            }
        });
        if let (Some(spot), Some(server)) = (read.sync, across) {
            let label =
                report.label(draft.spot, format!("{} is of the other family", server.address));
            let message = format!(
                "group {name}: IPVS cannot synchronise connections to real servers of another \
                 address family than their VIP"
            );
            let diagnostic = report.error(Code::SyncAcrossFamilies, spot, &message);
            diagnostic
                .label("asked for here")
                .also(label)
                .help("give the group real servers of the family of its VIP, or leave [director.sync] out");
            diagnostic.group = Some(name.clone());
        }
    }
}

/// Who sees to it that the VIPs are the director's.
fn vips(scope: &mut Scope<'_>, fields: &Fields<'_>) -> Checked<VipPlace> {
    #[derive(Clone, Copy, PartialEq)]
    enum Word {
        Local,
        Route,
        Bind,
    }
    let words = [("local", Word::Local), ("route", Word::Route), ("bind", Word::Bind)];
    let word = match fields.get("vips") {
        None => Word::Local,
        Some(field) => scope.word(field.value, "vips", &words)?,
    };
    let interface = fields.get("interface");
    match (word, interface) {
        (Word::Bind, Some(field)) => surroundings::device(scope, field).map(VipPlace::Bind),
        (Word::Bind, None) => {
            let spot = fields.get("vips").map_or(fields.spot, |field| field.value.spot);
            scope
                .error(Code::InterfaceMisplaced, spot, "vips = \"bind\" without an interface")
                .label("on which one?")
                .help("name the one that clients come by: interface = \"eth0\"");
            Err(Reported)
        }
        (_, Some(field)) => {
            scope
                .error(Code::InterfaceMisplaced, field.key, "an interface without vips = \"bind\"")
                .label("nothing is bound to it")
                .help("write vips = \"bind\" to have the VIPs on it, or leave it out");
            Err(Reported)
        }
        (Word::Local, None) => Ok(VipPlace::Local),
        (Word::Route, None) => Ok(VipPlace::Route),
    }
}

fn backend(scope: &mut Scope<'_>, fields: &Fields<'_>) -> Checked<Option<BackendKind>> {
    let Some(field) = fields.get("backend") else { return Ok(None) };
    let words = [("nftables", BackendKind::Nftables), ("iptables", BackendKind::Iptables)];
    let backend = scope.word(field.value, "backend", &words)?;
    Ok(Some(backend))
}

fn max_rules(scope: &mut Scope<'_>, value: Value<'_>) -> Checked<u32> {
    let number = scope.integer(value, "max-rules", "a number of rules")?;
    let valid = u32::try_from(number).ok().filter(|number| *number <= MOST_RULES);
    valid.ok_or_else(|| {
        scope
            .error(Code::InvalidMaxRules, value.spot, format!("max-rules cannot be {number}"))
            .label("no such number of rules")
            .help(format!("write a number from 0 (always sets) to {MOST_RULES}"));
        Reported
    })
}

fn share(scope: &mut Scope<'_>, value: Value<'_>) -> Checked<Share> {
    let share = match value.data {
        DeValue::String(text) => text.parse().ok(),
        DeValue::Integer(_) => integer(value.data).and_then(Share::new),
        _ => return Err(scope.wrong_type(value, "ask-above", "a share such as \"50%\"")),
    };
    share.ok_or_else(|| {
        let written = scope.written(value);
        scope
            .error(Code::InvalidShare, value.spot, format!("ask-above cannot be {written}"))
            .label("no such share")
            .help("write a share from \"0%\" (ask always) to \"100%\" (never)");
        Reported
    })
}

fn marks(scope: &mut Scope<'_>, value: Value<'_>) -> Checked<MarkRange> {
    let expected = "a range of marks such as \"0x4c560000-0x4c56ffff\"";
    let DeValue::String(text) = value.data else {
        let help = "for example: marks = \"0x4c560000-0x4c56ffff\"".to_owned();
        return Err(scope.wrong_type_with_help(value, "marks", expected, Some(help)));
    };
    text.parse().map_err(|error: InvalidMark| {
        let help = match &error {
            InvalidMark::Reversed { .. } => match text.split_once('-') {
                Some((first, last)) => format!("write \"{}-{}\"", last.trim(), first.trim()),
                None => format!("marks takes {expected}"),
            },
            _ => format!("marks takes {expected}"),
        };
        scope.error(Code::InvalidMark, value.spot, error.to_string()).help(help);
        Reported
    })
}

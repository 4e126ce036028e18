//! What `[director]` says of the machine: kernel parameters, timeouts, synchronisation.

use std::collections::BTreeMap;
use std::net::IpAddr;

use toml::de::{DeTable, DeValue};

use super::codes::Code;
use super::diagnostic::Spot;
use super::reader::{Checked, Field, Fields, Reported, Scope, Value, integer};
use super::schema;
use crate::model::{
    DeviceName, IPVS_SYSCTLS, MAX_TIMEOUT, Persistence, Sync, SyncChannel, SyncRole, Sysctl,
    Timeout,
};

/// Kernel parameters with their values, and where these are written.
pub(super) type ReadSysctls = BTreeMap<Sysctl, (String, Spot)>;

/// `[director.sysctl]`. TOML makes tables of the dots in `vs.conntrack = 1`; with quotes or
/// without, it is the same parameter.
pub(super) fn sysctls(scope: &mut Scope<'_>, field: Field<'_>) -> ReadSysctls {
    let mut found = BTreeMap::new();
    let DeValue::Table(table) = field.value.data else {
        let expected = "a table of kernel parameters";
        let help = "write [director.sysctl] and below it \"net.ipv4.vs.conntrack\" = 1".to_owned();
        scope.wrong_type_with_help(field.value, "sysctl", expected, Some(help));
        return found;
    };
    walk(scope, field, table, "", &mut found);
    found
}

fn walk(
    scope: &mut Scope<'_>,
    field: Field<'_>,
    table: &DeTable<'_>,
    before: &str,
    found: &mut ReadSysctls,
) {
    for (key, inner) in Fields::new(field.key.file, field.value.spot, table).entries() {
        let name = if before.is_empty() { key.to_owned() } else { format!("{before}.{key}") };
        if let DeValue::Table(table) = inner.value.data {
            walk(scope, inner, table, &name, found);
            continue;
        }
        let (Ok(sysctl), Ok(value)) = (sysctl(scope, inner, &name), value(scope, inner, &name))
        else {
            continue;
        };
        if found.insert(sysctl.clone(), (value, inner.value.spot)).is_some() {
            scope
                .error(Code::InvalidSysctl, inner.key, format!("{sysctl} is set twice"))
                .label("again here")
                .help("keep one of them; ip_forward and vs.NAME are short for whole names");
        }
    }
}

fn sysctl(scope: &mut Scope<'_>, field: Field<'_>, name: &str) -> Checked<Sysctl> {
    let Ok(sysctl) = name.parse::<Sysctl>() else {
        scope
            .error(
                Code::InvalidSysctl,
                field.key,
                format!("'{name}' is no kernel parameter of the network"),
            )
            .label("not below net")
            .help("write ip_forward, vs.conntrack or a whole name such as \"net.ipv4.conf.all.rp_filter\"");
        return Err(Reported);
    };
    // Another kernel may have more; what is one slip away from a known one is a slip.
    let unknown = sysctl.ipvs_name().filter(|name| !IPVS_SYSCTLS.contains(name));
    if let Some(near) = unknown.and_then(closest) {
        scope
            .error(Code::InvalidSysctl, field.key, format!("IPVS has no parameter '{name}'"))
            .label("no such parameter")
            .help(format!("did you mean vs.{near}?"));
        return Err(Reported);
    }
    Ok(sysctl)
}

/// The parameter of IPVS that is at most two slips away.
fn closest(name: &str) -> Option<&'static str> {
    let slips = |known: &&str| strsim::damerau_levenshtein(name, known);
    IPVS_SYSCTLS.into_iter().min_by_key(slips).filter(|known| slips(known) <= 2)
}

/// A number, or several with spaces between them.
fn value(scope: &mut Scope<'_>, field: Field<'_>, name: &str) -> Checked<String> {
    let number = |word: &str| word.parse::<i64>().ok().map(|number| number.to_string());
    let text = match field.value.data {
        DeValue::Integer(_) => integer(field.value.data).map(|number| number.to_string()),
        DeValue::String(text) => Some(text.split_whitespace().collect::<Vec<_>>().join(" ")),
        DeValue::Boolean(boolean) => {
            let help = format!("write {name} = {}", u8::from(*boolean));
            let expected = "a number";
            return Err(scope.wrong_type_with_help(field.value, name, expected, Some(help)));
        }
        _ => None,
    };
    let Some(text) = text else {
        let help = format!("write {name} = 1");
        return Err(scope.wrong_type_with_help(field.value, name, "a number", Some(help)));
    };
    // As the kernel writes them: without zeros in front.
    if let Some(numbers) = text.split(' ').map(number).collect::<Option<Vec<_>>>() {
        return Ok(numbers.join(" "));
    }
    scope
        .error(Code::InvalidSysctl, field.value.spot, format!("{name} cannot be '{text}'"))
        .label("not a number")
        .help("kernel parameters of the network are numbers; several have spaces between them");
    Err(Reported)
}

/// `[director.timeouts]`.
pub(super) fn timeouts(scope: &mut Scope<'_>, field: Field<'_>) -> BTreeMap<Timeout, u32> {
    let mut found = BTreeMap::new();
    let Ok(fields) = scope.table(field.value, "timeouts", &schema::TIMEOUTS) else {
        return found;
    };
    for timeout in Timeout::ALL {
        let key = timeout.as_str();
        let Some(field) = fields.get(key) else { continue };
        if let Ok(seconds) = seconds(scope, field.value, key) {
            found.insert(timeout, seconds);
        }
    }
    found
}

/// 1 second to 31 days, the bound of ipvsadm(8). To the kernel 0 is "as it is".
fn seconds(scope: &mut Scope<'_>, value: Value<'_>, key: &str) -> Checked<u32> {
    let seconds = match value.data {
        DeValue::String(text) => Persistence::parse_time(text).ok(),
        DeValue::Integer(_) => integer(value.data).and_then(|number| u64::try_from(number).ok()),
        _ => {
            let (expected, help) =
                ("a time such as \"900s\", \"15m\" or 900", format!("{key} = 900"));
            return Err(scope.wrong_type_with_help(value, key, expected, Some(help)));
        }
    };
    let fits = |seconds: &u32| (1..=MAX_TIMEOUT).contains(seconds);
    seconds.and_then(|seconds| u32::try_from(seconds).ok()).filter(fits).ok_or_else(|| {
        let written = scope.written(value);
        scope
            .error(Code::InvalidTimeout, value.spot, format!("{key} cannot be {written}"))
            .label("no time that IPVS can keep")
            .help(format!("write \"900s\", \"15m\", \"2h\" or \"1d\", from 1 to {MAX_TIMEOUT} s"));
        Reported
    })
}

/// A network device's name.
pub(super) fn device(scope: &mut Scope<'_>, field: Field<'_>) -> Checked<DeviceName> {
    let text = scope.text(field.value, "interface", "the name of a network device")?;
    text.parse().map_err(|error: crate::model::InvalidDeviceName| {
        scope
            .error(Code::InvalidName, field.value.spot, error.to_string())
            .help("`ip link` shows their names");
        Reported
    })
}

/// `[director.sync]`.
pub(super) fn sync(scope: &mut Scope<'_>, field: Field<'_>) -> Checked<Sync> {
    use SyncRole::{Backup, Master};
    let fields = scope.table(field.value, "sync", &schema::SYNC)?;
    let words: [(&str, &[SyncRole]); 3] =
        [("master", &[Master]), ("backup", &[Backup]), ("both", &[Master, Backup])];
    let roles = match fields.get("role") {
        Some(field) => scope.word(field.value, "role", &words),
        None => missing(scope, field, "role", "role = \"both\""),
    };
    let interface = match fields.get("interface") {
        Some(field) => device(scope, field),
        None => missing(scope, field, "interface", "interface = \"eth1\""),
    };
    let mut number = |key: &str, least: u16, most: u16| match fields.get(key) {
        None => Ok(None),
        Some(field) => bounded(scope, field.value, key, least, most).map(Some),
    };
    let id = number("id", 0, 255);
    let port = number("port", 1, u16::MAX);
    let ttl = number("ttl", 1, 255);
    // A backup takes no less, whatever it is told (`start_sync_thread`, `ip_vs_sync.c`);
    // and no datagram is longer.
    let maxlen = number("maxlen", 1024, 65_507);
    let group = fields.get("group").map(|field| multicast(scope, field.value)).transpose();
    let byte = |number: Option<u16>| number.and_then(|number| u8::try_from(number).ok());
    let channel = SyncChannel {
        interface: interface?,
        id: byte(id?).unwrap_or(0),
        group: group?,
        port: port?,
        ttl: byte(ttl?),
        maxlen: maxlen?,
    };
    Ok(Sync { roles: roles?.to_vec(), channel })
}

fn missing<T>(scope: &mut Scope<'_>, field: Field<'_>, key: &str, help: &str) -> Checked<T> {
    scope
        .error(Code::MissingKey, field.key, format!("[director.sync] has no {key}"))
        .label(format!("{key} is missing"))
        .help(format!("write {help}"));
    Err(Reported)
}

fn bounded(
    scope: &mut Scope<'_>,
    value: Value<'_>,
    key: &str,
    least: u16,
    most: u16,
) -> Checked<u16> {
    let expected = format!("a number from {least} to {most}");
    let number = scope.integer(value, key, &expected)?;
    let fitting = u16::try_from(number).ok().filter(|number| (least..=most).contains(number));
    fitting.ok_or_else(|| {
        scope
            .error(Code::InvalidSync, value.spot, format!("{key} cannot be {number}"))
            .label(format!("not from {least} to {most}"))
            .help(format!("{key} takes {expected}; without it the kernel has its own"));
        Reported
    })
}

fn multicast(scope: &mut Scope<'_>, value: Value<'_>) -> Checked<IpAddr> {
    let text = scope.text(value, "group", "a multicast address")?;
    let address = text.parse::<IpAddr>().ok().filter(IpAddr::is_multicast);
    address.ok_or_else(|| {
        scope
            .error(Code::InvalidSync, value.spot, format!("'{text}' is no multicast address"))
            .label("not a group")
            .help("the kernel's own is \"224.0.0.81\"; of IPv6 for example \"ff02::81\"");
        Reported
    })
}

//! `persistence`: how clients stay on their real servers.

use toml::de::DeValue;

use crate::model::{InvalidPersistence, MAX_TIMEOUT, Mode, Persistence};

use super::codes::Code;
use super::reader::{Checked, Field, Fields, Reported, Scope, Value, integer};
use super::schema;
use super::text::nearest;

/// The persistence engines of the mainline kernel (`net/netfilter/ipvs/ip_vs_pe_*.c`).
const ENGINES: [&str; 1] = ["sip"];

/// The longest timeout, as a remedy.
const LONGEST: &str = "the longest is 31 days: \"31d\"";

/// Reads `persistence`; `None` where clients do not stay.
pub(super) fn read(
    scope: &mut Scope<'_>,
    field: Option<Field<'_>>,
) -> Checked<Option<Persistence>> {
    let Some(field) = field else { return Ok(None) };
    match field.value.data {
        DeValue::String(_) => Ok(mode(scope, field.value)?.map(Persistence::new)),
        DeValue::Table(_) => {
            let fields = scope.table(field.value, "persistence", &schema::PERSISTENCE)?;
            table(scope, field.key, &fields)
        }
        _ => {
            let expected = "\"none\", \"ppc\", \"pcc\", \"pfwmc\" or a table";
            Err(scope.wrong_type(field.value, "persistence", expected))
        }
    }
}

fn mode(scope: &mut Scope<'_>, value: Value<'_>) -> Checked<Option<Mode>> {
    let words = [
        ("none", None),
        ("ppc", Some(Mode::Ppc)),
        ("pcc", Some(Mode::Pcc)),
        ("pfwmc", Some(Mode::Pfwmc)),
    ];
    scope.word(value, "persistence", &words)
}

fn table(
    scope: &mut Scope<'_>,
    key: super::diagnostic::Spot,
    fields: &Fields<'_>,
) -> Checked<Option<Persistence>> {
    let help = "add one: { mode = \"pfwmc\" }; the modes are none, ppc, pcc and pfwmc";
    let mode = scope
        .required(fields, "mode", key, "persistence has no mode", help)
        .and_then(|field| mode(scope, field.value));
    // The rest is read even then, for its own mistakes.
    let mut persistence = Persistence::new(mode.ok().flatten().unwrap_or(Mode::Pfwmc));
    let timeout = fields.get("timeout").map(|field| timeout(scope, field, &mut persistence));
    let netmask = fields
        .get("netmask")
        .map(|field| bits(scope, field.value, "netmask", 32, |bits| persistence.set_netmask(bits)));
    let netmask6 = fields.get("netmask6").map(|field| {
        bits(scope, field.value, "netmask6", 128, |bits| persistence.set_netmask6(bits))
    });
    let engine = fields.get("engine").map(|field| engine(scope, field.value, &mut persistence));
    let mode = mode?;
    for checked in [timeout, netmask, netmask6, engine].into_iter().flatten() {
        checked?;
    }
    let mut rest = schema::PERSISTENCE.names.iter().filter(|name| **name != "mode");
    if let (None, Some(field)) = (mode, rest.find_map(|name| fields.get(name))) {
        scope
            .error(Code::NothingRemembered, field.key, "persistence of mode none remembers nobody")
            .label("so this means nothing")
            .help("leave it out, or choose a mode: ppc, pcc or pfwmc");
        return Err(Reported);
    }
    Ok(mode.map(|_| persistence))
}

fn timeout(scope: &mut Scope<'_>, field: Field<'_>, persistence: &mut Persistence) -> Checked<()> {
    let value = field.value;
    let seconds = match value.data {
        DeValue::String(text) => Persistence::parse_time(text),
        DeValue::Integer(_) => match integer(value.data) {
            Some(number) if number < 0 => Err(InvalidPersistence::NotATime(scope.written(value))),
            Some(number) => u64::try_from(number)
                .map_err(|_| InvalidPersistence::LongTimeout(scope.written(value))),
            None => Err(InvalidPersistence::ZeroTimeout),
        },
        _ => {
            let expected = "a time such as \"300s\", \"5m\" or 300";
            return Err(scope.wrong_type(value, "timeout", expected));
        }
    };
    seconds.and_then(|seconds| persistence.set_timeout(seconds)).map_err(|error| {
        let help = match error {
            InvalidPersistence::ZeroTimeout => {
                "write 1 s or more; without persistence write persistence = \"none\"".to_owned()
            }
            InvalidPersistence::LongTimeout(_) => LONGEST.to_owned(),
            _ => format!("write \"300s\", \"5m\", \"2h\" or \"1d\", at most {MAX_TIMEOUT} s"),
        };
        scope.error(Code::InvalidTimeout, value.spot, error.to_string()).help(help);
        Reported
    })
}

fn bits(
    scope: &mut Scope<'_>,
    value: Value<'_>,
    key: &str,
    longest: u8,
    set: impl FnOnce(i64) -> Result<(), InvalidPersistence>,
) -> Checked<()> {
    let expected = format!("a prefix length from 1 to {longest}");
    let bits = match value.data {
        DeValue::String(text) => {
            let quoted = text.parse().ok().filter(|bits| (1..=u32::from(longest)).contains(bits));
            let help = match (dotted(text).or(quoted), text.parse::<std::net::Ipv4Addr>()) {
                (Some(bits), _) => Some(format!("write {key} = {bits}")),
                (None, Ok(_)) => Some(format!("it has no holes: write how many bits, {key} = 24")),
                (None, Err(_)) => None,
            };
            let reported = scope.wrong_type_with_help(value, key, &expected, help);
            return Err(reported);
        }
        _ => scope.integer(value, key, &expected)?,
    };
    let bits = i64::try_from(bits).unwrap_or(i64::MAX);
    set(bits).map_err(|_| {
        scope
            .error(
                Code::InvalidNetmask,
                value.spot,
                format!("{key} {bits} is not a prefix length from 1 to {longest}"),
            )
            .label(format!("not from 1 to {longest}"))
            .help(if bits == 0 {
                format!("0 would make all clients one; each client by itself is {longest}")
            } else {
                format!("each client by itself is {longest}, which is the default")
            });
        Reported
    })
}

/// The prefix length of a netmask that is written with dots, as ipvsadm(8) does.
fn dotted(text: &str) -> Option<u32> {
    let mask: std::net::Ipv4Addr = text.parse().ok()?;
    let bits = mask.to_bits();
    (bits.leading_ones() == bits.count_ones()).then_some(bits.count_ones())
}

fn engine(scope: &mut Scope<'_>, value: Value<'_>, persistence: &mut Persistence) -> Checked<()> {
    let written = scope.text(value, "engine", "the name of a persistence engine: \"sip\"")?;
    if ENGINES.contains(&written)
        && let Ok(name) = written.parse()
    {
        persistence.engine = Some(name);
        return Ok(());
    }
    let help = match nearest(written, ENGINES) {
        Some(near) => format!("did you mean '{near}'?"),
        None => "the kernel has one: sip, which keeps a SIP call on its real server".to_owned(),
    };
    scope
        .error(Code::UnknownEngine, value.spot, format!("unknown persistence engine '{written}'"))
        .label("no such engine")
        .help(help);
    Err(Reported)
}

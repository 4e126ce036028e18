//! `scheduler`: who gets a new client.

use toml::de::DeValue;

use crate::model::{InvalidScheduler, KNOWN_SCHEDULERS, KernelName, Scheduler};

use super::codes::Code;
use super::reader::{Checked, Field, Reported, Scope, Value};
use super::schema;
use super::text::nearest;

/// The scheduler of a group that names none.
pub(super) const DEFAULT: &str = "wlc";

/// The names that people know the schedulers by, without spaces and hyphens.
const ALIASES: [(&str, &str); 15] = [
    ("roundrobin", "rr"),
    ("weightedroundrobin", "wrr"),
    ("weightedrr", "wrr"),
    ("leastconn", "lc"),
    ("leastconnection", "lc"),
    ("leastconnections", "lc"),
    ("weightedleastconn", "wlc"),
    ("weightedleastconnection", "wlc"),
    ("weightedleastconnections", "wlc"),
    ("source", "sh"),
    ("sourcehash", "sh"),
    ("sourcehashing", "sh"),
    ("destinationhashing", "dh"),
    ("maglev", "mh"),
    ("random", "twos"),
];

/// The flags that schedulers have, as written beside the scheduler.
const FLAGS: [&str; 5] = ["fallback", "port", "flag-1", "flag-2", "flag-3"];

/// Reads `scheduler`; `extra` are names beyond the known ones that the kernel has.
pub(super) fn read(
    scope: &mut Scope<'_>,
    field: Option<Field<'_>>,
    extra: &[KernelName],
) -> Checked<Scheduler> {
    let Some(field) = field else {
        return DEFAULT.parse().map(Scheduler::plain).map_err(|_| Reported);
    };
    match field.value.data {
        DeValue::String(_) => name(scope, field.value, extra).map(Scheduler::plain),
        DeValue::Table(_) => {
            let fields = scope.table(field.value, "scheduler", &schema::SCHEDULER)?;
            let help = "add one: { name = \"mh\", flags = [\"port\"] }";
            let name = scope
                .required(&fields, "name", field.key, "scheduler has no name", help)
                .and_then(|field| name(scope, field.value, extra));
            match fields.get("flags") {
                Some(flags_field) => flags(scope, name, flags_field.value),
                None => name.map(Scheduler::plain),
            }
        }
        _ => {
            let expected = "a name such as \"wlc\", or a table { name, flags }";
            Err(scope.wrong_type(field.value, "scheduler", expected))
        }
    }
}

fn name(scope: &mut Scope<'_>, value: Value<'_>, extra: &[KernelName]) -> Checked<KernelName> {
    let written = scope.text(value, "scheduler", "a name such as \"wlc\"")?;
    let known = || KNOWN_SCHEDULERS.into_iter().chain(extra.iter().map(KernelName::as_str));
    if known().any(|known| known == written)
        && let Ok(name) = written.parse()
    {
        return Ok(name);
    }
    let plain: String = written.to_lowercase().replace(['-', '_', ' '], "");
    let alias = ALIASES.iter().find(|(alias, _)| *alias == plain).map(|&(_, name)| name);
    let list = known().collect::<Vec<_>>().join(", ");
    let help = match alias.or_else(|| nearest(written, known())) {
        Some(near) => format!("did you mean '{near}'? The schedulers are {list}"),
        None => format!("the schedulers are {list}"),
    };
    scope
        .error(Code::UnknownScheduler, value.spot, format!("unknown scheduler '{written}'"))
        .label("no such scheduler")
        .help(help);
    Err(Reported)
}

fn flags(scope: &mut Scope<'_>, name: Checked<KernelName>, value: Value<'_>) -> Checked<Scheduler> {
    let expected = "a list of flags such as [\"fallback\", \"port\"]";
    let list = scope.list(value, "flags", expected)?;
    let mut written = Vec::new();
    let mut sound = true;
    for item in list {
        let flag = scope.text(item, "flags", "names of flags");
        // Flags can be judged only beside their scheduler.
        if let (Ok(flag), Ok(name)) = (flag, name) {
            match Scheduler::with_flags(name, [flag]) {
                Ok(_) => written.push(flag),
                Err(error) => {
                    sound = false;
                    report(scope, item, &error);
                }
            }
        } else {
            sound = false;
        }
    }
    let name = name?;
    if !sound {
        return Err(Reported);
    }
    Scheduler::with_flags(name, written).map_err(|_| Reported)
}

fn report(scope: &mut Scope<'_>, item: Value<'_>, error: &InvalidScheduler) {
    let (label, help) = match error {
        InvalidScheduler::UnknownFlag(flag) => (
            "no such flag",
            match nearest(flag, FLAGS) {
                Some(near) => format!("did you mean '{near}'?"),
                None => format!(
                    "the flags are {}; fallback and port are of sh and mh",
                    FLAGS.join(", ")
                ),
            },
        ),
        InvalidScheduler::ForeignFlag { .. } => (
            "a flag of another scheduler",
            "leave the flag out, or choose the scheduler that has it".to_owned(),
        ),
    };
    scope.error(Code::InvalidFlag, item.spot, error.to_string()).label(label).help(help);
}

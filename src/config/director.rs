//! `[director]`: what concerns the whole machine.

use toml::de::DeValue;

use crate::model::{InvalidMark, MarkRange};

use super::codes::Code;
use super::diagnostic::Spot;
use super::reader::{Checked, Fields, Reported, Scope, Value};
use super::schema;

/// What writes the mark rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BackendKind {
    /// nftables, through netlink.
    #[default]
    Nftables,
    /// iptables, through `iptables-restore`.
    Iptables,
}

/// The settings of `[director]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirectorSettings {
    /// What writes the mark rules.
    pub backend: BackendKind,
    /// Where automatic marks come from.
    pub marks: MarkRange,
    /// Whether what the director itself sends is marked too.
    pub local_traffic: bool,
}

impl Default for DirectorSettings {
    fn default() -> Self {
        Self { backend: BackendKind::default(), marks: MarkRange::DEFAULT, local_traffic: false }
    }
}

/// Reads `[director]`; a setting with a mistake keeps its default.
pub(super) fn read(scope: &mut Scope<'_>, value: Value<'_>) -> DirectorSettings {
    let mut settings = DirectorSettings::default();
    let Ok(fields) = scope.table(value, "director", &schema::DIRECTOR) else { return settings };
    if let Ok(Some(backend)) = backend(scope, &fields) {
        settings.backend = backend;
    }
    if let Some(field) = fields.get("marks") {
        settings.marks = marks(scope, field.value).unwrap_or(settings.marks);
    }
    if let Some(field) = fields.get("local-traffic") {
        settings.local_traffic = scope.boolean(field.value, "local-traffic") == Ok(true);
    }
    settings
}

/// Where `local-traffic` is set.
pub(super) fn local_traffic(value: Value<'_>) -> Option<Spot> {
    let DeValue::Table(table) = value.data else { return None };
    Fields::new(value.spot.file, value.spot, table).get("local-traffic").map(|field| field.key)
}

fn backend(scope: &mut Scope<'_>, fields: &Fields<'_>) -> Checked<Option<BackendKind>> {
    let Some(field) = fields.get("backend") else { return Ok(None) };
    let words = [("nftables", BackendKind::Nftables), ("iptables", BackendKind::Iptables)];
    let backend = scope.word(field.value, "backend", &words)?;
    if backend == BackendKind::Iptables {
        not_yet(scope, field.value, "backend = \"iptables\"")
            .help("use backend = \"nftables\", which is the default");
    }
    Ok(Some(backend))
}

fn marks(scope: &mut Scope<'_>, value: Value<'_>) -> Checked<MarkRange> {
    let expected = "a range of marks such as \"0x4c560000-0x4c56ffff\"";
    let DeValue::String(text) = value.data else {
        return Err(scope.wrong_type(value, "marks", expected));
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

/// Reports something valid that this version does not do.
pub(super) fn not_yet<'s>(
    scope: &'s mut Scope<'_>,
    value: Value<'_>,
    what: &str,
) -> &'s mut super::Diagnostic {
    scope
        .error(Code::NotYet, value.spot, format!("{what} is not supported yet"))
        .label("valid, but this version cannot do it")
}

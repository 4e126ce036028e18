//! `forward`: how packets reach the real servers.

use toml::de::DeValue;

use crate::model::{Forwarding, Tunnel, TunnelChecksum};

use super::codes::Code;
use super::reader::{Checked, Fields, Reported, Scope, Value};
use super::schema;

/// The UDP port of a GUE tunnel that names none (IANA: gue).
pub(super) const GUE_PORT: u16 = 6080;

/// What packs the packets of a tunnel.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ipip,
    Gue,
    Gre,
}

/// Reads `forward` of a group or of a real server.
pub(super) fn read(scope: &mut Scope<'_>, value: Value<'_>) -> Checked<Forwarding> {
    match value.data {
        DeValue::Table(_) => {
            let fields = scope.table(value, "forward", &schema::TUNNEL)?;
            tunnel(scope, value, &fields).map(Forwarding::Tunnel)
        }
        DeValue::String(_) => {
            let words = [
                ("dr", Forwarding::DirectRouting),
                ("nat", Forwarding::Nat),
                ("tun", Forwarding::Tunnel(Tunnel::Ipip)),
                ("fullnat", Forwarding::FullNat),
            ];
            scope.word(value, "forward", &words)
        }
        _ => {
            let expected = "\"dr\", \"nat\", \"tun\", \"fullnat\" or a table { type = \"gue\" }";
            Err(scope.wrong_type(value, "forward", expected))
        }
    }
}

fn tunnel(scope: &mut Scope<'_>, value: Value<'_>, fields: &Fields<'_>) -> Checked<Tunnel> {
    let kinds = [("ipip", Kind::Ipip), ("gue", Kind::Gue), ("gre", Kind::Gre)];
    let help = "add one: { type = \"ipip\" }; the types are ipip, gue and gre";
    let kind = scope
        .required(fields, "type", value.spot, "a tunnel has no type", help)
        .and_then(|field| scope.word(field.value, "type", &kinds));
    let port = port(scope, fields, kind);
    let checksum = checksum(scope, fields, kind);
    let (kind, port, checksum) = (kind?, port?, checksum?);
    Ok(match kind {
        Kind::Ipip => Tunnel::Ipip,
        Kind::Gue => Tunnel::Gue { port, checksum },
        Kind::Gre => Tunnel::Gre { checksum },
    })
}

fn port(scope: &mut Scope<'_>, fields: &Fields<'_>, kind: Checked<Kind>) -> Checked<u16> {
    let Some(field) = fields.get("port") else { return Ok(GUE_PORT) };
    let number = scope.integer(field.value, "port", "a UDP port from 1 to 65535")?;
    if kind.is_ok_and(|kind| kind != Kind::Gue) {
        scope
            .error(Code::InvalidTunnel, field.key, "only a gue tunnel has a port")
            .label("this tunnel has none")
            .help("leave port out, or use type = \"gue\"");
        return Err(Reported);
    }
    super::real_servers::port_number(scope, field.value, number)
}

fn checksum(
    scope: &mut Scope<'_>,
    fields: &Fields<'_>,
    kind: Checked<Kind>,
) -> Checked<TunnelChecksum> {
    let Some(field) = fields.get("checksum") else { return Ok(TunnelChecksum::None) };
    let words = [
        ("none", TunnelChecksum::None),
        ("csum", TunnelChecksum::Checksum),
        ("remcsum", TunnelChecksum::Remote),
    ];
    let checksum = scope.word(field.value, "checksum", &words)?;
    let (message, help) = match (kind, checksum) {
        (Ok(Kind::Ipip), TunnelChecksum::Checksum | TunnelChecksum::Remote) => {
            ("an ipip tunnel has no checksum", "leave checksum out, or use type = \"gue\"")
        }
        (Ok(Kind::Gre), TunnelChecksum::Remote) => {
            ("only a gue tunnel has remcsum", "use checksum = \"csum\", or type = \"gue\"")
        }
        _ => return Ok(checksum),
    };
    scope.error(Code::InvalidTunnel, field.value.spot, message).help(help);
    Err(Reported)
}

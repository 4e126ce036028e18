//! `lvs_method`: how packets reach a real server.

use super::value::number;
use crate::model::{Tunnel, TunnelChecksum};
use crate::state::Method;

/// Reads what stands behind `lvs_method`; what is wrong is told in words.
pub(super) fn method(words: &[String]) -> Result<Method, String> {
    let mut words = words.iter().map(String::as_str);
    match words.next().unwrap_or("") {
        "NAT" => Ok(Method::Nat),
        "DR" => Ok(Method::DirectRouting),
        "TUN" => tunnel(words).map(Method::Tunnel),
        other => Err(format!("'{other}' is none of NAT, DR and TUN")),
    }
}

fn tunnel<'a>(mut words: impl Iterator<Item = &'a str>) -> Result<Tunnel, String> {
    let (mut kind, mut port, mut checksum) = ("ipip", None, TunnelChecksum::None);
    while let Some(word) = words.next() {
        match word {
            "type" => kind = words.next().unwrap_or(""),
            "port" => {
                let text = words.next().unwrap_or("");
                let number = number(text, 1..=65_535).and_then(|it| u16::try_from(it).ok());
                port = Some(number.ok_or_else(|| format!("'{text}' is no port of a tunnel"))?);
            }
            "nocsum" => checksum = TunnelChecksum::None,
            "csum" => checksum = TunnelChecksum::Checksum,
            "remcsum" => checksum = TunnelChecksum::Remote,
            other => return Err(format!("a tunnel has no option '{other}'")),
        }
    }
    match (kind, port, checksum) {
        ("ipip", None, TunnelChecksum::None) => Ok(Tunnel::Ipip),
        ("gue", Some(port), checksum) => Ok(Tunnel::Gue { port, checksum }),
        ("gre", None, TunnelChecksum::None | TunnelChecksum::Checksum) => {
            Ok(Tunnel::Gre { checksum })
        }
        ("gue", None, _) => Err("a tunnel of the type gue needs a port".to_owned()),
        ("ipip" | "gre", ..) => Err(format!("a tunnel of the type {kind} has no such option")),
        (other, ..) => Err(format!("'{other}' is no type of tunnel")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        let words: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
        method(&words).map(|method| method.to_string())
    }

    #[test]
    fn methods_are_those_of_the_manual() {
        for (text, wanted) in [
            ("NAT", "nat"),
            ("DR", "dr"),
            ("TUN", "tun"),
            ("TUN type ipip nocsum", "tun"),
            ("TUN type gue port 6080 remcsum", "tun gue port 6080 remcsum"),
            ("TUN type gre csum", "tun gre csum"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(wanted));
        }
    }

    #[test]
    fn what_is_no_method_is_told() {
        for text in [
            "",
            "dr",
            "TUN gre",
            "TUN type",
            "TUN type gue",
            "TUN type gue port 0",
            "TUN type gre remcsum",
            "TUN csum",
            "TUN type ipip port 1",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}

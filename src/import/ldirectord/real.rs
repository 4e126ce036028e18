//! `real = ADDRESS[->ADDRESS][:PORT] METHOD [WEIGHT] ["REQUEST", "RECEIVE"] [l:N] [u:N]`.

use std::net::IpAddr;

use crate::import::{range::Range, words};
use crate::model::{Family, MAX_WEIGHT, Tunnel};
use crate::state::Method;

/// The most real servers of one range.
const MAX_ADDRESSES: u128 = 65_536;

/// A line of real servers.
pub(super) struct Reals {
    pub(super) addresses: Vec<IpAddr>,
    /// 0 where there is none.
    pub(super) port: u16,
    pub(super) method: Method,
    pub(super) weight: u32,
    pub(super) upper: u32,
    pub(super) lower: u32,
}

impl Reals {
    /// Reads what stands behind the sign.
    pub(super) fn read(text: &str, family: Family) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let (range, port) = place(words.next().unwrap_or(""))?;
        if range.family() != family {
            return Err(format!(
                "the real server {} has not the family of its service",
                range.first
            ));
        }
        if range.size() > MAX_ADDRESSES {
            return Err(format!("a range of more than {MAX_ADDRESSES} real servers"));
        }
        let method = match words.next().unwrap_or("") {
            "gate" => Method::DirectRouting,
            "masq" => Method::Nat,
            "ipip" => Method::Tunnel(Tunnel::Ipip),
            other => return Err(format!("'{other}' is none of gate, masq and ipip")),
        };
        let addresses = range.addresses().collect();
        let mut reals = Self { addresses, port, method, weight: 1, upper: 0, lower: 0 };
        let mut words = words.peekable();
        if let Some(weight) = words.next_if(|word| word.bytes().all(|it| it.is_ascii_digit())) {
            let weight = weight.parse().ok().filter(|weight| *weight <= MAX_WEIGHT);
            reals.weight = weight.ok_or("a weight is 0 to 65535")?;
        }
        // What a check asks, and what it wants to hear.
        let mut words = words.skip_while(|word| !word.starts_with("l:") && !word.starts_with("u:"));
        words.try_for_each(|word| reals.threshold(word))?;
        if reals.upper != 0 && reals.lower > reals.upper {
            return Err("the lower threshold is above the upper one".to_owned());
        }
        Ok(reals)
    }

    fn threshold(&mut self, word: &str) -> Result<(), String> {
        let wrong = || format!("'{word}' is no threshold");
        let (which, number) = word.split_once(':').ok_or_else(wrong)?;
        let number = number.parse().ok().filter(|number| *number <= i32::MAX.cast_unsigned());
        let number = number.ok_or_else(wrong)?;
        match which {
            "l" => self.lower = number,
            "u" => self.upper = number,
            _ => return Err(wrong()),
        }
        Ok(())
    }
}

/// An address or a range of them, and the port.
fn place(text: &str) -> Result<(Range, u16), String> {
    let (first, rest) = address(text)?;
    let (last, rest) = match rest.strip_prefix("->") {
        Some(rest) => address(rest)?,
        None => (first, rest),
    };
    let port = match rest.strip_prefix(':') {
        Some(name) => words::port(name).ok_or_else(|| format!("the port '{name}' is not known"))?,
        None if rest.is_empty() => 0,
        None => return Err(format!("'{rest}' is no port")),
    };
    if Family::of(first) != Family::of(last) || first > last {
        return Err(format!("a range does not go from {first} to {last}"));
    }
    Ok((Range { first, last }, port))
}

/// The address that a text begins with, and the rest; IPv6 stands in brackets.
pub(super) fn address(text: &str) -> Result<(IpAddr, &str), String> {
    if let Some(inner) = text.strip_prefix('[') {
        let (address, rest) = inner.split_once(']').unwrap_or((inner, ""));
        let address: std::net::Ipv6Addr =
            address.parse().map_err(|_| format!("'{address}' is no address of IPv6"))?;
        return Ok((address.into(), rest));
    }
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.');
    let (address, rest) = text.split_at(end.unwrap_or(text.len()));
    let address: std::net::Ipv4Addr = address
        .parse()
        .map_err(|_| format!("'{text}' is no address; names of hosts are not looked up"))?;
    Ok((address.into(), rest))
}

//! `real_server`: where it is, and what its block says.

use std::net::IpAddr;

use super::health;
use super::method::method;
use super::tree::Statement;
use super::value::{number, port};
use crate::import::Place;
use crate::import::notes::{Notes, shown};
use crate::model::{Family, MAX_WEIGHT};
use crate::state::Method;

/// A real server as it is written.
#[derive(Debug, Clone)]
pub(super) struct Real {
    pub(super) place: Place,
    pub(super) address: IpAddr,
    /// 0 where there is none.
    pub(super) port: u16,
    pub(super) weight: Option<u32>,
    pub(super) method: Option<Method>,
    pub(super) upper: u32,
    pub(super) lower: u32,
}

impl Real {
    /// Reads one; what is wrong with it is told, and keepalived goes on without it.
    /// `inherited` is the method of its virtual server as far as that was read.
    pub(super) fn read(
        statement: &Statement,
        inherited: Option<Method>,
        notes: &mut Notes,
    ) -> Option<Self> {
        let (address, at) = (statement.word(1).parse(), port(statement.word(2)));
        let (Ok(address), Some(at)) = (address, at) else {
            let what = format!(
                "'{} {}' is no address and port of a real server: keepalived leaves it out",
                shown(statement.word(1)),
                shown(statement.word(2))
            );
            notes.one(&statement.place, what);
            return None;
        };
        let mut real = Self {
            place: statement.place.clone(),
            address,
            port: at,
            weight: None,
            method: inherited,
            upper: 0,
            lower: 0,
        };
        for inner in &statement.block {
            real.take(inner, notes);
        }
        if real.lower > real.upper && real.upper != 0 {
            let what = "lthreshold is above uthreshold: the kernel refuses this real server";
            notes.one(&statement.place, what);
            return None;
        }
        Some(real)
    }

    /// The family of its address.
    pub(super) fn family(&self) -> Family {
        Family::of(self.address)
    }

    /// Whether the families of clients and real server may differ.
    pub(super) fn is_tunnelled(&self) -> bool {
        matches!(self.method, Some(Method::Tunnel(_)))
    }

    fn take(&mut self, inner: &Statement, notes: &mut Notes) {
        let most = i32::MAX.cast_unsigned();
        let (value, place) = (inner.word(1), &inner.place);
        match inner.keyword() {
            "weight" => self.weight = checked(inner, number(value, 0..=MAX_WEIGHT), notes),
            "uthreshold" => {
                self.upper = checked(inner, number(value, 0..=most), notes).unwrap_or(0);
            }
            "lthreshold" => {
                self.lower = checked(inner, number(value, 0..=most), notes).unwrap_or(0);
            }
            "lvs_method" => match method(&inner.words[1..]) {
                Ok(method) => self.method = Some(method),
                Err(why) => notes.one(place, format!("{why}: keepalived ignores it")),
            },
            other if health::tell(other, place, notes) => {}
            other => {
                let what =
                    format!("'{}' is no word of a real_server, and is ignored", shown(other));
                notes.one(place, what);
            }
        }
    }
}

/// A value that has to be right; keepalived ignores a wrong one.
pub(super) fn checked<T>(statement: &Statement, value: Option<T>, notes: &mut Notes) -> Option<T> {
    if value.is_none() {
        let (word, value) = (statement.keyword(), shown(statement.word(1)));
        notes.one(&statement.place, format!("{word} '{value}' is wrong: keepalived ignores it"));
    }
    value
}

//! Which mark belongs to whom. Affinity is keyed on the mark, so the marks of a config
//! are kept with each saved generation, those of disabled groups included.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::model::{Group, GroupName, Listener, Mark, Via};

/// Who holds a mark: a group, or one listener of a group (PPC).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MarkHolder {
    /// The group.
    pub group: GroupName,
    /// The listener; `None` where the whole group shares the mark.
    pub listener: Option<Listener>,
}

impl MarkHolder {
    /// Everyone in `group` who holds a mark; nobody in one that goes by address.
    pub fn of_group(group: &Group) -> Box<dyn Iterator<Item = Self> + '_> {
        let holder = |listener| Self { group: group.name.clone(), listener };
        if group.via == Via::Address {
            Box::new(std::iter::empty())
        } else if group.is_per_listener() {
            Box::new(group.listeners.iter().map(move |listener| holder(Some(listener))))
        } else {
            Box::new(std::iter::once(holder(None)))
        }
    }
}

impl fmt::Display for MarkHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.listener {
            None => write!(f, "{}", self.group),
            Some(listener) => write!(f, "{} {listener}", self.group),
        }
    }
}

impl FromStr for MarkHolder {
    type Err = ();

    /// Reads what [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (group, listener) = match text.split_once(' ') {
            None => (text, None),
            Some((group, listener)) => {
                let (ports, protocol) = listener.split_once('/').ok_or(())?;
                let ports = ports.parse().map_err(|_| ())?;
                let protocol = protocol.parse().map_err(|_| ())?;
                (group, Some(Listener { protocol, ports }))
            }
        };
        Ok(Self { group: group.parse().map_err(|_| ())?, listener })
    }
}

/// The marks of a config, or those that an earlier one had.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MarkBook(pub BTreeMap<MarkHolder, Mark>);

impl MarkBook {
    /// The marks of one group, each with the listeners that get it.
    pub fn of_group<'a>(
        &'a self,
        group: &'a Group,
    ) -> impl Iterator<Item = (Mark, Vec<Listener>)> + 'a {
        MarkHolder::of_group(group).filter_map(|holder| {
            let mark = *self.0.get(&holder)?;
            let listeners = match holder.listener {
                Some(listener) => vec![listener],
                None => group.listeners.iter().collect(),
            };
            Some((mark, listeners))
        })
    }
}

/// As a map from each holder's name to its mark.
impl serde::Serialize for MarkBook {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(holder, mark)| (holder.to_string(), mark)))
    }
}

impl<'de> serde::Deserialize<'de> for MarkBook {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries = BTreeMap::<String, u32>::deserialize(deserializer)?;
        let entry = |(holder, mark): (String, u32)| Some((holder.parse().ok()?, Mark::new(mark)?));
        let book: Option<_> = entries.into_iter().map(entry).collect();
        book.map(Self).ok_or_else(|| serde::de::Error::custom("it names no holder, or mark 0"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_book_comes_back_as_it_was_saved() {
        let holders = ["web", "shop 443/tcp", "all any/udp", "range 8000-8100/sctp"];
        let entry = |(number, holder): (u32, &str)| {
            (holder.parse().expect(holder), Mark::new(number).expect("not 0"))
        };
        let book = MarkBook((1..).zip(holders).map(entry).collect());
        let text = serde_json::to_string(&book).expect("JSON");
        assert_eq!(serde_json::from_str::<MarkBook>(&text).expect("a book"), book, "{text}");
    }

    #[test]
    fn a_book_that_makes_no_sense_is_refused() {
        for text in [r#"{"web":0}"#, r#"{"Web":1}"#, r#"{"web 0/tcp":1}"#, "[]"] {
            assert!(serde_json::from_str::<MarkBook>(text).is_err(), "{text}");
        }
    }
}

//! Why ipset refused something, in words. It has numbers of its own above those of errno
//! (`enum ipset_errno`, `linux/netfilter/ipset/ip_set.h`, and `ip_set_hash.h`).

use rustix::io::Errno;

use super::set::SetDefinition;
use super::wire;
use crate::netlink::attributes::Fields;
use crate::netlink::{NetlinkError, Refusal};

/// Why a set could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum IpsetError {
    /// No privilege.
    #[error("ipset needs CAP_NET_ADMIN")]
    Privilege,
    /// The kernel has no ipset, or lacks a part of it.
    #[error("this kernel has no ipset: {0}")]
    Unsupported(String),
    /// There is a set of that name.
    #[error("there is a set {0} already")]
    Exists(String),
    /// There is no set of that name.
    #[error("there is no set {0}")]
    Missing(String),
    /// A rule, another set or a listing still refers to it.
    #[error("the set {0} is in use")]
    InUse(String),
    /// Something that would not be what was meant; nothing was sent.
    #[error("{object} cannot be made: {reason}")]
    Unfit {
        /// What.
        object: String,
        /// Why.
        reason: &'static str,
    },
    /// The kernel refused it. Members of the same set that came before may be in it.
    #[error("the kernel refused {object}: {reason}")]
    Refused {
        /// What was refused, in the field's words.
        object: String,
        /// Why.
        reason: String,
    },
    /// Talking to the kernel failed.
    #[error("cannot talk to ipset")]
    Netlink(#[from] NetlinkError),
}

const FIND_TYPE: u32 = 4098;
const BUSY: u32 = 4100;

/// The error of a set that was not made.
pub(super) fn not_created(set: &SetDefinition, refusal: &Refusal) -> IpsetError {
    match refusal.errno {
        Errno::EXIST => IpsetError::Exists(set.name.clone()),
        _ if number(refusal) == Some(FIND_TYPE) => IpsetError::Unsupported(format!(
            "it lacks {} with skbinfo; load the module {}, or use Linux 3.19 or later",
            set.kind.type_name(),
            set.kind.module()
        )),
        _ => about(&set.name, format!("the set {}", set.name), refusal),
    }
}

/// The error of something that is about the set `name`, `object` in words.
pub(super) fn about(name: &str, object: String, refusal: &Refusal) -> IpsetError {
    match (refusal.errno, number(refusal)) {
        (Errno::PERM, _) => IpsetError::Privilege,
        (Errno::NOENT, _) => IpsetError::Missing(name.to_owned()),
        (_, Some(BUSY)) => IpsetError::InUse(name.to_owned()),
        _ => IpsetError::Refused { object, reason: reason(refusal) },
    }
}

/// The error of a question that is about all sets.
pub(super) fn unanswered(error: NetlinkError) -> IpsetError {
    match error.errno() {
        Some(Errno::PERM) => IpsetError::Privilege,
        // The netfilter bus is there, and nobody on it who knows ipset.
        Some(Errno::INVAL | Errno::OPNOTSUPP | Errno::PROTONOSUPPORT) => {
            IpsetError::Unsupported("load the module ip_set, or use a kernel that has it".into())
        }
        _ => error.into(),
    }
}

/// Which line of a message of members was refused.
pub(super) fn line(refusal: &Refusal) -> Option<u32> {
    let request = &refusal.private.as_ref()?.request;
    Fields::behind(request, wire::FAMILY_HEADER).native(wire::LINE)
}

fn number(refusal: &Refusal) -> Option<u32> {
    refusal.private.as_ref().map(|private| private.number)
}

fn reason(refusal: &Refusal) -> String {
    let meaning = match number(refusal) {
        Some(4097) => "it does not understand the request",
        Some(FIND_TYPE) => "it has no such type of sets",
        Some(4099) => "it has as many sets as it can",
        Some(4103) => "it is in the set already",
        Some(4104) => "the set takes no prefix of that length",
        Some(4106) => "the set is of the other address family",
        Some(4109 | 4110) => "its address is not of the set's family",
        Some(4111) => "the set does not count",
        Some(4112) => "the set has no comments",
        Some(4114) => "the set has no marks to give",
        Some(4352) => "the set is full",
        Some(4353) => "no set can hold it",
        Some(4354 | 4355) => "its protocol has no ports",
        _ => return refusal.to_string(),
    };
    meaning.to_owned()
}

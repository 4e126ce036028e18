//! What packet filters do with a packet, as far as it can be known beforehand.
//!
//! Rules of nf_tables (and of iptables-nft, which are such) and of legacy iptables become
//! one form, a [`Ruleset`]. A [`Packet`] of which only some bytes are known walks through
//! it: `walk` knows yes, no, sometimes (it depends on the client) and unknown, and says
//! "may" wherever a rule cannot be worked out.

mod decode;
mod legacy;
mod packet;
mod ruleset;
mod run;
mod walk;
mod words;
mod xt;

pub(super) use decode::{chain, elements, hooks, rule, table};
pub(super) use legacy::parse;
pub(super) use packet::{CtState, Packet, flags};
pub(super) use ruleset::{Chain, ChainId, Hook, Origin, Ruleset, Set, Step, Verdict};
pub(super) use run::Doubt;
pub(super) use walk::{Event, Kind, jump_to_ours, walk};
pub(super) use words::{Uses, uses};

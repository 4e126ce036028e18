//! Every chain and rule of nf_tables, the sets that rules of others look into, and the
//! order of chains of one priority, which only the list of hooks tells (Linux 5.14,
//! `linux/netfilter/nfnetlink_hook.h`; Debian's 6.1 is built without), and nearly the age of
//! their tables.

use rustix::io::Errno;

use crate::netlink::attributes::{Fields, put};
use crate::netlink::{Bus, DUMP, Message, NetlinkError, Socket, put_message};
use crate::preflight::filter::{self, ChainId, Origin, Ruleset, Set, Step};

/// `NFNL_SUBSYS_NFTABLES` with `NFT_MSG_GETTABLE`, `…GETCHAIN`, `…GETRULE`, `…GETSET`,
/// `…GETSETELEM`.
const GET_TABLE: u16 = 0xa01;
const GET_CHAIN: u16 = 0xa04;
const GET_RULE: u16 = 0xa07;
const GET_SET: u16 = 0xa0a;
const GET_ELEMENTS: u16 = 0xa0d;
/// `NFNL_SUBSYS_HOOK` with `NFNL_MSG_HOOK_GET`.
const GET_HOOKS: u16 = 0xc00;

/// How often a dump is read anew because something changed meanwhile.
const READINGS: usize = 16;

/// A set with more elements is not worked out: that it holds a VIP is then unknown.
const MOST: usize = 65_536;

/// Reads everything; the tables of others have to hold still for a moment.
pub(super) fn read() -> Result<Ruleset, NetlinkError> {
    let mut ruleset = Ruleset::default();
    for payload in dump(GET_CHAIN, &[0, 0, 0, 0], &[], usize::MAX)? {
        ruleset.chains.extend(filter::chain(&payload));
    }
    for payload in dump(GET_RULE, &[0, 0, 0, 0], &[], usize::MAX)? {
        let Some((id, rule)) = filter::rule(&payload) else { continue };
        if let Some(chain) = ruleset.chains.iter_mut().find(|chain| chain.id == id) {
            chain.rules.push(rule);
        }
    }
    for payload in dump(GET_TABLE, &[0, 0, 0, 0], &[], usize::MAX)? {
        let Some((family, table, handle)) = filter::table(&payload) else { continue };
        let of_table = |chain: &&mut filter::Chain| {
            chain.id.origin == Origin::Nft(family) && chain.id.table == table
        };
        ruleset.chains.iter_mut().filter(of_table).for_each(|c| c.table = Some(handle));
    }
    sets(&mut ruleset)?;
    order(&mut ruleset);
    Ok(ruleset)
}

/// Reads the sets that rules of others look into.
fn sets(ruleset: &mut Ruleset) -> Result<(), NetlinkError> {
    let mut wanted = std::collections::BTreeSet::new();
    for chain in ruleset.chains.iter().filter(|chain| !chain.id.is_ours()) {
        let ChainId { origin: Origin::Nft(family), table, .. } = &chain.id else { continue };
        for step in chain.rules.iter().flat_map(|rule| &rule.steps) {
            if let Step::Lookup { set, .. } = step {
                wanted.insert((*family, table.clone(), set.clone()));
            }
        }
    }
    if wanted.is_empty() {
        return Ok(());
    }
    for payload in dump(GET_SET, &[0, 0, 0, 0], &[], usize::MAX)? {
        let fields = Fields::behind(&payload, 4);
        let family = match payload.first() {
            Some(1) => "inet",
            Some(2) => "ip",
            Some(10) => "ip6",
            _ => continue,
        };
        let (Some(table), Some(name)) = (fields.text(1), fields.text(2)) else { continue };
        let key = (family, table.to_owned(), name.to_owned());
        if !wanted.contains(&key) {
            continue;
        }
        // NFT_SET_INTERVAL
        let is_interval = fields.network(3).unwrap_or(0) & 4 != 0;
        let header = [payload[0], 0, 0, 0];
        let names = [(1, table), (2, name)];
        let elements = match dump(GET_ELEMENTS, &header, &names, MOST) {
            Ok(messages) => Some(messages.iter().flat_map(|m| filter::elements(m)).collect()),
            Err(NetlinkError::Truncated(_)) => None,
            // It went while it was looked at.
            Err(error) if error.errno() == Some(Errno::NOENT) => None,
            Err(error) => return Err(error),
        };
        let length = fields.network(5).and_then(|length| usize::try_from(length).ok());
        let key_length = length.unwrap_or(0);
        ruleset.sets.insert(key, Set { is_interval, key_length, elements });
    }
    Ok(())
}

/// Where the kernel tells in which order chains are called, keeps it.
fn order(ruleset: &mut Ruleset) {
    let mut place = 0;
    for family in [2, 10] {
        for hook in 0..5_u32 {
            let number = (1, hook.to_be_bytes());
            let messages = match hooks(family, number) {
                Ok(messages) => messages,
                Err(error) => {
                    tracing::debug!(%error, "the kernel does not tell the order of hooks");
                    return;
                }
            };
            for (family, table, name) in messages.iter().filter_map(|m| filter::hooks(m)) {
                let id = ChainId { origin: Origin::Nft(family), table, name };
                place += 1;
                if let Some(chain) = ruleset.chains.iter_mut().find(|chain| chain.id == id) {
                    // A chain of both families is at the same place in both.
                    chain.order.get_or_insert(place);
                }
            }
        }
    }
}

fn hooks(family: u8, (kind, number): (u16, [u8; 4])) -> Result<Vec<Vec<u8>>, NetlinkError> {
    let mut header = vec![family, 0, 0, 0];
    put(&mut header, kind, &number);
    dump(GET_HOOKS, &header, &[], usize::MAX)
}

/// Every message of a dump, or [`NetlinkError::Truncated`] where there are more elements
/// than wanted.
fn dump(
    kind: u16,
    header: &[u8],
    names: &[(u16, &str)],
    most: usize,
) -> Result<Vec<Vec<u8>>, NetlinkError> {
    for _ in 0..READINGS {
        // A dump that was given up leaves its rest in the socket.
        let mut socket = Socket::open(Bus::Netfilter)?;
        let (mut request, sequence) = (Vec::new(), socket.next_sequence());
        put_message(&mut request, kind, DUMP, sequence, |out| {
            out.extend_from_slice(header);
            for (kind, name) in names {
                put(out, *kind, &[name.as_bytes(), &[0]].concat());
            }
        });
        let (mut found, mut count) = (Vec::new(), 0);
        let each = |message: Message<'_>| {
            if most != usize::MAX {
                count += filter::elements(message.payload).len();
            }
            if count > most {
                return Err(NetlinkError::Truncated(count));
            }
            found.push(message.payload.to_vec());
            Ok(())
        };
        match socket.dump(&request, each) {
            Ok(()) => return Ok(found),
            Err(NetlinkError::Interrupted) => {}
            Err(error) => return Err(error),
        }
    }
    Err(NetlinkError::Interrupted)
}

//! Whose address real servers see: where they are reached by full NAT.

use crate::model::{Family, Forwarding, Group, Mark};
use crate::state::{Source, SourceEntry, SourceKey, Sources};

pub(super) fn add(sources: &mut Sources, group: &Group, mark: Mark) {
    let full = group.real_servers.iter().filter(|it| it.forwarding == Forwarding::FullNat);
    for server in full.filter(|server| group.has_vip(server.family())) {
        let of_family = |address: &&std::net::IpAddr| Family::of(**address) == server.family();
        let chosen = group.snat.iter().find(of_family);
        let source = chosen.map_or(Source::Masquerade, |address| Source::Address(*address));
        let key = SourceKey { mark, server: server.address };
        sources.insert(key, SourceEntry { source, group: Some(group.name.clone()) });
    }
}

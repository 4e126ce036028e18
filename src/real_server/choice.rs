//! Which VIPs this machine is to take: those of the groups that have it as a real server.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{Method, Vip};
use crate::model::{Family, Forwarding, Group, GroupName, Prefix, RealServer, Tunnel};

/// By what the groups were chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Chosen {
    /// One of their real servers has an address of this machine.
    ByAddress,
    /// They were named.
    ByName,
    /// No real server of any group has an address of this machine: all are taken.
    All,
}

/// What was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// By what.
    pub by: Chosen,
    /// The groups.
    pub groups: Vec<GroupName>,
    /// Their VIPs, each with every method by which packets for it come.
    pub vips: BTreeSet<Vip>,
    /// What an administrator should know.
    pub notes: Vec<String>,
}

/// Why nothing could be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChoiceError {
    /// No enabled group has this name.
    #[error("there is no enabled group '{0}'")]
    NoGroup(String),
    /// The group's servers are reached in several ways, and which of them this is cannot
    /// be told.
    #[error(
        "group '{0}' forwards to its real servers in several ways, and none of them has an \
         address of this machine"
    )]
    Ambiguous(GroupName),
    /// Packets come in something else than IP in IP.
    #[error("group '{group}' sends packets to {server} by {kind}, which is not prepared")]
    Encapsulation {
        /// The group.
        group: GroupName,
        /// The real server.
        server: IpAddr,
        /// `gue` or `gre`.
        kind: &'static str,
    },
}

impl ChoiceError {
    /// What would do.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NoGroup(_) => "fwmarkctl check",
            Self::Ambiguous(_) => "say --method dr, tun or nat",
            Self::Encapsulation { .. } => {
                "make what unpacks it yourself, then put the VIPs beside it with --method tun"
            }
        }
    }
}

/// Chooses among the groups: those named by `only`, else those with a real server at one
/// of `own`, else all that are enabled. `method` holds for all of them, whatever they say.
///
/// # Errors
/// [`ChoiceError`].
pub fn choose(
    groups: &[Group],
    own: &BTreeSet<IpAddr>,
    only: &[String],
    method: Option<Method>,
) -> Result<Choice, ChoiceError> {
    let here = |server: &&RealServer| own.contains(&server.address);
    let (by, chosen) = among(groups, only, |group| group.real_servers.iter().any(|s| here(&s)))?;
    let mut choice = Choice {
        by,
        groups: chosen.iter().map(|group| group.name.clone()).collect(),
        vips: BTreeSet::new(),
        notes: Vec::new(),
    };
    for group in chosen {
        let mut servers: Vec<_> = group.real_servers.iter().filter(here).collect();
        let is_here = !servers.is_empty();
        if !is_here {
            servers = group.real_servers.iter().collect();
        }
        if method.is_none() && servers.iter().all(|it| it.forwarding == Forwarding::FullNat) {
            let name = &group.name;
            choice.notes.push(format!("group {name}: with fullnat nothing is needed here"));
            continue;
        }
        servers.retain(|server| server.forwarding != Forwarding::FullNat);
        let methods = match method {
            Some(method) => [method].into(),
            None => methods(group, &servers)?,
        };
        if methods.len() > 1 && !is_here {
            return Err(ChoiceError::Ambiguous(group.name.clone()));
        }
        choice.notes.extend(crossing(group, &servers, &methods));
        choice.vips.extend(
            group
                .vips
                .iter()
                .flat_map(|&prefix| methods.iter().map(move |&method| Vip { prefix, method })),
        );
    }
    Ok(choice)
}

/// The groups that are meant, and by what; `is_here` says whether a group has a real server
/// on this machine.
fn among<'g>(
    groups: &'g [Group],
    only: &[String],
    is_here: impl Fn(&Group) -> bool,
) -> Result<(Chosen, Vec<&'g Group>), ChoiceError> {
    let enabled: Vec<_> = groups.iter().filter(|group| group.enabled).collect();
    if only.is_empty() {
        let here: Vec<_> = enabled.iter().copied().filter(|group| is_here(group)).collect();
        return Ok(if here.is_empty() {
            (Chosen::All, enabled)
        } else {
            (Chosen::ByAddress, here)
        });
    }
    let named = |name: &String| {
        let group = enabled.iter().copied().find(|group| group.name.as_str() == name);
        group.ok_or_else(|| ChoiceError::NoGroup(name.clone()))
    };
    Ok((Chosen::ByName, only.iter().map(named).collect::<Result<_, _>>()?))
}

/// The ways in which packets come to some servers of a group.
fn methods(group: &Group, servers: &[&RealServer]) -> Result<BTreeSet<Method>, ChoiceError> {
    let method = |server: &&RealServer| {
        let kind = match server.forwarding {
            Forwarding::DirectRouting => return Ok(Method::Dr),
            Forwarding::Nat | Forwarding::FullNat => return Ok(Method::Nat),
            Forwarding::Tunnel(Tunnel::Ipip) => return Ok(Method::Tun),
            Forwarding::Tunnel(Tunnel::Gue { .. }) => "gue",
            Forwarding::Tunnel(Tunnel::Gre { .. }) => "gre",
        };
        let (group, server) = (group.name.clone(), server.address);
        Err(ChoiceError::Encapsulation { group, server, kind })
    };
    servers.iter().map(method).collect()
}

/// Packets of one family inside those of the other come where the group has no real server
/// of the VIP's family, or no VIP of the server's; the fallback devices of the two families
/// do not unpack them.
fn crossing(group: &Group, servers: &[&RealServer], methods: &BTreeSet<Method>) -> Option<String> {
    let has_server = |family: Family| group.real_servers.iter().any(|s| s.family() == family);
    let has_vip = |family: Family| group.vips.iter().any(|vip| vip.family() == family);
    let crosses = |server: &RealServer, family: Family| {
        server.family() != family && (!has_vip(server.family()) || !has_server(family))
    };
    let (server, family) = servers.iter().find_map(|server| {
        let families = group.vips.iter().map(Prefix::family);
        families.into_iter().find(|&family| crosses(server, family)).map(|family| (server, family))
    })?;
    methods.contains(&Method::Tun).then(|| {
        format!(
            "group {}: packets for its {family} VIPs come to {} inside {}; what unpacks them is \
             not prepared",
            group.name,
            server.address,
            server.family()
        )
    })
}

//! A real server that may be chosen, or why it may not.

use serde::Serialize;

use crate::backend::{Activity, ActivityTable};
use crate::state::{Destination, DestinationKey, ServiceKey};

/// A real server of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Candidate {
    /// Its address, and its port where packets get another one.
    pub server: String,
    #[serde(skip)]
    pub(super) key: DestinationKey,
    /// Its weight.
    pub weight: u32,
    /// Established connections.
    pub active: u32,
    /// Other connections.
    pub inactive: u32,
    /// Why it takes no new client; `None` where it does.
    pub passed_over: Option<String>,
}

impl Candidate {
    pub(super) fn of(service: ServiceKey, it: &Destination, activity: &ActivityTable) -> Self {
        let Activity { active, inactive, .. } =
            activity.get(&(service, it.key)).copied().unwrap_or_default();
        let connections = active.saturating_add(inactive);
        // `ip_vs_bind_dest` (`net/netfilter/ipvs/ip_vs_conn.c`): it counts as overloaded from
        // the upper threshold on, and until it is below the lower one.
        let passed_over = if it.weight == 0 {
            Some("weight 0: it takes no new clients".to_owned())
        } else if it.upper_threshold > 0 && connections >= it.upper_threshold {
            Some(format!(
                "{connections} connections reach its upper threshold {}",
                it.upper_threshold
            ))
        } else {
            None
        };
        Self {
            server: it.key.to_string(),
            key: it.key,
            weight: it.weight,
            active,
            inactive,
            passed_over,
        }
    }
}

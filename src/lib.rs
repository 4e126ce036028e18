//! Firewall marks and IPVS virtual services as one thing.

pub mod backend;
pub mod compile;
pub mod config;
pub mod model;
pub mod netlink;
pub mod plan;
pub mod state;
pub mod transaction;

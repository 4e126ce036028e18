//! The kernel ring: what fwmarkctl makes, on a real kernel with real clients.
//!
//! Needs root, IPVS and nftables: `tests/kernel/run` finds or boots such a
//! kernel and runs this program on it. Each test builds a network of its own in
//! namespaces (see `lab`), so that any number of them can run at once.
#![allow(clippy::unwrap_used, reason = "a test that can't go on panics")]

mod any_service;
mod by_address;
mod change;
mod clear;
#[path = "../configs/mod.rs"]
#[allow(unreachable_pub, reason = "shared with other test programs")]
mod configs;
mod connections;
mod consent;
mod doctor;
mod drain;
mod drift;
mod edit;
mod examples;
mod explain;
mod export;
mod firewalls;
mod foreign;
mod forwarding;
mod fullnat;
mod graph;
mod ha;
mod history;
mod hitless;
mod idempotent;
mod interrupted;
mod ipset;
mod iptables;
mod killed;
mod lab;
mod lab_works;
#[path = "../loading/mod.rs"]
#[allow(unreachable_pub, reason = "shared with other test programs")]
mod loading;
mod loads;
mod local_node;
mod local_traffic;
#[path = "../longer/mod.rs"]
mod longer;
mod main_job;
mod neighbours;
mod one_packet;
mod pages;
mod persistence;
mod random;
mod readers;
mod realserver;
mod refused;
mod same_as_tools;
mod saved;
mod scene;
mod settings;
mod sip;
#[path = "../states/mod.rs"]
#[allow(unreachable_pub, reason = "shared with other test programs")]
mod states;
mod stats;
mod status;
mod take_over;
mod take_over_keepalived;
mod top;
mod trial;
mod watch;

//! The torture ring: whatever dies and whenever, `recover` leads to the state before or
//! to the state after, and what others hold stays byte for byte as it was.
//!
//! `make torture` runs it on a kernel with IPVS. Processes die at
//! every call that changes the kernel or writes to disk (a build with `fail-points`), and
//! at random moments (the program that is released).
//!
//! ```text
//!   FWMARKCTL_RELEASE           the program that is released
//!   FWMARKCTL_TORTURE_ROUNDS    how many random kills (200)
//!   FWMARKCTL_TORTURE_SEED      which random configurations (0 to 255)
//! ```
#![allow(clippy::unwrap_used, reason = "a test that can't go on panics")]
#![allow(clippy::print_stdout, reason = "what was tried is counted, and told")]
#![allow(dead_code, reason = "the lab serves the other tests too")]

#[path = "torture/blind.rs"]
mod blind;
#[path = "torture/configs.rs"]
mod configs;
#[path = "torture/every_call.rs"]
mod every_call;
#[path = "torture/foreign.rs"]
mod foreign;
mod lab;
#[path = "torture/machine.rs"]
mod machine;
#[path = "torture/random_kills.rs"]
mod random_kills;
mod scene;
#[path = "torture/together.rs"]
mod together;
#[path = "torture/trials.rs"]
mod trials;
#[path = "torture/twice.rs"]
mod twice;

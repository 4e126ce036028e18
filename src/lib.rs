//! Firewall marks and IPVS virtual services as one thing.
//!
//! Linux Virtual Server balances by *firewall mark*: netfilter gives the packets of
//! several ports one mark, and one IPVS service on that mark schedules them together.
//! This library keeps the two halves consistent. Everything is a [`state::DirectorState`]:
//!
//! ```text
//! config.toml ─[config]→ groups ─[compile]→ desired ─┐
//!                              kernel ─[backend]→ observed ┴ [plan] → stage · switch · retire
//!                                                              [transaction]: carried out,
//!                                                              read back, or undone
//! ```
//!
//! A transaction leads the kernel to a state, or leaves it as it was:
//!
//! ```no_run
//! use fwmarkctl::backend::KernelDirector;
//! use fwmarkctl::{compile, config, state, transaction};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = config::load(config::Sources::file("web.toml"), &config::Options::default())?;
//! let history = state::MarkBook::default();
//! let past = compile::Past::of(&history);
//! let compiled = compile::compile(&config.groups, &config.director, past)?;
//! let identity = transaction::Identity {
//!     transaction: state::TransactionId(1),
//!     boot: "example".into(),
//!     author: transaction::Author::default(),
//! };
//! let (journal, mut progress) = (transaction::NoJournal, transaction::Silent);
//! let aim = transaction::Aim::new(&compiled.state, transaction::Purpose::Apply);
//! let outcome = KernelDirector::new().with(|director| {
//!     transaction::Transaction::new(director, identity, &journal, &mut progress).run(aim)
//! })?;
//! # drop(outcome);
//! # Ok(())
//! # }
//! ```

pub mod backend;
pub mod cli;
pub mod compile;
pub mod config;
pub mod error;
#[cfg(feature = "fail-points")]
pub mod fail_points;
pub mod import;
pub mod journey;
pub mod model;
pub mod netlink;
pub mod operation;
pub mod plan;
pub mod preflight;
pub mod real_server;
pub mod regroup;
pub mod render;
pub mod state;
pub mod top;
pub mod transaction;
pub mod units;

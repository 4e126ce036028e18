//! A state in the words of the tools that people know: what `nft -f`, `iptables-restore`
//! and `ipvsadm -R` take. Loaded by these tools, the text makes the same kernel state that
//! an apply makes, ledger included.

pub mod iptables;
mod ipvsadm;
mod nft;

pub use ipvsadm::ipvsadm;
pub use nft::nft;

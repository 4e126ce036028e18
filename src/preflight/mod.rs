//! What on this director would stop traffic, before anybody sends any.
//!
//! A [`Scene`] is what the machine is set to, read once by `read`; a [`Subject`] is what has
//! to get through. Each check is a function of the scene alone. Nothing here changes
//! anything. Packet filters are worked out as far as they can be (`filter`): where a rule
//! cannot, the finding says "may".

mod checks;
mod codes;
mod filter;
mod finding;
mod read;
mod scene;
mod subject;

pub use checks::examine;
pub use codes::Code;
pub use finding::{Finding, Report, Severity, Unchecked};
pub use read::Sources;
pub use scene::Scene;
pub use subject::Subject;

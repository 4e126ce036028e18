//! What a director does as a whole: each operation takes the lock, ends what an earlier
//! process left unfinished, and leads the kernel somewhere by one transaction.
//!
//! A [`Site`] is the director with the folders in which it keeps what it knows. A
//! [`Session`] has its lock; the operations are methods of it. They return what they did as
//! a value, and tell an [`Observer`] of events while they run. Nothing here prints, reads
//! the environment or knows a terminal: the command line turns outcomes and events into
//! text, and another program can do what it likes with them.

mod apply;
mod clear;
mod error;
mod expectation;
mod observer;
mod recover;
mod repair;
mod rollback;
mod session;
mod site;
mod trial;
mod unfinished;

pub use apply::{Restored, Tried};
pub use error::OperationError;
pub use expectation::{Expectation, Expected, Wanted};
pub use observer::{Event, Observer, Unobserved};
pub use repair::{Look, Repaired};
pub use rollback::RolledBack;
pub use session::{Session, TrialEnd};
pub use site::{Site, Wait, last_state, marks};
pub use unfinished::{Interrupted, Unfinished};

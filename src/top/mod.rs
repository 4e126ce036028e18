//! The screen of `top`: what it shows of two samples of the counters, in which order, what
//! a key does, and how it is drawn. It reads no kernel and no terminal: whoever runs it
//! gives it samples and keys, and carries out what it asks for.

mod draw;
mod filter;
mod history;
mod key;
mod order;
mod rows;
mod sample;
mod screen;
mod selection;
mod spark;
mod table;
mod typed;

pub use self::draw::draw;
pub use self::key::{Action, Ask, Key, Verb};
pub use self::order::{Order, SortBy};
pub use self::rows::{Block, Place, Rates, Row, Server, Weight, rows};
pub use self::sample::{Counted, Groups, Sample, Waiting};
pub use self::screen::{Heading, Screen};
pub use self::spark::Look;
pub use self::table::plain;
pub use self::typed::Typed;

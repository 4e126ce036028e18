//! What other tools wrote, turned into groups: golden folders, and text of any kind.

mod any_text;
mod cases;
mod endless;
#[path = "../longer/mod.rs"]
mod longer;
mod refused;

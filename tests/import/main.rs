//! What other tools wrote, turned into groups: golden folders, and text of any kind.

mod any_text;
mod cases;
mod endless;
mod refused;

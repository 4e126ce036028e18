//! The screen of `top` without a terminal: what is drawn of samples, and what keys do.
//! The pictures in this folder are golden files; `UPDATE_GOLDEN=1` writes them anew.

mod drawn;
mod invented;
mod keys;

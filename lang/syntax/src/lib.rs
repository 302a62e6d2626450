//! Text to tree and back, one file at a time, no meaning.

pub mod ast;
mod build;
mod file;
pub mod habits;
mod items;
mod literal;
mod parse;
mod repair;
mod scan;

pub use file::{Parsed, parse, parse_expression};
pub use items::MAX_NESTING;

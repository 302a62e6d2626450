//! Text to tree and back, one file at a time, no meaning.

pub mod ast;
mod build;
mod characters;
mod explain;
mod file;
mod format;
pub mod habits;
mod items;
mod literal;
mod parse;
mod place;
mod repair;
mod scan;

pub use characters::{MAX_FILE_SIZE, decode};
pub use file::{Parsed, parse, parse_expression};
pub use format::format;
pub use items::MAX_NESTING;

//! Text to tree and back, one file at a time, no meaning.
//!
//! Reading never fails: it gives a tree and everything that is wrong with the text. In the order of
//! the work:
//!
//! * `characters` – bytes to text, and characters that may not stand in one ([`decode`]).
//! * `conflict` – merges that nobody finished: one side is read.
//! * `scan` – brackets, lines and texts, in one pass over bytes.
//! * `items` – where top-level items begin and end; a lost brace costs one of them.
//! * `repair` – balances an item that lost a bracket or a quote, by its indentation; `place` leads
//!   back from the repaired text to the file.
//! * `parse` – the grammar (`grammar.pest`) over one item; the only file that knows pest.
//! * `build` – from the grammar's nodes to the tree ([`ast`]); `literal` reads numbers, amounts and
//!   addresses, `explain` says why a piece fits nothing, `foreign` finds words with letters such as
//!   `ö`, `habits` knows other tools.
//! * `file` – puts the items of a file together ([`parse()`], [`parse_all`], [`parse_expression`]).
//! * [`compose`] – makes a text from values that come from outside.
//! * `format` – writes a text in its usual form ([`format()`]).

pub mod ast;
mod build;
mod characters;
pub mod compose;
mod conflict;
mod explain;
mod file;
mod foreign;
mod format;
mod habits;
mod items;
mod literal;
mod parse;
mod place;
mod repair;
mod scan;

pub use characters::{MAX_FILE_SIZE, decode};
pub use file::{Parsed, parse, parse_all, parse_expression};
pub use format::format;
pub use items::MAX_NESTING;

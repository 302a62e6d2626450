//! Text to tree and back, one file at a time, no meaning.

pub mod ast;

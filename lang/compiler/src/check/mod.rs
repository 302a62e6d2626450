//! What can be said about the text without evaluating it, and about the order of what it declares.

pub(crate) mod habit;
pub(crate) mod order;
pub(crate) mod recursion;
pub(crate) mod structure;

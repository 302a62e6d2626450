//! What can be said about the text without evaluating it, and about the order of what it declares.

pub(crate) mod assign;
mod call;
pub(crate) mod expressions;
pub(crate) mod habit;
pub(crate) mod infer;
pub(crate) mod order;
mod place;
pub(crate) mod recursion;
pub(crate) mod structure;
pub(crate) mod unknown;
pub(crate) mod uses;

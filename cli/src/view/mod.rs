//! Everything that people read: facts become text here, and nowhere else. Views compute nothing;
//! they order, shorten and lay out.

pub(crate) mod account;
pub(crate) mod diagnostics;
pub(crate) mod history;
pub(crate) mod layout;
pub(crate) mod markdown;
pub(crate) mod plan;
pub(crate) mod progress;
pub(crate) mod reference;
pub(crate) mod resource;
mod snippet;
pub(crate) mod why;

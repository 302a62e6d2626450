//! Facts to a plan, pure and synchronous.

pub mod input;
pub mod plan;

pub use input::{Goal, Input, Wishes};
pub use plan::Plan;

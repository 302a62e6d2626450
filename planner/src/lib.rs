//! Facts to a plan, pure and synchronous.

#[allow(dead_code, reason = "called by the planner's core, which comes next")]
mod allocate;
pub mod input;
#[allow(dead_code, reason = "called by the planner's core, which comes next")]
mod place;
pub mod plan;
#[cfg(test)]
mod sketch;
#[allow(dead_code, reason = "called by the planner's core, which comes next")]
mod usage;

pub use input::{Goal, Input, Wishes};
pub use plan::Plan;

//! Plans as text for people and programs: one file per format, no facts of their own.
//!
//! * [`text`] – the plain sentences that every format shares.
//! * [`json`] – the native plan, `tcloud-plan-view/1`, for programs.
//! * [`graph`] – what depends on what, for Graphviz and Mermaid.

#[cfg(test)]
mod example;
pub mod graph;
pub mod json;
#[cfg(test)]
mod schema;
pub mod text;

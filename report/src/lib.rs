//! Plans as text for people and programs: one file per format, no facts of their own.
//!
//! * [`text`] – the plain sentences that every format shares.
//! * [`format`](mod@format) – all formats, and [`write()`], which writes a plan in one of them; [`origin`] –
//!   which text the plan is made from.
//! * [`json`] – the native plan, `tcloud-plan-view/1`, for programs; `indented` – how JSON is
//!   written.
//! * `terraform` – the plan as Terraform writes it; `counts` – as GitLab counts it.
//! * `finding`, `place` – what deserves an eye, and where; in it `code_quality`, `sarif`, `junit` and
//!   `annotations`.
//! * [`lang`] – English or German; `group` – equal changes as one; `guest` – what happens to whom;
//!   `label` – how addresses are called. With them `markdown`, one comment for a forge, and `html`, one
//!   page with pictures.
//! * [`graph`] – what depends on what, for Graphviz and Mermaid, and in `svg` as a
//!   picture.

mod annotations;
mod code_quality;
mod counts;
#[cfg(test)]
mod example;
mod finding;
pub mod format;
pub mod graph;
mod group;
mod guest;
mod html;
mod indented;
pub mod json;
mod junit;
mod label;
pub mod lang;
pub mod markdown;
mod markup;
pub mod origin;
mod place;
mod sarif;
#[cfg(test)]
mod schema;
mod svg;
mod terraform;
pub mod text;

pub use format::{About, Format, Report, write};
pub use lang::Lang;
pub use origin::{Author, Authors, Origin};

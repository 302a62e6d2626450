//! Facts to a plan, pure and synchronous. The modules stand in reading order:
//!
//! * [`input`] – what a plan is made from; [`plan`](mod@plan) – what it is.
//! * `make` – the order of the work.
//! * `moves`, `facts` – what exists, under the address that it has now.
//! * `size`, `place`, `allocate`, `firewall`, `layout` – what is to exist, to the last attribute.
//! * `select` – which addresses a run is about.
//! * `same`, `diff` – what differs; `draft`, `decide`, `lifecycle`, `restart`, `silence`, `remember` –
//!   what follows from it.
//! * `follow` – what is dragged along; `handover` – what goes from one guest to another; `held` – what must not change now; `lack` – what a host cannot
//!   do; `consent` – what has to be agreed to.
//! * `graph`, `steps` – what to ask of whom, in which order.
//! * [`guest`] – what each guest notices, and for how long it is down.
//! * [`reach`], `exposure` – who newly reaches whom.
//! * `refresh` – the record brought up to date; `usage`, [`reserve`] – how full everything is,
//!   also when a host fails.
//! * [`compare`](mod@compare) – two texts compared, with no host asked.
//! * [`check`](mod@check) – the finished plan, looked at again; [`planfile`] – the plan as a file; [`due`] – a plan that
//!   was read from one, doubted; [`fit`] – whether it still fits; `outcome` – what its steps come to.

mod allocate;
pub mod check;
pub mod compare;
mod consent;
mod decide;
mod diff;
mod draft;
pub mod due;
mod exposure;
mod facts;
mod firewall;
pub mod fit;
mod follow;
mod graph;
pub mod guest;
mod handover;
mod held;
pub mod input;
mod lack;
mod layout;
mod lifecycle;
mod make;
mod moves;
mod outcome;
mod place;
pub mod plan;
pub mod planfile;
pub mod reach;
mod refresh;
mod release;
mod remember;
pub mod reserve;
mod restart;
mod same;
mod select;
mod silence;
mod size;
#[cfg(test)]
mod sketch;
mod steps;
mod usage;

pub use check::check;
pub use compare::compare;
pub use due::doubts;
pub use fit::crowded;
pub use input::{Goal, Input, Wishes};
pub use make::plan;
pub use plan::Plan;
pub use planfile::{PlanFile, PlanFileError};

//! What engineers who know other engines expect of a plan, one test for each row of the table; the
//! hypervisors are in memory, and every plan is also applied to them.

mod exposure;
mod file;
mod guards;
mod guests;
mod handover;
mod held;
mod holds;
mod moves;
mod order;
mod rules;
mod size;
mod staying;
mod text;
mod world;

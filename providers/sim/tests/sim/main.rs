//! The embedded hypervisor, used as a run uses it.

mod anything;
mod conformance;
mod killed;
mod lasting;
mod limits;
mod moving;
mod power;
mod rig;
mod round_trip;
mod trouble;

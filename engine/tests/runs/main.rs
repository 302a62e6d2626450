//! Tests of whole runs over a small world in memory, whose faults are scripted.

mod age;
mod crash;
mod failure;
mod lease;
mod order;
mod plan;
mod remember;
mod stop;
mod window;
mod world;

//! Tests of the stores: what all of them have to do, what can be wrong with a file, what can
//! happen to a database, and what damage does.

mod damage;
#[allow(dead_code, unreachable_pub, reason = "other suites use it too, and more of it")]
#[path = "../../../tests/kit/database.rs"]
mod database;
mod file;
mod kit;
mod network;
mod server;
mod suite;

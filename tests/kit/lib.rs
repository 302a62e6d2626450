//! What the suites stand on: a whole deployment in a directory of its own, and scenarios as text.

pub mod database;
pub mod expect;
pub mod hosts;
pub mod lab;
pub mod run;
pub mod suite;

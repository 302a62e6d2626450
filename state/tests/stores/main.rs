//! Tests of the stores: what all of them have to do, and what can be wrong with a file.

mod file;
mod kit;
mod suite;

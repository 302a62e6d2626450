//! The real binary on whole projects: the examples, processes that are killed, and bad input.

#![expect(clippy::print_stdout, reason = "a failed test shows what it was doing")]

mod adopt;
mod bad_input;
mod crash;
mod examples;
mod console;
mod project;
mod progress;
mod prompts;
mod surroundings;
mod terminal;

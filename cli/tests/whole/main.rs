//! The real binary on whole projects: the examples, processes that are killed, and bad input.

#![expect(clippy::print_stdout, reason = "a failed test shows what it was doing")]

mod adopt;
mod agree;
mod bad_input;
mod canary;
mod ci;
mod console;
mod cores;
mod crash;
mod diff;
mod drift;
mod examples;
mod plans;
mod progress;
mod project;
mod prompts;
mod provider;
mod saved;
mod surroundings;
mod terminal;
mod window;
mod words;

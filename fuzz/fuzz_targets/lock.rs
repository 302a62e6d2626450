//! Fuzzes the body `lock` of `tests/fuzz`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tcloud_fuzz_bodies::lock(bytes));

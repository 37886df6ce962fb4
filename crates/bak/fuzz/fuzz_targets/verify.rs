//! Any bytes into the verifier.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bak_fuzz::verify_all_ways(bytes));

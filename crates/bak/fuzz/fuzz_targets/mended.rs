//! Any bytes into the verifier, with the checksums of block and stream headers made right.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut bytes = bytes.to_vec();
    bak_fuzz::mend(&mut bytes);
    bak_fuzz::verify_all_ways(&bytes);
});

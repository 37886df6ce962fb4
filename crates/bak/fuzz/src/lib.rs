//! What the fuzz targets share: one input through the reader in two slicings, and header checksums made right again.

use bak::Verifier;

#[path = "../../tests/mend/mod.rs"]
mod mend;

/// Verifies `bytes` whole, in slices and headers only. Whatever the bytes, the reader must not panic, and the slicing must not
/// show.
pub fn verify_all_ways(bytes: &[u8]) {
    let mut whole = Verifier::new();
    whole.push(bytes);
    let report = whole.finish();
    let slice = 1 + bytes.first().map_or(0, |byte| usize::from(*byte) * 97);
    let mut sliced = Verifier::new();
    for slice in bytes.chunks(slice) {
        sliced.push(slice);
    }
    assert_eq!(report, sliced.finish());
    headers_only(bytes);
}

fn headers_only(bytes: &[u8]) {
    let mut verifier = Verifier::headers_only();
    let mut rest = bytes;
    while !rest.is_empty() {
        let skippable = verifier.skippable().min(rest.len() as u64);
        if skippable > 0 {
            verifier.skip(skippable);
            rest = &rest[skippable as usize..];
        } else {
            let (slice, later) = rest.split_at(rest.len().min(4096));
            verifier.push(slice);
            rest = later;
        }
    }
    let _ = verifier.finish();
}

/// Makes the checksums of block and stream headers right.
pub fn mend(bytes: &mut [u8]) {
    mend::mend(bytes);
}

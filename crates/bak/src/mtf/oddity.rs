//! How far bytes are from what every known file has in their place.
//!
//! No checksum covers these bytes, so a difference is either damage or a writer this reader has not met, and nothing in the file
//! tells which. It cannot be called verified, but not damaged either; only where two places of the same file, or padding and
//! zero, are a single bit apart is that bit taken for flipped.

/// Counts the bits in which `found` differs from `expected`.
pub(crate) fn bits_apart(found: &[u8], expected: &[u8]) -> u64 {
    let differing = found
        .iter()
        .zip(expected)
        .map(|(a, b)| u64::from((a ^ b).count_ones()))
        .sum::<u64>();
    differing + (found.len().abs_diff(expected.len()) * 8) as u64
}

/// Counts the bits that are set in what should be zero.
pub(crate) fn bits_set(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let in_words = words
        .iter()
        .map(|word| u64::from(u64::from_le_bytes(*word).count_ones()))
        .sum::<u64>();
    in_words + rest.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>()
}

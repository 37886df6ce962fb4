//! What to make of bytes that every known file has alike, where a file has them otherwise.
//!
//! No checksum covers these bytes. One flipped bit is damage; a greater difference is more likely a writer this reader has not met,
//! so that the file cannot be called verified, but not damaged either.

/// How far from what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Oddity {
    /// One bit away.
    Damage,
    /// More.
    Unknown,
}

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

/// Judges a number of differing bits.
pub(crate) fn oddity(bits: u64) -> Option<Oddity> {
    match bits {
        0 => None,
        1 => Some(Oddity::Damage),
        _ => Some(Oddity::Unknown),
    }
}

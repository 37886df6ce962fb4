//! Every limit of the reader in one place. A file beyond one of them is reported as not verifiable, with the limit named.

/// Findings of damage that a report lists; the rest is only counted.
pub const DAMAGE_LISTED: usize = 1000;

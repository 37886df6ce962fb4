//! The machine's randomness.

/// From the operating system, by way of the cryptography library.
#[derive(Clone, Copy, Debug)]
pub struct Chance;

impl crate::world::Chance for Chance {
    fn next(&self) -> u64 {
        let mut bytes = [0; 8];
        aws_lc_rs::rand::fill(&mut bytes).expect("the operating system gives random bytes");
        u64::from_le_bytes(bytes)
    }
}

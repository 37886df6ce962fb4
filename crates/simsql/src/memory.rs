//! A world in memory: time that passes only when everyone waits, chance from a seed, a disk that can lose its power.
//!
//! With it an instance runs without a machine, and the same seed gives the same run: [`Clock::run`] polls futures in the order
//! they were given and moves time to the next timer only when none of them can go on.

mod clock;
mod disk;

pub use clock::Clock;
pub use disk::Disk;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;

use crate::world::{Chance, OsError, Power, Wire, WireError, World};

/// Chance from a seed: SplitMix64 (Steele, Lea and Flood 2014).
#[derive(Debug)]
pub struct Seeded(AtomicU64);

impl Seeded {
    /// The sequence of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl Chance for Seeded {
    fn next(&self) -> u64 {
        let state = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::SeqCst);
        let mut mixed = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

/// No network: every request ends in 12007, a name that cannot be resolved.
#[derive(Clone, Copy, Debug)]
pub struct NoWire;

#[async_trait]
impl Wire for NoWire {
    async fn send(&self, _: http::Request<Bytes>) -> Result<http::Response<Bytes>, WireError> {
        Err(WireError(OsError::new(12_007)))
    }
}

/// An instance in memory has no process of its own to end.
#[derive(Clone, Copy, Debug)]
pub struct NoProcess;

impl Power for NoProcess {
    fn cut(&self) {}
}

/// A world of its own, with the parts that a test wants to hold on to.
#[derive(Clone)]
pub struct Memory {
    /// Its clock.
    pub clock: Arc<Clock>,
    /// Its disk.
    pub disk: Arc<Disk>,
    /// All of it, as an instance takes it.
    pub world: World,
}

impl Memory {
    /// A world from a seed, with an empty disk and no network, at 2026-01-01 00:00 UTC.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let clock = Arc::new(Clock::new());
        let disk = Arc::new(Disk::new());
        let world = World {
            clock: Arc::clone(&clock) as Arc<_>,
            chance: Arc::new(Seeded::new(seed)),
            disk: Arc::clone(&disk) as Arc<_>,
            wire: Arc::new(NoWire),
            power: Arc::new(NoProcess),
        };
        Self { clock, disk, world }
    }
}

#[cfg(test)]
mod tests {
    use super::Seeded;
    use crate::world::Chance;

    #[test]
    fn chance_is_splitmix64() {
        // The first outputs for seed 1234567, as published with the algorithm's reference implementation.
        let chance = Seeded::new(1_234_567);
        assert_eq!(chance.next(), 6_457_827_717_110_365_317);
        assert_eq!(chance.next(), 3_203_168_211_198_807_973);
    }
}

//! Time and chance, which the store takes from outside so that a simulation can repeat a run.

use std::time::{SystemTime, UNIX_EPOCH};

use azblob::time::UnixMillis;

/// Where the present moment and unpredictable numbers come from.
pub trait Clock: Send + Sync + 'static {
    /// The present moment. May jump in either direction; the store never computes a length of time from two
    /// of its own readings except where a lease or an age limit says so.
    fn now(&self) -> UnixMillis;

    /// A number that no one can guess: lease ids, identities of files.
    fn random(&self) -> u128;
}

/// The machine's clock and its source of randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[allow(clippy::disallowed_methods)] // The one place where the store meets the machine's clock and chance.
impl Clock for SystemClock {
    fn now(&self) -> UnixMillis {
        let millis = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
        };
        UnixMillis(millis)
    }

    fn random(&self) -> u128 {
        uuid::Uuid::new_v4().as_u128()
    }
}

//! One simulated clock for all, and chance from one seed, as each part wants to see them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use azblob::time::UnixMillis;
use jiff::Timestamp;
use simsql::memory::{Clock, Seeded};
use simsql::moment::Moment;
use simsql::world::{Chance as _, Clock as _};

/// A clock on one machine: the simulation's time, shown with an error of its own.
pub(crate) struct MachineClock {
    time: Arc<Clock>,
    shown: Mutex<Shown>,
}

#[derive(Default)]
struct Shown {
    /// Microseconds that it is ahead.
    ahead: i64,
    /// Minutes of local time ahead of UTC.
    offset: i16,
}

impl MachineClock {
    pub(crate) fn new(time: &Arc<Clock>) -> Arc<Self> {
        Arc::new(Self {
            time: Arc::clone(time),
            shown: Mutex::default(),
        })
    }

    /// Puts it forward, or back.
    pub(crate) fn jump(&self, micros: i64) {
        self.shown.lock().unwrap().ahead += micros;
    }

    /// Sets how far local time is ahead of UTC.
    pub(crate) fn set_offset(&self, minutes: i16) {
        self.shown.lock().unwrap().offset = minutes;
    }

    fn micros(&self) -> i64 {
        self.time.now().0 + self.shown.lock().unwrap().ahead
    }

    /// What it shows.
    pub(crate) fn timestamp(&self) -> Timestamp {
        Timestamp::from_microsecond(self.micros()).expect("simulations end before the year 9999")
    }
}

#[async_trait]
impl simsql::world::Clock for MachineClock {
    fn now(&self) -> Moment {
        Moment(self.micros())
    }

    fn offset_minutes(&self, _: Moment) -> i16 {
        self.shown.lock().unwrap().offset
    }

    fn uptime(&self) -> Duration {
        self.time.uptime()
    }

    async fn sleep(&self, time: Duration) {
        self.time.sleep(time).await;
    }
}

#[async_trait]
impl vault::world::Clock for MachineClock {
    fn now(&self) -> Timestamp {
        self.timestamp()
    }

    fn uptime(&self) -> Duration {
        self.time.uptime()
    }

    async fn sleep(&self, time: Duration) {
        self.time.sleep(time).await;
    }
}

#[async_trait]
impl mssql::Clock for MachineClock {
    fn elapsed(&self) -> Duration {
        self.time.uptime()
    }

    async fn sleep(&self, time: Duration) {
        self.time.sleep(time).await;
    }
}

/// Chance for whoever needs bytes.
pub(crate) struct Dice(Seeded);

impl Dice {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(Seeded::new(seed)))
    }

    /// A number below `bound`, which is not 0.
    pub(crate) fn below(&self, bound: u64) -> u64 {
        self.0.next() % bound
    }

    /// True once in `n` times.
    pub(crate) fn one_in(&self, n: u64) -> bool {
        self.below(n) == 0
    }
}

impl vault::world::Chance for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        for eight in bytes.chunks_mut(8) {
            eight.copy_from_slice(&self.0.next().to_le_bytes()[..eight.len()]);
        }
    }
}

/// Time and chance as the store takes them.
pub(crate) struct StoreClock {
    pub(crate) clock: Arc<MachineClock>,
    pub(crate) dice: Arc<Dice>,
}

impl blobstore::Clock for StoreClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.clock.micros().div_euclid(1000))
    }

    fn random(&self) -> u128 {
        u128::from(self.dice.0.next()) << 64 | u128::from(self.dice.0.next())
    }
}

//! The machine's clock, and what a test adds to it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use azblob::time::UnixMillis;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use vault::machine::MachineClock;
use vault::world::Clock;

/// A clock that a test puts forward: sleepers wake as if the time had passed.
pub(crate) struct LabClock {
    inner: MachineClock,
    ahead: watch::Sender<Duration>,
    /// Seconds that it shows more than it should: no time passes by it.
    wrong: AtomicI64,
    jumps: Mutex<Vec<(Instant, Duration)>>,
}

impl LabClock {
    pub(super) fn new() -> std::sync::Arc<Self> {
        std::sync::Arc::new(Self {
            inner: MachineClock::new(),
            ahead: watch::Sender::new(Duration::ZERO),
            wrong: AtomicI64::new(0),
            jumps: Mutex::default(),
        })
    }

    /// Puts it forward.
    pub(super) fn advance(&self, time: Duration) {
        self.jumps.lock().unwrap().push((Instant::now(), time));
        self.ahead.send_modify(|ahead| *ahead += time);
    }

    /// Has it show something else; no time passes, and who sleeps sleeps on.
    pub(super) fn show_wrong(&self, seconds: i64) {
        self.wrong.fetch_add(seconds, Ordering::SeqCst);
    }

    /// How much was added since a moment that real time has put so far back.
    pub(super) fn added_since(&self, ago: Duration) -> Duration {
        let jumps = self.jumps.lock().unwrap();
        let since = jumps.iter().filter(|(at, _)| at.elapsed() < ago);
        since.map(|(_, time)| *time).sum()
    }
}

#[async_trait]
impl Clock for LabClock {
    fn now(&self) -> Timestamp {
        let wrong = SignedDuration::from_secs(self.wrong.load(Ordering::SeqCst));
        self.inner.now() + *self.ahead.borrow() + wrong
    }

    fn uptime(&self) -> Duration {
        self.inner.uptime() + *self.ahead.borrow()
    }

    async fn sleep(&self, time: Duration) {
        let until = self.uptime() + time;
        let mut ahead = self.ahead.subscribe();
        loop {
            ahead.mark_unchanged();
            let left = until.saturating_sub(self.uptime());
            tokio::select! {
                () = self.inner.sleep(left) => {}
                _ = ahead.changed() => {}
            }
            if self.uptime() >= until {
                return;
            }
        }
    }
}

/// Time as the store takes it.
pub(super) struct StoreClock(pub(super) std::sync::Arc<LabClock>);

impl blobstore::Clock for StoreClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.now().as_millisecond())
    }

    fn random(&self) -> u128 {
        uuid::Uuid::new_v4().as_u128()
    }
}

//! What is switched on: shared between the instance and the wrappers of its world.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::world::{OsError, Power};

/// What happens to a host's requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct HostTrouble {
    /// Lost once this many more bytes were sent.
    pub(super) lost_after: Option<u64>,
    /// Answered with 403.
    pub(super) expired: bool,
    /// Waits before each request.
    pub(super) slow: Duration,
    /// The instance dies once this many more bytes were sent.
    pub(super) kill_after: Option<u64>,
}

/// What happens to writes and reads below a path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PathTrouble {
    /// Every write fails so.
    pub(super) error: Option<OsError>,
    /// Every read fails so.
    pub(super) unreadable: Option<OsError>,
    /// Every write takes longer.
    pub(super) slow: Duration,
}

#[derive(Default)]
struct Inner {
    hosts: BTreeMap<String, HostTrouble>,
    paths: BTreeMap<String, PathTrouble>,
    clock_jump: i64,
    is_dead: bool,
    is_faulty: bool,
    /// Time that slow writes took and nobody has slept off yet.
    owed: Duration,
}

/// The switches.
pub struct Switches {
    inner: Mutex<Inner>,
    power: Arc<dyn Power>,
}

/// What the network wrapper does with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Passage {
    /// Waits first.
    pub(super) slow: Duration,
    /// Then: fails with this number.
    pub(super) error: Option<i32>,
    /// Or is answered with 403.
    pub(super) expired: bool,
}

impl Switches {
    pub(crate) fn new(power: Arc<dyn Power>) -> Self {
        Self {
            inner: Mutex::new(Inner::default()),
            power,
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the instance died: all its disk and network fail from then on.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.inner().is_dead
    }

    /// Whether nobody can log in.
    #[must_use]
    pub fn is_faulty(&self) -> bool {
        self.inner().is_faulty
    }

    pub(super) fn set_faulty(&self, is_faulty: bool) {
        self.inner().is_faulty = is_faulty;
    }

    /// The instance dies. On a machine its process ends here.
    pub fn kill(&self) {
        self.inner().is_dead = true;
        self.power.cut();
    }

    pub(super) fn host(&self, host: &str, change: impl FnOnce(&mut HostTrouble)) {
        change(self.inner().hosts.entry(host.to_ascii_lowercase()).or_default());
    }

    pub(super) fn path(&self, path: &str, change: impl FnOnce(&mut PathTrouble)) {
        change(self.inner().paths.entry(path.to_owned()).or_default());
    }

    pub(super) fn jump(&self, micros: i64) {
        self.inner().clock_jump += micros;
    }

    /// How far the clock is off, in microseconds.
    pub(super) fn clock_jump(&self) -> i64 {
        self.inner().clock_jump
    }

    /// What becomes of a request with a body of `bytes` bytes to `host`; the bytes count from here on.
    pub(super) fn passage(&self, host: &str, bytes: u64) -> Passage {
        let mut passage = Passage {
            slow: Duration::ZERO,
            error: None,
            expired: false,
        };
        let mut dies = false;
        {
            let mut inner = self.inner();
            if inner.is_dead {
                passage.error = Some(LOST);
                return passage;
            }
            if let Some(trouble) = inner.hosts.get_mut(&host.to_ascii_lowercase()) {
                passage.slow = trouble.slow;
                passage.expired = trouble.expired;
                if is_reached(&mut trouble.lost_after, bytes) {
                    passage.error = Some(LOST);
                }
                if is_reached(&mut trouble.kill_after, bytes) {
                    dies = true;
                    passage.error = Some(LOST);
                }
            }
        }
        if dies {
            self.kill();
        }
        passage
    }

    /// A write took longer by this; somebody will sleep it off.
    pub(super) fn owe(&self, time: Duration) {
        self.inner().owed += time;
    }

    /// The time that slow writes took since the last call: sleep it.
    #[must_use]
    pub fn owed(&self) -> Duration {
        std::mem::take(&mut self.inner().owed)
    }

    /// What becomes of a read below `path`.
    pub(super) fn read(&self, path: &str) -> Result<(), OsError> {
        unreadable(&self.inner(), path).map_or(Ok(()), Err)
    }

    /// What becomes of a write below `path`: how long it takes longer, or its error.
    pub(super) fn write(&self, path: &str) -> Result<Duration, OsError> {
        let inner = self.inner();
        if inner.is_dead {
            return Err(OsError::new(1117));
        }
        let mut slow = Duration::ZERO;
        for (_, trouble) in inner
            .paths
            .iter()
            .filter(|(prefix, _)| path.starts_with(prefix.as_str()))
        {
            if let Some(error) = &trouble.error {
                return Err(error.clone());
            }
            slow += trouble.slow;
        }
        Ok(slow)
    }
}

/// The error of a read below `path`, where one is switched on.
fn unreadable(inner: &Inner, path: &str) -> Option<OsError> {
    let mut above = inner
        .paths
        .iter()
        .filter(|(prefix, _)| path.starts_with(prefix.as_str()));
    above.find_map(|(_, trouble)| trouble.unreadable.clone())
}

/// ERROR_WINHTTP_CONNECTION_ERROR.
const LOST: i32 = 12_030;

/// Counts bytes down; whether a request of `bytes` would pass the mark, or one before it did.
fn is_reached(left: &mut Option<u64>, bytes: u64) -> bool {
    let Some(count) = left else { return false };
    if *count == 0 || bytes > *count {
        *count = 0;
        return true;
    }
    *count -= bytes;
    false
}

//! The machine's clock and its time zone.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::moment::Moment;

/// The clock.
#[derive(Clone, Debug)]
pub struct Clock {
    start: Instant,
    zone: TimeZone,
}

#[allow(clippy::disallowed_methods)] // The one place where the instance meets the machine's clock.
impl Clock {
    /// Starts now, in the zone of the system.
    #[allow(clippy::new_without_default)] // A clock that starts is a deed, not a default.
    #[must_use]
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
            zone: TimeZone::system(),
        }
    }
}

#[allow(clippy::disallowed_methods)] // See above.
#[async_trait]
impl crate::world::Clock for Clock {
    fn now(&self) -> Moment {
        let micros = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_micros()).unwrap_or(i64::MAX),
        };
        Moment(micros)
    }

    fn offset_minutes(&self, moment: Moment) -> i16 {
        let Ok(at) = Timestamp::from_microsecond(moment.0) else {
            return 0;
        };
        i16::try_from(self.zone.to_offset(at).seconds() / 60).unwrap_or(0)
    }

    fn uptime(&self) -> Duration {
        self.start.elapsed()
    }

    async fn sleep(&self, time: Duration) {
        if time.is_zero() {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(time).await;
        }
    }
}

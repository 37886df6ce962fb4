//! When a request that did not go well is sent again, and after what wait.
//!
//! The client library's own policy is switched off: it lets a service hold it up for as long as Retry-After says, and
//! would repeat a break as well.

use std::time::Duration;

use azblob::time::UnixMillis;

use crate::limits::{RETRY_TIME, TRIES};

/// How long one wait of ours is at most, where the service names no time.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// How often and how long a request that changes nothing is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Tries in all; at least one is made.
    pub tries: u32,
    /// No wait begins that would end later than this after the first try.
    pub time: Duration,
    /// The wait after the first failed try where the service names none; it doubles with every further one.
    pub first_wait: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            tries: TRIES,
            time: RETRY_TIME,
            first_wait: Duration::from_millis(500),
        }
    }
}

impl Patience {
    /// The wait before the try after `tried` ones, `spent` after the first one began; `asked` is what the service wants.
    /// `None` where it is not worth it. `ordinal` spreads those that fail together, so that they do not return together.
    pub(super) fn wait(
        &self,
        tried: u32,
        spent: Duration,
        asked: Option<Duration>,
        ordinal: u64,
    ) -> Option<Duration> {
        if tried >= self.tries {
            return None;
        }
        let doubled = self
            .first_wait
            .saturating_mul(1 << tried.saturating_sub(1).min(16));
        let own = doubled.min(WAIT_MAX);
        let spread = own.mul_f64((ordinal % 8) as f64 / 16.0);
        let wait = asked.map_or(own, |asked| asked.max(own)).saturating_add(spread);
        (spent.saturating_add(wait) <= self.time).then_some(wait)
    }
}

/// Statuses after which trying again makes sense.
pub(super) fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
}

/// How long the service wants to be left alone: `x-ms-retry-after-ms`, `retry-after-ms`, or Retry-After in seconds or as
/// a date, which is compared with the service's own clock (`now`, its Date).
pub(super) fn asked_wait<'h>(
    header: impl Fn(&'static str) -> Option<&'h str>,
    now: UnixMillis,
) -> Option<Duration> {
    let millis = ["x-ms-retry-after-ms", "retry-after-ms"]
        .into_iter()
        .find_map(|name| header(name)?.trim().parse().ok());
    if let Some(millis) = millis {
        return Some(Duration::from_millis(millis));
    }
    let text = header("retry-after")?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = UnixMillis::parse_http_date(text)?;
    Some(Duration::from_millis(
        u64::try_from(at.0.saturating_sub(now.0)).unwrap_or(0),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: UnixMillis = UnixMillis(1_795_348_800_000); // 2026-11-22T12:00:00Z

    fn asked(name: &'static str, value: &str) -> Option<Duration> {
        asked_wait(|header| (header == name).then_some(value), NOON)
    }

    #[test]
    fn the_service_says_how_long_in_three_ways() {
        assert_eq!(asked("retry-after", "7"), Some(Duration::from_secs(7)));
        assert_eq!(
            asked("x-ms-retry-after-ms", "250"),
            Some(Duration::from_millis(250))
        );
        let date = UnixMillis(NOON.0 + 12_000).http_date();
        assert_eq!(asked("retry-after", &date), Some(Duration::from_secs(12)));
        let past = UnixMillis(NOON.0 - 12_000).http_date();
        assert_eq!(asked("retry-after", &past), Some(Duration::ZERO));
        assert_eq!(asked("retry-after", "soon"), None);
        assert_eq!(asked("retry-after", "-5"), None);
        assert_eq!(asked("date", "7"), None);
    }

    #[test]
    fn waits_double_and_end() {
        let patience = Patience {
            tries: 4,
            time: Duration::from_secs(10),
            first_wait: Duration::from_secs(1),
        };
        let wait = |tried, spent| patience.wait(tried, Duration::from_secs(spent), None, 0);
        assert_eq!(wait(1, 0), Some(Duration::from_secs(1)));
        assert_eq!(wait(2, 1), Some(Duration::from_secs(2)));
        assert_eq!(wait(3, 3), Some(Duration::from_secs(4)));
        assert_eq!(wait(4, 7), None, "four tries were made");
        assert_eq!(wait(3, 7), None, "the time is up before the wait is");
        let day = Some(Duration::from_secs(86_400));
        assert_eq!(patience.wait(1, Duration::ZERO, day, 0), None);
        let two = Some(Duration::from_secs(2));
        assert_eq!(patience.wait(1, Duration::ZERO, two, 0), two);
        assert_eq!(
            patience.wait(1, Duration::ZERO, None, 4),
            Some(Duration::from_millis(1_250))
        );
        assert_eq!(patience.wait(u32::MAX, Duration::ZERO, None, 0), None);
    }
}

//! Snapshots: the moment that names one, and what a delete means for them.
//!
//! Azure names a snapshot by a moment with seven decimals of a second (`2011-03-09T01:42:34.9360000Z`) and
//! asks clients to treat it as an opaque word. Here it is a number of ticks, so that order and uniqueness are
//! those of numbers, and a text that is not exactly of that form names no snapshot.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::time::UnixMillis;

/// Ticks of 100 nanoseconds in one millisecond.
const TICKS_PER_MS: u64 = 10_000;
/// 9999-12-30T00:00:00Z in ticks: years have four digits.
const LAST_TICK: u64 = 253_402_128_000_000 * TICKS_PER_MS;

/// When a snapshot was taken, which is also its name: ticks of 100 nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SnapshotTime(pub u64);

/// What Delete Blob does about snapshots: `x-ms-delete-snapshots`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeleteSnapshots {
    /// No header: a blob that has snapshots is not deleted.
    #[default]
    Refuse,
    /// `include`: the blob and its snapshots.
    Include,
    /// `only`: the snapshots, while the blob stays.
    Only,
}

impl SnapshotTime {
    /// The name of a snapshot taken at `now`, above all of the same blob so far even where the clock went back.
    #[must_use]
    pub fn next(now: UnixMillis, last: Option<Self>) -> Self {
        let ticks = u64::try_from(now.0).unwrap_or(0).saturating_mul(TICKS_PER_MS);
        let least = last.map_or(0, |last| last.0.saturating_add(1));
        Self(ticks.max(least).min(LAST_TICK))
    }

    /// The moment, cut to milliseconds.
    pub fn moment(self) -> UnixMillis {
        UnixMillis(i64::try_from(self.0 / TICKS_PER_MS).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for SnapshotTime {
    /// `2011-03-09T01:42:34.9360000Z`, as it stands in queries, headers and listings.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.moment().iso_seven();
        // Milliseconds are the first three decimals; what is below them comes from the ticks.
        let whole = text.strip_suffix("0000Z").unwrap_or(&text);
        write!(f, "{whole}{:04}Z", self.0 % TICKS_PER_MS)
    }
}

/// The text names no snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a moment with seven decimals")]
pub struct NoSnapshotTime;

impl FromStr for SnapshotTime {
    type Err = NoSnapshotTime;

    fn from_str(text: &str) -> Result<Self, NoSnapshotTime> {
        let at: jiff::Timestamp = text.parse().map_err(|_| NoSnapshotTime)?;
        let ticks = u64::try_from(at.as_nanosecond() / 100).map_err(|_| NoSnapshotTime)?;
        let time = Self(ticks);
        // Other spellings of the same moment are not its name.
        if time.to_string() == text {
            Ok(time)
        } else {
            Err(NoSnapshotTime)
        }
    }
}

impl DeleteSnapshots {
    /// The header's value; none without the header.
    pub fn header(self) -> Option<&'static str> {
        match self {
            Self::Refuse => None,
            Self::Include => Some("include"),
            Self::Only => Some("only"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // 2011-03-09T01:42:34.936Z, the example of Microsoft's page on Snapshot Blob, is 1,299,634,954.936 s.
    const EXAMPLE: &str = "2011-03-09T01:42:34.9360000Z";
    const TICKS: u64 = 12_996_349_549_360_000;

    #[test]
    fn written_with_seven_decimals() {
        assert_eq!(SnapshotTime(TICKS).to_string(), EXAMPLE);
        assert_eq!(
            SnapshotTime(TICKS + 1).to_string(),
            "2011-03-09T01:42:34.9360001Z"
        );
        assert_eq!(EXAMPLE.parse(), Ok(SnapshotTime(TICKS)));
        assert_eq!(
            "2011-03-09T01:42:34.9369999Z".parse(),
            Ok(SnapshotTime(TICKS + 9_999))
        );
    }

    #[test]
    fn only_its_own_spelling_is_its_name() {
        for text in [
            "",
            "now",
            "2011-03-09T01:42:34.936Z",
            "2011-03-09T01:42:34.9360000+00:00",
            "2011-03-09t01:42:34.9360000z",
            "1969-03-09T01:42:34.9360000Z",
            "2011-03-09T01:42:34.93600000Z",
        ] {
            assert_eq!(text.parse::<SnapshotTime>(), Err(NoSnapshotTime), "{text}");
        }
    }

    #[test]
    fn rises_whatever_the_clock_does() {
        let now = UnixMillis(1_299_634_954_936);
        let first = SnapshotTime::next(now, None);
        assert_eq!(first, SnapshotTime(TICKS));
        let second = SnapshotTime::next(now, Some(first));
        assert_eq!(second, SnapshotTime(TICKS + 1));
        let back = UnixMillis(now.0 - 3_600_000);
        assert_eq!(SnapshotTime::next(back, Some(second)), SnapshotTime(TICKS + 2));
        assert_eq!(SnapshotTime::next(UnixMillis(-5), None), SnapshotTime(0));
    }
}

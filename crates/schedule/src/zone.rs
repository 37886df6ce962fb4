//! A time zone by its IANA name, with rules that come with this library.
//!
//! The machine's own zone and its zone files are never read, so that a policy means the same on every machine. When a wall clock
//! reaches a local time is one rule here: the first moment at which it shows that time or a later one. So a time that the clock
//! skips is reached right after the gap, and a time that it shows twice is reached the first time only.

use std::fmt;
use std::sync::LazyLock;

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The rules of all zones.
static BUNDLE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A name is that of no zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is no time zone: write a name of the IANA database, as in Europe/Berlin, America/New_York or UTC"
)]
pub struct UnknownZone(String);

/// A time zone.
#[derive(Clone)]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

impl Zone {
    /// The zone of this IANA name, upper and lower case alike.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn named(name: &str) -> Result<Self, UnknownZone> {
        let unknown = || UnknownZone(name.to_owned());
        let rules = BUNDLE.get(name).map_err(|_| unknown())?;
        let name = rules.iana_name().ok_or_else(unknown)?.to_owned();
        if rules.is_unknown() {
            return Err(unknown());
        }
        Ok(Self { name, rules })
    }

    /// Coordinated universal time.
    pub fn utc() -> Self {
        Self {
            name: "UTC".to_owned(),
            rules: TimeZone::UTC,
        }
    }

    /// Its IANA name as the database spells it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What a clock of this zone shows.
    pub fn local(&self, at: Timestamp) -> DateTime {
        self.rules.to_datetime(at)
    }

    /// The first moment at which a clock of this zone shows this local time or a later one; at the ends of time the nearest there
    /// is.
    pub fn reaches(&self, local: DateTime) -> Timestamp {
        match self.rules.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => instant(local, offset),
            AmbiguousOffset::Fold { before, .. } => instant(local, before),
            AmbiguousOffset::Gap { before, .. } => self.end_of_gap(instant(local, before)),
        }
    }

    /// The first moment of a day; that of the next one where the clock skipped the whole day.
    pub fn day_start(&self, date: Date) -> Timestamp {
        self.reaches(date.at(0, 0, 0, 0))
    }

    /// When the clock was put forward, given a moment in the time after that by which it was.
    fn end_of_gap(&self, behind: Timestamp) -> Timestamp {
        let later = behind.checked_add(SignedDuration::from_secs(1)).unwrap_or(behind);
        self.rules
            .preceding(later)
            .next()
            .map_or(behind, |change| change.timestamp())
    }
}

/// The point in time of a local time at an offset; at the ends of time the nearest one there is.
fn instant(local: DateTime, offset: Offset) -> Timestamp {
    let ends = if local.year() < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    offset.to_timestamp(local).unwrap_or(ends)
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name)
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::named(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reaches(zone: &str, local: &str) -> String {
        Zone::named(zone)
            .unwrap()
            .reaches(local.parse().unwrap())
            .to_string()
    }

    #[test]
    fn a_time_in_the_gap_is_reached_right_after_it() {
        // Clocks went from 02:00 to 03:00 at 01:00 UTC; from 02:00 to 02:30 at 15:30 UTC; and over a whole day, Samoa, at 10:00
        // UTC.
        for local in [
            "2026-03-29T02:00",
            "2026-03-29T02:30",
            "2026-03-29T02:59",
            "2026-03-29T03:00",
        ] {
            assert_eq!(reaches("Europe/Berlin", local), "2026-03-29T01:00:00Z", "{local}");
        }
        assert_eq!(
            reaches("Australia/Lord_Howe", "2026-10-04T02:15"),
            "2026-10-03T15:30:00Z"
        );
        for local in ["2011-12-30T00:00", "2011-12-30T22:00", "2011-12-31T00:00"] {
            assert_eq!(reaches("Pacific/Apia", local), "2011-12-30T10:00:00Z", "{local}");
        }
    }

    #[test]
    fn a_time_shown_twice_is_reached_the_first_time() {
        // 03:00 became 02:00 at 01:00 UTC; 02:00 became 01:00 at 06:00 UTC.
        assert_eq!(
            reaches("Europe/Berlin", "2026-10-25T02:30"),
            "2026-10-25T00:30:00Z"
        );
        assert_eq!(
            reaches("Europe/Berlin", "2026-10-25T03:00"),
            "2026-10-25T02:00:00Z"
        );
        assert_eq!(
            reaches("America/New_York", "2026-11-01T01:30"),
            "2026-11-01T05:30:00Z"
        );
    }

    #[test]
    fn names_are_those_of_the_database() {
        assert_eq!(Zone::named("europe/berlin").unwrap().name(), "Europe/Berlin");
        assert_eq!(Zone::named("UTC").unwrap(), Zone::utc());
        for name in [
            "",
            "Etc/Unknown",
            "W. Europe Standard Time",
            "+02:00",
            "Europe",
            "../etc/passwd",
        ] {
            assert!(
                Zone::named(name).unwrap_err().to_string().contains("IANA"),
                "{name}"
            );
        }
    }
}

//! What the vault does of itself about a broken chain: a full, or a differential, that nobody scheduled.

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use crate::calendar::Weekday;
use crate::local_time::LocalTime;
use crate::period::Days;
use crate::size::Size;
use crate::zone::Zone;

/// When the vault heals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Healing {
    /// Whether it does at all. Default yes; without it a broken chain waits for the next scheduled full or for a user.
    pub enabled: bool,
    /// A database whose latest full is older gets one. Default 15 days, as Azure Backup.
    pub full_age_max: Days,
    /// The hours in which fulls of large databases may begin; left out: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// Fulls estimated to be larger than this wait for the window; smaller ones begin at once. Default 100 GiB, five minutes at the
    /// 350 MB/s that Azure Backup states for large databases.
    pub window_above: Size,
}

impl Default for Healing {
    fn default() -> Self {
        Self {
            enabled: true,
            full_age_max: Days(15),
            window: None,
            window_above: Size::gib(100),
        }
    }
}

/// Hours of a day, on some days of the week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Window {
    /// The days on which it opens; none given: every day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Weekday>,
    /// When it opens, local time.
    pub from: LocalTime,
    /// When it closes, local time; on the next day where that is not later than `from`.
    pub to: LocalTime,
}

/// How many days to look ahead for the next opening: a week, and one for a day that the clock skips.
const AHEAD: usize = 9;

impl Window {
    /// The first moment at or after `at` at which the window is open.
    pub fn open_from(&self, zone: &Zone, at: Timestamp) -> Timestamp {
        let today = zone.local(at).date();
        let yesterday = today.yesterday().unwrap_or(today);
        let opening = yesterday
            .series(jiff::Span::new().days(1))
            .take(AHEAD + 1)
            .filter(|date| self.days.is_empty() || self.days.contains(&Weekday::of(*date)))
            .map(|date| {
                let closes_on = if self.to > self.from {
                    date
                } else {
                    date.tomorrow().unwrap_or(date)
                };
                let from = DateTime::from_parts(date, self.from.civil());
                let to = DateTime::from_parts(closes_on, self.to.civil());
                (zone.reaches(from), zone.reaches(to))
            })
            .find(|(opens, closes)| closes > opens && *closes > at);
        opening.map_or(at, |(opens, _)| opens.max(at))
    }
}

impl Healing {
    /// When a healing full of this estimated size may begin, at or after `at`; none where healing is off.
    pub fn may_begin(&self, zone: &Zone, at: Timestamp, estimate: Size) -> Option<Timestamp> {
        if !self.enabled {
            return None;
        }
        match &self.window {
            Some(window) if estimate > self.window_above => Some(window.open_from(zone, at)),
            _ => Some(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn window(days: &[Weekday], from: &str, to: &str) -> Window {
        Window {
            days: days.to_vec(),
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
        }
    }

    #[test]
    fn a_window_may_cross_midnight() {
        let zone = Zone::named("Europe/Berlin").unwrap();
        let night = window(&[], "22:00", "05:00");
        // Berlin is an hour ahead of UTC in winter.
        for (now, opens) in [
            ("2026-11-21T12:00:00Z", "2026-11-21T21:00:00Z"),
            ("2026-11-21T22:30:00Z", "2026-11-21T22:30:00Z"),
            ("2026-11-22T03:59:59Z", "2026-11-22T03:59:59Z"),
            ("2026-11-22T04:00:00Z", "2026-11-22T21:00:00Z"),
        ] {
            assert_eq!(night.open_from(&zone, at(now)), at(opens), "{now}");
        }
    }

    #[test]
    fn a_window_opens_on_its_days_only() {
        // The 21st of November 2026 is a Saturday.
        let weekend = window(&[Weekday::Saturday], "22:00", "05:00");
        let open = |now: &str| weekend.open_from(&Zone::utc(), at(now));
        assert_eq!(
            open("2026-11-22T04:00:00Z"),
            at("2026-11-22T04:00:00Z"),
            "opened on Saturday"
        );
        assert_eq!(open("2026-11-22T05:00:00Z"), at("2026-11-28T22:00:00Z"));
    }

    #[test]
    fn only_large_fulls_wait() {
        let healing = Healing {
            window: Some(window(&[], "22:00", "05:00")),
            ..Healing::default()
        };
        let noon = at("2026-11-21T12:00:00Z");
        let begin = |gib| healing.may_begin(&Zone::utc(), noon, Size::gib(gib));
        assert_eq!(begin(100), Some(noon));
        assert_eq!(begin(101), Some(at("2026-11-21T22:00:00Z")));
        let off = Healing {
            enabled: false,
            ..healing
        };
        assert_eq!(off.may_begin(&Zone::utc(), noon, Size::gib(1)), None);
    }
}

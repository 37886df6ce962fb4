//! Moments as people give them: from now (`365d`), or by date and time.

use std::str::FromStr;

use azblob::time::UnixMillis;

use crate::lasting::millis;

const DAY_MS: i64 = 86_400_000;
/// Before the last year that four digits can write.
const LAST_MS: i64 = 253_402_128_000_000;

/// A moment, in relation to now or by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// So many milliseconds from now.
    In(i64),
    /// This moment.
    At(UnixMillis),
}

impl When {
    /// What a token lives without another word: SQL Server does not warn of one that runs out, and a backup that fails
    /// once a year is found before one that fails every week is ignored.
    pub(super) const YEAR: Self = Self::In(365 * DAY_MS);

    /// The moment. Whole days from now end at a midnight, UTC, never earlier than asked for: such a moment is written in
    /// ten characters.
    pub(super) fn from(self, now: UnixMillis) -> UnixMillis {
        match self {
            Self::At(moment) => moment,
            Self::In(ms) => {
                let moment = now.0.saturating_add(ms).min(LAST_MS);
                if ms % DAY_MS == 0 {
                    UnixMillis(moment.saturating_add(DAY_MS - 1).div_euclid(DAY_MS) * DAY_MS)
                } else {
                    UnixMillis(moment)
                }
            }
        }
    }
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected a time such as 365d, 12h, 2027-11-21 or 2027-11-21T18:00:00Z".to_owned();
        if let Some(moment) = UnixMillis::parse_iso(text) {
            return Ok(Self::At(moment));
        }
        millis(text).map(Self::In).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_moments() {
        // 2026-11-21T08:00:00Z and what follows, by `date -u -d`.
        let now = UnixMillis(1_795_248_000_000);
        for (text, want) in [
            ("12h", "2026-11-21T20:00Z"),
            ("90m", "2026-11-21T09:30Z"),
            ("1d", "2026-11-23"),
            ("365d", "2027-11-22"),
            ("2027-11-21", "2027-11-21"),
            ("2027-11-21T18:00:00+01:00", "2027-11-21T17:00Z"),
        ] {
            assert_eq!(
                text.parse::<When>().unwrap().from(now).iso_short(),
                want,
                "{text}"
            );
        }
        for bad in [
            "",
            "d",
            "12",
            "12w",
            "-1d",
            "soon",
            "99999999999999999999d",
            "9999999999999999d",
        ] {
            assert!(bad.parse::<When>().is_err(), "{bad}");
        }
        let far = "9999999d".parse::<When>().unwrap().from(now);
        assert!(far.iso_short().starts_with("9999-"), "{far:?}");
    }
}

//! Moments and the ways the Blob protocol writes them.
//!
//! This crate owns no clock: every moment comes in as an argument. Milliseconds are kept because lease
//! periods are measured from them; HTTP dates carry whole seconds, so a moment compared with a header is
//! truncated to seconds first. Years are bounded to what the formats can print (0..=9999).

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMillis(pub i64);

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// 9999-12-30T00:00:00Z, a little before the last moment four-digit years (and `jiff`) can write.
const LAST_PRINTABLE_MS: i64 = 253_402_128_000_000;
/// 0000-01-01T00:00:00Z.
const FIRST_PRINTABLE_MS: i64 = -62_167_219_200_000;

impl UnixMillis {
    /// This moment and `seconds` more, stopping at the largest representable moment.
    #[must_use]
    pub fn plus_seconds(self, seconds: u32) -> Self {
        Self(self.0.saturating_add(i64::from(seconds) * 1000))
    }

    /// Whole seconds from `self` until `later`, rounded up so that a client which waits that long is never
    /// early; 0 when `later` has passed.
    pub fn seconds_until(self, later: Self) -> u32 {
        let ms = later.0.saturating_sub(self.0).max(0);
        u32::try_from(ms.saturating_add(999) / 1000).unwrap_or(u32::MAX)
    }

    /// The moment cut to the whole second, as an HTTP date carries it.
    #[must_use]
    pub fn truncated_to_second(self) -> Self {
        Self(self.0.div_euclid(1000).saturating_mul(1000))
    }

    /// RFC 9110 IMF-fixdate, `Sun, 06 Nov 1994 08:49:37 GMT`: Date, Last-Modified and x-ms-date.
    pub fn http_date(self) -> String {
        let t = self.civil();
        let day = DAYS[usize::from(t.weekday().to_monday_zero_offset().unsigned_abs())];
        let month = MONTHS[usize::from(t.month().unsigned_abs()) - 1];
        let (d, y, h, m, s) = (t.day(), t.year(), t.hour(), t.minute(), t.second());
        format!("{day}, {d:02} {month} {y:04} {h:02}:{m:02}:{s:02} GMT")
    }

    /// `2026-11-21T05:01:38.1230000Z`: snapshots and the Time line of error messages (seven decimals).
    pub fn iso_seven(self) -> String {
        let t = self.civil();
        let (y, mo, d) = (t.year(), t.month(), t.day());
        let (h, m, s) = (t.hour(), t.minute(), t.second());
        let ticks = t.subsec_nanosecond() / 100;
        format!("{y:04}-{mo:02}-{d:02}T{h:02}:{m:02}:{s:02}.{ticks:07}Z")
    }

    /// Reads an HTTP date: IMF-fixdate, and the obsolete RFC 850 and asctime forms which RFC 9110 asks
    /// receivers to accept. `None` for anything else.
    pub fn parse_http_date(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > 64 || !text.is_ascii() {
            return None;
        }
        let words: Vec<&str> = text.split([' ', ',']).filter(|w| !w.is_empty()).collect();
        match words[..] {
            [_, day, month, year, clock, "GMT" | "UTC"] => from_parts(year, month, day, clock),
            [_, date, clock, "GMT" | "UTC"] => {
                let parts: Vec<&str> = date.split('-').collect();
                let [day, month, year] = parts[..] else {
                    return None;
                };
                from_parts(year, month, day, clock)
            }
            [_, month, day, clock, year] => from_parts(year, month, day, clock),
            _ => None,
        }
    }

    fn civil(self) -> DateTime {
        let ms = self.0.clamp(FIRST_PRINTABLE_MS, LAST_PRINTABLE_MS);
        let at = Timestamp::from_millisecond(ms).expect("clamped to years a timestamp holds");
        Offset::UTC.to_datetime(at)
    }
}

fn from_parts(year: &str, month: &str, day: &str, clock: &str) -> Option<UnixMillis> {
    let month = MONTHS.iter().position(|m| m.eq_ignore_ascii_case(month))?;
    let year = match (year.len(), year.parse::<i16>().ok()?) {
        (4, y) if y >= 0 => y,
        // RFC 850 years have two digits; no such client speaks of anything but this century.
        (2, y) if y >= 0 => 2000 + y,
        _ => return None,
    };
    let mut hms = clock.split(':').map(|p| p.parse::<i8>().ok());
    let (h, m, s) = (hms.next()??, hms.next()??, hms.next()??);
    if hms.next().is_some() {
        return None;
    }
    let civil = DateTime::new(year, i8::try_from(month + 1).ok()?, day.parse().ok()?, h, m, s, 0).ok()?;
    let at = TimeZone::UTC.to_ambiguous_timestamp(civil).unambiguous().ok()?;
    Some(UnixMillis(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    // 784111777 is the example of RFC 9110 section 5.6.7, in all three of its forms.
    const RFC: UnixMillis = UnixMillis(784_111_777_000);

    #[test]
    fn http_dates_of_the_rfc() {
        assert_eq!(RFC.http_date(), "Sun, 06 Nov 1994 08:49:37 GMT");
        for text in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(UnixMillis::parse_http_date(text), Some(RFC), "{text}");
        }
        assert_eq!(
            UnixMillis::parse_http_date("Sunday, 06-Nov-24 08:49:37 GMT")
                .map(UnixMillis::http_date)
                .as_deref(),
            Some("Wed, 06 Nov 2024 08:49:37 GMT")
        );
        for bad in [
            "",
            "now",
            "Sun, 32 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 25:49:37 GMT",
            "1994-11-06",
        ] {
            assert_eq!(UnixMillis::parse_http_date(bad), None, "{bad}");
        }
    }

    #[test]
    fn iso_has_seven_decimals() {
        assert_eq!(
            UnixMillis(784_111_777_123).iso_seven(),
            "1994-11-06T08:49:37.1230000Z"
        );
    }

    #[test]
    fn seconds_round_up_and_stop_at_zero() {
        let now = UnixMillis(10_000);
        assert_eq!(now.seconds_until(UnixMillis(10_001)), 1);
        assert_eq!(now.seconds_until(UnixMillis(25_000)), 15);
        assert_eq!(now.seconds_until(UnixMillis(9_000)), 0);
        assert_eq!(UnixMillis(-1).truncated_to_second(), UnixMillis(-1000));
    }

    #[test]
    fn extremes_do_not_panic() {
        for ms in [i64::MIN, i64::MAX, 0] {
            let _ = UnixMillis(ms).http_date();
            let _ = UnixMillis(ms).iso_seven();
            let _ = UnixMillis(ms)
                .plus_seconds(u32::MAX)
                .seconds_until(UnixMillis(i64::MAX));
        }
    }
}

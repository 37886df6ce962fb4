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

    /// RFC 3339 in UTC, cut to the second, `2026-11-21T05:01:38Z`: reports and JSON.
    pub fn rfc3339(self) -> String {
        let mut text = self.iso_seven();
        text.truncate("2026-11-21T05:01:38".len());
        text.push('Z');
        text
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

    /// Reads the ISO 8601 forms that access signatures and stored policies may have ("Formatting DateTime values"):
    /// `2026-11-21`, which is midnight UTC, and `2026-11-21T05:01`, `...:38`, `...:38.1234567`, each followed by `Z`
    /// or an offset such as `+01:00`. `None` for anything else.
    pub fn parse_iso(text: &str) -> Option<Self> {
        if text.len() > 40 || !text.is_ascii() {
            return None;
        }
        let (date, clock) = text.split_once('T').unwrap_or((text, "00:00Z"));
        let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
        let zone = clock.find(['Z', '+', '-'])?;
        let (clock, zone) = clock.split_at(zone);
        let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
        let digits = fraction.bytes().all(|b| b.is_ascii_digit());
        if !digits || !(1..=7).contains(&fraction.len()) {
            return None;
        }
        let (hour, minute, second) = match numbers(clock, ':', [2, 2, 2]) {
            Some([h, m, s]) => (h, m, s),
            None if fraction == "0" => numbers(clock, ':', [2, 2]).map(|[h, m]| (h, m, 0))?,
            None => return None,
        };
        let small = |n: i16| i8::try_from(n).ok();
        let civil = DateTime::new(
            year,
            small(month)?,
            small(day)?,
            small(hour)?,
            small(minute)?,
            small(second)?,
            0,
        );
        let at = TimeZone::UTC
            .to_ambiguous_timestamp(civil.ok()?)
            .unambiguous()
            .ok()?;
        let ms: i64 = format!("{fraction:0<3}")[..3].parse().ok()?;
        Some(Self(at.as_millisecond() + ms - offset_ms(zone)?))
    }

    /// The shortest ISO form that [`UnixMillis::parse_iso`] reads back as this moment, cut to the second.
    pub fn iso_short(self) -> String {
        let t = self.civil();
        let (y, mo, d) = (t.year(), t.month(), t.day());
        match (t.hour(), t.minute(), t.second()) {
            (0, 0, 0) => format!("{y:04}-{mo:02}-{d:02}"),
            (h, m, 0) => format!("{y:04}-{mo:02}-{d:02}T{h:02}:{m:02}Z"),
            (h, m, s) => format!("{y:04}-{mo:02}-{d:02}T{h:02}:{m:02}:{s:02}Z"),
        }
    }

    fn civil(self) -> DateTime {
        let ms = self.0.clamp(FIRST_PRINTABLE_MS, LAST_PRINTABLE_MS);
        let at = Timestamp::from_millisecond(ms).expect("clamped to years a timestamp holds");
        Offset::UTC.to_datetime(at)
    }
}

/// Numbers of exactly these widths, parted by `separator`.
fn numbers<const N: usize>(text: &str, separator: char, widths: [usize; N]) -> Option<[i16; N]> {
    let mut parts = text.split(separator);
    let mut out = [0; N];
    for (slot, width) in out.iter_mut().zip(widths) {
        let part = parts.next()?;
        if part.len() != width || !part.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        *slot = part.parse().ok()?;
    }
    parts.next().is_none().then_some(out)
}

/// `Z`, `+01:00`, `-05:30` in milliseconds.
fn offset_ms(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let [hours, minutes] = numbers(zone.get(1..)?, ':', [2, 2])?;
    let legal = hours <= 14 && minutes < 60;
    legal.then(|| sign * (i64::from(hours) * 60 + i64::from(minutes)) * 60_000)
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
    fn rfc3339_is_cut_to_the_second() {
        assert_eq!(RFC.rfc3339(), "1994-11-06T08:49:37Z");
        assert_eq!(UnixMillis(RFC.0 + 999).rfc3339(), "1994-11-06T08:49:37Z");
        assert_eq!(UnixMillis(-1).rfc3339(), "1969-12-31T23:59:59Z");
    }

    #[test]
    fn iso_forms_of_access_signatures() {
        // 1994-11-06T08:49:37Z is 784111777 (RFC 9110); its midnight is 8 * 3600 + 49 * 60 + 37 seconds earlier.
        let midnight = 784_111_777_000 - 31_777_000;
        for (text, ms) in [
            ("1994-11-06", midnight),
            ("1994-11-06T08:49Z", midnight + 31_740_000),
            ("1994-11-06T08:49:37Z", RFC.0),
            ("1994-11-06T08:49:37.5Z", RFC.0 + 500),
            ("1994-11-06T08:49:37.1239999Z", RFC.0 + 123),
            ("1994-11-06T09:49:37+01:00", RFC.0),
            ("1994-11-06T03:19:37-05:30", RFC.0),
        ] {
            assert_eq!(UnixMillis::parse_iso(text), Some(UnixMillis(ms)), "{text}");
        }
        for bad in [
            "",
            "1994-11-6",
            "1994-13-06",
            "1994-02-30",
            "1994-11-06T08:49",
            "1994-11-06T08:49:37",
            "1994-11-06T24:49:37Z",
            "1994-11-06T08Z",
            "1994-11-06T08:49.5Z",
            "1994-11-06T08:49:37.Z",
            "1994-11-06T08:49:37.12345678Z",
            "1994-11-06T08:49:37Zx",
            "1994-11-06T08:49:37+1:00",
            "1994-11-06T08:49:37+15:00",
            "+994-11-06",
            "1994-11-06 08:49:37Z",
        ] {
            assert_eq!(UnixMillis::parse_iso(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_shortest_iso_form_comes_back() {
        for (ms, text) in [
            (784_080_000_000, "1994-11-06"),
            (784_111_740_000, "1994-11-06T08:49Z"),
            (784_111_777_000, "1994-11-06T08:49:37Z"),
        ] {
            assert_eq!(UnixMillis(ms).iso_short(), text);
            assert_eq!(UnixMillis::parse_iso(text), Some(UnixMillis(ms)));
        }
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

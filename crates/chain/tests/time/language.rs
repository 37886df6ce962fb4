//! What SQL Server makes of a literal under each language: its documented rules, written down here independently of the code under test.
//!
//! Documentation, "datetime (Transact-SQL)" and "Write international Transact-SQL statements": `yyyy-mm-ddThh:mm:ss[.mmm]` is ISO 8601
//! and depends on no setting. Separated by a space, a date that begins with a four-digit year goes by SET DATEFORMAT for the rest:
//! day and month in the order of the setting. A `datetime` is rounded to .000, .003 or .007 seconds.

use chain::time::{literal, sql_literal};
use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};

use crate::{logs, timeline, utc};

/// Languages and their DATEFORMAT in `sys.syslanguages`.
const LANGUAGES: [(&str, &str); 4] = [
    ("us_english", "mdy"),
    ("British", "dmy"),
    ("Deutsch", "dmy"),
    ("Japanese", "ymd"),
];

/// Reads a literal as SQL Server converts one to `datetime`; none where it answers with an error.
fn read(text: &str, date_format: &str) -> Option<DateTime> {
    let (date, time) = text.split_at_checked(10)?;
    let mut fields = date.split('-').map(|field| field.parse::<i8>().ok());
    let year: i16 = date.get(..4)?.parse().ok()?;
    let (second, third) = (fields.nth(1)??, fields.next()??);
    let is_day_first = date_format.find('d') < date_format.find('m');
    let (month, day) = match time.chars().next()? {
        ' ' if is_day_first => (third, second),
        'T' | ' ' => (second, third),
        _ => return None,
    };
    let (clock, milliseconds) = time[1..].split_once('.').unwrap_or((&time[1..], "0"));
    let mut clock = clock.split(':').map(|field| field.parse::<i8>().ok());
    let mut next = || clock.next().flatten();
    let at = DateTime::new(year, month, day, next()?, next()?, next()?, 0).ok()?;
    at.checked_add(SignedDuration::from_millis(rounded(milliseconds.parse().ok()?)))
        .ok()
}

/// The documented table of rounding: .990 and .991 to .990, .992 to .994 to .993, .995 to .998 to .997, .999 to the next second.
fn rounded(millisecond: i64) -> i64 {
    let tens = millisecond - millisecond % 10;
    match millisecond % 10 {
        0 | 1 => tens,
        2..=4 => tens + 3,
        5..=8 => tens + 7,
        _ => tens + 10,
    }
}

/// What STOPAT says for this moment of a source at UTC+2.
fn stop_at(at: Timestamp) -> DateTime {
    let sets = logs(&[
        ("2026-01-01T00:00:00", Some(120)),
        ("2026-12-31T23:00:00", Some(120)),
    ]);
    let timeline = timeline(&sets, None);
    let all = timeline.all();
    literal(at, &all[1], Some(&all[0]), None).unwrap()
}

#[test]
fn a_literal_means_the_same_in_every_language() {
    // On the source's clock 1 July, which day and month swapped is 7 January, and 25 October, which is nothing then.
    for (at, shown) in [
        ("2026-06-30T22:30:00Z", "2026-07-01T00:30:00"),
        ("2026-10-25T00:30:00Z", "2026-10-25T02:30:00"),
    ] {
        let expected: DateTime = shown.parse().unwrap();
        let text = sql_literal(stop_at(utc(at)));
        for (language, date_format) in LANGUAGES {
            assert_eq!(read(&text, date_format), Some(expected), "{text} in {language}");
        }
        let with_space = text.replace('T', " ");
        assert_eq!(read(&with_space, "mdy"), Some(expected));
        assert_ne!(read(&with_space, "dmy"), Some(expected), "{with_space}");
    }
    assert_eq!(
        read("2026-07-01 00:30:00", "dmy"),
        Some("2026-01-07T00:30:00".parse().unwrap())
    );
    assert_eq!(read("2026-10-25 02:30:00", "dmy"), None);
}

#[test]
fn no_literal_is_read_as_a_later_moment() {
    for millisecond in 0..1000 {
        let at = utc("2026-06-30T22:59:59Z") + SignedDuration::from_millis(millisecond);
        let stop = stop_at(at);
        let read = read(&sql_literal(stop), "dmy").unwrap();
        assert_eq!(read, stop, "SQL Server rounds nothing that was written");
        let source = jiff::tz::offset(2).to_datetime(at);
        let early = read.duration_until(source);
        assert!(
            early >= SignedDuration::ZERO && early <= SignedDuration::from_millis(3),
            "{source} became {read}"
        );
    }
    // Cut to milliseconds alone this one would be in the next second.
    assert_eq!(
        read("2026-07-01T00:59:59.999", "mdy"),
        Some("2026-07-01T01:00:00".parse().unwrap())
    );
}

#[test]
fn the_form_is_always_whole() {
    assert_eq!(
        sql_literal("0987-01-02T03:04:05".parse().unwrap()),
        "0987-01-02T03:04:05.000"
    );
    assert_eq!(
        sql_literal("2026-12-31T23:59:59.0079999".parse().unwrap()),
        "2026-12-31T23:59:59.007"
    );
}

//! Moments as the type `datetime` holds them: ticks of a three-hundredth of a second, whose milliseconds print as 0, 3 or 7 at the end.
//!
//! SQL Server rounds a literal to the nearest tick, to either side. Here each is on a tick already, on the side where it does no harm.
//! The clock's own records of commits and marks lie on ticks, so nothing is lost by that.

use jiff::SignedDuration;
use jiff::civil::DateTime;

use crate::time::sql_literal;

/// Nanoseconds in a millisecond.
const MILLISECOND: i32 = 1_000_000;

/// The latest tick that is not behind `at`: for a stop, so that nothing from after the moment gets in.
pub(super) fn at_or_before(at: DateTime) -> String {
    sql_literal(down(at))
}

/// The earliest tick that is not before `at`: for AFTER, so that no earlier mark is taken.
pub(super) fn at_or_after(at: DateTime) -> String {
    let tick = down(at);
    if tick == at {
        return sql_literal(at);
    }
    // Ticks are at most 4 ms apart as they print. At the end of the calendar there is none behind.
    let next = tick.saturating_add(SignedDuration::from_millis(4));
    sql_literal(down(next))
}

fn down(at: DateTime) -> DateTime {
    let milliseconds = at.subsec_nanosecond() / MILLISECOND;
    let tick = match milliseconds % 10 {
        0..=2 => 0,
        3..=6 => 3,
        _ => 7,
    };
    at.with()
        .subsec_nanosecond((milliseconds - milliseconds % 10 + tick) * MILLISECOND)
        .build()
        .expect("fewer nanoseconds than a valid time had")
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn both_sides_of_every_moment() {
        // The increments are .000, .003 and .007 seconds, as the documents of datetime have it.
        let cases = [
            (0, "03.000", "03.000"),
            (1, "03.000", "03.003"),
            (2_999_999, "03.000", "03.003"),
            (3_000_000, "03.003", "03.003"),
            (3_000_001, "03.003", "03.007"),
            (6_999_999, "03.003", "03.007"),
            (7_000_000, "03.007", "03.007"),
            (9_999_999, "03.007", "03.010"),
            (10_000_000, "03.010", "03.010"),
            (997_000_000, "03.997", "03.997"),
            (997_000_001, "03.997", "04.000"),
            (999_999_999, "03.997", "04.000"),
        ];
        for (nanosecond, before, after) in cases {
            let at = date(2026, 3, 4).at(1, 2, 3, nanosecond);
            assert_eq!(at_or_before(at), format!("2026-03-04T01:02:{before}"));
            assert_eq!(at_or_after(at), format!("2026-03-04T01:02:{after}"));
        }
    }

    #[test]
    fn the_calendar_ends() {
        assert_eq!(at_or_after(DateTime::MAX), "9999-12-31T23:59:59.997");
    }
}

//! What to write into STOPAT.
//!
//! SQL Server goes through the commit records of a log, each with the time that the clock of the writing instance showed, and stops at
//! the first one later than STOPAT, a `datetime` without a zone. A literal is certain where, in all the time that the log spans, the
//! clock showed at most that time up to the moment and more than that after it. It does not where the clock was put back in that span
//! less far from the moment than it was put back: then the same literal names an earlier or a later moment too, or a record of the
//! first pass through the hour stops the restore too early.
//!
//! A log and the set before it whose offsets differ by no more than summer time were written by one machine whose clock was changed
//! between them, nobody knows when. Where they differ by more they were written by two machines, as the replicas of an availability group
//! are, and the log goes by its own. That its records carry the times of the machine that wrote the backup is taken for granted; in a
//! group over several zones whose logs are not backed up on the primary they do not, and no header tells.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::bounds::Times;
use super::dial::{Dial, SHIFT_MAX, may_be_one_clock};

/// The first year that `datetime` holds; the last one is 9999.
const YEAR_MIN: i16 = 1753;

/// Nanoseconds in a millisecond.
const MILLISECOND: i32 = 1_000_000;

/// One tick of `datetime` as it is printed: from .000 back to .997.
const TICK: SignedDuration = SignedDuration::from_millis(3);

/// Two local times more than this apart are in the same order in every zone: offsets are from -14 to +14 hours.
const REACH: SignedDuration = SignedDuration::from_hours(28);

/// Why no literal means this moment and nothing else. An LSN still can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoLiteral {
    /// The clock was put back while the log was written, and showed this time before and after that.
    #[error("the server's clock showed this time twice while the log was written")]
    BothReadings,
    /// The clock stood at different offsets before and in the log, or at an unknown one, and no zone tells when it changed.
    #[error("it is not known how the server's clock stood at this moment")]
    OffsetUncertain,
    /// Before 1753 or after 9999.
    #[error("SQL Server's datetime does not hold this moment")]
    OutOfRange,
}

/// The local time to write into the STOPAT of `log`, so that it stops at `at`. `before` is the set restored before it; without one the
/// log is taken to reach back without end, and its server's clock to have stood as in the log itself. `zone` is that of the timelines
/// of the two.
///
/// The literal is cut to milliseconds and then down to the nearest one that `datetime` prints, which ends in 0, 3 or 7: SQL Server
/// rounds to the nearest, which may be later, and would restore what was committed after the moment.
///
/// # Errors
/// Why there is none.
pub fn literal(
    at: Timestamp,
    log: &Times,
    before: Option<&Times>,
    zone: Option<&TimeZone>,
) -> Result<DateTime, NoLiteral> {
    let offset = match (log.dial, zone) {
        (Dial::Floating, _) => Offset::UTC,
        (Dial::Zone, Some(zone)) => zone.to_offset(at),
        (Dial::Offsets(offset, None), _) => offset,
        _ => return Err(NoLiteral::OffsetUncertain),
    };
    if before.is_some_and(|before| before.dial != log.dial && !is_of_another_machine(offset, before, zone)) {
        return Err(NoLiteral::OffsetUncertain);
    }
    if log.may_shift && at >= shift_hides_from(log) {
        return Err(NoLiteral::OffsetUncertain);
    }
    let local = offset.to_datetime(at);
    if !(YEAR_MIN..=9999).contains(&local.year()) {
        return Err(NoLiteral::OutOfRange);
    }
    if log.dial == Dial::Zone && zone.is_some_and(|zone| hides(at, log, before, zone).is_some()) {
        return Err(NoLiteral::BothReadings);
    }
    Ok(round_down(local))
}

/// Whether the set before was written by a machine in another zone than one at `offset`: then its clock says nothing of this one's.
fn is_of_another_machine(offset: Offset, before: &Times, zone: Option<&TimeZone>) -> bool {
    let other = match (before.dial, zone) {
        (Dial::Zone, Some(zone)) => zone.to_offset(before.start.earliest),
        (Dial::Offsets(other, None), _) => other,
        _ => return false,
    };
    !may_be_one_clock(offset, other)
}

/// The nearest moments before and after `at` for which [`literal`] has one, in the time that the log spans; none where there is none
/// on that side. Meant for a moment for which it has none.
#[must_use]
pub fn certain_neighbours(
    at: Timestamp,
    log: &Times,
    before: Option<&Times>,
    zone: Option<&TimeZone>,
) -> (Option<Timestamp>, Option<Timestamp>) {
    let hidden = zone
        .filter(|_| log.dial == Dial::Zone)
        .and_then(|zone| hides(at, log, before, zone));
    let (from, to) = match hidden {
        Some(hidden) => (Some(hidden.from), Some(hidden.to)),
        None if log.may_shift => (Some(shift_hides_from(log)), None),
        None => return (None, None),
    };
    let (first, last) = span(log, before);
    let certain = |at: &Timestamp| *at >= first && *at <= last && literal(*at, log, before, zone).is_ok();
    (
        from.and_then(|from| from.checked_sub(TICK).ok()).filter(certain),
        to.filter(certain),
    )
}

/// A local time as STOPAT takes it, without quotation marks: `2026-10-25T02:30:00.000`, always with a `T` and three decimals, which SQL
/// Server reads as ISO 8601 under every language and DATEFORMAT. For years 0 to 9999; what is below a millisecond is cut off.
#[must_use]
pub fn sql_literal(local: DateTime) -> String {
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}",
        local.year(),
        local.month(),
        local.day(),
        local.hour(),
        local.minute(),
        local.second(),
        local.subsec_nanosecond() / MILLISECOND,
    )
}

/// Down to what `datetime` prints: .000, .003, .007, .010 and so on.
fn round_down(local: DateTime) -> DateTime {
    let millisecond = local.subsec_nanosecond() / MILLISECOND;
    let tick = match millisecond % 10 {
        0..=2 => 0,
        3..=6 => 3,
        _ => 7,
    };
    local
        .with()
        .subsec_nanosecond((millisecond - millisecond % 10 + tick) * MILLISECOND)
        .build()
        .expect("fewer nanoseconds than a valid time had")
}

/// From when to when a log may hold records: the set before it ended no earlier than it began.
fn span(log: &Times, before: Option<&Times>) -> (Timestamp, Timestamp) {
    let from = before.map_or(Timestamp::MIN, |before| before.start.earliest);
    (from, log.finish.latest)
}

/// From when on a clock that was changed at an unknown moment in a log, not before the log's start, leaves a literal uncertain.
fn shift_hides_from(log: &Times) -> Timestamp {
    log.start
        .earliest
        .saturating_sub(SHIFT_MAX)
        .unwrap_or(Timestamp::MIN)
}

/// Moments whose literal is uncertain.
struct Hidden {
    from: Timestamp,
    /// Excluded.
    to: Timestamp,
}

/// The moments around `at` that a clock put back within the log's span hides; none where `at` is not hidden.
fn hides(at: Timestamp, log: &Times, before: Option<&Times>, zone: &TimeZone) -> Option<Hidden> {
    let (first, last) = span(log, before);
    let (first, last) = (first.min(at), last.max(at));
    let from = at.saturating_sub(REACH).unwrap_or(Timestamp::MIN).max(first);
    let to = at.saturating_add(REACH).unwrap_or(Timestamp::MAX).min(last);
    let mut offset = zone.to_offset(from);
    for change in zone.following(from).take_while(|change| change.timestamp() <= to) {
        let back = i64::from(offset.seconds()) - i64::from(change.offset().seconds());
        offset = change.offset();
        let back = SignedDuration::from_secs(back.max(0));
        let hidden = Hidden {
            from: change.timestamp().saturating_sub(back).unwrap_or(Timestamp::MIN),
            to: change.timestamp().saturating_add(back).unwrap_or(Timestamp::MAX),
        };
        if (hidden.from..hidden.to).contains(&at) {
            return Some(hidden);
        }
    }
    None
}

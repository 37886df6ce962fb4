//! What a new point changes of its item: what the backups to come stand on.
//!
//! A point may be written long after its backup: the session was lost, the store was away, the catalog is an older copy. So it
//! counts as the newest of its kind by when SQL Server finished it and how far it reaches, not by when the vault wrote it down.

use std::cmp::Ordering;

use catalog::record::{Grade, Item, LastBackup, Point, SetFacts};
use catalog::{Transaction, get};
use jiff::{SignedDuration, Timestamp};
use schedule::BackupKind;

use super::ground::lsn;
use crate::records::Trouble;
use crate::vault::Vault;

impl Vault {
    /// Whether a point is the newest of its kind that the item knows of. `sent`: when its statement was sent, where that is known;
    /// what was written down before that is older, whatever the clock of the instance says.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub(crate) async fn is_newest_in(
        &self,
        tx: &mut dyn Transaction,
        item: &Item,
        point: &Point,
        sent: Option<Timestamp>,
    ) -> Result<bool, Trouble> {
        let Some(last) = item.last.get(&point.kind) else {
            return Ok(true);
        };
        if last.point == point.id || sent.is_some_and(|sent| last.at <= sent) {
            return Ok(true);
        }
        Ok(
            match get::<Point>(tx, &self.key, &last.point.to_string()).await? {
                Some(known) => !is_older(&point.set, &known.record.set),
                None => last.at <= point.ended,
            },
        )
    }
}

/// Takes the newest point of its kind into its item.
pub(crate) fn advance(item: &mut Item, point: &Point) {
    item.failures.remove(&point.kind);
    if point.kind == BackupKind::Log {
        // SQL Server has cut its log off there, whatever the vault thinks of the bytes.
        item.log_end = Some(point.set.last_lsn.clone());
    }
    if point.grade == Grade::Disputed {
        return;
    }
    if let Some(job) = point.job {
        let last = LastBackup {
            job,
            point: point.id,
            at: point.ended,
        };
        item.last.insert(point.kind, last);
    }
    if point.kind == BackupKind::Full {
        item.base = Some(point.set.guid);
    }
}

/// Whether a set was taken before another one. A clock that was put back makes none of one line of history older that reaches
/// further; a host that was put back makes none older that was finished later.
fn is_older(one: &SetFacts, other: &SetFacts) -> bool {
    let reach = match one.fork == other.fork {
        true => lsn(&one.last_lsn).cmp(&lsn(&other.last_lsn)),
        false => Ordering::Equal,
    };
    match finished(one, other) {
        Ordering::Less => reach != Ordering::Greater,
        Ordering::Equal => reach == Ordering::Less,
        Ordering::Greater => false,
    }
}

/// Which of two was finished first, in UTC where both say how their clocks stood to it.
fn finished(one: &SetFacts, other: &SetFacts) -> Ordering {
    let (Some(mine), Some(theirs)) = (one.offset_minutes, other.offset_minutes) else {
        return one.finished.cmp(&other.finished);
    };
    let utc = |at: jiff::civil::DateTime, minutes: i64| at.checked_sub(SignedDuration::from_mins(minutes));
    match (
        utc(one.finished, i64::from(mine)),
        utc(other.finished, i64::from(theirs)),
    ) {
        (Ok(one), Ok(other)) => one.cmp(&other),
        _ => one.finished.cmp(&other.finished),
    }
}

#[cfg(test)]
mod tests {
    use catalog::record::SetFacts;
    use uuid::Uuid;

    use super::is_older;

    /// Finished at a minute of an hour, as far as an LSN, on a line of history, on a clock so many minutes ahead of UTC.
    fn set(minute: i8, last_lsn: &str, fork: u128, offset_minutes: i16) -> SetFacts {
        let at = jiff::civil::date(2026, 10, 25).at(2, minute, 0, 0);
        SetFacts {
            finished: at,
            last_lsn: last_lsn.to_owned(),
            fork: Uuid::from_u128(fork),
            offset_minutes: Some(offset_minutes),
            ..super::super::meeting::set_of_tests("1", last_lsn)
        }
    }

    #[test]
    fn a_set_is_older_by_time_and_reach() {
        let known = set(30, "500", 1, 60);
        // A set, and whether it is older than the known one.
        let cases = [
            (set(29, "400", 1, 60), true),
            (set(31, "600", 1, 60), false),
            // The clock was put back by hand.
            (set(10, "600", 1, 60), false),
            // The host was put back to a snapshot.
            (set(40, "100", 1, 60), false),
            // Another line of history: its LSNs say nothing.
            (set(10, "600", 2, 60), true),
            (set(40, "100", 2, 60), false),
            // Half an hour later, after the hour that is there twice in autumn; and before it.
            (set(0, "100", 1, 0), false),
            (set(45, "400", 1, 120), true),
            // The same second.
            (set(30, "499", 1, 60), true),
            (set(30, "501", 1, 60), false),
        ];
        for (one, expected) in cases {
            assert_eq!(is_older(&one, &known), expected, "{one:?}");
        }
    }
}

//! A step of a plan as the statement that SQL Server gets.

use catalog::record::{Allowed, Place, RestoreEnd, RestoreStep, RestoreStop};
use faults::{Code, Fault};
use mssql::quoting::{Identifier, Literal};
use mssql::statement::Restore;
use mssql::statement::restore::{self, Ending, Extras, Move, What};
use mssql::value::{DateTime, TICKS_PER_SECOND};
use schedule::BackupKind;

use super::headers::devices;
use crate::backup::Entry;

/// Days from 1 January of year 1, which `mssql` counts from, to 1 January 1970.
const EPOCH_DAYS: i32 = 719_162;

/// The statement of a step; `entry` is the way to its container. Only the first may replace what is there.
///
/// # Errors
/// What it holds cannot be said in T-SQL.
pub(super) fn statement(
    step: &RestoreStep,
    place: &Place,
    entry: &Entry,
    replaces: bool,
) -> Result<Restore, Fault> {
    let devices = devices(step, entry)?;
    let database = database(place)?;
    let mut restore = Restore::new(database, what(step), devices);
    restore.replace = replaces;
    restore.checksum = step.has_checksums && !step.is_damaged;
    restore.continue_after_error = step.is_damaged;
    restore.stop = step.stop.as_ref().map(stop).transpose()?;
    for one in &step.moves {
        restore.moves.push(Move {
            logical: Literal::new(&one.logical).map_err(|error| internal(&error))?,
            path: Literal::device(&one.path).map_err(|error| internal(&error))?,
        });
    }
    Ok(restore)
}

/// The statement after the last step; none where the database stays RESTORING.
///
/// # Errors
/// Its name or the path of its undo file cannot be said in T-SQL.
pub(super) fn end(place: &Place) -> Result<Option<String>, Fault> {
    let database = database(place)?;
    Ok(match &place.end {
        RestoreEnd::Recovered => Some(restore::recover_with(
            &database,
            Extras {
                keep_replication: place.allowed.contains(&Allowed::Replicated),
                keep_cdc: place.allowed.contains(&Allowed::ChangeDataCapture),
                ..Extras::default()
            },
        )),
        RestoreEnd::Restoring => None,
        RestoreEnd::Standby { undo } => {
            let ending = Ending::Standby(Literal::device(undo).map_err(|error| internal(&error))?);
            Some(format!("RESTORE DATABASE {database} WITH {ending};"))
        }
    })
}

/// What the statement of a step says, and no other: what it is, of which database, and from where. Others may restore the same set to
/// other names at the same time.
///
/// # Errors
/// The place has a name that is none.
pub(super) fn marks(step: &RestoreStep, place: &Place) -> Result<Vec<String>, Fault> {
    let begins = format!("{} FROM ", restore::begins(what(step), &database(place)?));
    Ok(step.blobs.first().cloned().into_iter().chain([begins]).collect())
}

fn what(step: &RestoreStep) -> What {
    match step.kind {
        BackupKind::Log => What::Log,
        _ => What::Database,
    }
}

fn database(place: &Place) -> Result<Identifier, Fault> {
    Identifier::new(&place.name).map_err(|error| {
        Fault::new(Code::Bac2InputInvalid).because(&format!("the name of the database: {error}"))
    })
}

fn stop(stop: &RestoreStop) -> Result<restore::Stop, Fault> {
    Ok(match stop {
        RestoreStop::At { at } => {
            let days = at.date().since((jiff::Unit::Day, jiff::civil::date(1970, 1, 1)));
            let days = days.map_err(|error| internal(&error))?.get_days() + EPOCH_DAYS;
            let time = at.time();
            let seconds =
                i64::from(time.hour()) * 3600 + i64::from(time.minute()) * 60 + i64::from(time.second());
            let ticks = seconds.unsigned_abs() * TICKS_PER_SECOND
                + u64::from(time.subsec_nanosecond().unsigned_abs()) / 100;
            restore::Stop::At(DateTime { days, ticks })
        }
        RestoreStop::AtLsn { lsn } => {
            restore::Stop::AtLsn(lsn.parse().map_err(|_| internal(&"an LSN that is none"))?)
        }
    })
}

fn internal(error: &dyn std::fmt::Display) -> Fault {
    Fault::new(Code::Bac2InternalError).because(&error.to_string())
}

//! Opening and closing the files of a database, and the state it is in after that.

use super::state::{DatabaseEntry, DatabaseState};
use super::trouble;
use crate::engine::{Engine, EngineError, Opening};
use crate::message::Failure;
use crate::world::World;

/// Opens a database as its record says: recovers it where it is to be online, leaves it restoring where a restore is not done.
/// Its state says afterwards how far that went; the failure is what the error log is told.
///
/// # Errors
/// 5120 and 945 where a file cannot be opened (RECOVERY_PENDING), 3414 and 926 where the log or a page is damaged (SUSPECT).
pub(super) fn open(world: &World, entry: &mut DatabaseEntry) -> Result<(), Failure> {
    let restoring = entry.state == DatabaseState::Restoring || entry.standby.is_some();
    let how = if restoring {
        Opening::Restoring
    } else {
        Opening::Recover {
            at: world.clock.now(),
        }
    };
    match Engine::open(world, entry.files.clone(), how) {
        Ok(engine) => {
            entry.files = engine.files();
            entry.engine = Some(engine);
            // One in standby is online as far as it can be.
            if entry.state != DatabaseState::Restoring {
                entry.state = DatabaseState::Online;
            }
            Ok(())
        }
        // A restore that was cut off left no boot page: nobody can use the database before it is restored anew.
        Err(_) if entry.state == DatabaseState::Restoring => Ok(()),
        Err(EngineError::Disk { path, error }) => {
            entry.state = DatabaseState::RecoveryPending;
            Err(Failure::new(5120, &[&path, &error.number, &error]).and(945, &[&entry.name]))
        }
        Err(error) => {
            entry.state = DatabaseState::Suspect;
            let mut failure = trouble::failure(&error, entry);
            failure = failure.and(3414, &[&entry.name, &entry.id]);
            Err(failure)
        }
    }
}

/// Closes a database with a checkpoint; its record keeps the files.
///
/// # Errors
/// Where a page or the log cannot be written; the files are closed all the same and recovery will find them so.
pub(super) fn close(world: &World, entry: &mut DatabaseEntry) -> Result<(), Failure> {
    let Some(engine) = entry.engine.take() else {
        return Ok(());
    };
    entry.files = engine.files();
    engine
        .close(world.clock.now())
        .map_err(|error| trouble::failure(&error, entry))
}

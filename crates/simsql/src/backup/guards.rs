//! What a backup holds while it runs, and lets go of however it ends: the lock on the database's files, the log that must not be
//! truncated.

use std::sync::Arc;

use bak::Lsn;

use crate::engine::DataBackup;
use crate::instance::Instance;
use crate::instance::locks::{Bulk, SessionId};
use crate::instance::waiting::{Waiting, wait_for};
use crate::message::{Failure, Message};
use crate::session::Session;

/// State in which 3023 comes.
const CONFLICT_STATE: u8 = 2;

/// The lock that lets one backup of a kind run at a time.
pub(super) struct BulkLock {
    instance: Arc<Instance>,
    database: u16,
    kind: Bulk,
    session: SessionId,
}

impl BulkLock {
    /// Waits for it until the session's LOCK_TIMEOUT.
    ///
    /// # Errors
    /// 3023, or [`Failure::cancelled`].
    pub(super) async fn take(session: &Session, database: u16, kind: Bulk) -> Result<Self, Failure> {
        let name = match kind {
            Bulk::Database => "BULKOP_BACKUP_DB",
            Bulk::Log => "BULKOP_BACKUP_LOG",
        };
        let waiting = Waiting {
            wait_type: "LCK_M_U",
            resource: format!("DATABASE: {database} [{name}]"),
        };
        let id = session.id;
        wait_for(
            session,
            &waiting,
            |state| match state.databases.get_mut(&database) {
                Some(entry) => entry.locks.take_bulk(kind, id),
                // It was dropped meanwhile; the checks that follow say so.
                None => Ok(()),
            },
            || Message::new(3023, &[]).with_state(CONFLICT_STATE).into(),
        )
        .await?;
        Ok(Self {
            instance: Arc::clone(&session.instance),
            database,
            kind,
            session: id,
        })
    }
}

impl Drop for BulkLock {
    fn drop(&mut self) {
        let mut state = self.instance.state();
        if let Some(entry) = state.databases.get_mut(&self.database)
            && entry.locks.bulk.get(&self.kind) == Some(&self.session)
        {
            entry.locks.bulk.remove(&self.kind);
        }
    }
}

/// A data backup that the engine was told of.
pub(super) struct DataPin {
    instance: Arc<Instance>,
    database: u16,
    backup: Option<DataBackup>,
}

impl DataPin {
    pub(super) fn new(instance: &Arc<Instance>, database: u16, backup: DataBackup) -> Self {
        Self {
            instance: Arc::clone(instance),
            database,
            backup: Some(backup),
        }
    }

    /// Takes the duty to end the backup away from the guard.
    pub(super) fn disarm(&mut self) -> Option<DataBackup> {
        self.backup.take()
    }
}

impl Drop for DataPin {
    fn drop(&mut self) {
        let Some(backup) = self.backup.take() else { return };
        let now = self.instance.world.clock.now();
        let mut state = self.instance.state();
        if let Some(engine) = engine_mut(&mut state, self.database) {
            // It failed already, and a backup that is not counted changes nothing.
            drop(engine.end_data_backup(&backup, None, now));
        }
    }
}

/// Log that is kept for a log backup.
pub(super) struct LogPin {
    instance: Arc<Instance>,
    database: u16,
}

impl LogPin {
    /// Keeps the log from `from` on. The caller holds the state.
    pub(super) fn new(
        instance: &Arc<Instance>,
        engine: &mut crate::engine::Engine,
        database: u16,
        from: Lsn,
    ) -> Self {
        engine.pin_log(Some(from));
        Self {
            instance: Arc::clone(instance),
            database,
        }
    }
}

impl Drop for LogPin {
    fn drop(&mut self) {
        let mut state = self.instance.state();
        if let Some(engine) = engine_mut(&mut state, self.database) {
            engine.pin_log(None);
        }
    }
}

fn engine_mut(state: &mut crate::instance::State, database: u16) -> Option<&mut crate::engine::Engine> {
    state.databases.get_mut(&database)?.engine.as_mut()
}

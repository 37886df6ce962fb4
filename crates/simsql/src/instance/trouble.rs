//! What the engine could not do, in the words of SQL Server.

use crate::engine::{EngineError, ReuseWait};
use crate::message::Failure;

use super::state::DatabaseEntry;

/// The text of `log_reuse_wait_desc`.
#[must_use]
pub fn reuse_wait_name(wait: ReuseWait) -> &'static str {
    match wait {
        ReuseWait::Nothing => "NOTHING",
        ReuseWait::Checkpoint => "CHECKPOINT",
        ReuseWait::LogBackup => "LOG_BACKUP",
        ReuseWait::ActiveBackupOrRestore => "ACTIVE_BACKUP_OR_RESTORE",
        ReuseWait::ActiveTransaction => "ACTIVE_TRANSACTION",
    }
}

/// The number of `log_reuse_wait`.
#[must_use]
pub fn reuse_wait_number(wait: ReuseWait) -> i64 {
    match wait {
        ReuseWait::Nothing => 0,
        ReuseWait::Checkpoint => 1,
        ReuseWait::LogBackup => 2,
        ReuseWait::ActiveBackupOrRestore => 3,
        ReuseWait::ActiveTransaction => 4,
    }
}

/// The failure of a statement that met `error` in `database`.
#[must_use]
pub fn failure(error: &EngineError, database: &DatabaseEntry) -> Failure {
    let name = &database.name;
    match error {
        EngineError::Disk { path, error } if error.number == 112 => {
            Failure::new(5149, &[error, path]).and(1105, &[name])
        }
        EngineError::Disk { path, error } => Failure::new(823, &[error, path]),
        EngineError::Page { path, page, detail } => {
            let offset = format!("{:#018x}", u64::from(page.page) * 8192);
            Failure::new(824, &[detail, page, &database.id, &offset, path])
        }
        EngineError::LogFull => {
            let wait = database
                .engine
                .as_ref()
                .map_or(ReuseWait::Nothing, |engine| engine.log_facts().reuse_wait);
            Failure::new(9002, &[name, &reuse_wait_name(wait)])
        }
        EngineError::DataFull => Failure::new(1105, &[name]),
        EngineError::Log { lsn, detail } => Failure::new(9004, &[name, lsn, detail]),
        EngineError::RowTooLong(bytes) => Failure::new(511, &[bytes, &8060]),
        EngineError::NoTable(table) => Failure::new(208, &[&format!("object {}", table.0)]),
    }
}

//! What the engines say, as what the caller can do about it.
//!
//! SQLite's codes are of <https://www.sqlite.org/rescode.html>, PostgreSQL's of its appendix "Error Codes".

use sqlx::Error;

use crate::catalog::Engine;
use crate::error::CatalogError;

/// What was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Connecting, or beginning a transaction.
    Begin,
    /// Reading and writing in one.
    Work,
    /// Its commit, whose outcome is the question.
    Commit,
}

/// Which catalog, for errors.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) engine: Engine,
    /// Without a password.
    pub(super) name: String,
}

/// What an engine's code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    DiskFull,
    Conflict,
    NotWritable,
    Corrupt,
    /// The connection is gone, or never was.
    Lost,
    /// The disk failed under it.
    Broken,
}

impl Place {
    /// The error as the caller sees it.
    pub(super) fn name(&self, error: &Error, phase: Phase) -> CatalogError {
        let why = self.say(error);
        let catalog = self.name.clone();
        match (self.meaning(error), phase) {
            (Meaning::DiskFull, _) => CatalogError::DiskFull { catalog },
            (Meaning::Conflict, _) => CatalogError::Conflict { what: why },
            (Meaning::Corrupt, _) => CatalogError::Corrupt {
                what: format!("{catalog}: {why}"),
            },
            (Meaning::NotWritable, _) | (Meaning::Broken, Phase::Begin | Phase::Work) => {
                CatalogError::NotWritable { catalog, why }
            }
            (Meaning::Lost | Meaning::Broken, Phase::Commit) => CatalogError::CommitUnknown { why },
            (Meaning::Lost, Phase::Begin | Phase::Work) => CatalogError::Unreachable { catalog, why },
        }
    }

    /// Whether nothing may be written after this: what is on disk may not be what SQLite thinks.
    pub(super) fn is_broken_by(&self, error: &Error) -> bool {
        self.meaning(error) == Meaning::Broken
    }

    fn meaning(&self, error: &Error) -> Meaning {
        let code = match error {
            Error::Database(said) => said.code().unwrap_or_default().into_owned(),
            Error::ColumnDecode { .. }
            | Error::Decode(_)
            | Error::ColumnNotFound(_)
            | Error::AnyDriverError(_) => {
                return Meaning::Corrupt;
            }
            _ => return Meaning::Lost,
        };
        match self.engine {
            Engine::Postgres => postgres(&code),
            Engine::Sqlite | Engine::Memory => sqlite(&code),
        }
    }

    /// The engine's own words, without what a server may quote of values.
    fn say(&self, error: &Error) -> String {
        match error {
            Error::Database(said) => {
                let code = said.code().unwrap_or_default();
                format!("{} ({code})", said.message())
            }
            other => other.to_string(),
        }
    }
}

fn sqlite(code: &str) -> Meaning {
    // The lowest byte is the primary code, the rest says more.
    let code: u32 = code.parse().unwrap_or(1);
    match (code & 0xff, code) {
        // FULL; IOERR_SHMSIZE: no room to grow the index of the WAL.
        (13, _) | (_, 4874) => Meaning::DiskFull,
        // BUSY, LOCKED; CONSTRAINT: unique keys were looked at before, so somebody was faster.
        (5 | 6 | 19, _) => Meaning::Conflict,
        // PERM, READONLY.
        (3 | 8, _) => Meaning::NotWritable,
        // ERROR: a table or a column is not as it was made; CORRUPT, NOTADB.
        (1 | 11 | 26, _) => Meaning::Corrupt,
        // IOERR_WRITE, _FSYNC, _DIR_FSYNC, _TRUNCATE.
        (_, 778 | 1034 | 1290 | 1546) => Meaning::Broken,
        _ => Meaning::Lost,
    }
}

fn postgres(code: &str) -> Meaning {
    match code {
        // disk_full.
        "53100" => Meaning::DiskFull,
        // serialization_failure, deadlock_detected, lock_not_available, and a unique key taken meanwhile.
        "40001" | "40P01" | "55P03" | "23505" => Meaning::Conflict,
        // read_only_sql_transaction, insufficient_privilege, io_error.
        "25006" | "42501" | "58030" => Meaning::NotWritable,
        // Nodes that make the same tables at once: duplicate_table, duplicate_object, internal_error (a row of the
        // server's own catalog was changed at once).
        "42P07" | "42710" | "XX000" => Meaning::Conflict,
        // data_corrupted, index_corrupted; undefined_table, undefined_column.
        "XX001" | "XX002" | "42P01" | "42703" => Meaning::Corrupt,
        _ => Meaning::Lost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_mean_what_the_manuals_say() {
        assert_eq!(sqlite("13"), Meaning::DiskFull);
        // SQLITE_BUSY_SNAPSHOT, SQLITE_CONSTRAINT_UNIQUE, SQLITE_IOERR_FSYNC, SQLITE_READONLY_DBMOVED.
        assert_eq!(sqlite("517"), Meaning::Conflict);
        assert_eq!(sqlite("2067"), Meaning::Conflict);
        assert_eq!(sqlite("1034"), Meaning::Broken);
        assert_eq!(sqlite("1032"), Meaning::NotWritable);
        assert_eq!(postgres("53100"), Meaning::DiskFull);
        assert_eq!(postgres("57P01"), Meaning::Lost);
    }

    #[test]
    fn what_a_lost_connection_leaves_open_is_said_to_be_open() {
        let place = Place {
            engine: Engine::Postgres,
            name: "postgres://h/db".into(),
        };
        let lost = Error::Io(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        assert_eq!(place.name(&lost, Phase::Commit).code(), "CatalogCommitUnknown");
        assert_eq!(place.name(&lost, Phase::Work).code(), "CatalogUnreachable");
    }
}

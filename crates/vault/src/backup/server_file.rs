//! A file on a server's disk, as its instance hands it out: `OPENROWSET(BULK .., SINGLE_BLOB)`, in pieces of [`PIECE_MAX`] bytes. For
//! each piece SQL Server opens the file anew, and may read what lies before it.

use std::time::Duration;

use catalog::record::ServerLog;
use faults::{Code, Fault, Operation};
use mssql::Session;
use mssql::quoting::Literal;

use super::ground::Ground;
use crate::registration::{failed, said};
use crate::shelf::PIECE_MAX;

/// How long SQL Server may take for one piece.
pub(super) const PIECE_WITHIN: Duration = Duration::from_secs(600);

/// Why a log did not come.
pub(super) enum NotBrought {
    /// It may come later.
    Passes(Fault),
    /// SQL Server does not hand it out.
    Refused(Fault),
    /// Somebody wants the job to end.
    Cancelled,
}

impl From<Fault> for NotBrought {
    fn from(fault: Fault) -> Self {
        Self::Passes(fault)
    }
}

/// What is said of a log that cannot be brought.
pub(super) fn refusal(ground: &Ground, log: &ServerLog) -> Fault {
    Fault::new(Code::Bac2ServerLogNotAdopted)
        .at(&ground.target())
        .because(&log.path)
}

/// A file, as its instance hands it out.
pub(super) struct Source<'s> {
    pub(super) ground: &'s Ground,
    pub(super) log: &'s ServerLog,
    pub(super) path: Literal,
}

impl Source<'_> {
    /// Bytes of the file.
    pub(super) async fn size(&self, session: &mut Session) -> Result<u64, NotBrought> {
        let text = format!(
            "SELECT CAST(DATALENGTH(f.BulkColumn) AS bigint) AS size FROM OPENROWSET(BULK {}, SINGLE_BLOB) AS f;",
            self.path
        );
        let rows = session.query(&text).await.map_err(|error| self.failed(error))?;
        let size = rows.only().and_then(|row| row.get::<u64>("size"));
        match size.map_err(|error| self.failed(error))? {
            0 => Err(self.refused("the file is empty")),
            size => Ok(size),
        }
    }

    /// What lies behind `at`, at most [`PIECE_MAX`] bytes.
    pub(super) async fn piece(
        &self,
        session: &mut Session,
        at: u64,
        size: u64,
    ) -> Result<Vec<u8>, NotBrought> {
        let text = format!(
            "SELECT SUBSTRING(f.BulkColumn, {}, {PIECE_MAX}) AS piece FROM OPENROWSET(BULK {}, SINGLE_BLOB) AS f;",
            at + 1,
            self.path
        );
        let rows = session.query(&text).await.map_err(|error| self.failed(error))?;
        let piece = rows.only().and_then(|row| row.get::<Vec<u8>>("piece"));
        let piece = piece.map_err(|error| self.failed(error))?;
        let expected = (size - at).min(PIECE_MAX as u64);
        if u64::try_from(piece.len()).ok() != Some(expected) {
            return Err(self.refused("the file changed while it was read"));
        }
        Ok(piece)
    }

    fn refused(&self, why: &str) -> NotBrought {
        let why = format!("{}: {why}", self.log.path);
        NotBrought::Refused(refusal(self.ground, self.log).because(&why))
    }

    fn failed(&self, error: mssql::Error) -> NotBrought {
        match error {
            mssql::Error::Refused { messages } => {
                let fault = refusal(self.ground, self.log);
                NotBrought::Refused(fault.with_said(Operation::Backup, &said(&messages)))
            }
            mssql::Error::Shape { reason } => self.refused(&reason),
            error => NotBrought::Passes(failed(Operation::Backup, &self.ground.target(), error)),
        }
    }
}

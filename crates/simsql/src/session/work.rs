//! What a session remembers between statements: variables, options, temporary tables, savepoints, the error that a CATCH handles.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::{Mark, TransactionId};
use crate::message::Message;
use crate::session::temporary::TemporaryTable;
use crate::value::{SqlType, Value};

/// Executions within executions (`EXEC (text)`, `sp_executesql`), as SQL Server's procedures.
pub(crate) const NESTING_MAX: usize = 32;

/// Options of SET that change what happens; the others are accepted and change nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// NOCOUNT.
    pub(crate) nocount: bool,
    /// XACT_ABORT.
    pub(crate) xact_abort: bool,
    /// IMPLICIT_TRANSACTIONS.
    pub(crate) implicit_transactions: bool,
    /// QUOTED_IDENTIFIER.
    pub(crate) quoted_identifier: bool,
    /// TRANSACTION ISOLATION LEVEL READ UNCOMMITTED: readers wait for nobody.
    pub(crate) reads_uncommitted: bool,
    /// ROWCOUNT; 0 for all.
    pub(crate) row_limit: u64,
    /// PARSEONLY or NOEXEC: statements are not run.
    pub(crate) only_parses: bool,
    /// IDENTITY_INSERT: the table that takes explicit values, its parts as written.
    pub(crate) identity_insert: Option<String>,
    /// DATEFIRST.
    pub(crate) date_first: u8,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nocount: false,
            xact_abort: false,
            implicit_transactions: false,
            quoted_identifier: true,
            reads_uncommitted: false,
            row_limit: 0,
            only_parses: false,
            identity_insert: None,
            date_first: 7,
        }
    }
}

/// What belongs to one execution: a batch, or a text run within it.
#[derive(Debug, Default)]
pub(crate) struct Frame {
    /// By name in lower case, with the sign; changed by [`Work::assign`] alone.
    pub(crate) variables: BTreeMap<String, (Value, SqlType)>,
    /// Bytes of the variables.
    pub(crate) bytes: usize,
    /// Table variables, by name in lower case.
    pub(crate) tables: BTreeMap<String, TemporaryTable>,
    /// `#` tables that were made here and end here, where it is no batch of its own.
    pub(crate) made: BTreeSet<String>,
}

/// A savepoint.
#[derive(Clone, Debug)]
pub(crate) struct Savepoint {
    /// Its name.
    pub(crate) name: String,
    /// Where each engine's transaction stood.
    pub(crate) marks: Vec<(u16, TransactionId, Mark)>,
    /// The temporary tables as they were.
    pub(crate) temporary: BTreeMap<String, TemporaryTable>,
    /// Bytes of the tables of this and all earlier savepoints, at most: rows that they share with others are among them.
    pub(crate) bytes: usize,
}

/// The memory of a session.
#[derive(Debug, Default)]
pub(crate) struct Work {
    /// SET.
    pub(crate) options: Options,
    /// The execution that runs.
    pub(crate) frame: Frame,
    /// Bytes of the executions around it.
    pub(crate) around: usize,
    /// Executions within executions.
    pub(crate) depth: usize,
    /// The last error that a statement raised was THROW's, not RAISERROR's.
    pub(crate) has_thrown: bool,
    /// TRY blocks around the statement that runs.
    pub(crate) tries: usize,
    /// Errors that CATCH blocks handle, the innermost last.
    pub(crate) caught: Vec<Message>,
    /// Engine transactions beside [`Session::transaction`](super::Session::transaction), in further databases.
    pub(crate) further: Vec<(u16, TransactionId)>,
    /// The name that BEGIN TRANSACTION gave the outermost transaction.
    pub(crate) transaction_name: Option<String>,
    /// Savepoints of the transaction, oldest first.
    pub(crate) savepoints: Vec<Savepoint>,
    /// The transaction can only be rolled back (`XACT_STATE() = -1`).
    pub(crate) is_doomed: bool,
    /// `#` tables by name in lower case.
    pub(crate) temporary: BTreeMap<String, TemporaryTable>,
    /// The temporary tables as they were when the transaction began.
    pub(crate) temporary_before: Option<BTreeMap<String, TemporaryTable>>,
    /// What failed ends the batch, however deep within it that was.
    pub(crate) ends_batch: bool,
    /// An `INSERT ... EXEC` is under way.
    pub(crate) collects: bool,
    /// What `sp_configure` set and RECONFIGURE will install, by option.
    pub(crate) configured: BTreeMap<String, i64>,
    /// `@@IDENTITY`.
    pub(crate) identity: Option<i64>,
    /// `SCOPE_IDENTITY()`.
    pub(crate) scope_identity: Option<i64>,
}

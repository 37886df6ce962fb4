//! The T-SQL of a plan: what a DBA pastes into a query window, or `sqlcmd -b -i` runs, to get the database back.
//!
//! The script is one batch. Every step is restored WITH NORECOVERY and followed by a check that ends the batch where it failed, so that
//! a database is never recovered to less than the target because a log in the middle could not be read; recovery is a statement of its
//! own at the end. No time zone of the server that runs it takes part: a STOPAT is on the clock of the server that wrote the log, in the
//! form `YYYY-MM-DDThh:mm:ss.mmm`, which no language setting reads differently.
//!
//! A log behind one in which the restore may have stopped ([`Step::only_from`](crate::Step::only_from)) stands in a block of its own, which
//! is left out where the database says that it stands before that log.
//!
//! MOVE: a full or differential names every file that shall lie elsewhere; a log only those that no step before it showed, since on
//! RESTORE LOG the option is for files that were added in that very log. Options that SQL Server refuses beside NORECOVERY
//! (KEEP_REPLICATION, KEEP_CDC, RESTRICTED_USER, Service Broker) stand at the recovery. Deliberately absent: BLOCKSIZE, BUFFERCOUNT and
//! MAXTRANSFERSIZE (RESTORE finds what it needs; Azure URLs refuse them), and the tail-log backup of a database that is replaced.

mod comments;
mod datetime;
mod statements;
mod unwritable;
mod words;

use uuid::Uuid;

use crate::plan::Plan;
use crate::set::Set;
use crate::target::Target;

pub use unwritable::Unwritable;

/// Where one family of a backup set is read from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Device {
    /// A path as the target's SQL Server sees it.
    Disk(String),
    /// An address without a query.
    Url(String),
}

impl Device {
    fn is_url(&self) -> bool {
        matches!(self, Self::Url(_))
    }

    fn name(&self) -> &str {
        match self {
            Self::Disk(name) | Self::Url(name) => name,
        }
    }
}

/// A database file that shall lie elsewhere than its backup says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Move {
    /// File id within the database; with `unique_id` it tells whether two sets show the same file, whatever its name.
    pub file_id: u32,
    /// UniqueID: another one under the same file id is another file, added after the first was dropped.
    pub unique_id: Option<Uuid>,
    /// Its logical name in this set.
    pub logical_name: String,
    /// Where it shall lie.
    pub path: String,
}

/// Where a step's set is, and what it holds.
#[derive(Debug, Clone)]
pub struct Source<'a> {
    /// The set.
    pub set: &'a Set,
    /// One device for each family, in the order of the families.
    pub devices: Vec<Device>,
    /// Position in the files, from 1.
    pub position: u16,
    /// Written WITH CHECKSUM; to ask for checksums of a set that has none is an error (message 3187).
    pub has_checksums: bool,
    /// All files of this set that shall lie elsewhere; on a log the script keeps those that are new.
    pub moves: Vec<Move>,
}

/// What becomes of Service Broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Broker {
    /// Switched off, as a restore leaves it.
    #[default]
    Off,
    /// ENABLE_BROKER: goes on under its old identifier.
    Enable,
    /// NEW_BROKER: a new identifier, conversations gone.
    New,
    /// ERROR_BROKER_CONVERSATIONS: conversations end with an error.
    ErrorConversations,
}

/// What holds for a database that is recovered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Recovery {
    /// KEEP_REPLICATION.
    pub keep_replication: bool,
    /// KEEP_CDC.
    pub keep_cdc: bool,
    /// RESTRICTED_USER: only owners and administrators come in.
    pub restricted_user: bool,
    /// Service Broker.
    pub broker: Broker,
}

/// How the script leaves the database.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum End {
    /// Recovered and open.
    Recovered(Recovery),
    /// Readable; further logs can be applied as long as the undo file is there.
    Standby {
        /// Path of the undo file on the target.
        undo: String,
    },
    /// Restoring: further backups can be applied.
    Restoring,
}

/// What the user decides.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Options {
    /// REPLACE, on the first statement: whatever bears the name now is given up.
    pub replace: bool,
    /// A message every so many percent, 1 to 100; none for no STATS.
    pub stats: Option<u8>,
    /// CHECKSUM on every set that was written with it.
    pub verify_checksums: bool,
    /// WITH CREDENTIAL on URLs, for page blobs (2012 and later); block blobs find theirs by the URL.
    pub credential: Option<String>,
    /// How the database is left.
    pub end: End,
}

impl Default for Options {
    /// Replaces nothing, tells every tenth percent, verifies checksums, recovers.
    fn default() -> Self {
        Self {
            replace: false,
            stats: Some(10),
            verify_checksums: true,
            credential: None,
            end: End::Recovered(Recovery::default()),
        }
    }
}

/// What the script is for.
#[derive(Debug, Clone)]
pub struct Order<'a> {
    /// The database to restore into: any name, up to 128 UTF-16 units.
    pub database: &'a str,
    /// What was asked for; told in the head of the script.
    pub target: &'a Target,
    /// Further lines for its head, such as which database of which server this is.
    pub remarks: &'a [String],
    /// What the user decides.
    pub options: Options,
}

/// The script that carries out `plan`; `sources` are the sets of its steps in the same order. Lines end in `\n`.
///
/// # Errors
/// Why the plan cannot be written as a script that SQL Server would take.
pub fn script(plan: &Plan, sources: &[Source<'_>], order: &Order<'_>) -> Result<String, Unwritable> {
    unwritable::check(plan, sources, order)?;
    let mut words = words::Words::default();
    let database = words.name(order.database);
    let body = statements::steps(plan, sources, order, &database, &mut words);
    let end = statements::end(&order.options.end, &database, &mut words);
    let declarations = words.declarations();
    let script = format!("USE [master];\n{declarations}\n{body}{end}");
    let head = comments::head(plan, order, script.is_ascii());
    Ok(head + &script)
}

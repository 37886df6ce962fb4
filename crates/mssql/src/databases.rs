//! The databases of an instance, and their files.
//!
//! What the log's chain hangs on (`sys.database_recovery_status`) is asked apart from the rest: looking at it starts a database
//! that AUTO_CLOSE has shut down, so such ones are left alone, and their chain is not known.

use std::collections::BTreeMap;

use bak::Lsn;
use uuid::Uuid;

use crate::outcome::{Row, Rows};
use crate::quoting::Identifier;
use crate::session::{Error, Session};
use crate::value::DateTime;

/// A database as its instance sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Database {
    /// `database_id`: 1 to 4 are the system's.
    pub id: i32,
    /// Its name, whatever it is.
    pub name: String,
    /// The database that it is a snapshot of.
    pub snapshot_of: Option<i32>,
    /// When it was created or restored, on the server's clock.
    pub created: DateTime,
    /// Its state.
    pub state: State,
    /// Its recovery model.
    pub recovery_model: RecoveryModel,
    /// Who gets in.
    pub access: Access,
    /// READ_ONLY.
    pub is_read_only: bool,
    /// STANDBY: readable between restores of logs.
    pub is_in_standby: bool,
    /// AUTO_CLOSE.
    pub is_auto_close: bool,
    /// Shut down by AUTO_CLOSE: it opens when somebody looks.
    pub is_closed: bool,
    /// Compatibility level.
    pub compatibility_level: i32,
    /// Its collation; `None` while it is not open.
    pub collation: Option<String>,
    /// CHECKSUM, TORN_PAGE_DETECTION or NONE.
    pub page_verify: String,
    /// Why the log is not truncated: NOTHING, LOG_BACKUP, ACTIVE_TRANSACTION, ...
    pub log_reuse_wait: String,
    /// Transparent data encryption.
    pub is_encrypted: bool,
    /// Change data capture.
    pub is_cdc_enabled: bool,
    /// Published for replication.
    pub is_published: bool,
    /// The replica of an availability group that it is in.
    pub replica: Option<Uuid>,
    /// The database within its group.
    pub group_database: Option<Uuid>,
    /// Whether this replica is the one to back it up, as the group's preference has it; `None` outside of groups.
    pub is_preferred_replica: Option<bool>,
    /// Mirrored: the mirroring session.
    pub mirroring: Option<Uuid>,
    /// PRINCIPAL or MIRROR.
    pub mirroring_role: Option<String>,
    /// The login may enter it now.
    pub may_enter: bool,
    /// The login may BACKUP DATABASE.
    pub may_back_up: bool,
    /// The login may BACKUP LOG.
    pub may_back_up_log: bool,
    /// Where its chain stands; `None` where it cannot be told without waking it, or it is not open.
    pub chain: Option<Chain>,
    /// Its files. Empty where the login may not see them.
    pub files: Vec<File>,
}

/// What the next log backup follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The database, new with each restore that creates one.
    pub database_guid: Option<Uuid>,
    /// Its family: the same through restores and renames.
    pub family_guid: Option<Uuid>,
    /// Where the next log backup begins; `None` means that none can be taken before a full.
    pub last_log_backup_lsn: Option<Lsn>,
    /// The line of history that it is on.
    pub recovery_fork: Option<Uuid>,
    /// The line that it was on before the last fork.
    pub first_recovery_fork: Option<Uuid>,
    /// Where it forked.
    pub fork_point: Option<Lsn>,
}

/// `state` of sys.databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// 0.
    Online,
    /// 1.
    Restoring,
    /// 2.
    Recovering,
    /// 3.
    RecoveryPending,
    /// 4.
    Suspect,
    /// 5.
    Emergency,
    /// 6.
    Offline,
    /// Another number.
    Other(i32),
}

/// `recovery_model` of sys.databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecoveryModel {
    /// 1.
    Full,
    /// 2.
    BulkLogged,
    /// 3.
    Simple,
    /// It cannot be told: the database is not open.
    Unknown,
}

/// `user_access` of sys.databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// 0.
    Multi,
    /// 1.
    Single,
    /// 2.
    Restricted,
}

/// A file of a database.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    /// `file_id`.
    pub id: i32,
    /// 0 rows, 1 log, 2 FILESTREAM, 4 full text.
    pub kind: i32,
    /// Its logical name.
    pub logical_name: String,
    /// Its path on the server.
    pub physical_name: String,
    /// Bytes.
    pub size: u64,
    /// The checkpoint of the full that its next differential is of.
    pub differential_base_lsn: Option<Lsn>,
    /// The BackupSetGUID of that full.
    pub differential_base_guid: Option<Uuid>,
    /// When that was, on the server's clock.
    pub differential_base_time: Option<DateTime>,
    /// What a RESTORING database needs next; of file 1 it is what counts.
    pub redo_start_lsn: Option<Lsn>,
    /// On which line of history.
    pub redo_start_fork: Option<Uuid>,
}

impl Database {
    /// master, model, msdb, tempdb.
    #[must_use]
    pub fn is_system(&self) -> bool {
        self.id <= 4
    }

    /// Bytes of its data files.
    #[must_use]
    pub fn data_bytes(&self) -> u64 {
        self.bytes_of(|kind| kind != 1)
    }

    /// Bytes of its log files.
    #[must_use]
    pub fn log_bytes(&self) -> u64 {
        self.bytes_of(|kind| kind == 1)
    }

    fn bytes_of(&self, wanted: impl Fn(i32) -> bool) -> u64 {
        let sizes = self
            .files
            .iter()
            .filter(|file| wanted(file.kind))
            .map(|file| file.size);
        sizes.fold(0, u64::saturating_add)
    }
}

const DATABASES: &str = "SELECT d.database_id, d.name, d.source_database_id, d.create_date, d.state, d.recovery_model, d.user_access,
 d.is_read_only, d.is_in_standby, d.is_auto_close_on, d.is_cleanly_shutdown, d.compatibility_level, d.collation_name, d.page_verify_option_desc,
 d.log_reuse_wait_desc, d.is_encrypted, d.is_cdc_enabled, d.is_published, d.replica_id, d.group_database_id,
 CASE WHEN d.replica_id IS NULL THEN NULL ELSE sys.fn_hadr_backup_is_preferred_replica(d.name) END AS is_preferred_replica,
 m.mirroring_guid, m.mirroring_role_desc, HAS_DBACCESS(d.name) AS may_enter,
 CASE WHEN IS_SRVROLEMEMBER('sysadmin') = 1 THEN 1 ELSE HAS_PERMS_BY_NAME(QUOTENAME(d.name), 'DATABASE', 'BACKUP DATABASE') END AS may_back_up,
 CASE WHEN IS_SRVROLEMEMBER('sysadmin') = 1 THEN 1 ELSE HAS_PERMS_BY_NAME(QUOTENAME(d.name), 'DATABASE', 'BACKUP LOG') END AS may_back_up_log
 FROM sys.databases AS d LEFT JOIN sys.database_mirroring AS m ON m.database_id = d.database_id";

const CHAINS: &str = "SELECT r.database_id, r.database_guid, r.family_guid, r.last_log_backup_lsn, r.recovery_fork_guid,
 r.first_recovery_fork_guid, r.fork_point_lsn FROM sys.database_recovery_status AS r
 WHERE r.database_id IN (SELECT d.database_id FROM sys.databases AS d WHERE NOT (d.is_auto_close_on = 1 AND d.is_cleanly_shutdown = 1))";

const FILES: &str = "SELECT database_id, file_id, type, name, physical_name, size, differential_base_lsn, differential_base_guid,
 differential_base_time, redo_start_lsn, redo_start_fork_guid FROM sys.master_files";
const FILES_IN_ORDER: &str = " ORDER BY database_id, file_id;";

/// Asks for all databases, by their ids.
///
/// # Errors
/// [`Error`].
pub async fn ask(session: &mut Session) -> Result<Vec<Database>, Error> {
    let databases = session
        .query(&format!("{DATABASES} ORDER BY d.database_id;"))
        .await?;
    let chains = session.query(&format!("{CHAINS};")).await?;
    let files = session.query(&format!("{FILES}{FILES_IN_ORDER}")).await?;
    put_together(&databases, &chains, &files)
}

/// Asks for the database of this name alone, in one question; `None` where there is none.
///
/// # Errors
/// [`Error`].
pub async fn ask_named(session: &mut Session, name: &Identifier) -> Result<Option<Database>, Error> {
    let name = name.literal();
    let text = format!(
        "{DATABASES} WHERE d.name = {name};
 {CHAINS} AND r.database_id = DB_ID({name});
 {FILES} WHERE database_id = DB_ID({name}){FILES_IN_ORDER}"
    );
    let outcome = session.execute(&text).await?;
    let [databases, chains, files] = outcome.results.as_slice() else {
        return Err(Error::Shape {
            reason: format!("{} results instead of three", outcome.results.len()),
        });
    };
    Ok(put_together(databases, chains, files)?.pop())
}

fn put_together(databases: &Rows, chains_seen: &Rows, files_seen: &Rows) -> Result<Vec<Database>, Error> {
    let mut databases = databases
        .iter()
        .map(|row| read(&row))
        .collect::<Result<Vec<_>, _>>()?;
    let mut chains = BTreeMap::new();
    for row in chains_seen.iter() {
        chains.insert(row.get::<i32>("database_id")?, read_chain(&row)?);
    }
    let mut files: BTreeMap<i32, Vec<File>> = BTreeMap::new();
    for row in files_seen.iter() {
        files
            .entry(row.get("database_id")?)
            .or_default()
            .push(read_file(&row)?);
    }
    for database in &mut databases {
        if !database.is_closed {
            // Columns of NULL alone are those of a database that is not open: no word on the chain.
            database.chain = chains
                .remove(&database.id)
                .filter(|chain| chain.family_guid.is_some());
        }
        database.files = files.remove(&database.id).unwrap_or_default();
    }
    Ok(databases)
}

fn read(row: &Row<'_>) -> Result<Database, Error> {
    let flag = |column| row.optional::<bool>(column).map(|flag| flag == Some(true));
    let is_auto_close = flag("is_auto_close_on")?;
    let text = |column| row.optional::<String>(column).map(Option::unwrap_or_default);
    Ok(Database {
        id: row.get("database_id")?,
        name: row.get("name")?,
        snapshot_of: row.optional("source_database_id")?,
        created: row.get("create_date")?,
        state: state(row.optional("state")?),
        recovery_model: match row.optional::<i32>("recovery_model")? {
            Some(1) => RecoveryModel::Full,
            Some(2) => RecoveryModel::BulkLogged,
            Some(3) => RecoveryModel::Simple,
            _ => RecoveryModel::Unknown,
        },
        access: match row.optional::<i32>("user_access")? {
            Some(1) => Access::Single,
            Some(2) => Access::Restricted,
            _ => Access::Multi,
        },
        is_read_only: flag("is_read_only")?,
        is_in_standby: flag("is_in_standby")?,
        is_auto_close,
        is_closed: is_auto_close && flag("is_cleanly_shutdown")?,
        compatibility_level: row.get("compatibility_level")?,
        collation: row.optional("collation_name")?,
        page_verify: text("page_verify_option_desc")?,
        log_reuse_wait: text("log_reuse_wait_desc")?,
        is_encrypted: flag("is_encrypted")?,
        is_cdc_enabled: flag("is_cdc_enabled")?,
        is_published: flag("is_published")?,
        replica: row.optional("replica_id")?,
        group_database: row.optional("group_database_id")?,
        is_preferred_replica: row.optional("is_preferred_replica")?,
        mirroring: row.optional("mirroring_guid")?,
        mirroring_role: row.optional("mirroring_role_desc")?,
        may_enter: flag("may_enter")?,
        // NULL where nobody can enter, as on a secondary that is not for reading: then SQL Server decides when it is asked for one.
        may_back_up: row.optional("may_back_up")?.unwrap_or(true),
        may_back_up_log: row.optional("may_back_up_log")?.unwrap_or(true),
        chain: None,
        files: Vec::new(),
    })
}

fn state(number: Option<i32>) -> State {
    match number {
        Some(0) => State::Online,
        Some(1) => State::Restoring,
        Some(2) => State::Recovering,
        Some(3) => State::RecoveryPending,
        Some(4) => State::Suspect,
        Some(5) => State::Emergency,
        Some(6) => State::Offline,
        other => State::Other(other.unwrap_or(-1)),
    }
}

fn read_chain(row: &Row<'_>) -> Result<Chain, Error> {
    Ok(Chain {
        database_guid: row.optional("database_guid")?,
        family_guid: row.optional("family_guid")?,
        last_log_backup_lsn: row
            .optional::<Lsn>("last_log_backup_lsn")?
            .and_then(Lsn::non_zero),
        recovery_fork: row.optional("recovery_fork_guid")?,
        first_recovery_fork: row.optional("first_recovery_fork_guid")?,
        fork_point: row.optional::<Lsn>("fork_point_lsn")?.and_then(Lsn::non_zero),
    })
}

fn read_file(row: &Row<'_>) -> Result<File, Error> {
    // In pages of 8 KiB.
    let pages = row.optional::<i64>("size")?.unwrap_or(0);
    Ok(File {
        id: row.get("file_id")?,
        kind: row.get("type")?,
        logical_name: row.get("name")?,
        physical_name: row.get("physical_name")?,
        size: u64::try_from(pages).unwrap_or(0).saturating_mul(8192),
        differential_base_lsn: row
            .optional::<Lsn>("differential_base_lsn")?
            .and_then(Lsn::non_zero),
        differential_base_guid: row.optional("differential_base_guid")?,
        differential_base_time: row.optional("differential_base_time")?,
        redo_start_lsn: row.optional::<Lsn>("redo_start_lsn")?.and_then(Lsn::non_zero),
        redo_start_fork: row.optional("redo_start_fork_guid")?,
    })
}

//! The target as it is before it is touched: what bears the name, what it takes part in, which files and how much room there is.
//!
//! What a login may not see is told as unknown and checked by SQL Server itself later, before it changes anything; nothing that is
//! unknown counts as well.

use std::collections::{BTreeMap, BTreeSet};

use catalog::record::{Place, Server};
use faults::{Fault, Operation};
use mssql::facts::Facts;
use mssql::quoting::{Identifier, Literal};
use mssql::{Error, Rows, Session, databases};

use crate::registration::failed;

/// Primary and secondary databases of log shipping.
const SHIPPED: &str = "SELECT primary_database AS name FROM msdb.dbo.log_shipping_primary_databases
 UNION SELECT secondary_database FROM msdb.dbo.log_shipping_secondary_databases;";
/// The same where there are no secondary ones to be seen.
const SHIPPED_FROM: &str = "SELECT primary_database AS name FROM msdb.dbo.log_shipping_primary_databases;";

const CERTIFICATES: &str =
    "SELECT CONVERT(varchar(100), thumbprint, 2) AS thumbprint FROM master.sys.certificates
 WHERE thumbprint IS NOT NULL;";
const KEYS: &str = "SELECT CONVERT(varchar(100), thumbprint, 2) AS thumbprint FROM master.sys.asymmetric_keys
 WHERE thumbprint IS NOT NULL;";

/// Volumes on which databases have files.
const VOLUMES: &str =
    "SELECT DISTINCT v.volume_mount_point AS mount, v.available_bytes AS free FROM sys.master_files AS f
 CROSS APPLY sys.dm_os_volume_stats(f.database_id, f.file_id) AS v WHERE v.volume_mount_point IS NOT NULL;";

const OTHER_FILES: &str =
    "SELECT f.database_id, d.name AS database_name, f.physical_name FROM sys.master_files AS f
 JOIN sys.databases AS d ON d.database_id = f.database_id;";

/// What an instance says before a restore.
#[derive(Debug, Clone)]
pub(super) struct TargetSeen {
    /// The instance.
    pub(super) facts: Facts,
    /// What bears the name.
    pub(super) database: Option<databases::Database>,
    /// It is a database of log shipping; none where that may not be seen.
    pub(super) is_shipped: Option<bool>,
    /// Sessions in it, other than the vault's own.
    pub(super) sessions: Vec<String>,
    /// Paths of the files of all other databases, in lower case, each with its database.
    pub(super) taken: BTreeMap<String, String>,
    /// Free bytes of volumes, by mount point.
    pub(super) volumes: BTreeMap<String, u64>,
    /// Thumbprints of certificates and keys in master, in upper-case hexadecimal digits; none where they may not be seen.
    pub(super) thumbprints: Option<BTreeSet<String>>,
}

/// What a path is on the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PathSeen {
    /// A file lies there.
    pub(super) is_file: bool,
    /// A directory lies there.
    pub(super) is_directory: bool,
    /// The directory that it would lie in is there.
    pub(super) has_parent: bool,
}

/// Asks, and changes nothing.
///
/// # Errors
/// The instance cannot be asked.
pub(super) async fn look(session: &mut Session, server: &Server, place: &Place) -> Result<TargetSeen, Fault> {
    let fault = |error| failed(Operation::Restore, &server.name, error);
    let name = Identifier::new(&place.name).map_err(|error| {
        Fault::new(faults::Code::Bac2InputInvalid).because(&format!("the name of the database: {error}"))
    })?;
    let facts = mssql::facts::ask(session).await.map_err(fault)?;
    let database = databases::ask_named(session, &name).await.map_err(fault)?;
    let shipped = match told(session, SHIPPED, server).await? {
        Some(rows) => Some(rows),
        None => told(session, SHIPPED_FROM, server).await?,
    };
    let is_shipped = match shipped {
        Some(rows) => Some(
            texts(&rows, "name", server)?
                .iter()
                .any(|one| one.eq_ignore_ascii_case(&place.name)),
        ),
        None => None,
    };
    let sessions = match &database {
        Some(found) => sessions_in(session, found.id, server).await?,
        None => Vec::new(),
    };
    let id = database.as_ref().map(|found| found.id);
    Ok(TargetSeen {
        taken: taken(session, id, server).await?,
        volumes: volumes(session, server).await?,
        thumbprints: thumbprints(session, server).await?,
        facts,
        database,
        is_shipped,
        sessions,
    })
}

/// What a path is. None where the login may not ask.
///
/// # Errors
/// The instance cannot be asked.
pub(super) async fn path(
    session: &mut Session,
    path: &str,
    server: &Server,
) -> Result<Option<PathSeen>, Fault> {
    let Ok(literal) = Literal::device(path) else {
        return Ok(None);
    };
    let Some(rows) = told(
        session,
        &format!("EXEC master.dbo.xp_fileexist {literal};"),
        server,
    )
    .await?
    else {
        return Ok(None);
    };
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let is = |column: &str| -> Result<bool, Fault> {
        let number: i32 = row
            .get(column)
            .map_err(|error| failed(Operation::Restore, &server.name, error))?;
        Ok(number != 0)
    };
    Ok(Some(PathSeen {
        is_file: is("File Exists")?,
        is_directory: is("File is a Directory")?,
        has_parent: is("Parent Directory Exists")?,
    }))
}

async fn sessions_in(session: &mut Session, id: i32, server: &Server) -> Result<Vec<String>, Fault> {
    let question = format!(
        "SELECT session_id, login_name, host_name, program_name FROM sys.dm_exec_sessions
 WHERE database_id = {id} AND session_id <> @@SPID ORDER BY session_id;"
    );
    let Some(rows) = told(session, &question, server).await? else {
        return Ok(Vec::new());
    };
    let fault = |error| failed(Operation::Restore, &server.name, error);
    let mut found = Vec::with_capacity(rows.len());
    for row in rows.iter() {
        let number: i32 = row.get("session_id").map_err(fault)?;
        let login: Option<String> = row.optional("login_name").map_err(fault)?;
        let host: Option<String> = row.optional("host_name").map_err(fault)?;
        let program: Option<String> = row.optional("program_name").map_err(fault)?;
        let parts = [login, host, program].into_iter().flatten();
        let parts: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
        found.push(format!("{number} ({})", parts.join(", ")));
    }
    Ok(found)
}

async fn taken(
    session: &mut Session,
    own: Option<i32>,
    server: &Server,
) -> Result<BTreeMap<String, String>, Fault> {
    let fault = |error| failed(Operation::Restore, &server.name, error);
    let mut found = BTreeMap::new();
    if let Some(rows) = told(session, OTHER_FILES, server).await? {
        for row in rows.iter() {
            let id: i32 = row.get("database_id").map_err(fault)?;
            let path: String = row.get("physical_name").map_err(fault)?;
            if Some(id) != own {
                found.insert(path.to_lowercase(), row.get("database_name").map_err(fault)?);
            }
        }
    }
    Ok(found)
}

async fn volumes(session: &mut Session, server: &Server) -> Result<BTreeMap<String, u64>, Fault> {
    let fault = |error| failed(Operation::Restore, &server.name, error);
    let mut found = BTreeMap::new();
    if let Some(rows) = told(session, VOLUMES, server).await? {
        for row in rows.iter() {
            let mount: String = row.get("mount").map_err(fault)?;
            let free: i64 = row.get("free").map_err(fault)?;
            found.insert(mount, u64::try_from(free).unwrap_or(0));
        }
    }
    Ok(found)
}

/// Thumbprints of certificates and keys in master, in upper-case hexadecimal digits; none where they may not be seen.
///
/// # Errors
/// The instance cannot be asked.
pub(super) async fn thumbprints(
    session: &mut Session,
    server: &Server,
) -> Result<Option<BTreeSet<String>>, Fault> {
    let mut found = BTreeSet::new();
    for question in [CERTIFICATES, KEYS] {
        match told(session, question, server).await? {
            Some(rows) => found.extend(
                texts(&rows, "thumbprint", server)?
                    .iter()
                    .map(|one| one.to_uppercase()),
            ),
            None => return Ok(None),
        }
    }
    Ok(Some(found))
}

fn texts(rows: &Rows, column: &str, server: &Server) -> Result<Vec<String>, Fault> {
    let fault = |error| failed(Operation::Restore, &server.name, error);
    rows.iter().map(|row| row.get(column).map_err(fault)).collect()
}

/// The answer; none where SQL Server refuses the question, for want of a right or of what is asked for.
async fn told(session: &mut Session, question: &str, server: &Server) -> Result<Option<Rows>, Fault> {
    match session.query(question).await {
        Ok(rows) => Ok(Some(rows)),
        Err(Error::Refused { .. }) => Ok(None),
        Err(error) => Err(failed(Operation::Restore, &server.name, error)),
    }
}

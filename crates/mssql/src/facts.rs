//! What an instance says of itself.
//!
//! One question gets what every version answers, since SERVERPROPERTY is NULL for what a version does not know; the rest is asked
//! where it exists and where the login may see it. What may not be seen is `None`, never an error: a vault must be able to say
//! what is missing.

use crate::build::{Build, Edition};
use crate::outcome::Row;
use crate::session::{Error, Session};
use crate::value::{DateTime, Moment};

/// The facts.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// `@@SERVERNAME`: `MACHINE` or `MACHINE\INSTANCE`, as the instance was named when it was set up.
    pub server_name: String,
    /// The machine; the virtual name where it is clustered.
    pub machine_name: String,
    /// The physical machine that it runs on now.
    pub physical_name: Option<String>,
    /// The named instance; `None` for the default one.
    pub instance_name: Option<String>,
    /// The build.
    pub build: Build,
    /// RTM, SP1, ...
    pub level: Option<String>,
    /// CU16, ...
    pub update_level: Option<String>,
    /// The edition's name.
    pub edition_name: String,
    /// What it decides.
    pub edition: Edition,
    /// `@@VERSION`: product, build, platform; a simulated instance says there that it is one.
    pub banner: String,
    /// Collation of the server.
    pub collation: String,
    /// Failover clustered.
    pub is_clustered: bool,
    /// Availability groups are switched on.
    pub is_hadr_enabled: bool,
    /// One user alone: for restores of master.
    pub is_single_user: bool,
    /// Where files go.
    pub paths: Paths,
    /// `Windows` or `Linux`.
    pub platform: Platform,
    /// The server's moment and how its clock stands to UTC.
    pub now: Moment,
    /// When it was started, on its own clock; `None` without the right to see it. Another start is another history of requests.
    pub started: Option<DateTime>,
    /// What the login may do.
    pub rights: Rights,
}

/// Directories, as the server writes them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths {
    /// Of new data files.
    pub data: Option<String>,
    /// Of new log files.
    pub log: Option<String>,
    /// Of backups.
    pub backup: Option<String>,
}

/// The operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// Windows.
    Windows,
    /// Linux, in a container or not.
    Linux,
}

impl Platform {
    /// What stands between the parts of a path.
    #[must_use]
    pub fn separator(self) -> char {
        match self {
            Self::Windows => '\\',
            Self::Linux => '/',
        }
    }
}

/// What the login may do on the instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// Who it is there.
    pub login: String,
    /// Member of sysadmin: everything.
    pub sysadmin: bool,
    /// Member of dbcreator.
    pub dbcreator: bool,
    /// Sees the requests of others, for progress and for blockers.
    pub view_state: bool,
    /// Sees what belongs to others: files, certificates, groups.
    pub view_definition: bool,
    /// Sees all databases.
    pub view_databases: bool,
    /// BACKUP and RESTORE with URLs need it.
    pub alter_credentials: bool,
    /// RESTORE of new databases, HEADERONLY and its like.
    pub create_databases: bool,
    /// Reads msdb's history.
    pub read_history: bool,
    /// Reads files by OPENROWSET(BULK ..).
    pub administer_bulk: bool,
}

const QUESTION: &str = "SELECT @@SERVERNAME AS server_name, @@VERSION AS banner, SUSER_SNAME() AS login,
 CAST(SERVERPROPERTY('MachineName') AS nvarchar(128)) AS machine_name,
 CAST(SERVERPROPERTY('ComputerNamePhysicalNetBIOS') AS nvarchar(128)) AS physical_name,
 CAST(SERVERPROPERTY('InstanceName') AS nvarchar(128)) AS instance_name,
 CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)) AS build,
 CAST(SERVERPROPERTY('ProductLevel') AS nvarchar(128)) AS level,
 CAST(SERVERPROPERTY('ProductUpdateLevel') AS nvarchar(128)) AS update_level,
 CAST(SERVERPROPERTY('Edition') AS nvarchar(128)) AS edition,
 CAST(SERVERPROPERTY('EngineEdition') AS int) AS engine_edition,
 CAST(SERVERPROPERTY('Collation') AS nvarchar(128)) AS collation,
 CAST(SERVERPROPERTY('IsClustered') AS int) AS is_clustered,
 CAST(SERVERPROPERTY('IsHadrEnabled') AS int) AS is_hadr_enabled,
 CAST(SERVERPROPERTY('IsSingleUser') AS int) AS is_single_user,
 CAST(SERVERPROPERTY('InstanceDefaultDataPath') AS nvarchar(260)) AS data_path,
 CAST(SERVERPROPERTY('InstanceDefaultLogPath') AS nvarchar(260)) AS log_path,
 CAST(SERVERPROPERTY('InstanceDefaultBackupPath') AS nvarchar(260)) AS backup_path,
 SYSDATETIMEOFFSET() AS now,
 IS_SRVROLEMEMBER('sysadmin') AS sysadmin, IS_SRVROLEMEMBER('dbcreator') AS dbcreator,
 HAS_PERMS_BY_NAME(NULL, NULL, 'VIEW SERVER STATE') AS view_state,
 HAS_PERMS_BY_NAME(NULL, NULL, 'VIEW ANY DEFINITION') AS view_definition,
 HAS_PERMS_BY_NAME(NULL, NULL, 'VIEW ANY DATABASE') AS view_databases,
 HAS_PERMS_BY_NAME(NULL, NULL, 'ALTER ANY CREDENTIAL') AS alter_credentials,
 HAS_PERMS_BY_NAME(NULL, NULL, 'CREATE ANY DATABASE') AS create_databases,
 HAS_PERMS_BY_NAME('msdb.dbo.backupset', 'OBJECT', 'SELECT') AS read_history,
 HAS_PERMS_BY_NAME(NULL, NULL, 'ADMINISTER BULK OPERATIONS') AS administer_bulk;";

/// The smaller right that VIEW SERVER STATE was split into, 2022 and later.
const PERFORMANCE_STATE: &str =
    "SELECT HAS_PERMS_BY_NAME(NULL, NULL, 'VIEW SERVER PERFORMANCE STATE') AS view_state;";
const STARTED: &str = "SELECT sqlserver_start_time AS started FROM sys.dm_os_sys_info;";
/// 2017 and later; before there is only Windows.
const PLATFORM: &str = "SELECT host_platform AS platform FROM sys.dm_os_host_info;";
/// Where no property tells the directory of backups (before 2019).
const BACKUP_DIRECTORY: &str = "EXEC master.dbo.xp_instance_regread N'HKEY_LOCAL_MACHINE', N'SOFTWARE\\Microsoft\\MSSQLServer\\MSSQLServer', N'BackupDirectory';";

/// Asks.
///
/// # Errors
/// [`Error`], where the instance does not answer or answers what no SQL Server does.
pub async fn ask(session: &mut Session) -> Result<Facts, Error> {
    let rows = session.query(QUESTION).await?;
    let mut facts = read(&rows.only()?)?;
    if facts.build.major >= Build::V2022 && !facts.rights.view_state {
        facts.rights.view_state = one(session, PERFORMANCE_STATE, "view_state").await? == Some(true);
    }
    if facts.build.major >= Build::V2017 {
        let platform: Option<String> = one(session, PLATFORM, "platform").await?;
        if platform.is_some_and(|platform| platform.eq_ignore_ascii_case("Linux")) {
            facts.platform = Platform::Linux;
        }
    }
    if facts.rights.view_state {
        facts.started = one(session, STARTED, "started").await?;
    }
    if facts.paths.backup.is_none() {
        facts.paths.backup = one(session, BACKUP_DIRECTORY, "Data").await?;
    }
    Ok(facts)
}

/// One value of one row; `None` where the statement is refused for want of rights or of the thing itself.
async fn one<T: crate::value::FromValue>(
    session: &mut Session,
    text: &str,
    column: &str,
) -> Result<Option<T>, Error> {
    match session.query(text).await {
        Ok(rows) => match rows.first() {
            Some(row) => row.optional(column),
            None => Ok(None),
        },
        Err(Error::Refused { .. } | Error::Shape { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn read(row: &Row<'_>) -> Result<Facts, Error> {
    let flag = |column| row.optional::<bool>(column).map(|flag| flag == Some(true));
    let build: String = row.get("build")?;
    let edition_name: String = row.get("edition")?;
    Ok(Facts {
        server_name: match row.optional("server_name")? {
            Some(name) => name,
            // NULL after a machine was renamed without telling SQL Server.
            None => row.get("machine_name")?,
        },
        machine_name: row.get("machine_name")?,
        physical_name: row.optional("physical_name")?,
        instance_name: row.optional("instance_name")?,
        build: build
            .parse()
            .map_err(|error: crate::build::BuildError| Error::Shape {
                reason: error.to_string(),
            })?,
        level: row.optional("level")?,
        update_level: row.optional("update_level")?,
        edition: Edition::new(row.get("engine_edition")?, &edition_name),
        edition_name,
        banner: row.get("banner")?,
        collation: row.get("collation")?,
        is_clustered: flag("is_clustered")?,
        is_hadr_enabled: flag("is_hadr_enabled")?,
        is_single_user: flag("is_single_user")?,
        paths: Paths {
            data: row.optional("data_path")?,
            log: row.optional("log_path")?,
            backup: row.optional("backup_path")?,
        },
        platform: Platform::Windows,
        now: row.get("now")?,
        started: None,
        rights: Rights {
            login: row.get("login")?,
            sysadmin: flag("sysadmin")?,
            dbcreator: flag("dbcreator")?,
            view_state: flag("view_state")?,
            view_definition: flag("view_definition")?,
            view_databases: flag("view_databases")?,
            alter_credentials: flag("alter_credentials")?,
            create_databases: flag("create_databases")?,
            read_history: flag("read_history")?,
            administer_bulk: flag("administer_bulk")?,
        },
    })
}

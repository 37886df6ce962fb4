//! What runs on an instance now: backups and restores, whoever started them.

mod shown;

use std::time::Duration;

use crate::outcome::Row;
use crate::session::{Error, Session};
use crate::value::DateTime;

pub use shown::{Shown, devices};

/// A BACKUP or RESTORE that runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Running {
    /// Its session.
    pub session_id: i32,
    /// `BACKUP DATABASE`, `RESTORE LOG`, ...
    pub command: String,
    /// The database of its session; of a backup, the one that is backed up.
    pub database: Option<String>,
    /// When it began, on the server's clock.
    pub started: DateTime,
    /// How far it is.
    pub progress: Progress,
    /// Who started it: login.
    pub login: Option<String>,
    /// With which program: names the other backup product.
    pub program: Option<String>,
    /// From which machine.
    pub host: Option<String>,
    /// The batch that it is part of; `None` where SQL Server does not show it.
    pub text: Option<String>,
}

/// How far a request is.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Percent, 0 to 100. Of a backup whose size is not known in advance it may jump.
    pub percent: f64,
    /// How long SQL Server thinks it still takes; `None` where it does not say.
    pub remaining: Option<Duration>,
    /// What it waits for at this moment: LCK_M_U, BACKUPIO, ...
    pub wait: Option<String>,
    /// On what: `DATABASE: 5 [BULKOP_BACKUP_DB]`.
    pub resource: Option<String>,
    /// The session that blocks it.
    pub blocked_by: Option<i32>,
}

const RUNNING: &str = "SELECT r.session_id, r.command, DB_NAME(r.database_id) AS database_name, r.start_time, r.percent_complete,
 r.estimated_completion_time, r.wait_type, r.wait_resource, r.blocking_session_id, s.login_name, s.program_name, s.host_name, t.text
 FROM sys.dm_exec_requests AS r LEFT JOIN sys.dm_exec_sessions AS s ON s.session_id = r.session_id
 OUTER APPLY sys.dm_exec_sql_text(r.sql_handle) AS t WHERE (r.command LIKE N'BACKUP%' OR r.command LIKE N'RESTORE%')";

/// Whether the login sees the requests of others. Where it does not, what it does not see proves nothing.
///
/// # Errors
/// [`Error`].
pub async fn sees_all(session: &mut Session) -> Result<bool, Error> {
    // NULL before 2022, which does not know the smaller right.
    let rows = session
        .query(
            "SELECT HAS_PERMS_BY_NAME(NULL, NULL, 'VIEW SERVER STATE') AS whole,
 HAS_PERMS_BY_NAME(NULL, NULL, 'VIEW SERVER PERFORMANCE STATE') AS smaller;",
        )
        .await?;
    let row = rows.only()?;
    let held = |column| row.optional::<bool>(column).map(|held| held == Some(true));
    Ok(held("whole")? || held("smaller")?)
}

/// Every BACKUP and RESTORE that runs, for a login that [`sees_all`].
///
/// # Errors
/// [`Error`]; [`Error::Refused`] (300) for another login, which may not read the texts of requests.
pub async fn running(session: &mut Session) -> Result<Vec<Running>, Error> {
    let rows = session.query(&format!("{RUNNING};")).await?;
    rows.iter().map(|row| read(&row)).collect()
}

/// The BACKUP or RESTORE of one session, where one runs.
///
/// # Errors
/// [`Error`].
pub async fn of_session(session: &mut Session, id: i32) -> Result<Option<Running>, Error> {
    let rows = session
        .query(&format!("{RUNNING} AND r.session_id = {id};"))
        .await?;
    rows.first().map(|row| read(&row)).transpose()
}

fn read(row: &Row<'_>) -> Result<Running, Error> {
    let text = |column| -> Result<Option<String>, Error> {
        Ok(row.optional::<String>(column)?.filter(|text| !text.is_empty()))
    };
    let remaining = row.optional::<i64>("estimated_completion_time")?.unwrap_or(0);
    Ok(Running {
        session_id: row.get("session_id")?,
        command: row.get("command")?,
        database: text("database_name")?,
        started: row.get("start_time")?,
        progress: Progress {
            percent: row.optional::<f64>("percent_complete")?.unwrap_or(0.0),
            remaining: u64::try_from(remaining)
                .ok()
                .filter(|millis| *millis > 0)
                .map(Duration::from_millis),
            wait: text("wait_type")?,
            resource: text("wait_resource")?,
            blocked_by: row.optional::<i32>("blocking_session_id")?.filter(|id| *id != 0),
        },
        login: text("login_name")?,
        program: text("program_name")?,
        host: text("host_name")?,
        text: text("text")?,
    })
}

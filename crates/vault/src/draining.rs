//! A database is taken from its sessions: their transactions are rolled back, and one session alone may be in it. What overwrites a
//! database does so right before, and so does the backup of its tail.
//!
//! Whoever drains notes it before, and lets people in again whatever comes of it; neither is done here.

use faults::{Code, Fault, Operation};
use mssql::quoting::Identifier;
use mssql::{Session, activity};

use crate::jobs::Doing;
use crate::registration::{failed, said};

/// So long a session waits for locks of others, in milliseconds.
const LOCKS_MILLIS: u32 = 30_000;

/// Drains a database that is open.
///
/// # Errors
/// `UserErrorRestoreFailedDatabaseCannotBeOfflined` where its sessions do not give it up, naming them; what else the instance says; it
/// does not answer.
pub(crate) async fn drain(
    doing: &mut Doing<'_>,
    session: &mut Session,
    name: &Identifier,
    at: &str,
) -> Result<(), Fault> {
    let statement = format!("ALTER DATABASE {name} SET SINGLE_USER WITH ROLLBACK IMMEDIATE;");
    doing.statement(&statement).await?;
    let ran = session
        .execute(&format!("SET LOCK_TIMEOUT {LOCKS_MILLIS};\n{statement}"))
        .await;
    let words = match ran {
        Ok(_) => return Ok(()),
        Err(mssql::Error::Refused { messages }) => said(&messages),
        Err(error) => return Err(failed(Operation::Restore, at, error)),
    };
    doing.said(&words).await?;
    let fault = Fault::of(Operation::Restore, &words);
    let fault = match fault.code() {
        // It waited for a lock in vain.
        Code::UserErrorFileManipulationIsNotAllowedDuringBackup
        | Code::Bac2UnexpectedSqlError
        | Code::Bac2DatabaseNotAvailable => Fault::new(Code::UserErrorRestoreFailedDatabaseCannotBeOfflined)
            .with_said(Operation::Restore, &words),
        _ => fault,
    };
    Err(fault.at(at).because(&holders(session, name).await))
}

/// The sessions that hold a database, for people.
pub(crate) async fn holders(session: &mut Session, name: &Identifier) -> String {
    // Who does not see the sessions of others would read that there are none.
    if !activity::sees_all(session).await.unwrap_or(false) {
        return "who holds it this login may not see (VIEW SERVER STATE)".to_owned();
    }
    let question = format!(
        "SELECT session_id, login_name, host_name, program_name FROM sys.dm_exec_sessions
 WHERE database_id = DB_ID({}) AND session_id <> @@SPID ORDER BY session_id;",
        name.literal()
    );
    let Ok(rows) = session.query(&question).await else {
        return "who holds it cannot be asked".to_owned();
    };
    let mut holders = Vec::new();
    for row in rows.iter() {
        let text = |column| row.optional::<String>(column).ok().flatten();
        let parts = [text("login_name"), text("host_name"), text("program_name")];
        let parts: Vec<String> = parts
            .into_iter()
            .flatten()
            .filter(|one| !one.is_empty())
            .collect();
        let id: i32 = row.get("session_id").unwrap_or_default();
        holders.push(format!("session {id} ({})", parts.join(", ")));
    }
    match holders.is_empty() {
        true => "nobody is in it at this moment: sessions come back".to_owned(),
        false => holders.join("; "),
    }
}

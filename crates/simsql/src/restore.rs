//! RESTORE: reading media, laying pages and log back, recovery, and the four forms that only look.
//!
//! A restore reads all families of its media set in pieces of a transfer, and lets others run between them. What it changes first
//! is the database's entry, which is RESTORING from then on, and stays so where the restore fails. The log of real servers is not
//! redone: their full and differential backups are restored page for page, and message 40511 says so.
//!
//! Deliberately absent: single files, filegroups and pages, snapshots, master, marks by name.

mod begin;
mod bounds;
mod collation;
mod data;
mod family;
mod file_list;
mod files;
mod finish;
mod header_only;
mod history;
mod label_only;
mod lane;
mod log;
mod looking;
mod media_set;
mod order;
mod pieces;
mod progress;
mod sheet;
mod target;
mod transfer;
mod verify;

use bak::LocalTime;

use crate::answers::Answers;
use crate::message::Failure;
use crate::moment::Moment;
use crate::session::Session;
use crate::tsql::restore::{RestoreStatement, RestoreWhat};
use crate::value::Value;
use order::Order;

/// Runs RESTORE.
///
/// # Errors
/// As the map of errors says; [`Failure::cancelled`] where the session was.
pub async fn run(
    session: &mut Session,
    statement: &RestoreStatement,
    answers: &mut dyn Answers,
) -> Result<(), Failure> {
    let done = run_form(session, statement, answers).await;
    done.map_err(|failure| failure.and(3013, &[&verb(statement.what)]))
}

async fn run_form(
    session: &Session,
    statement: &RestoreStatement,
    answers: &mut dyn Answers,
) -> Result<(), Failure> {
    if session.nesting > 0 {
        return Err(Failure::new(3021, &[]));
    }
    let order = Order::of(session, statement)?;
    match statement.what {
        RestoreWhat::Database => data::run(session, &order, answers).await,
        RestoreWhat::Log => log::run(session, &order, answers).await,
        RestoreWhat::HeaderOnly | RestoreWhat::FileListOnly | RestoreWhat::LabelOnly => {
            looking::run(session, &order, answers).await
        }
        RestoreWhat::VerifyOnly => verify::run(session, &order, answers).await,
    }
}

/// Whether the statement answers with rows.
pub(crate) fn gives_rows(statement: &RestoreStatement) -> bool {
    matches!(
        statement.what,
        RestoreWhat::HeaderOnly | RestoreWhat::FileListOnly | RestoreWhat::LabelOnly
    )
}

/// What message 3013 calls the statement.
fn verb(what: RestoreWhat) -> &'static str {
    match what {
        RestoreWhat::Database => "RESTORE DATABASE",
        RestoreWhat::Log => "RESTORE LOG",
        RestoreWhat::HeaderOnly => "RESTORE HEADERONLY",
        RestoreWhat::FileListOnly => "RESTORE FILELIST",
        RestoreWhat::LabelOnly => "RESTORE LABELONLY",
        RestoreWhat::VerifyOnly => "VERIFY DATABASE",
    }
}

/// When the server's clock showed `time`, by the offset that it has now.
fn moment_of(session: &Session, time: LocalTime) -> Moment {
    let clock = &session.instance.world.clock;
    match sheet::datetime(time) {
        Value::DateTime(time) => time.moment(clock.offset_minutes(clock.now())),
        _ => clock.now(),
    }
}

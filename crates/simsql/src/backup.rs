//! BACKUP: what may be backed up, the flow of pages and log to the media, messages, history.
//!
//! In order: the statement is resolved (`order`), the database is asked whether it may be (`allowed`), the lock that serialises
//! backups is taken (`guards`), the media are looked at and opened (`media_set`), pages and log go out (`data`, `log` over
//! `stage`), and what was done is told to the engine, to msdb, to the error log and to the client (`conclusion`). Where anything
//! fails, the guards take back what was begun: no base changes, no log is truncated.
//!
//! Deliberately absent, and refused: backups of files and filegroups, snapshot backups, encryption, tapes, and codecs other than
//! MS_XPRESS.

mod allowed;
mod conclusion;
mod data;
mod description;
mod expiration;
mod figures;
mod guards;
mod history;
mod log;
mod log_check;
mod media_set;
mod order;
mod output;
mod stage;
mod suspects;
mod work;

use std::time::Duration;

use bak::LocalTime;
use bak::writer::{MediaWriter, SetWriter};

use crate::answers::Answers;
use crate::instance::exclusive;
use crate::instance::locks::Bulk;
use crate::message::{Failure, Message};
use crate::moment::Moment;
use crate::session::Session;
use crate::tsql::backup::BackupStatement;
use crate::tsql::statement::Termination;

use order::{After, Kind, Order};
use output::{FRAME_TRANSFER, Output};
use stage::Stage;

/// Runs BACKUP. Information (3211, 4035, 3014) goes to `answers` as it comes; errors come back, 3013 last. Variables in the
/// statement must have been replaced by what they hold.
///
/// # Errors
/// As the map of errors says; [`Failure::cancelled`] where the session was cancelled or killed, 3204 said before it.
pub async fn run(
    session: &mut Session,
    statement: &BackupStatement,
    answers: &mut dyn Answers,
) -> Result<(), Failure> {
    let mut command = order::verb(statement.what).to_owned();
    let outcome = attempt(session, statement, &mut command, answers).await;
    let is_stopped = outcome.as_ref().is_err_and(|failure| failure.messages.is_empty());
    if is_stopped && !session.instance.is_stopping() {
        // Cancelled by its client or killed: SQL Server says so, and the wire or the session says the rest.
        answers.message(Message::new(3204, &[]));
        answers.message(Message::new(3013, &[&order::verb(statement.what)]));
    }
    outcome.map_err(|failure| {
        for message in &failure.messages {
            if let Some(line) = device_line(message) {
                session.instance.log(line);
            }
        }
        session.instance.log(Message::new(3041, &[&command]));
        failure.and(3013, &[&order::verb(statement.what)])
    })
}

/// The error log's line on a device that failed: it has the words of 3201, 3202 and 3271 in another order.
fn device_line(message: &Message) -> Option<Message> {
    let (before, after) = match message.number {
        3201 => ("Cannot open backup device '", "'. Operating system error "),
        3202 => ("Write on \"", "\" failed: "),
        3271 => ("A nonrecoverable I/O error occurred on file \"", ":\" "),
        _ => return None,
    };
    let (device, error) = message.text.strip_prefix(before)?.split_once(after)?;
    if message.number == 3201 {
        let error = error.strip_suffix('.').unwrap_or(error);
        return Some(Message::new(
            18_204,
            &[&"BackupDiskFile::CreateMedia", &device, &"create", &error],
        ));
    }
    Some(Message::new(
        18_210,
        &[&"BackupIoRequest::ReportIoError", &"write", &device, &error],
    ))
}

/// When a backup began, and what follows from that.
#[derive(Clone, Copy, Debug)]
struct Started {
    at: Moment,
    uptime: Duration,
    expiration: Option<LocalTime>,
    /// Bytes of log that a data backup will hold, about.
    log_estimate: u64,
}

async fn attempt(
    session: &Session,
    statement: &BackupStatement,
    command: &mut String,
    answers: &mut dyn Answers,
) -> Result<(), Failure> {
    let (order, database) = {
        let state = session.instance.state();
        let order = Order::resolve(statement, &session.instance.settings, &state)?;
        *command = command_of(&order);
        let database = allowed::check_session(session, &state, &order)?;
        check(session, &state, &order, database)?;
        (order, database)
    };
    show(session, &order, database);
    let bulk = match order.kind {
        Kind::Log => Bulk::Log,
        Kind::Full | Kind::Differential => Bulk::Database,
    };
    let _lock = guards::BulkLock::take(session, database, bulk).await?;
    let _alone = alone(session, &order, database).await?;
    // Whoever was waited for may have changed the database.
    let warnings = check(session, &session.instance.state(), &order, database)?;
    for warning in warnings {
        answers.message(warning);
    }
    let started = start(session, &order, database)?;
    match order.kind {
        Kind::Log => log::run(session, &order, database, started, answers).await,
        Kind::Full | Kind::Differential => data::run(session, &order, database, started, answers).await,
    }
}

/// What `sys.dm_exec_requests` shows while it runs; a differential is a BACKUP DATABASE there, too.
fn show(session: &Session, order: &Order, database: u16) {
    let mut state = session.instance.state();
    let facts = state.sessions.get_mut(&session.id);
    if let Some(request) = facts.and_then(|facts| facts.request.as_mut()) {
        request.command = match order.kind {
            Kind::Log => "BACKUP LOG".to_owned(),
            Kind::Full | Kind::Differential => "BACKUP DATABASE".to_owned(),
        };
        request.database = database;
        request.percent_complete = 0.0;
        request.estimated_completion_ms = 0;
    }
}

/// As 3041 names it: `BACKUP DATABASE x WITH DIFFERENTIAL`.
fn command_of(order: &Order) -> String {
    let name = &order.database;
    match order.kind {
        Kind::Full => format!("BACKUP DATABASE {name}"),
        Kind::Differential => format!("BACKUP DATABASE {name} WITH DIFFERENTIAL"),
        Kind::Log => format!("BACKUP LOG {name}"),
    }
}

fn check(
    session: &Session,
    state: &crate::instance::State,
    order: &Order,
    database: u16,
) -> Result<Vec<Message>, Failure> {
    let entry = state
        .databases
        .get(&database)
        .ok_or_else(|| Failure::new(911, &[&order.database]))?;
    allowed::check_database(session, state, entry, order)
}

/// The database for this session alone, until this goes.
struct Alone<'a> {
    session: &'a Session,
    database: u16,
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        let mut state = self.session.instance.state();
        exclusive::release(&mut state, self.database, self.session.id);
    }
}

/// The tail of the log is backed up with nobody else in the database.
async fn alone<'a>(session: &'a Session, order: &Order, database: u16) -> Result<Option<Alone<'a>>, Failure> {
    if order.after == After::Online {
        return Ok(None);
    }
    exclusive::take(session, database, Termination::None, || Failure::new(3101, &[])).await?;
    Ok(Some(Alone { session, database }))
}

fn start(session: &Session, order: &Order, database: u16) -> Result<Started, Failure> {
    let clock = session.instance.world.clock.as_ref();
    let at = clock.now();
    let log_estimate = stage::with_engine(session, database, |engine| {
        Ok(engine.log_facts().since_last_backup.min(1 << 20))
    })?;
    Ok(Started {
        at,
        uptime: clock.uptime(),
        expiration: expiration::of(order, at.local(clock.offset_minutes(at)))?,
        log_estimate,
    })
}

/// Writes the commit record and the trailer of all families. Gives the size of the set.
fn commit(mut sets: Vec<SetWriter<'_, Output>>, set: &bak::BackupSet) -> u64 {
    // The size hangs on the lengths of texts alone, which do not change any more.
    let sizes: Vec<u64> = sets.iter().map(SetWriter::size_behind_commit).collect();
    let total: u64 = sizes.iter().sum();
    for (writer, size) in sets.iter_mut().zip(&sizes) {
        writer.details_mut().bytes_elsewhere = total - size;
    }
    for writer in sets {
        writer.commit(set.clone());
    }
    total
}

/// Sends what the families still have, and ends their media.
async fn end_media(stage: &mut Stage<'_>, writers: &mut [MediaWriter<Output>]) -> Result<(), Failure> {
    for (devices, writer) in stage.devices.iter_mut().zip(writers) {
        devices
            .send(stage.session, writer.sink_mut(), FRAME_TRANSFER, true)
            .await?;
    }
    stage.finish().await
}

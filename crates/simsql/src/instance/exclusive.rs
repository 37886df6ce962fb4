//! A database for one session alone: what RESTORE, OFFLINE, SINGLE_USER and renaming need.

use std::time::Duration;

use super::locks::SessionId;
use super::state::State;
use super::waiting::{Waiting, wait_for};
use crate::message::Failure;
use crate::session::Session;
use crate::tsql::statement::Termination;

/// Sessions that are in a database, or back it up, other than `session`.
fn others(state: &State, database: u16, session: SessionId) -> Vec<SessionId> {
    let Some(entry) = state.databases.get(&database) else {
        return Vec::new();
    };
    let locks = &entry.locks;
    let mut others: Vec<SessionId> = locks
        .users
        .iter()
        .chain(locks.exclusive.iter())
        .chain(locks.bulk.values())
        .chain(locks.tables.values())
        .copied()
        .filter(|other| *other != session)
        .collect();
    others.sort_unstable();
    others.dedup();
    others
}

/// Takes a database for the session alone, until [`release`]. With [`Termination::NoWait`] it fails at once where others use it,
/// with [`Termination::Immediate`] their sessions are ended first, otherwise it waits for LOCK_TIMEOUT. `refused` makes the
/// error.
///
/// # Errors
/// `refused`; [`Failure::cancelled`].
pub async fn take(
    session: &Session,
    database: u16,
    termination: Termination,
    refused: impl Fn() -> Failure + Send,
) -> Result<(), Failure> {
    match termination {
        Termination::NoWait => {
            return attempt(&mut session.instance.state(), database, session.id).map_err(|_| refused());
        }
        Termination::Immediate => end_others(session, database),
        Termination::After(seconds) => {
            let clock = &session.instance.world.clock;
            session
                .canceller
                .unless_cancelled(clock.sleep(Duration::from_secs(u64::from(seconds))))
                .await?;
            end_others(session, database);
        }
        Termination::None => {}
    }
    let waiting = Waiting {
        wait_type: "LCK_M_X",
        resource: format!("DATABASE: {database}"),
    };
    wait_for(
        session,
        &waiting,
        |state| attempt(state, database, session.id),
        refused,
    )
    .await
}

fn attempt(state: &mut State, database: u16, session: SessionId) -> Result<(), SessionId> {
    if let Some(other) = others(state, database, session).first() {
        return Err(*other);
    }
    if let Some(entry) = state.databases.get_mut(&database) {
        entry.locks.exclusive = Some(session);
    }
    Ok(())
}

/// Tells the other sessions of a database to end; they roll back and leave.
fn end_others(session: &Session, database: u16) {
    let mut state = session.instance.state();
    for other in others(&state, database, session.id) {
        if let Some(facts) = state.sessions.get_mut(&other) {
            facts.killed = true;
        }
        super::kill::leave_if_idle(&mut state, other);
    }
}

/// Lets the database go.
pub fn release(state: &mut State, database: u16, session: SessionId) {
    if let Some(entry) = state.databases.get_mut(&database)
        && entry.locks.exclusive == Some(session)
    {
        entry.locks.exclusive = None;
    }
}

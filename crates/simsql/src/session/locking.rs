//! Waiting for tables that other sessions write.
//!
//! A writer has a table until its transaction ends. Whoever waits is shown in `sys.dm_exec_requests` with the session in its way;
//! before it waits on, the chain of those sessions is followed, and where it leads back to the one that asks, that one is the
//! victim of the deadlock (1205): it closes the circle last, and rolls back.

use crate::engine::TableId;
use crate::instance::State;
use crate::instance::locks::SessionId;
use crate::instance::waiting::{Waiting, wait_for};
use crate::message::Failure;
use crate::session::Session;
use crate::session::names::Blocked;

/// What LOCK_TIMEOUT says.
fn expired() -> Failure {
    Failure::new(1222, &[])
}

/// Waits until nobody else writes the table.
///
/// # Errors
/// 1222, 1205, [`Failure::cancelled`].
pub(crate) async fn until_readable(session: &Session, blocked: Blocked) -> Result<(), Failure> {
    let waiting = Waiting {
        wait_type: "LCK_M_S",
        resource: resource(blocked.database, blocked.table),
    };
    let id = session.id;
    wait_for(
        session,
        &waiting,
        |state| {
            let owner = state
                .databases
                .get(&blocked.database)
                .and_then(|entry| entry.locks.tables.get(&blocked.table))
                .copied()
                .filter(|owner| *owner != id);
            match owner {
                Some(owner) if leads_back(state, id, owner) => Ok(Err(Failure::new(1205, &[&id]))),
                Some(owner) => Err(owner),
                None => Ok(Ok(())),
            }
        },
        expired,
    )
    .await?
}

/// Takes the right to write a table; the session's, until its transaction ends.
///
/// # Errors
/// As [`until_readable`].
pub(crate) async fn take(session: &Session, database: u16, table: TableId) -> Result<(), Failure> {
    let waiting = Waiting {
        wait_type: "LCK_M_X",
        resource: resource(database, table),
    };
    let id = session.id;
    wait_for(
        session,
        &waiting,
        |state| {
            let taken = match state.databases.get_mut(&database) {
                Some(entry) => entry.locks.take_table(table, id),
                None => Ok(()),
            };
            match taken {
                Err(owner) if leads_back(state, id, owner) => Ok(Err(Failure::new(1205, &[&id]))),
                Err(owner) => Err(owner),
                Ok(()) => Ok(Ok(())),
            }
        },
        expired,
    )
    .await?
}

fn resource(database: u16, table: TableId) -> String {
    format!("OBJECT: {database}:{}:0", table.0)
}

/// Whether `owner` waits, through others, for `session`.
fn leads_back(state: &State, session: SessionId, owner: SessionId) -> bool {
    let mut at = owner;
    // Each step goes to another session; a longer chain is a circle without `session`, whose own members break it.
    for _ in 0..=state.sessions.len() {
        let next = state
            .sessions
            .get(&at)
            .and_then(|facts| facts.request.as_ref())
            .map(|request| request.blocked_by)
            .filter(|next| *next != 0);
        match next {
            Some(next) if next == session => return true,
            Some(next) => at = next,
            None => return false,
        }
    }
    false
}

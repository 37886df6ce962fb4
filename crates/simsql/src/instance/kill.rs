//! KILL, and what it does to a session that is asleep.

use super::locks::SessionId;
use super::permission;
use super::state::State;
use crate::message::Failure;
use crate::session::Session;

/// Ends another session: at once where it sleeps, at its next look where it runs.
///
/// # Errors
/// 6102 permission, 6104 itself, 6106 no such session.
pub fn kill(session: &Session, target: SessionId) -> Result<(), Failure> {
    let mut state = session.instance.state();
    if !permission::on_server(&state, &session.login, "ALTER ANY CONNECTION") {
        return Err(Failure::new(6102, &[]));
    }
    if target == session.id {
        return Err(Failure::new(6104, &[]));
    }
    let Some(facts) = state.sessions.get_mut(&target) else {
        return Err(Failure::new(6106, &[&target]));
    };
    facts.killed = true;
    leave_if_idle(&mut state, target);
    Ok(())
}

/// A session that runs nothing lets go of the databases it is in; its open transaction is rolled back when its connection
/// notices, and until then its tables stay locked.
pub(super) fn leave_if_idle(state: &mut State, session: SessionId) {
    let is_idle = state
        .sessions
        .get(&session)
        .is_some_and(|facts| facts.request.is_none() && facts.transactions == 0);
    if is_idle {
        for entry in state.databases.values_mut() {
            entry.locks.users.remove(&session);
        }
    }
}

//! Entering a database: whether its state and its users let a session in.

use super::locks::SessionId;
use super::permission;
use super::server::{AvailabilityGroup, ReplicaRole};
use super::state::{DatabaseEntry, DatabaseState, State, UserAccess};
use crate::message::Failure;
use crate::session::Session;

/// Moves a session into a database.
///
/// # Errors
/// 911 where there is none, 916 where its login has no user there, and whatever [`check_state`] and [`check_replica`] say.
pub fn enter(session: &mut Session, name: &str) -> Result<(), Failure> {
    let instance = std::sync::Arc::clone(&session.instance);
    let mut state = instance.state();
    let entry = state.database(name).ok_or_else(|| Failure::new(911, &[&name]))?;
    check_state(entry, session.id)?;
    check_replica(&state, entry)?;
    let (id, name) = (entry.id, entry.name.clone());
    if !permission::may_enter(&state, &session.login, id) {
        return Err(Failure::new(916, &[&session.login, &name]));
    }
    leave(&mut state, session.id, &session.database);
    if let Some(entry) = state.databases.get_mut(&id) {
        entry.locks.users.insert(session.id);
    }
    if let Some(facts) = state.sessions.get_mut(&session.id) {
        facts.database = id;
    }
    session.database = name;
    Ok(())
}

/// Takes a session's use of a database back.
pub fn leave(state: &mut State, session: SessionId, name: &str) {
    if let Some(entry) = state.database_mut(name) {
        entry.locks.users.remove(&session);
    }
}

/// This replica's role for a database of an availability group, with the group; none for any other database.
#[must_use]
pub fn group_of<'s>(state: &'s State, entry: &DatabaseEntry) -> Option<&'s AvailabilityGroup> {
    let mut groups = state.server.groups.values();
    groups.find(|group| {
        let mut names = group.databases.keys();
        names.any(|name| name.eq_ignore_ascii_case(&entry.name))
    })
}

/// Whether its replica lets anybody into a database of an availability group.
///
/// # Errors
/// 976 on a secondary that is not for reading, 983 while nobody is primary.
pub fn check_replica(state: &State, entry: &DatabaseEntry) -> Result<(), Failure> {
    let number = match group_of(state, entry).map(|group| (group.role, group.is_closed)) {
        Some((ReplicaRole::Resolving, _)) => 983,
        Some((ReplicaRole::Secondary, true)) => 976,
        _ => return Ok(()),
    };
    Err(Failure::new(number, &[&entry.name]))
}

/// Whether statements can use a database as it is.
///
/// # Errors
/// 927 restoring, 922 recovering, 945 recovery pending, 926 suspect, 942 offline, 924 taken by another single user, 952 in
/// transition.
pub fn check_state(entry: &DatabaseEntry, session: SessionId) -> Result<(), Failure> {
    let name = &entry.name;
    let number = match entry.state {
        DatabaseState::Restoring => 927,
        DatabaseState::Recovering => 922,
        DatabaseState::RecoveryPending => 945,
        DatabaseState::Suspect => 926,
        DatabaseState::Offline => 942,
        DatabaseState::Online | DatabaseState::Emergency => {
            let taken = entry.locks.users.iter().any(|user| *user != session);
            if entry.user_access == UserAccess::Single && taken {
                return Err(Failure::new(924, &[name]));
            }
            if entry.locks.exclusive.is_some_and(|owner| owner != session) {
                return Err(Failure::new(952, &[name]));
            }
            return Ok(());
        }
    };
    Err(Failure::new(number, &[name]))
}

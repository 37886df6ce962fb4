//! The table that a statement changes: found, allowed, writable.

use crate::engine::TableFacts;
use crate::instance::server::ReplicaRole;
use crate::instance::state::UserAccess;
use crate::instance::{DatabaseState, access, permission};
use crate::message::Failure;
use crate::session::names::{Place, denied};
use crate::session::{Session, temporary};

/// A table to be changed.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// A `#` table or a table variable, by its key.
    Temporary(String),
    /// A table of a database.
    Stored(Box<Stored>),
}

/// A table of a database.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    /// Its database.
    pub(crate) database: u16,
    /// Its full name, the database as it is called.
    pub(crate) place: Place,
    /// What it is.
    pub(crate) facts: TableFacts,
}

/// Finds the table called by `parts`. `permission` is what changing it takes.
///
/// # Errors
/// 208, 229, 1087, 3906, and whatever the state of the database says.
pub(crate) fn find(session: &Session, parts: &[String], permission: &str) -> Result<Target, Failure> {
    if parts.len() > 3 {
        return Err(Failure::new(40510, &[&"linked servers"]));
    }
    if let Some(key) = temporary::key(parts) {
        let work = &session.work;
        let exists = work.temporary.contains_key(&key) || work.frame.tables.contains_key(&key);
        return match exists {
            true => Ok(Target::Temporary(key)),
            false if key.starts_with('@') => Err(Failure::new(1087, &[&parts[0]])),
            false => Err(Failure::new(208, &[&parts.join(".")])),
        };
    }
    let place = Place::of(session, parts);
    let database = writable(session, &place)?;
    let state = session.instance.state();
    let entry = &state.databases[&database];
    let facts = entry
        .engine
        .as_ref()
        .and_then(|engine| engine.find_table(&place.schema, &place.name))
        .ok_or_else(|| Failure::new(208, &[&parts.join(".")]))?;
    let place = Place {
        database: entry.name.clone(),
        schema: facts.definition.schema.clone(),
        name: facts.definition.name.clone(),
    };
    if !permission::in_database(&state, entry, &session.login, permission) {
        return Err(denied(permission, &place, &entry.name));
    }
    Ok(Target::Stored(Box::new(Stored {
        database,
        place,
        facts,
    })))
}

/// The database of a table to be made or changed, where it takes changes.
///
/// # Errors
/// 911, 916, 3906, 3908, 945, and what [`access::check_state`] says.
pub(crate) fn writable(session: &Session, place: &Place) -> Result<u16, Failure> {
    let state = session.instance.state();
    let Some(database) = place.find(&state) else {
        return Err(Failure::new(911, &[&place.database]));
    };
    let entry = &state.databases[&database];
    access::check_state(entry, session.id)?;
    access::check_replica(&state, entry)?;
    if !permission::may_enter(&state, &session.login, database) {
        return Err(Failure::new(916, &[&session.login, &entry.name]));
    }
    if entry.state == DatabaseState::Emergency {
        return Err(Failure::new(3908, &[&entry.name]));
    }
    let is_secondary =
        access::group_of(&state, entry).is_some_and(|group| group.role != ReplicaRole::Primary);
    if entry.is_read_only || entry.standby.is_some() || is_secondary {
        return Err(Failure::new(3906, &[&entry.name]));
    }
    if entry.engine.is_none() {
        return Err(Failure::new(945, &[&entry.name]));
    }
    let is_restricted = entry.user_access == UserAccess::Restricted;
    if is_restricted && !permission::is_role_member(&state, entry, &session.login, "db_owner") {
        return Err(Failure::new(923, &[&entry.name]));
    }
    Ok(database)
}

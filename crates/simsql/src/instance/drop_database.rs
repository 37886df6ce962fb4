//! DROP DATABASE.

use super::permission;
use super::state::DatabaseState;
use crate::engine::{self, Engine};
use crate::message::Failure;
use crate::session::Session;

/// Drops databases, one after the other. Files of a database that is offline stay where they are, as in SQL Server.
///
/// # Errors
/// 3701 there is none or no permission, 3708 a system database, 3702 in use, 3743 mirrored, 3752 in an availability group.
pub fn drop_database(session: &Session, names: &[String], if_exists: bool) -> Result<(), Failure> {
    for name in names {
        drop_one(session, name, if_exists)?;
    }
    Ok(())
}

fn drop_one(session: &Session, name: &str, if_exists: bool) -> Result<(), Failure> {
    let instance = &session.instance;
    let mut state = instance.state();
    let Some(entry) = state.database(name) else {
        if if_exists {
            return Ok(());
        }
        return Err(Failure::new(3701, &[&"drop", &"database", &name]));
    };
    let id = entry.id;
    if id <= 4 {
        return Err(Failure::new(3708, &[&"drop", &"database", &name]));
    }
    let may = permission::on_server(&state, &session.login, "ALTER ANY DATABASE")
        || permission::in_database(&state, entry, &session.login, "CONTROL");
    if !may {
        return Err(Failure::new(3701, &[&"drop", &"database", &name]));
    }
    let entry_name = entry.name.clone();
    if entry.mirroring.is_some() {
        return Err(Failure::new(3743, &[&entry_name]));
    }
    let is_in_group = state
        .server
        .groups
        .values()
        .any(|group| group.databases.contains_key(&entry_name));
    if is_in_group {
        return Err(Failure::new(3752, &[&entry_name]));
    }
    let in_use = !entry.locks.users.is_empty()
        || entry.locks.exclusive.is_some_and(|owner| owner != session.id)
        || !entry.locks.bulk.is_empty();
    if in_use {
        return Err(Failure::new(3702, &[&"drop", &"database", &entry_name]));
    }
    let Some(entry) = state.databases.remove(&id) else {
        return Ok(());
    };
    // The record first: a crash in between leaves files nobody knows, not a database without files.
    instance.save(&state)?;
    let files = entry
        .engine
        .as_ref()
        .map_or_else(|| entry.files.clone(), Engine::files);
    let is_offline = entry.state == DatabaseState::Offline;
    drop(entry);
    if !is_offline {
        let beside = engine::side_files(&files).into_iter();
        for path in beside.chain(files.into_iter().map(|file| file.physical_name)) {
            // A file that cannot be removed is left to the administrator; the database is gone all the same.
            drop(instance.world.disk.remove(&path));
        }
    }
    Ok(())
}

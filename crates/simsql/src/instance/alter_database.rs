//! ALTER DATABASE.

use super::locks::Bulk;
use super::state::{DatabaseEntry, DatabaseState, State, UserAccess};
use super::{access, create_database, exclusive, opening, permission, trouble};
use crate::engine::{Boot, RecoveryModel};
use crate::message::Failure;
use crate::session::Session;
use crate::tsql::statement::{AlterDatabase, DatabaseOption, FileSpecification, Termination};

/// Alters a database.
///
/// # Errors
/// 5011 there is none or no permission, 5058 an option that the database cannot have, 5061 and 5070 where others use it, 5069
/// behind most, and those of the deed.
pub async fn alter_database(session: &mut Session, name: &str, alter: &AlterDatabase) -> Result<(), Failure> {
    let id = check(session, name)?;
    match alter {
        AlterDatabase::ModifyName(new) => rename(session, id, new).await,
        AlterDatabase::AddFile { files, log, .. } => add_files(session, id, files, *log),
        AlterDatabase::ModifyFile(file) => modify_file(session, id, file),
        AlterDatabase::RemoveFile(_) => Err(Failure::new(40_510, &[&"ALTER DATABASE ... REMOVE FILE"])),
        AlterDatabase::Collate(_) => Err(Failure::new(40_510, &[&"ALTER DATABASE ... COLLATE"])),
        AlterDatabase::Set(options, termination) => {
            for option in options {
                set(session, id, option, *termination)
                    .await
                    .map_err(|failure| failure.and(5069, &[]))?;
            }
            Ok(())
        }
    }
}

fn check(session: &Session, name: &str) -> Result<u16, Failure> {
    let state = session.instance.state();
    let entry = state
        .database(name)
        .filter(|entry| {
            permission::on_server(&state, &session.login, "ALTER ANY DATABASE")
                || permission::in_database(&state, entry, &session.login, "ALTER")
        })
        .ok_or_else(|| Failure::new(5011, &[&name]))?;
    Ok(entry.id)
}

async fn set(
    session: &mut Session,
    id: u16,
    option: &DatabaseOption,
    termination: Termination,
) -> Result<(), Failure> {
    refuse_restoring(session, id)?;
    match option {
        DatabaseOption::Offline => offline(session, id, termination).await,
        DatabaseOption::Online => online(session, id, termination).await,
        DatabaseOption::SingleUser => restrict(session, id, UserAccess::Single, termination).await,
        DatabaseOption::RestrictedUser => restrict(session, id, UserAccess::Restricted, termination).await,
        DatabaseOption::MultiUser => change(session, id, |entry| {
            entry.user_access = UserAccess::Multi;
            Ok(())
        }),
        DatabaseOption::ReadOnly(is_read_only) => read_only(session, id, *is_read_only, termination).await,
        DatabaseOption::Emergency => emergency(session, id, termination).await,
        DatabaseOption::Recovery(model) => recovery(session, id, *model),
        DatabaseOption::PageVerify(protection) => boot(session, id, |boot| boot.page_verify = *protection),
        DatabaseOption::CompatibilityLevel(level) => {
            let newest = session.instance.settings.version.compatibility_level();
            if *level < 80 || *level > newest || level % 10 != 0 {
                return Err(Failure::new(15_048, &[&newest]));
            }
            boot(session, id, |boot| boot.compatibility_level = *level)
        }
        DatabaseOption::Switch(name, on) => switch(session, id, name, *on),
        // Accepted, and shown by nothing.
        DatabaseOption::Other(_) => Ok(()),
    }
}

/// A restore goes on or is begun anew; taken offline and online again, the database would be open with half of it restored.
///
/// # Errors
/// 5052.
fn refuse_restoring(session: &Session, id: u16) -> Result<(), Failure> {
    let state = session.instance.state();
    match state.databases.get(&id).map(|entry| entry.state) {
        Some(DatabaseState::Restoring) => Err(Failure::new(5052, &[&"RESTORING"])),
        _ => Ok(()),
    }
}

/// Changes an entry and remembers it.
fn change(
    session: &Session,
    id: u16,
    change: impl FnOnce(&mut DatabaseEntry) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut state = session.instance.state();
    if let Some(entry) = state.databases.get_mut(&id) {
        change(entry)?;
    }
    session.instance.save(&state)
}

/// Changes facts on the boot page of an open database.
fn boot(session: &Session, id: u16, mut deed: impl FnMut(&mut Boot)) -> Result<(), Failure> {
    change(session, id, |entry| {
        access::check_state(entry, session.id)?;
        let changed = entry
            .engine
            .as_mut()
            .map_or(Ok(()), |engine| engine.change_boot(&mut deed));
        changed.map_err(|error| trouble::failure(&error, entry))
    })
}

fn recovery(session: &Session, id: u16, model: RecoveryModel) -> Result<(), Failure> {
    if id == 2 {
        return Err(Failure::new(5058, &[&"RECOVERY", &"tempdb"]));
    }
    let now = session.instance.world.clock.now();
    // Under one lock: no backup begins between the question whether one runs and the change.
    let mut state = session.instance.state();
    let is_in_group = is_in_group(&state, id);
    let Some(entry) = state.databases.get_mut(&id) else {
        return Err(Failure::new(5011, &[&id]));
    };
    if entry.mirroring.is_some() || is_in_group {
        return Err(Failure::new(1468, &[&entry.name]));
    }
    if !entry.locks.bulk.is_empty() {
        return Err(Failure::new(3023, &[]));
    }
    access::check_state(entry, session.id)?;
    if let Some(engine) = entry.engine.as_mut() {
        let changed = engine.change_boot(&mut |boot| {
            if model == RecoveryModel::Simple {
                boot.log_chain_lsn = None;
                boot.last_log_backup_lsn = None;
            }
            boot.recovery_model = model;
        });
        let changed = changed.and_then(|()| engine.checkpoint(now));
        changed.map_err(|error| trouble::failure(&error, entry))?;
    }
    session.instance.save(&state)
}

fn is_in_group(state: &State, id: u16) -> bool {
    state.databases.get(&id).is_some_and(|entry| {
        state
            .server
            .groups
            .values()
            .any(|group| group.databases.contains_key(&entry.name))
    })
}

async fn restrict(
    session: &mut Session,
    id: u16,
    to: UserAccess,
    termination: Termination,
) -> Result<(), Failure> {
    let name = name_of(session, id);
    if id <= 4 {
        return Err(Failure::new(5058, &[&"SINGLE_USER", &name]));
    }
    let refused = || Failure::new(5061, &[&name]);
    exclusive::take(session, id, termination, refused).await?;
    let changed = change(session, id, |entry| {
        entry.user_access = to;
        Ok(())
    });
    exclusive::release(&mut session.instance.state(), id, session.id);
    changed
}

async fn read_only(
    session: &mut Session,
    id: u16,
    is_read_only: bool,
    termination: Termination,
) -> Result<(), Failure> {
    let name = name_of(session, id);
    if id <= 4 {
        return Err(Failure::new(5058, &[&"READ_ONLY", &name]));
    }
    exclusive::take(session, id, termination, || Failure::new(5061, &[&name])).await?;
    let now = session.instance.world.clock.now();
    let changed = change(session, id, |entry| {
        access::check_state(entry, session.id)?;
        let written = entry.engine.as_mut().map(|engine| engine.checkpoint(now));
        if let Some(Err(error)) = written {
            return Err(trouble::failure(&error, entry));
        }
        entry.is_read_only = is_read_only;
        Ok(())
    });
    exclusive::release(&mut session.instance.state(), id, session.id);
    changed
}

async fn offline(session: &mut Session, id: u16, termination: Termination) -> Result<(), Failure> {
    let name = name_of(session, id);
    if id <= 4 {
        return Err(Failure::new(5058, &[&"OFFLINE", &name]));
    }
    exclusive::take(session, id, termination, || Failure::new(5061, &[&name])).await?;
    let instance = std::sync::Arc::clone(&session.instance);
    let changed = change(session, id, |entry| {
        opening::close(&instance.world, entry)?;
        entry.state = DatabaseState::Offline;
        Ok(())
    });
    exclusive::release(&mut instance.state(), id, session.id);
    changed
}

/// Opens the files. Of a database in EMERGENCY they are open: closed first, so that nothing is written to them by two.
async fn online(session: &Session, id: u16, termination: Termination) -> Result<(), Failure> {
    let is_online = {
        let state = session.instance.state();
        let entry = state.databases.get(&id);
        entry.is_some_and(|entry| entry.engine.is_some() && entry.state == DatabaseState::Online)
    };
    if is_online {
        return Ok(());
    }
    let world = session.instance.world.clone();
    alone(session, id, termination, |entry| {
        // Where that fails the files are closed all the same, and recovery finds them so.
        drop(opening::close(&world, entry));
        opening::open(&world, entry)
    })
    .await
}

/// EMERGENCY: pages can be read by the administrator, without recovery; not undone by a restart.
async fn emergency(session: &Session, id: u16, termination: Termination) -> Result<(), Failure> {
    alone(session, id, termination, |entry| {
        entry.state = DatabaseState::Emergency;
        Ok(())
    })
    .await
}

/// Changes an entry that nobody else uses and no backup runs on, and remembers it.
async fn alone(
    session: &Session,
    id: u16,
    termination: Termination,
    deed: impl FnOnce(&mut DatabaseEntry) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let name = name_of(session, id);
    exclusive::take(session, id, termination, || Failure::new(5061, &[&name])).await?;
    let changed = change(session, id, deed);
    exclusive::release(&mut session.instance.state(), id, session.id);
    changed
}

fn switch(session: &Session, id: u16, name: &str, on: bool) -> Result<(), Failure> {
    change(session, id, |entry| {
        if name == "ENCRYPTION" && on {
            if entry.encryption_certificate.is_none() {
                return Err(Failure::new(33_107, &[]));
            }
            if entry.locks.bulk.contains_key(&Bulk::Database) {
                return Err(Failure::new(3023, &[]));
            }
        }
        if on {
            entry.switches.insert(name.to_owned());
        } else {
            entry.switches.remove(name);
        }
        Ok(())
    })
}

async fn rename(session: &mut Session, id: u16, new: &str) -> Result<(), Failure> {
    create_database::check_name(new)?;
    let old = name_of(session, id);
    if id <= 4 {
        return Err(Failure::new(5058, &[&"MODIFY NAME", &old]));
    }
    let taken = session
        .instance
        .state()
        .database(new)
        .is_some_and(|other| other.id != id);
    if taken {
        return Err(Failure::new(1801, &[&new]));
    }
    exclusive::take(session, id, Termination::None, || Failure::new(5030, &[])).await?;
    let changed = change(session, id, |entry| {
        if let Some(engine) = entry.engine.as_mut() {
            let named = engine.change_boot(&mut |boot| new.clone_into(&mut boot.name));
            named.map_err(|error| trouble::failure(&error, entry))?;
        }
        new.clone_into(&mut entry.name);
        Ok(())
    });
    exclusive::release(&mut session.instance.state(), id, session.id);
    changed?;
    if session.database.eq_ignore_ascii_case(&old) {
        new.clone_into(&mut session.database);
    }
    Ok(())
}

fn add_files(session: &Session, id: u16, files: &[FileSpecification], log: bool) -> Result<(), Failure> {
    if log {
        return Err(Failure::new(40_510, &[&"several log files"]));
    }
    let instance = &session.instance;
    let now = instance.world.clock.now();
    for file in files {
        let mut state = instance.state();
        let entry = state
            .databases
            .get(&id)
            .ok_or_else(|| Failure::new(5011, &[&id]))?;
        access::check_state(entry, session.id)?;
        if !entry.locks.bulk.is_empty() {
            return Err(Failure::new(3023, &[]));
        }
        let made = instance.file_of(3, &entry.name, file);
        let known = entry
            .files
            .iter()
            .any(|other| other.logical_name.eq_ignore_ascii_case(&made.logical_name));
        if known {
            return Err(Failure::new(1828, &[&made.logical_name]));
        }
        create_database::check_path(instance, &state, &made.physical_name)?;
        if let Some(entry) = state.databases.get_mut(&id)
            && let Some(engine) = entry.engine.as_mut()
        {
            let added = engine.add_file(made, now);
            added.map_err(|error| trouble::failure(&error, entry))?;
            entry.files = entry
                .engine
                .as_ref()
                .map(crate::engine::Engine::files)
                .unwrap_or_default();
        }
        instance.save(&state)?;
    }
    Ok(())
}

/// MODIFY FILE: a new size cannot be less than the present one; sizes are kept in the record and take effect when the database is
/// opened next.
fn modify_file(session: &Session, id: u16, file: &FileSpecification) -> Result<(), Failure> {
    change(session, id, |entry| {
        let database = entry.name.clone();
        let known = entry
            .files
            .iter_mut()
            .find(|known| known.logical_name.eq_ignore_ascii_case(&file.name))
            .ok_or_else(|| Failure::new(5041, &[&file.name]))?;
        if file.filename.is_some() {
            return Err(Failure::new(40_510, &[&format!("moving a file of {database}")]));
        }
        if file.size.is_some_and(|size| size <= known.size) {
            return Err(Failure::new(5039, &[&file.name]));
        }
        known.max_size = file.max_size.unwrap_or(known.max_size);
        known.growth = file.growth.unwrap_or(known.growth);
        Ok(())
    })
}

fn name_of(session: &Session, id: u16) -> String {
    let state = session.instance.state();
    state
        .databases
        .get(&id)
        .map(|entry| entry.name.clone())
        .unwrap_or_default()
}

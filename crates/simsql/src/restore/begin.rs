//! The first change that a restore makes: the entry is RESTORING, its files are the backup's.

use std::collections::BTreeSet;

use super::target::{Target, certificate};
use crate::engine::{DatabaseFile, Engine};
use crate::instance::locks::Locks;
use crate::instance::state::UserAccess;
use crate::instance::{DatabaseEntry, DatabaseState, State, trouble};
use crate::message::Failure;
use crate::session::Session;

/// Makes the files of a full restore anew and the entry RESTORING; from here on a failure leaves it so. Files that the database had and the restored one does not
/// have are removed.
///
/// # Errors
/// The disk's; then the database is there without files that can be used.
pub(super) fn begin_full(
    session: &Session,
    target: &Target,
    files: Vec<DatabaseFile>,
    thumbprint: Option<[u8; 20]>,
) -> Result<(), Failure> {
    let instance = &session.instance;
    let mut state = instance.state();
    let old = super::files::present_files(&state, target.id);
    let certificate = thumbprint
        .map(|thumbprint| certificate(&state, thumbprint))
        .transpose()?;
    put_entry(session, &mut state, target, &files);
    if let Some(entry) = state.databases.get_mut(&target.id) {
        if certificate.is_some() {
            entry.switches.insert("ENCRYPTION".to_owned());
        } else {
            entry.switches.remove("ENCRYPTION");
        }
        entry.encryption_certificate = certificate;
    }
    instance.save(&state)?;
    for file in old {
        let stays = files
            .iter()
            .any(|new| new.physical_name.eq_ignore_ascii_case(&file.physical_name));
        if !stays {
            // A file that cannot be removed is in nobody's way.
            drop(instance.world.disk.remove(&file.physical_name));
        }
    }
    let made = Engine::begin_restore(&instance.world, files);
    let Some(entry) = state.databases.get_mut(&target.id) else {
        return Err(Failure::new(3204, &[]));
    };
    entry.engine = Some(made.map_err(|error| trouble::failure(&error, entry))?);
    Ok(())
}

fn put_entry(session: &Session, state: &mut State, target: &Target, files: &[DatabaseFile]) {
    let now = session.instance.world.clock.now();
    let login = session.login.clone();
    let entry = state.databases.entry(target.id).or_insert_with(|| DatabaseEntry {
        id: target.id,
        name: target.name.clone(),
        files: Vec::new(),
        state: DatabaseState::Restoring,
        standby: None,
        user_access: UserAccess::Multi,
        is_read_only: false,
        users: crate::instance::owner_as_user(&login),
        owner: login,
        created: now,
        switches: BTreeSet::new(),
        encryption_certificate: None,
        mirroring: None,
        engine: None,
        locks: Locks::default(),
    });
    entry.engine = None;
    entry.files = files.to_vec();
    entry.state = DatabaseState::Restoring;
    entry.standby = None;
    entry.is_read_only = false;
    entry.created = now;
    entry.locks.exclusive = Some(session.id);
}

/// A database that goes on restoring: nobody reads it from here on.
///
/// # Errors
/// 823 where the instance's record cannot be written.
pub(super) fn begin_roll_forward(session: &Session, target: &Target) -> Result<(), Failure> {
    let instance = &session.instance;
    let mut state = instance.state();
    if let Some(entry) = state.databases.get_mut(&target.id) {
        entry.state = DatabaseState::Restoring;
        entry.standby = None;
        entry.is_read_only = false;
    }
    instance.save(&state)
}

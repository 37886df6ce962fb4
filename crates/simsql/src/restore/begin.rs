//! The first change that a restore makes: the entry is RESTORING, its files are the backup's.

use std::collections::BTreeSet;

use bak::content::SetHeader;

use super::target::{Target, certificate};
use crate::engine::{DatabaseFile, Engine, side_files};
use crate::instance::locks::Locks;
use crate::instance::state::UserAccess;
use crate::instance::{DatabaseEntry, DatabaseState, State, free_id, trouble};
use crate::message::Failure;
use crate::session::Session;

/// Bit of Flags: the database was read-only.
const READ_ONLY: u32 = 0x4;

/// What a set says of the database as a whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct About {
    /// The certificate that its pages are encrypted with.
    thumbprint: Option<[u8; 20]>,
    /// It was READ_ONLY, and is again when it is recovered.
    is_read_only: bool,
}

impl About {
    pub(super) fn of(header: &SetHeader) -> Self {
        Self {
            thumbprint: header.tde_thumbprint,
            is_read_only: header.flags & READ_ONLY != 0,
        }
    }
}

/// Makes the files of a full restore anew and the entry RESTORING; from here on a failure leaves it so. Files that the database
/// had and the restored one does not have are removed. The state is the one that the files' places were chosen in: nobody else
/// has taken them since.
///
/// # Errors
/// 3101, 33111, and the disk's; then the database is there without files that can be used.
pub(super) fn begin_full(
    session: &Session,
    state: &mut State,
    target: &mut Target,
    files: Vec<DatabaseFile>,
    about: About,
) -> Result<(), Failure> {
    let instance = &session.instance;
    settle_id(state, target)?;
    let old = super::files::present_files(state, target.id);
    let certificate = about
        .thumbprint
        .map(|thumbprint| certificate(state, thumbprint))
        .transpose()?;
    put_entry(session, state, target, &files);
    if let Some(entry) = state.databases.get_mut(&target.id) {
        if certificate.is_some() {
            entry.switches.insert("ENCRYPTION".to_owned());
        } else {
            entry.switches.remove("ENCRYPTION");
        }
        entry.encryption_certificate = certificate;
        entry.is_read_only = about.is_read_only;
    }
    instance.save(state)?;
    let beside = side_files(&old).into_iter();
    for path in beside.chain(old.into_iter().map(|file| file.physical_name)) {
        let stays = files
            .iter()
            .any(|new| new.physical_name.eq_ignore_ascii_case(&path));
        if !stays {
            // A file that cannot be removed is in nobody's way.
            drop(instance.world.disk.remove(&path));
        }
    }
    let made = Engine::begin_restore(&instance.world, files);
    let Some(entry) = state.databases.get_mut(&target.id) else {
        return Err(Failure::new(3204, &[]));
    };
    entry.engine = Some(made.map_err(|error| trouble::failure(&error, entry))?);
    Ok(())
}

/// A database that was not there when its place was chosen has the number for itself: others may have made theirs since.
///
/// # Errors
/// 3101 where somebody made one of its name.
fn settle_id(state: &State, target: &mut Target) -> Result<(), Failure> {
    if target.existed {
        return Ok(());
    }
    if state.database(&target.name).is_some() {
        return Err(Failure::new(3101, &[]));
    }
    target.id = free_id(state);
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
    entry.created = now;
    entry.locks.exclusive = Some(session.id);
}

/// A database that goes on restoring: nobody reads it from here on. Whether it is READ_ONLY when it is recovered is what the
/// newest set says.
///
/// # Errors
/// 823 where the instance's record cannot be written.
pub(super) fn begin_roll_forward(
    session: &Session,
    target: &Target,
    header: &SetHeader,
) -> Result<(), Failure> {
    let instance = &session.instance;
    let mut state = instance.state();
    if let Some(entry) = state.databases.get_mut(&target.id) {
        entry.state = DatabaseState::Restoring;
        entry.standby = None;
        entry.is_read_only = About::of(header).is_read_only;
    }
    instance.save(&state)
}

/// Nobody reads a database in standby that is going to be recovered.
///
/// # Errors
/// 823 where the instance's record cannot be written.
pub(super) fn leave_standby(session: &Session, target: &Target) -> Result<(), Failure> {
    let instance = &session.instance;
    let mut state = instance.state();
    match state.databases.get_mut(&target.id) {
        Some(entry) if entry.standby.is_some() => {
            entry.state = DatabaseState::Restoring;
            entry.standby = None;
            instance.save(&state)
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::{Instance, Settings, Version};
    use crate::memory::Memory;

    fn file(file_id: u16, path: &str) -> DatabaseFile {
        DatabaseFile {
            file_id,
            logical_name: format!("file{file_id}"),
            physical_name: path.to_owned(),
            file_type: if file_id == 2 {
                bak::FileType::Log
            } else {
                bak::FileType::Data
            },
            unique_id: uuid::Uuid::from_u128(u128::from(file_id)),
            size: 64,
            max_size: u32::MAX,
            growth: 8,
            create_lsn: None,
        }
    }

    #[test]
    fn two_restores_that_begin_together_are_two_databases() {
        let memory = Memory::new(3);
        let settings = Settings {
            initial_pages: 64,
            ..Settings::new(Version::V2022, "/sim")
        };
        let instance = Instance::start(memory.world.clone(), settings).unwrap();
        let session = instance.attach("sa").unwrap();
        let id = free_id(&instance.state());
        let begin = |name: &str| {
            let files = ["mdf", "ldf"].map(|extension| format!("/sim/data/{name}.{extension}"));
            let mut target = Target {
                id,
                name: name.to_owned(),
                existed: false,
                binding: None,
            };
            let about = About {
                thumbprint: None,
                is_read_only: false,
            };
            let files = vec![file(1, &files[0]), file(2, &files[1])];
            let begun = begin_full(&session, &mut session.instance.state(), &mut target, files, about);
            begun.map(|()| target.id)
        };
        let (first, second) = (begin("A").unwrap(), begin("B").unwrap());
        assert_ne!(first, second);
        assert_eq!(begin("A").unwrap_err().messages[0].number, 3101);
        let state = instance.state();
        for name in ["A", "B"] {
            let entry = state.database(name).unwrap();
            assert!(entry.files[0].physical_name.contains(name) && entry.engine.is_some());
        }
    }
}

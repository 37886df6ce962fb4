//! What an instance remembers of itself between starts, beside the databases' own pages: one file, replaced whole.
//!
//! In SQL Server this is master's business and the service master key's. Here it is a file of its own, `instance.json`, readable
//! by its owner alone, because it holds credentials' secrets; master's pages hold none. It is written and synced under another
//! name and then renamed, so that a loss of power leaves the old one or the new one.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::server::Server;
use super::state::{DatabaseEntry, DatabaseState, DatabaseUser, State, UserAccess};
use crate::engine::DatabaseFile;
use crate::moment::Moment;
use crate::world::{Disk, Open, OsError};

/// Name of the file in the instance's directory.
pub(super) const FILE: &str = "instance.json";
pub(super) const NEW_FILE: &str = "instance.json.new";
/// More than any instance writes: 64 MiB.
const LONGEST: u64 = 64 << 20;

/// The file's content.
#[derive(Serialize, Deserialize)]
pub(super) struct Record {
    /// Of this form; 1.
    pub(super) format: u32,
    pub(super) server: Server,
    pub(super) databases: Vec<DatabaseRecord>,
}

/// A database.
#[derive(Serialize, Deserialize)]
pub(super) struct DatabaseRecord {
    pub(super) id: u16,
    pub(super) name: String,
    pub(super) files: Vec<DatabaseFile>,
    pub(super) state: DatabaseState,
    pub(super) standby: Option<String>,
    pub(super) user_access: UserAccess,
    pub(super) is_read_only: bool,
    pub(super) owner: String,
    pub(super) created: Moment,
    pub(super) users: BTreeMap<String, DatabaseUser>,
    pub(super) switches: BTreeSet<String>,
    pub(super) encryption_certificate: Option<String>,
    pub(super) mirroring: Option<(Uuid, bool)>,
}

impl DatabaseRecord {
    fn of(entry: &DatabaseEntry) -> Self {
        Self {
            id: entry.id,
            name: entry.name.clone(),
            files: entry
                .engine
                .as_ref()
                .map_or_else(|| entry.files.clone(), crate::engine::Engine::files),
            state: entry.state,
            standby: entry.standby.clone(),
            user_access: entry.user_access,
            is_read_only: entry.is_read_only,
            owner: entry.owner.clone(),
            created: entry.created,
            users: entry.users.clone(),
            switches: entry.switches.clone(),
            encryption_certificate: entry.encryption_certificate.clone(),
            mirroring: entry.mirroring,
        }
    }

    /// The entry, not open yet.
    pub(super) fn into_entry(self) -> DatabaseEntry {
        DatabaseEntry {
            id: self.id,
            name: self.name,
            files: self.files,
            state: self.state,
            standby: self.standby,
            user_access: self.user_access,
            is_read_only: self.is_read_only,
            owner: self.owner,
            created: self.created,
            users: self.users,
            switches: self.switches,
            encryption_certificate: self.encryption_certificate,
            mirroring: self.mirroring,
            engine: None,
            locks: super::locks::Locks::default(),
        }
    }
}

/// Writes the record of `state`, durably.
///
/// # Errors
/// The disk's.
pub(super) fn save(disk: &dyn Disk, path: &dyn Fn(&str) -> String, state: &State) -> Result<(), OsError> {
    let record = Record {
        format: 1,
        server: state.server.clone(),
        databases: state.databases.values().map(DatabaseRecord::of).collect(),
    };
    let bytes = serde_json::to_vec_pretty(&record).expect("plain records become JSON");
    let new = path(NEW_FILE);
    let file = disk.open(&new, Open::Replace)?;
    file.write_at(0, &bytes)?;
    file.sync()?;
    disk.rename(&new, &path(FILE))
}

/// Reads the record; `None` at the first start.
///
/// # Errors
/// The disk's; 13 (the data is invalid) where it is no record of this form.
pub(super) fn load(disk: &dyn Disk, path: &dyn Fn(&str) -> String) -> Result<Option<Record>, OsError> {
    let file = match disk.open(&path(FILE), Open::Read) {
        Err(error) if error.number == 2 || error.number == 3 => return Ok(None),
        opened => opened?,
    };
    let length = file.len()?;
    if length > LONGEST {
        return Err(OsError::new(13));
    }
    let mut bytes = vec![0; usize::try_from(length).map_err(|_| OsError::new(13))?];
    file.read_at(0, &mut bytes)?;
    serde_json::from_slice(&bytes)
        .ok()
        .filter(|record: &Record| record.format == 1)
        .map(Some)
        .ok_or_else(|| OsError::new(13))
}

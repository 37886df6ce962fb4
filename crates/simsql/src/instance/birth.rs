//! The birth of a database: its facts, its files, its entry.

use std::collections::{BTreeMap, BTreeSet};

use super::Instance;
use super::locks::Locks;
use super::state::{DatabaseEntry, DatabaseState, DatabaseUser, UserAccess};
use crate::engine::boot::Protection;
use crate::engine::{Boot, DatabaseFile, Engine, NewDatabase, RecoveryModel, Result};

/// Pages that files grow by where nothing else is said: 64 MB, as from SQL Server 2016 on.
pub(super) const GROWTH: u32 = 8192;
/// Largest size of a log file: 2 TB.
const LOG_MAX: u32 = 268_435_456;

/// A database to be born.
pub(super) struct Birth {
    pub(super) id: u16,
    pub(super) name: String,
    pub(super) recovery_model: RecoveryModel,
    pub(super) files: Vec<DatabaseFile>,
    pub(super) owner: String,
}

impl Instance {
    /// A data or log file in its default place, with the default size.
    pub(super) fn default_file(&self, file_id: u16, logical: &str, path: String) -> DatabaseFile {
        let is_log = file_id == 2;
        DatabaseFile {
            file_id,
            logical_name: logical.to_owned(),
            physical_name: path,
            file_type: if is_log {
                bak::FileType::Log
            } else {
                bak::FileType::Data
            },
            unique_id: self.world.chance.guid(),
            size: self.settings.initial_pages,
            max_size: if is_log { LOG_MAX } else { u32::MAX },
            growth: GROWTH.min(self.settings.initial_pages * 8),
            create_lsn: None,
        }
    }

    /// Makes the files and the entry of a database.
    pub(super) fn give_birth(&self, birth: Birth) -> Result<DatabaseEntry> {
        let now = self.world.clock.now();
        let offset = self.world.clock.offset_minutes(now);
        let version = self.settings.version;
        let boot = Boot {
            name: birth.name.clone(),
            version: version.database_version(),
            created_version: version.database_version(),
            compatibility_level: version.compatibility_level(),
            recovery_model: birth.recovery_model,
            page_verify: Protection::Checksum,
            created: now.local(offset).to_local_time(),
            family_guid: self.world.chance.guid(),
            binding_id: self.world.chance.guid(),
            recovery_fork: self.world.chance.guid(),
            first_fork: None,
            checkpoint_lsn: bak::Lsn::ZERO,
            database_backup_lsn: None,
            differential_base: None,
            log_chain_lsn: None,
            last_log_backup_lsn: None,
            log_backup_time: None,
            redo_start: None,
            bulk_logged: None,
            restored: None,
            option_bits: 0,
        };
        let plan = NewDatabase {
            boot,
            files: birth.files,
        };
        let engine = Engine::create(&self.world, plan, now)?;
        Ok(DatabaseEntry {
            id: birth.id,
            name: birth.name,
            files: engine.files(),
            state: DatabaseState::Online,
            standby: None,
            user_access: UserAccess::Multi,
            is_read_only: false,
            users: owner_as_user(&birth.owner),
            owner: birth.owner,
            created: now,
            switches: BTreeSet::new(),
            encryption_certificate: None,
            mirroring: None,
            engine: Some(engine),
            locks: Locks::default(),
        })
    }
}

/// The user `dbo`, who is the owner.
pub(crate) fn owner_as_user(owner: &str) -> BTreeMap<String, DatabaseUser> {
    let dbo = DatabaseUser {
        name: "dbo".to_owned(),
        login: Some(owner.to_owned()),
        roles: BTreeSet::from(["db_owner".to_owned()]),
        granted: BTreeSet::new(),
        denied: BTreeSet::new(),
    };
    BTreeMap::from([("dbo".to_owned(), dbo)])
}

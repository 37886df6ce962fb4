//! What speaks against a restore, before anything is touched; and what it will do to the database that bears the name.
//!
//! Pure: what the target said comes in, a judgement goes out.

use std::collections::BTreeMap;

use catalog::record::{Allowed, Before, Place, Point, RestoreEnd, Server, ServerState};
use faults::{Code, Fault};
use mssql::databases::{Access, Database, RecoveryModel, State};
use mssql::facts::Platform;

use super::mapping::{LIST_MAX, list_bytes};
use super::paths::PlacedFile;
use super::target::{PathSeen, TargetSeen};
use crate::discovery::seen::state_name;

/// What is judged.
pub(super) struct Case<'a> {
    pub(super) server: &'a Server,
    pub(super) place: &'a Place,
    /// Name of the database that was backed up.
    pub(super) source_name: &'a str,
    pub(super) seen: &'a TargetSeen,
    /// The points of the plan, in their order.
    pub(super) points: &'a [Point],
    pub(super) files: &'a [PlacedFile],
    /// What the target said of paths; those that it did not tell of are not in it.
    pub(super) paths: &'a BTreeMap<String, PathSeen>,
}

/// What a restore will do to the database that bears the name.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Judged {
    /// That database.
    pub(super) before: Option<Before>,
    /// The tail of its log is backed up first.
    pub(super) takes_tail: bool,
    /// Its data files are damaged: the tail is taken without them.
    pub(super) is_damaged: bool,
    /// Its sessions are closed and their transactions rolled back.
    pub(super) drains: bool,
    /// What people should know.
    pub(super) warnings: Vec<Fault>,
}

/// Judges everything.
///
/// # Errors
/// The first thing that speaks against it.
pub(super) fn judge(case: &Case<'_>) -> Result<Judged, Fault> {
    case.instance()?;
    case.system()?;
    case.version()?;
    case.thumbprints()?;
    let mut judged = match &case.seen.database {
        Some(database) if case.place.continues => case.continued(database)?,
        Some(database) => case.existing(database)?,
        None if case.place.continues => {
            return Err(case.fault(
                Code::Bac2RestoreStepRefused,
                "there is no database of that name to go on with",
            ));
        }
        None => Judged::default(),
    };
    case.files()?;
    case.undo()?;
    case.space()?;
    judged.warnings.extend(case.long_list());
    Ok(judged)
}

impl Case<'_> {
    fn fault(&self, code: Code, why: &str) -> Fault {
        Fault::new(code)
            .at(&format!("{}/{}", self.server.name, self.place.name))
            .because(why)
    }

    /// The instance is one that was found fit at its last discovery.
    fn instance(&self) -> Result<(), Fault> {
        match &self.server.state {
            ServerState::Ready => Ok(()),
            ServerState::Faulty { .. } => {
                let why = "the instance was not well when it was last looked at; see its readiness";
                Err(self.fault(Code::Bac2NotReady, why))
            }
            _ => Err(self.fault(Code::Bac2NotReady, "the instance is not registered any more")),
        }
    }

    fn system(&self) -> Result<(), Fault> {
        let names = [self.place.name.as_str(), self.source_name];
        let is = |wanted: &str| names.iter().any(|name| name.eq_ignore_ascii_case(wanted));
        if is("master") || is("tempdb") || is("mssqlsystemresource") {
            return Err(self.fault(
                Code::Bac2SystemDatabaseAsFiles,
                "it is not restored over a running instance",
            ));
        }
        let differs = !self.place.name.eq_ignore_ascii_case(self.source_name);
        if differs
            && ["model", "msdb"]
                .iter()
                .any(|name| self.place.name.eq_ignore_ascii_case(name))
        {
            let why = format!(
                "{} is a system database, and {} is not",
                self.place.name, self.source_name
            );
            return Err(self.fault(Code::Bac2SystemDatabaseAsFiles, &why));
        }
        Ok(())
    }

    /// A database goes to the same major version or a newer one; a system database to the same build alone.
    fn version(&self) -> Result<(), Fault> {
        let here = self.seen.facts.build;
        let is_system = ["model", "msdb"]
            .iter()
            .any(|name| self.source_name.eq_ignore_ascii_case(name));
        for point in self.points {
            let Some(version) = Version::parse(&point.set.software_version) else {
                continue;
            };
            let is_newer = (version.major, version.minor) > (here.major, here.minor);
            let differs =
                (version.major, version.minor, version.build) != (here.major, here.minor, here.build);
            if is_newer || (is_system && differs) {
                let why = format!(
                    "the backup was written by {}, and the target is {here}",
                    point.set.software_version
                );
                return Err(self.fault(Code::Bac2TargetTooOld, &why));
            }
        }
        Ok(())
    }

    fn thumbprints(&self) -> Result<(), Fault> {
        let Some(held) = &self.seen.thumbprints else {
            return Ok(());
        };
        for point in self.points {
            if let Some(wanted) = &point.set.thumbprint
                && !held.contains(&wanted.to_uppercase())
            {
                let why = format!("a backup of the plan was encrypted with thumbprint 0x{wanted}");
                return Err(self.fault(Code::UserErrorCannotFindServerCertificateWithThumbprint, &why));
            }
        }
        Ok(())
    }

    /// A database that an earlier restore left open for more.
    fn continued(&self, database: &Database) -> Result<Judged, Fault> {
        if database.state == State::Restoring || database.is_in_standby {
            return Ok(Judged {
                before: Some(before(database)),
                drains: database.is_in_standby,
                ..Judged::default()
            });
        }
        let why = "the database is neither restoring nor in standby, so nothing can be added to it";
        Err(self.fault(Code::Bac2RestoreStepRefused, why))
    }

    /// A database that is to be given up.
    fn existing(&self, database: &Database) -> Result<Judged, Fault> {
        if !self.place.overwrite {
            let why = format!("a database of that name is there ({:?})", database.state);
            return Err(self.fault(Code::UserErrorCannotRestoreExistingDBWithoutForceOverwrite, &why));
        }
        self.partnership(database)?;
        let mut judged = Judged {
            before: Some(before(database)),
            ..Judged::default()
        };
        self.tail(database, &mut judged)?;
        judged.drains = database.state == State::Online && !judged.takes_tail;
        Ok(judged)
    }

    /// What the database takes part in that a restore over it would break.
    fn partnership(&self, database: &Database) -> Result<(), Fault> {
        let refused = |why: &str| Err(self.fault(Code::Bac2TargetRefused, why));
        let is_allowed = |what| self.place.allowed.contains(&what);
        if database.replica.is_some() || database.group_database.is_some() {
            return refused("it belongs to an availability group");
        }
        if database.mirroring.is_some() {
            return Err(self.fault(
                Code::UserErrorOperationNotAllowedDatabaseMirroringEnabled,
                "it is mirrored",
            ));
        }
        if database.snapshot_of.is_some() {
            return refused("it is a snapshot of another database");
        }
        if database.is_published && !is_allowed(Allowed::Replicated) {
            return refused(
                "it is published for replication; allow that to keep its settings (KEEP_REPLICATION)",
            );
        }
        if database.is_cdc_enabled && !is_allowed(Allowed::ChangeDataCapture) {
            return refused("it captures changed data; allow that to keep it (KEEP_CDC)");
        }
        if self.seen.is_shipped == Some(true) && !is_allowed(Allowed::LogShipped) {
            return refused("its logs are shipped; allow that if log shipping is set up anew afterwards");
        }
        Ok(())
    }

    fn tail(&self, database: &Database, judged: &mut Judged) -> Result<(), Fault> {
        let has_log = matches!(
            database.recovery_model,
            RecoveryModel::Full | RecoveryModel::BulkLogged
        );
        if !has_log || !self.place.tail {
            return Ok(());
        }
        let has_chain = database
            .chain
            .as_ref()
            .is_none_or(|chain| chain.last_log_backup_lsn.is_some());
        match database.state {
            State::Online if database.is_in_standby => {}
            State::Online if !has_chain => {
                let why = "no full backup has begun a log chain of it, so SQL Server backs up no log: take a full first, or go without \
                           the tail (--no-tail)";
                return Err(self.fault(Code::Bac2TailLogFailed, why));
            }
            State::Online => judged.takes_tail = true,
            State::Suspect | State::RecoveryPending => {
                judged.takes_tail = true;
                judged.is_damaged = true;
            }
            State::Emergency => {
                let why = "in state EMERGENCY no log can be backed up";
                return Err(self.fault(Code::Bac2TailLogFailed, why));
            }
            _ => {}
        }
        Ok(())
    }

    fn files(&self) -> Result<(), Fault> {
        let own: Vec<String> = match &self.seen.database {
            Some(database) => database
                .files
                .iter()
                .map(|file| file.physical_name.to_lowercase())
                .collect(),
            None => Vec::new(),
        };
        for placed in self.files {
            let path = placed.path.as_str();
            let unusable =
                |why: &str| Err(self.fault(Code::Bac2RestorePathUnusable, &format!("{path}: {why}")));
            if !self.is_known(path, &own) && !is_absolute(path, self.seen.facts.platform) {
                return unusable("it is no absolute path of the target's platform");
            }
            if let Some(database) = self.seen.taken.get(&path.to_lowercase()) {
                let why = format!("{path} is a file of database {database}");
                return Err(self.fault(Code::UserErrorCannotRestoreExistingDBWithoutForceOverwrite, &why));
            }
            match self.paths.get(path) {
                Some(seen) if seen.is_directory => return unusable("it is a directory"),
                Some(seen) if !seen.has_parent => return unusable("its directory does not exist"),
                Some(seen) if seen.is_file && !own.contains(&path.to_lowercase()) => {
                    return unusable("a file that belongs to no database is there already");
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Where the instance itself says that files lie, or lays new ones: its word on its paths goes before a guess at its platform.
    fn is_known(&self, path: &str, own: &[String]) -> bool {
        let defaults = &self.seen.facts.paths;
        let mut folders = [&defaults.data, &defaults.log].into_iter().flatten();
        own.contains(&path.to_lowercase()) || folders.any(|folder| path.starts_with(folder.as_str()))
    }

    fn undo(&self) -> Result<(), Fault> {
        let RestoreEnd::Standby { undo } = &self.place.end else {
            return Ok(());
        };
        let unusable = |why: &str| Err(self.fault(Code::Bac2RestorePathUnusable, &format!("{undo}: {why}")));
        if !is_absolute(undo, self.seen.facts.platform) {
            return unusable("it is no absolute path of the target's platform");
        }
        if self.files.iter().any(|file| file.path.eq_ignore_ascii_case(undo)) {
            return unusable("a file of the database lies there");
        }
        match self.paths.get(undo) {
            Some(seen) if seen.is_directory => unusable("it is a directory"),
            Some(seen) if !seen.has_parent => unusable("its directory does not exist"),
            _ => Ok(()),
        }
    }

    fn space(&self) -> Result<(), Fault> {
        for room in rooms(self.seen, self.files) {
            if room.needed > room.free {
                let why = format!(
                    "{} has {} bytes free, and the restore needs {}",
                    room.mount, room.free, room.needed
                );
                return Err(self.fault(Code::WlExtGenericIOFaultUserError, &why));
            }
        }
        Ok(())
    }

    /// What somebody who comes from Azure Backup, or goes there, should know.
    fn long_list(&self) -> Option<Fault> {
        let files = self
            .files
            .iter()
            .map(|placed| (placed.file.path.as_str(), placed.file.logical.as_str()));
        let bytes = list_bytes(files);
        let why = format!("the list has {bytes} bytes, and Azure Backup keeps {LIST_MAX}");
        (bytes > LIST_MAX).then(|| self.fault(Code::Bac2FileListTooLong, &why))
    }
}

/// Room on one volume of the target, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Where it is mounted.
    pub mount: String,
    /// Free now.
    pub free: u64,
    /// What the restored files need beyond those that they replace.
    pub needed: u64,
}

/// What each known volume must take.
pub(super) fn rooms(seen: &TargetSeen, files: &[PlacedFile]) -> Vec<Room> {
    let volume = |path: &str| {
        let holds = |mount: &&String| {
            path.get(..mount.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(mount))
        };
        seen.volumes
            .keys()
            .filter(holds)
            .max_by_key(|mount| mount.len())
            .cloned()
    };
    let mut needed: BTreeMap<String, u64> = BTreeMap::new();
    for placed in files {
        if let Some(mount) = volume(&placed.path) {
            let sum = needed.entry(mount).or_default();
            *sum = sum.saturating_add(placed.file.size);
        }
    }
    for file in seen.database.iter().flat_map(|database| &database.files) {
        if let Some(sum) = volume(&file.physical_name).and_then(|mount| needed.get_mut(&mount)) {
            *sum = sum.saturating_sub(file.size);
        }
    }
    let room = |(mount, needed): (String, u64)| Room {
        free: seen.volumes.get(&mount).copied().unwrap_or(0),
        mount,
        needed,
    };
    needed.into_iter().map(room).collect()
}

fn before(database: &Database) -> Before {
    Before {
        id: database.id,
        database_guid: database.chain.as_ref().and_then(|chain| chain.database_guid),
        state: state_name(database.state),
        access: match database.access {
            Access::Multi => "MULTI_USER",
            Access::Single => "SINGLE_USER",
            Access::Restricted => "RESTRICTED_USER",
        }
        .to_owned(),
    }
}

/// Whether a path begins at a root, as the platform writes it.
fn is_absolute(path: &str, platform: Platform) -> bool {
    match platform {
        Platform::Linux => path.starts_with('/'),
        Platform::Windows => {
            let bytes = path.as_bytes();
            let has_drive = bytes.len() > 3
                && bytes[0].is_ascii_alphabetic()
                && bytes[1] == b':'
                && matches!(bytes[2], b'\\' | b'/');
            has_drive || path.starts_with("\\\\")
        }
    }
}

/// A version as headers write it: `16.0.4165`.
struct Version {
    major: u16,
    minor: u16,
    build: u16,
}

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.').map(|part| part.parse::<u16>().ok());
        Some(Self {
            major: parts.next()??,
            minor: parts.next()??,
            build: parts.next()??,
        })
    }
}

#[cfg(test)]
mod tests;

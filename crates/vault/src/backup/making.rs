//! The statement: what is taken, into how many blobs or which file, how written.

use azblob::names::BlobName;
use catalog::record::{Job, OnServer, ServerFolder};
use faults::{Code, Fault};
use mssql::databases::Database;
use mssql::quoting::Identifier;
use mssql::statement::backup::Kind;
use mssql::statement::choice::{self, Choice, Circumstances, Reason, Wishes};
use mssql::statement::{Backup, Codec, Devices, compression};
use schedule::policy::{Algorithm, Compression, Level};
use schedule::{BackupKind, Size};

use super::entry::{Entry, refused};
use super::failing::codes_of_attempts;
use super::ground::{Ground, release};
use super::names::{Attempt, URL_MAX, marker, set_name};
use crate::vault::Vault;

/// Where a backup goes.
pub(super) enum Onto<'a> {
    /// Into a container of the store.
    Store(&'a Entry),
    /// Into a folder on the server.
    Server(&'a ServerFolder),
}

/// A backup ready to be sent.
pub(super) struct Made {
    pub(super) backup: Backup,
    /// The file on the server, in place of blobs.
    pub(super) on_server: Option<Box<OnServer>>,
    pub(super) blobs: Vec<BlobName>,
    pub(super) marker: String,
    /// What departs from the policy's wishes, for the job's record.
    pub(super) notes: Vec<String>,
    /// What people should know.
    pub(super) warnings: Vec<Fault>,
}

impl Vault {
    /// Puts the statement together.
    ///
    /// # Errors
    /// This instance cannot take such a backup.
    pub(super) fn make_backup(
        &self,
        job: &Job,
        ground: &Ground,
        seen: &Database,
        kind: BackupKind,
        onto: &Onto<'_>,
    ) -> Result<Made, Fault> {
        let target = ground.target();
        let internal = |error: &dyn std::fmt::Display| {
            Fault::new(Code::Bac2InternalError)
                .at(&target)
                .because(&error.to_string())
        };
        let chosen = choose(job, ground, seen, kind).map_err(|fault| fault.at(&target))?;
        let attempt = Attempt {
            database: &seen.name,
            item: ground.item.id,
            job,
            kind,
            at: self.now(),
        };
        let (devices, blobs, on_server) = match onto {
            Onto::Store(entry) => {
                let blobs = attempt.blobs(chosen.stripes);
                let devices = devices_of(entry, &blobs).map_err(|fault| fault.at(&target))?;
                (devices, blobs, None)
            }
            Onto::Server(folder) => {
                let path = attempt.file(folder);
                let devices = Devices::files(&[&path]).map_err(|error| internal(&error))?;
                (devices, Vec::new(), Some(Box::new(OnServer::Writes { path })))
            }
        };
        let database = Identifier::new(&seen.name).map_err(|error| internal(&error))?;
        let marker = marker(job, self.id);
        let what = match kind {
            BackupKind::Full => Kind::Full,
            BackupKind::CopyOnlyFull => Kind::CopyOnlyFull,
            BackupKind::Differential => Kind::Differential,
            BackupKind::Log => Kind::Log,
        };
        let mut backup = Backup::new(database, what, devices, &set_name(job), &marker)
            .map_err(|error| internal(&error))?;
        backup.compression = chosen.compression;
        if on_server.is_none() {
            backup.transfer = chosen.transfer;
        }
        let warnings = chosen.reasons.iter().filter_map(|reason| match reason {
            Reason::TdeCompressionBroken(_) => Some(
                Fault::new(Code::Bac2KnownBadBuild)
                    .at(&target)
                    .because(&reason.to_string()),
            ),
            Reason::NoSuchCodec(_) => Some(
                Fault::new(Code::Bac2UnsupportedVersionOrEdition)
                    .at(&target)
                    .because(&reason.to_string()),
            ),
            _ => None,
        });
        Ok(Made {
            warnings: warnings.collect(),
            notes: chosen.reasons.iter().map(ToString::to_string).collect(),
            backup,
            on_server,
            blobs,
            marker,
        })
    }
}

fn devices_of(entry: &Entry, blobs: &[BlobName]) -> Result<Devices, Fault> {
    let urls = entry.urls(blobs);
    if let Some(long) = urls.iter().find(|url| url.len() > URL_MAX) {
        let why = format!("{long} is longer than {URL_MAX} characters: the vault's host name is too long");
        return Err(Fault::new(Code::Bac2LimitReached).because(&why));
    }
    entry.devices(&urls)
}

fn choose(job: &Job, ground: &Ground, seen: &Database, kind: BackupKind) -> Result<Choice, Fault> {
    let (build, edition) = release(&ground.server)?;
    let writing = &ground.policy.writing;
    let unsupported = |why: &str| Fault::new(Code::Bac2UnsupportedVersionOrEdition).because(why);
    if writing.compression == Compression::On && !edition.compresses() {
        return Err(unsupported(
            "its policy wants compression, which this edition does not have",
        ));
    }
    let estimated_bytes = estimate(seen, kind);
    // A blob that was full once asks for twice as many.
    let full_before = codes_of_attempts(job).filter(|code| *code == Code::Bac2UrlBlockLimit);
    let stripes = writing.stripes.count(Size::bytes(estimated_bytes));
    let stripes = u8::try_from(stripes).unwrap_or(64).min(64);
    let stripes = full_before.fold(stripes, |stripes, _| stripes.saturating_mul(2).min(64));
    let here = Circumstances {
        build,
        edition,
        tde: seen.is_encrypted,
        estimated_bytes,
        memory: ground.server.settings.buffer_bytes,
        concurrency: ground.server.settings.jobs_at_once,
    };
    let wishes = Wishes {
        compression: writing.compression != Compression::Off,
        codec: writing.algorithm.map(|algorithm| codec(algorithm, writing.level)),
        encryption: false,
        stripes: Some(stripes),
    };
    choice::choose(&here, &wishes).map_err(refused)
}

fn codec(algorithm: Algorithm, level: Option<Level>) -> Codec {
    match algorithm {
        Algorithm::MsXpress => Codec::MsXpress,
        Algorithm::QatDeflate => Codec::QatDeflate,
        Algorithm::Zstd => Codec::Zstd(level.map(|level| match level {
            Level::Low => compression::Level::Low,
            Level::Medium => compression::Level::Medium,
            Level::High => compression::Level::High,
        })),
    }
}

/// The most that a backup will be, in bytes and uncompressed: its files.
pub(super) fn estimate(seen: &Database, kind: BackupKind) -> u64 {
    match kind {
        BackupKind::Log => seen.log_bytes(),
        _ => seen.data_bytes(),
    }
}

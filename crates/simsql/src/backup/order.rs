//! What a BACKUP statement asks for, resolved: names looked up, defaults of the server applied, options that exclude each other
//! refused.

use bak::writer::BlockSize;

use crate::instance::state::State;
use crate::instance::{Settings, Version};
use crate::media::Device;
use crate::message::Failure;
use crate::tsql::backup::{BackupOptions, BackupStatement, BackupWhat};
use crate::tsql::device::DeviceName;
use crate::tsql::statement::Word;

/// Families of a media set at most.
const FAMILIES: usize = 64;
/// MIRROR TO clauses at most.
const MIRRORS: usize = 3;
/// Characters of a device's name at most.
const DEVICE_NAME: usize = 259;
/// Characters of a name (NAME, MEDIANAME), and of a description.
const NAME: usize = 128;
const DESCRIPTION: usize = 255;
/// MAXTRANSFERSIZE is a multiple of this.
const TRANSFER_UNIT: u64 = 65_536;
/// MAXTRANSFERSIZE to a disk; to a URL from 2022 on 20 MB.
const TRANSFER_MAX: u64 = 4 << 20;
const URL_TRANSFER_MAX: u64 = 20 << 20;
/// MAXTRANSFERSIZE where it is not given.
const TRANSFER_DEFAULT: u64 = 1 << 20;
/// Buffers of a backup that no memory holds: 8 GiB.
const BUFFERS_MAX: u64 = 8 << 30;

/// What is backed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The database.
    Full,
    /// What changed since the last full backup.
    Differential,
    /// The log.
    Log,
}

/// What becomes of the database behind a backup of the tail of its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// Nothing: it goes on.
    Online,
    /// NORECOVERY.
    Restoring,
    /// STANDBY with this undo file.
    Standby(String),
}

/// A statement, resolved.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) kind: Kind,
    /// Leaves base, chain and log as they are. Not with a differential, which ignores COPY_ONLY; NO_TRUNCATE implies it.
    pub(super) copy_only: bool,
    pub(super) database: String,
    /// The families, and for each MIRROR TO the same again.
    pub(super) mirrors: Vec<Vec<Device>>,
    pub(super) checksum: bool,
    /// Asked for in the statement, or else the server's default.
    pub(super) compression: Option<bool>,
    pub(super) compression_default: bool,
    pub(super) encrypted: bool,
    pub(super) continue_after_error: bool,
    pub(super) no_truncate: bool,
    pub(super) after: After,
    /// FORMAT: new media.
    pub(super) format: bool,
    /// INIT: the sets on the media are overwritten, the media stay.
    pub(super) init: bool,
    /// SKIP: what has not expired is overwritten, too.
    pub(super) skip: bool,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) media_name: String,
    pub(super) media_description: String,
    pub(super) credential: Option<String>,
    pub(super) stats: Option<u8>,
    pub(super) block_size: Option<BlockSize>,
    pub(super) max_transfer: u32,
    /// EXPIREDATE as written.
    pub(super) expire_date: Option<String>,
    pub(super) retain_days: Option<u32>,
}

/// What the statement calls itself in messages: `BACKUP LOG`.
pub(super) fn verb(what: BackupWhat) -> &'static str {
    match what {
        BackupWhat::Database => "BACKUP DATABASE",
        BackupWhat::Log => "BACKUP LOG",
    }
}

impl Order {
    /// Resolves a statement.
    ///
    /// # Errors
    /// What is wrong with the statement whatever the state of the database: 3031, 3032, 3044, 3057, 3205, 3206, 3253, ...
    pub(super) fn resolve(
        statement: &BackupStatement,
        settings: &Settings,
        state: &State,
    ) -> Result<Self, Failure> {
        let options = &statement.options;
        check_conflicts(statement)?;
        check_edition(statement, settings)?;
        check_absent(statement)?;
        check_encryption(statement, settings, state)?;
        let families = devices(&statement.devices, settings, state)?;
        let mut mirrors = vec![families];
        for mirror in &statement.mirrors {
            mirrors.push(devices(mirror, settings, state)?);
        }
        check_mirrors(&mirrors, settings)?;
        let to_url = matches!(mirrors[0].first(), Some(Device::Url(_)));
        if to_url && options.credential.is_some() {
            check_page_blob(&mirrors, options)?;
        }
        let kind = match statement.what {
            BackupWhat::Log => Kind::Log,
            BackupWhat::Database if options.differential => Kind::Differential,
            BackupWhat::Database => Kind::Full,
        };
        let default = |name: &str| {
            state
                .server
                .configuration
                .get(name)
                .is_some_and(|value| *value != 0)
        };
        let after = match &options.standby {
            Some(undo) => After::Standby(literal(undo)?),
            None if options.norecovery => After::Restoring,
            None => After::Online,
        };
        let text = |word: &Option<Word>, longest| name(word.as_ref(), longest);
        Ok(Self {
            kind,
            copy_only: kind != Kind::Differential && (options.copy_only || options.no_truncate),
            database: literal(&statement.database)?,
            mirrors,
            checksum: options
                .checksum
                .unwrap_or_else(|| settings.version >= Version::V2014 && default("backup checksum default")),
            compression: options.compression,
            compression_default: default("backup compression default") && settings.edition != EXPRESS,
            encrypted: options.encryption.is_some(),
            continue_after_error: options.continue_after_error || options.no_truncate,
            no_truncate: options.no_truncate,
            after,
            format: options.format == Some(true),
            init: options.init == Some(true),
            skip: options.skip == Some(true),
            name: text(&options.name, NAME)?,
            description: text(&options.description, DESCRIPTION)?,
            media_name: text(&options.media_name, NAME)?,
            media_description: text(&options.media_description, DESCRIPTION)?,
            credential: options.credential.as_ref().map(literal).transpose()?,
            stats: options.stats,
            block_size: options.block_size.map(block_size).transpose()?,
            max_transfer: max_transfer(options, to_url, settings.version)?,
            expire_date: options.expire_date.as_ref().map(literal).transpose()?,
            retain_days: options.retain_days,
        })
    }

    /// Whether the tail of the log is backed up, the database being lost or given up.
    pub(super) fn is_tail(&self) -> bool {
        self.no_truncate || self.after != After::Online
    }

    /// As 3014 and 3041 call it: `BACKUP DATABASE WITH DIFFERENTIAL`.
    pub(super) fn title(&self) -> &'static str {
        match self.kind {
            Kind::Full => "BACKUP DATABASE",
            Kind::Differential => "BACKUP DATABASE WITH DIFFERENTIAL",
            Kind::Log => "BACKUP LOG",
        }
    }
}

/// EngineEdition of Express.
const EXPRESS: u8 = 4;
/// EngineEdition of Enterprise and Developer.
const ENTERPRISE: u8 = 3;

/// The text of a word whose variable, if any, was looked up before.
///
/// # Errors
/// 137.
fn literal(word: &Word) -> Result<String, Failure> {
    match word {
        Word::Literal(text) => Ok(text.clone()),
        Word::Variable(name) => Err(Failure::new(137, &[name])),
    }
}

fn name(word: Option<&Word>, longest: usize) -> Result<String, Failure> {
    let text = word.map(literal).transpose()?.unwrap_or_default();
    if text.encode_utf16().count() > longest {
        let start: String = text.chars().take(30).collect();
        return Err(Failure::new(103, &[&"identifier", &start, &longest]));
    }
    Ok(text)
}

fn check_conflicts(statement: &BackupStatement) -> Result<(), Failure> {
    let options = &statement.options;
    let is_log = statement.what == BackupWhat::Log;
    let unsupported = [
        (is_log && options.differential, "DIFFERENTIAL"),
        (!is_log && options.norecovery, "NORECOVERY"),
        (!is_log && options.standby.is_some(), "STANDBY"),
        (!is_log && options.no_truncate, "NO_TRUNCATE"),
    ];
    if let Some((_, option)) = unsupported.iter().find(|(is_given, _)| *is_given) {
        return Err(Failure::new(3032, &[option]));
    }
    let conflicts = [
        (
            options.norecovery && options.standby.is_some(),
            "NORECOVERY",
            "STANDBY",
        ),
        (options.norecovery && options.copy_only, "NORECOVERY", "COPY_ONLY"),
        (
            options.standby.is_some() && options.copy_only,
            "STANDBY",
            "COPY_ONLY",
        ),
        (
            options.format == Some(true) && options.init == Some(false),
            "FORMAT",
            "NOINIT",
        ),
        (
            options.format == Some(true) && options.skip == Some(false),
            "FORMAT",
            "NOSKIP",
        ),
        (
            options.expire_date.is_some() && options.retain_days.is_some(),
            "EXPIREDATE",
            "RETAINDAYS",
        ),
    ];
    match conflicts.iter().find(|(are_given, ..)| *are_given) {
        Some((_, first, second)) => Err(Failure::new(3031, &[first, second])),
        None => Ok(()),
    }
}

fn check_edition(statement: &BackupStatement, settings: &Settings) -> Result<(), Failure> {
    let options = &statement.options;
    let compresses = options.compression == Some(true) || options.compression_algorithm.is_some();
    let what = verb(statement.what);
    let refuse = |option: &str| {
        let feature = format!("{what} WITH {option}");
        Failure::new(1844, &[&feature, &"Express Edition (64-bit)"])
    };
    match settings.edition {
        EXPRESS if compresses => Err(refuse("COMPRESSION")),
        EXPRESS if options.encryption.is_some() => Err(refuse("ENCRYPTION")),
        _ => Ok(()),
    }
}

/// What the simulation does not do.
fn check_absent(statement: &BackupStatement) -> Result<(), Failure> {
    let options = &statement.options;
    let is_partial =
        statement.read_write_filegroups || !statement.files.is_empty() || !statement.filegroups.is_empty();
    let codec = options.compression_algorithm.as_deref();
    let absent = [
        (is_partial, "BACKUP of files and filegroups"),
        (options.snapshot, "snapshot backups"),
        (
            codec.is_some_and(|codec| !codec.eq_ignore_ascii_case("MS_XPRESS")),
            "compression algorithms other than MS_XPRESS",
        ),
    ];
    match absent.iter().find(|(is_given, _)| *is_given) {
        Some((_, what)) => Err(Failure::new(40_510, &[what])),
        None => Ok(()),
    }
}

/// ENCRYPTION needs what it names.
fn check_encryption(statement: &BackupStatement, settings: &Settings, state: &State) -> Result<(), Failure> {
    let Some(encryption) = &statement.options.encryption else {
        return Ok(());
    };
    if settings.version < Version::V2014 {
        return Err(Failure::new(102, &[&"ENCRYPTION"]));
    }
    let name = &encryption.encryptor;
    let known = state
        .server
        .certificates
        .keys()
        .any(|key| key.eq_ignore_ascii_case(name));
    let kind = match encryption.is_key {
        true => "asymmetric key",
        false if known => return Ok(()),
        false => "certificate",
    };
    Err(Failure::new(15_151, &[&"find", &kind, name]))
}

fn devices(names: &[DeviceName], settings: &Settings, state: &State) -> Result<Vec<Device>, Failure> {
    if names.len() > FAMILIES {
        return Err(Failure::new(3205, &[&FAMILIES]));
    }
    let devices = names
        .iter()
        .map(|name| device(name, settings, state))
        .collect::<Result<Vec<_>, _>>()?;
    let is_url = |device: &Device| matches!(device, Device::Url(_));
    if devices.iter().any(is_url) && !devices.iter().all(is_url) {
        return Err(Failure::new(3011, &[]));
    }
    Ok(devices)
}

fn device(name: &DeviceName, settings: &Settings, state: &State) -> Result<Device, Failure> {
    let check = |text: String| match text.encode_utf16().count() {
        0 => Err(Failure::new(3044, &[])),
        length if length > DEVICE_NAME => Err(Failure::new(3057, &[&DEVICE_NAME])),
        _ => Ok(text),
    };
    match name {
        DeviceName::Url(word) => Ok(Device::Url(check(literal(word)?)?)),
        DeviceName::Disk(word) => Ok(on_disk(check(literal(word)?)?, settings)),
        DeviceName::Tape(word) => {
            let error = crate::world::OsError::new(2);
            Err(Failure::new(3201, &[&literal(word)?, &error]))
        }
        DeviceName::Logical(name) => {
            let known = state
                .server
                .devices
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name));
            let (_, path) = known.ok_or_else(|| Failure::new(3206, &[name]))?;
            Ok(on_disk(path.clone(), settings))
        }
    }
}

/// A path; one that is not absolute is in the backup directory.
fn on_disk(path: String, settings: &Settings) -> Device {
    if path.eq_ignore_ascii_case("NUL") || path.eq_ignore_ascii_case("NUL:") {
        return Device::Nul;
    }
    let has_drive = path.as_bytes().get(1) == Some(&b':');
    if path.starts_with(['/', '\\']) || has_drive {
        return Device::Disk(path);
    }
    Device::Disk(settings.path(&["backup", &path]))
}

fn check_mirrors(mirrors: &[Vec<Device>], settings: &Settings) -> Result<(), Failure> {
    let families = &mirrors[0];
    if mirrors.len() == 1 {
        return Ok(());
    }
    if mirrors.len() > MIRRORS + 1 {
        return Err(Failure::new(3214, &[&MIRRORS]));
    }
    if settings.edition != ENTERPRISE {
        return Err(Failure::new(3218, &[]));
    }
    if mirrors.iter().any(|mirror| mirror.len() != families.len()) {
        return Err(Failure::new(3010, &[]));
    }
    let class = |device: &Device| std::mem::discriminant(device);
    let first = families.first().map(class);
    if !mirrors
        .iter()
        .flatten()
        .all(|device| Some(class(device)) == first)
    {
        return Err(Failure::new(3011, &[]));
    }
    if mirrors.iter().flatten().any(|device| *device == Device::Nul) {
        return Err(Failure::new(3008, &[]));
    }
    Ok(())
}

/// The page blob client takes one device, and no sizes.
fn check_page_blob(mirrors: &[Vec<Device>], options: &BackupOptions) -> Result<(), Failure> {
    if mirrors.len() > 1 || mirrors[0].len() > 1 {
        return Err(Failure::new(3294, &[]));
    }
    let sizes = [
        (options.block_size.is_some(), "BLOCKSIZE"),
        (options.max_transfer_size.is_some(), "MAXTRANSFERSIZE"),
    ];
    match sizes.iter().find(|(is_given, _)| *is_given) {
        Some((_, option)) => Err(Failure::new(3291, &[option])),
        None => Ok(()),
    }
}

fn block_size(bytes: u64) -> Result<BlockSize, Failure> {
    if !bytes.is_power_of_two() {
        return Err(Failure::new(3253, &[]));
    }
    BlockSize::of(bytes).ok_or_else(|| Failure::new(3250, &[&bytes, &"BLOCKSIZE"]))
}

/// MAXTRANSFERSIZE, rounded up to its unit (65537 is how scripts ask for more than one unit).
fn max_transfer(options: &BackupOptions, to_url: bool, version: Version) -> Result<u32, Failure> {
    let asked = options.max_transfer_size.unwrap_or(TRANSFER_DEFAULT);
    let rounded = asked.next_multiple_of(TRANSFER_UNIT);
    let most = if to_url && version >= Version::V2022 {
        URL_TRANSFER_MAX
    } else {
        TRANSFER_MAX
    };
    if asked < TRANSFER_UNIT || asked > most {
        return Err(Failure::new(3250, &[&asked, &"MAXTRANSFERSIZE"]));
    }
    let buffers = options.buffer_count.unwrap_or(1);
    if buffers == 0 {
        return Err(Failure::new(3217, &[&"BUFFERCOUNT"]));
    }
    if buffers.saturating_mul(rounded) > BUFFERS_MAX {
        return Err(Failure::new(701, &[]));
    }
    Ok(rounded.min(most) as u32)
}

//! BACKUP as parsed, in full.

use super::device::DeviceName;
use super::statement::Word;

/// What is backed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackupWhat {
    /// BACKUP DATABASE.
    Database,
    /// BACKUP LOG.
    Log,
}

/// BACKUP DATABASE and BACKUP LOG.
#[derive(Clone, Debug, PartialEq)]
pub struct BackupStatement {
    /// DATABASE or LOG.
    pub what: BackupWhat,
    /// Name.
    pub database: Word,
    /// FILE = and FILEGROUP =: logical names.
    pub files: Vec<Word>,
    /// FILEGROUP =.
    pub filegroups: Vec<Word>,
    /// READ_WRITE_FILEGROUPS.
    pub read_write_filegroups: bool,
    /// TO.
    pub devices: Vec<DeviceName>,
    /// MIRROR TO, each.
    pub mirrors: Vec<Vec<DeviceName>>,
    /// WITH.
    pub options: BackupOptions,
}

/// ENCRYPTION (...).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encryption {
    /// AES_128, AES_192, AES_256, TRIPLE_DES_3KEY.
    pub algorithm: String,
    /// SERVER CERTIFICATE or SERVER ASYMMETRIC KEY.
    pub encryptor: String,
    /// SERVER ASYMMETRIC KEY.
    pub is_key: bool,
}

/// WITH options of BACKUP.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BackupOptions {
    /// DIFFERENTIAL.
    pub differential: bool,
    /// COPY_ONLY.
    pub copy_only: bool,
    /// COMPRESSION (true), NO_COMPRESSION (false).
    pub compression: Option<bool>,
    /// COMPRESSION (ALGORITHM = ...).
    pub compression_algorithm: Option<String>,
    /// ENCRYPTION (...).
    pub encryption: Option<Encryption>,
    /// CHECKSUM (true), NO_CHECKSUM (false).
    pub checksum: Option<bool>,
    /// CONTINUE_AFTER_ERROR.
    pub continue_after_error: bool,
    /// FORMAT (true), NOFORMAT (false).
    pub format: Option<bool>,
    /// INIT (true), NOINIT (false).
    pub init: Option<bool>,
    /// SKIP (true), NOSKIP (false).
    pub skip: Option<bool>,
    /// NAME.
    pub name: Option<Word>,
    /// DESCRIPTION.
    pub description: Option<Word>,
    /// MEDIANAME.
    pub media_name: Option<Word>,
    /// MEDIADESCRIPTION.
    pub media_description: Option<Word>,
    /// CREDENTIAL.
    pub credential: Option<Word>,
    /// STATS, 10 where given without a number.
    pub stats: Option<u8>,
    /// BLOCKSIZE in bytes.
    pub block_size: Option<u64>,
    /// MAXTRANSFERSIZE in bytes.
    pub max_transfer_size: Option<u64>,
    /// BUFFERCOUNT.
    pub buffer_count: Option<u64>,
    /// EXPIREDATE.
    pub expire_date: Option<Word>,
    /// RETAINDAYS.
    pub retain_days: Option<u32>,
    /// NORECOVERY.
    pub norecovery: bool,
    /// STANDBY = undo file.
    pub standby: Option<Word>,
    /// NO_TRUNCATE.
    pub no_truncate: bool,
    /// FILE_SNAPSHOT, METADATA_ONLY.
    pub snapshot: bool,
}

impl BackupStatement {
    /// The same with every variable replaced by what `resolve` says it holds.
    ///
    /// # Errors
    /// Those of `resolve`.
    pub fn resolved<E>(&self, resolve: &dyn Fn(&Word) -> Result<String, E>) -> Result<Self, E> {
        let word = |word: &Word| resolve(word).map(Word::Literal);
        let words = |words: &[Word]| words.iter().map(word).collect::<Result<Vec<_>, E>>();
        let optional = |given: &Option<Word>| given.as_ref().map(word).transpose();
        let device = |device: &DeviceName| {
            Ok(match device {
                DeviceName::Disk(path) => DeviceName::Disk(word(path)?),
                DeviceName::Url(url) => DeviceName::Url(word(url)?),
                DeviceName::Tape(tape) => DeviceName::Tape(word(tape)?),
                DeviceName::Logical(name) => DeviceName::Logical(name.clone()),
            })
        };
        let devices = |devices: &[DeviceName]| devices.iter().map(device).collect::<Result<Vec<_>, E>>();
        let options = &self.options;
        Ok(Self {
            what: self.what,
            database: word(&self.database)?,
            files: words(&self.files)?,
            filegroups: words(&self.filegroups)?,
            read_write_filegroups: self.read_write_filegroups,
            devices: devices(&self.devices)?,
            mirrors: self
                .mirrors
                .iter()
                .map(|mirror| devices(mirror))
                .collect::<Result<Vec<_>, E>>()?,
            options: BackupOptions {
                name: optional(&options.name)?,
                description: optional(&options.description)?,
                media_name: optional(&options.media_name)?,
                media_description: optional(&options.media_description)?,
                credential: optional(&options.credential)?,
                expire_date: optional(&options.expire_date)?,
                standby: optional(&options.standby)?,
                ..options.clone()
            },
        })
    }
}

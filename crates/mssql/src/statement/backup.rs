//! BACKUP.
//!
//! Never FORMAT: every name is new, so the engine itself refuses to overwrite. COMPRESSION or NO_COMPRESSION always stands there,
//! so that no server's default decides. CHECKSUM always.

use std::fmt;

use super::compression::Compression;
use super::devices::Devices;
use crate::quoting::{Identifier, Literal, QuotingError};

/// Longest NAME.
pub const NAME_MAX: usize = 128;
/// Longest DESCRIPTION.
pub const DESCRIPTION_MAX: usize = 255;

/// What is backed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The database; the base of differentials to come.
    Full,
    /// What changed since the last full.
    Differential,
    /// The log; it is truncated.
    Log,
    /// The database; no base of anything.
    CopyOnlyFull,
    /// The log, which stays as it is.
    CopyOnlyLog,
    /// The last log before a restore.
    TailLog(Tail),
}

/// How the tail of the log is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// From a sound database, which is RESTORING after it: nothing can come behind.
    LeaveRestoring,
    /// From a damaged one, whatever of the log is there; the database stays as it is.
    Damaged,
    /// Both.
    DamagedLeaveRestoring,
}

impl Kind {
    /// Whether it is a BACKUP LOG.
    #[must_use]
    pub fn is_log(self) -> bool {
        matches!(self, Self::Log | Self::CopyOnlyLog | Self::TailLog(_))
    }
}

/// ENCRYPTION, with a certificate of master.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encryption {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The certificate's name.
    pub certificate: Identifier,
}

/// An algorithm of ENCRYPTION.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// AES_128.
    Aes128,
    /// AES_192.
    Aes192,
    /// AES_256.
    Aes256,
    /// TRIPLE_DES_3KEY.
    TripleDes,
}

impl Algorithm {
    fn keyword(self) -> &'static str {
        match self {
            Self::Aes128 => "AES_128",
            Self::Aes192 => "AES_192",
            Self::Aes256 => "AES_256",
            Self::TripleDes => "TRIPLE_DES_3KEY",
        }
    }
}

/// Sizes of what goes over the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transfer {
    /// BLOCKSIZE in bytes: a power of two from 512 to 65,536.
    pub block_size: Option<u32>,
    /// MAXTRANSFERSIZE in bytes: a multiple of 65,536.
    pub max_transfer_size: Option<u32>,
    /// BUFFERCOUNT.
    pub buffer_count: Option<u32>,
}

/// BACKUP DATABASE or BACKUP LOG. Prints as the statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// The database.
    pub database: Identifier,
    /// What of it.
    pub kind: Kind,
    /// Where to.
    pub devices: Devices,
    /// COMPRESSION or NO_COMPRESSION.
    pub compression: Compression,
    /// ENCRYPTION.
    pub encryption: Option<Encryption>,
    /// Sizes; not for page blobs.
    pub transfer: Transfer,
    /// NAME, up to 128: shown by RESTORE HEADERONLY and kept in msdb.
    pub name: Literal,
    /// DESCRIPTION, up to 255: by what it says a lost session's backup is found again in msdb.
    pub description: Literal,
}

impl Backup {
    /// A backup without compression, encryption and sizes of its own.
    ///
    /// # Errors
    /// [`QuotingError`] where `name` or `description` is too long or holds NUL.
    pub fn new(
        database: Identifier,
        kind: Kind,
        devices: Devices,
        name: &str,
        description: &str,
    ) -> Result<Self, QuotingError> {
        Ok(Self {
            database,
            kind,
            devices,
            compression: Compression::Off,
            encryption: None,
            transfer: Transfer::default(),
            name: Literal::of("backup's name", name, NAME_MAX)?,
            description: Literal::of("backup's description", description, DESCRIPTION_MAX)?,
        })
    }

    fn options(&self) -> Vec<String> {
        let mut options = Vec::new();
        let mut flag = |keyword: &str| options.push(keyword.to_owned());
        match self.kind {
            Kind::Full | Kind::Log => {}
            Kind::Differential => flag("DIFFERENTIAL"),
            Kind::CopyOnlyFull | Kind::CopyOnlyLog => flag("COPY_ONLY"),
            Kind::TailLog(Tail::LeaveRestoring) => flag("NORECOVERY"),
            Kind::TailLog(Tail::Damaged) => flag("NO_TRUNCATE"),
            Kind::TailLog(Tail::DamagedLeaveRestoring) => {
                flag("NO_TRUNCATE");
                flag("NORECOVERY");
            }
        }
        flag("CHECKSUM");
        flag(&self.compression.to_string());
        options.extend(self.devices.credential());
        if let Some(Encryption {
            algorithm,
            certificate,
        }) = &self.encryption
        {
            let algorithm = algorithm.keyword();
            options.push(format!(
                "ENCRYPTION (ALGORITHM = {algorithm}, SERVER CERTIFICATE = {certificate})"
            ));
        }
        if !matches!(self.devices, Devices::PageBlob { .. }) {
            let sizes = [
                ("BLOCKSIZE", self.transfer.block_size),
                ("MAXTRANSFERSIZE", self.transfer.max_transfer_size),
                ("BUFFERCOUNT", self.transfer.buffer_count),
            ];
            options.extend(
                sizes
                    .iter()
                    .filter_map(|(keyword, size)| size.map(|size| format!("{keyword} = {size}"))),
            );
        }
        options.push(format!("NAME = {}", self.name));
        options.push(format!("DESCRIPTION = {}", self.description));
        options.push("STATS = 5".to_owned());
        options
    }
}

impl fmt::Display for Backup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.kind.is_log() { "LOG" } else { "DATABASE" };
        let options = self.options().join(", ");
        write!(
            f,
            "BACKUP {what} {} TO {} WITH {options};",
            self.database, self.devices
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backup(kind: Kind, devices: Devices) -> Backup {
        let database = Identifier::new("it's [x]").unwrap();
        Backup::new(database, kind, devices, "n", "d'").unwrap()
    }

    #[test]
    fn a_large_full_to_block_blobs() {
        let mut full = backup(
            Kind::Full,
            Devices::urls(&["https://v/c/1", "https://v/c/2"]).unwrap(),
        );
        full.compression = Compression::On;
        full.transfer = Transfer {
            block_size: Some(65_536),
            max_transfer_size: Some(4_194_304),
            buffer_count: Some(16),
        };
        assert_eq!(
            full.to_string(),
            "BACKUP DATABASE [it's [x]]] TO URL = N'https://v/c/1', URL = N'https://v/c/2' WITH CHECKSUM, COMPRESSION, \
             BLOCKSIZE = 65536, MAXTRANSFERSIZE = 4194304, BUFFERCOUNT = 16, NAME = N'n', DESCRIPTION = N'd''', STATS = 5;"
        );
    }

    #[test]
    fn a_page_blob_has_a_credential_and_no_sizes() {
        let mut log = backup(Kind::Log, Devices::page_blob("https://v/c/1", "it's").unwrap());
        log.transfer.max_transfer_size = Some(4_194_304);
        assert_eq!(
            log.to_string(),
            "BACKUP LOG [it's [x]]] TO URL = N'https://v/c/1' WITH CHECKSUM, NO_COMPRESSION, CREDENTIAL = N'it''s', \
             NAME = N'n', DESCRIPTION = N'd''', STATS = 5;"
        );
    }

    #[test]
    fn kinds_have_their_words() {
        let words = |kind| {
            let text = backup(kind, Devices::files(&["/b"]).unwrap()).to_string();
            let (head, rest) = text.split_once(" WITH ").unwrap();
            let (flags, _) = rest.split_once("CHECKSUM").unwrap();
            (head.starts_with("BACKUP LOG "), flags.to_owned())
        };
        assert_eq!(words(Kind::Full), (false, String::new()));
        assert_eq!(words(Kind::Differential), (false, "DIFFERENTIAL, ".to_owned()));
        assert_eq!(words(Kind::CopyOnlyFull), (false, "COPY_ONLY, ".to_owned()));
        assert_eq!(words(Kind::CopyOnlyLog), (true, "COPY_ONLY, ".to_owned()));
        assert_eq!(
            words(Kind::TailLog(Tail::LeaveRestoring)),
            (true, "NORECOVERY, ".to_owned())
        );
        let both = Kind::TailLog(Tail::DamagedLeaveRestoring);
        assert_eq!(words(both), (true, "NO_TRUNCATE, NORECOVERY, ".to_owned()));
    }

    #[test]
    fn never_format() {
        for kind in [Kind::Full, Kind::Log, Kind::TailLog(Tail::Damaged)] {
            let text = backup(kind, Devices::files(&["/b"]).unwrap()).to_string();
            assert!(!text.contains("FORMAT") && !text.contains("INIT"), "{text}");
        }
    }
}

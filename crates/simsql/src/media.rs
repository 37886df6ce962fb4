//! Backup media as BACKUP writes and RESTORE reads them: a file on disk, a blob behind a URL, or nothing at all (NUL).
//!
//! Who fails says so in SQL Server's own messages (3201, 3202, 3203, 3271, ...), without the closing 3013, which is the
//! statement's.

pub mod disk;

use async_trait::async_trait;
use bytes::Bytes;

use crate::message::Failure;

/// A device with its variables resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Device {
    /// A path.
    Disk(String),
    /// `NUL`.
    Nul,
    /// A URL.
    Url(String),
}

impl Device {
    /// As messages and msdb print it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Disk(name) | Self::Url(name) => name,
            Self::Nul => "NUL",
        }
    }
}

/// How a device is opened for a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkPlan {
    /// BLOCKSIZE, the physical block.
    pub block_size: u32,
    /// Bytes of a write at most.
    pub max_transfer_size: u32,
    /// FORMAT: what is there is overwritten.
    pub format: bool,
    /// Where writing begins: 0, or the end of the sets of a disk file that is appended to.
    pub offset: u64,
    /// The expected size in bytes, for clients that declare it.
    pub estimate: u64,
    /// Put Block List in UTF-16, as servers up to 2019 send it.
    pub utf16_lists: bool,
}

/// A credential of the server.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// Its name.
    pub name: String,
    /// IDENTITY.
    pub identity: String,
    /// SECRET; never printed.
    pub secret: String,
}

/// Takes one media family. Each [`MediaSink::write`] is one transfer of SQL Server's: at most `max_transfer_size` bytes.
///
/// Dropped without an end, it leaves what a killed instance leaves: the file as it is, the blob under its lease.
#[async_trait]
pub trait MediaSink: Send {
    /// The next bytes. May return before they are durable; an error of an earlier write may come with a later one or with the end.
    ///
    /// # Errors
    /// 3202 or 3271.
    async fn write(&mut self, bytes: Bytes) -> Result<(), Failure>;
    /// All is written: makes it durable (flush, Put Block List) and lets go (close, release of the lease).
    ///
    /// # Errors
    /// 3202 or 3271; the media is not complete then.
    async fn finish(&mut self) -> Result<(), Failure>;
    /// The backup failed or was cancelled: cleans up as SQL Server does, as far as it can.
    async fn abandon(&mut self);
}

/// Gives one media family.
#[async_trait]
pub trait MediaSource: Send {
    /// Bytes of the media.
    fn len(&self) -> u64;
    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Reads up to `length` bytes at `offset`; fewer only at the end.
    ///
    /// # Errors
    /// 3203 or 3271.
    async fn read_at(&mut self, offset: u64, length: usize) -> Result<Bytes, Failure>;
    /// Lets go (a restore lease is released).
    async fn close(&mut self);
}

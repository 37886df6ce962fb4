//! What an instance takes from outside: time, chance, disk, network. The engine names nothing else, so that the same seed
//! gives the same run, in memory and in simulated time.
//!
//! The machine's own time, disk and network are in [`crate::machine`].

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use crate::moment::Moment;

/// Everything from outside.
#[derive(Clone)]
pub struct World {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub chance: Arc<dyn Chance>,
    /// Files.
    pub disk: Arc<dyn Disk>,
    /// HTTPS.
    pub wire: Arc<dyn Wire>,
    /// What a loss of power does to the process.
    pub power: Arc<dyn Power>,
}

/// The end of an instance by a fault that kills it.
pub trait Power: Send + Sync {
    /// Ends the process where there is one of the instance's own; returns otherwise, and the instance's disk and network fail
    /// from then on.
    fn cut(&self);
}

/// Time and how it passes.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now, in UTC. May jump.
    fn now(&self) -> Moment;
    /// How far local time is ahead of UTC at `moment`, in minutes; changes with daylight saving.
    fn offset_minutes(&self, moment: Moment) -> i16;
    /// Time since the instance's machine started, which never jumps: durations are measured by it.
    fn uptime(&self) -> Duration;
    /// Waits; with zero, lets others run.
    async fn sleep(&self, time: Duration);
}

/// Chance, from a seed.
pub trait Chance: Send + Sync {
    /// The next 64 bits.
    fn next(&self) -> u64;

    /// A new identity (a version 4 UUID).
    fn guid(&self) -> Uuid {
        let bytes = (u128::from(self.next()) << 64 | u128::from(self.next())).to_le_bytes();
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }
}

/// An operation of the disk that failed, with the operating system's number as Windows counts, since SQL Server's messages print it
/// (SQL Server on Linux does, too): 2 no file, 3 no path, 5 denied, 32 in use, 38 end of file, 80 exists, 112 full, 1117 I/O error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{number}({text})")]
pub struct OsError {
    /// Number.
    pub number: i32,
    /// Its text as Windows prints it, without a full stop after it: `The system cannot find the path specified.`
    pub text: String,
}

impl OsError {
    /// The error `number` with its text; `failed to retrieve text for this error` where the table has none.
    #[must_use]
    pub fn new(number: i32) -> Self {
        let text = match number {
            2 => "The system cannot find the file specified.",
            3 => "The system cannot find the path specified.",
            5 => "Access is denied.",
            13 => "The data is invalid.",
            23 => "Data error (cyclic redundancy check).",
            32 => "The process cannot access the file because it is being used by another process.",
            38 => "Reached the end of the file.",
            50 => "The request is not supported.",
            53 => "The network path was not found.",
            80 => "The file exists.",
            86 => "The specified network password is not correct.",
            87 => "The parameter is incorrect.",
            112 => "There is not enough space on the disk.",
            123 => "The filename, directory name, or volume label syntax is incorrect.",
            995 => {
                "The I/O operation has been aborted because of either a thread exit or an application request."
            }
            1117 => "The request could not be performed because of an I/O device error.",
            _ => "failed to retrieve text for this error. Reason: 15105",
        };
        Self {
            number,
            text: text.to_owned(),
        }
    }
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// Reads an existing file.
    Read,
    /// Reads and writes an existing file.
    Write,
    /// Makes a file that does not exist yet (80 where it does).
    Create,
    /// Makes a file, empties an existing one.
    Replace,
}

/// Files. Paths are absolute, as the instance prints them.
pub trait Disk: Send + Sync {
    /// Opens a file.
    ///
    /// # Errors
    /// As [`OsError`] lists them.
    fn open(&self, path: &str, how: Open) -> Result<Arc<dyn DiskFile>, OsError>;
    /// Removes a file.
    ///
    /// # Errors
    /// As [`OsError`] lists them.
    fn remove(&self, path: &str) -> Result<(), OsError>;
    /// Renames a file over whatever has the new name, durably.
    ///
    /// # Errors
    /// As [`OsError`] lists them.
    fn rename(&self, from: &str, to: &str) -> Result<(), OsError>;
    /// Makes a directory and those above it.
    ///
    /// # Errors
    /// As [`OsError`] lists them.
    fn create_directory(&self, path: &str) -> Result<(), OsError>;
    /// Whether there is a file, a directory, or nothing.
    fn look(&self, path: &str) -> Option<Kind>;
    /// Names in a directory, sorted.
    ///
    /// # Errors
    /// As [`OsError`] lists them.
    fn list(&self, path: &str) -> Result<Vec<String>, OsError>;
    /// Bytes in all and free on the volume of a path.
    fn space(&self, path: &str) -> Space;
}

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A directory.
    Directory,
}

/// Room on a volume, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// In all.
    pub total: u64,
    /// Free.
    pub free: u64,
    /// Which volume: paths of one have the same number.
    pub volume: u64,
}

/// An open file. Bytes written are read back at once; they survive a loss of power only once [`DiskFile::sync`] returned.
#[allow(clippy::len_without_is_empty)] // A file's length can fail to be told; nobody asks whether it is empty.
pub trait DiskFile: Send + Sync {
    /// Reads exactly `bytes.len()` bytes (38 beyond the end).
    ///
    /// # Errors
    /// As [`OsError`] lists them.
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<(), OsError>;
    /// Writes; the file grows where needed.
    ///
    /// # Errors
    /// As [`OsError`] lists them.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), OsError>;
    /// Sets the length; new bytes are zero.
    ///
    /// # Errors
    /// As [`OsError`] lists them.
    fn set_len(&self, length: u64) -> Result<(), OsError>;
    /// Bytes.
    ///
    /// # Errors
    /// As [`OsError`] lists them.
    fn len(&self) -> Result<u64, OsError>;
    /// Makes what was written survive a loss of power.
    ///
    /// # Errors
    /// As [`OsError`] lists them.
    fn sync(&self) -> Result<(), OsError>;
}

/// Why a request had no answer; the number is WinHTTP's or Windows' (12002 time out, 12007 name, 12029 connect, 12030 aborted,
/// 12175 TLS), as SQL Server prints it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WireError(pub OsError);

/// The network: one request to a URL, its whole answer. Connections are kept and reused behind it.
#[async_trait]
pub trait Wire: Send + Sync {
    /// Sends a request whose URI is absolute.
    ///
    /// # Errors
    /// Where there is no answer.
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, WireError>;
}

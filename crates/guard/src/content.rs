//! What a locked blob holds.

use bak::{BackupType, Container, LocalTime};

/// What the first bytes, or the name, say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A SQL Server backup, or the beginning of one.
    Backup(Box<Contained>),
    /// No committed byte.
    Empty,
    /// A database file that SQL Server runs on: breaking its lease takes the database down.
    DataFile,
    /// A log file that SQL Server runs on.
    LogFile,
    /// The disk of a virtual machine (`.vhd`, `.vhdx`).
    Disk,
    /// Bytes that are no backup.
    Other,
    /// Could not be read; one sentence why.
    Unread(String),
}

/// What the headers of a backup say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contained {
    /// Plain or compressed.
    pub container: Container,
    /// Of the first set; empty where the blob ends before it says so.
    pub database_name: String,
    /// Of the first set.
    pub server_name: String,
    /// Of the first set.
    pub backup_type: Option<BackupType>,
    /// When it began, on the server's clock.
    pub backup_start_date: Option<LocalTime>,
    /// Whether it is whole, by its headers.
    pub ending: Ending,
    /// How many sets could be seen.
    pub sets: usize,
}

/// Whether a backup is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Its last set has its commit record and trailer, or, where it would have taken too much reading to see them all, its
    /// last block is the one that closes a set. Not verified: pages and log were passed over.
    Complete,
    /// It ends before that.
    CutShort,
    /// It would have taken too much reading to know.
    Unknown,
}

impl Content {
    /// Whether breaking the lease could take a running database or machine down.
    pub fn is_in_use_by_its_nature(&self) -> bool {
        matches!(self, Self::DataFile | Self::LogFile | Self::Disk)
    }

    /// The word of the JSON contract.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Backup(_) => "backup",
            Self::Empty => "empty",
            Self::DataFile => "dataFile",
            Self::LogFile => "logFile",
            Self::Disk => "disk",
            Self::Other => "other",
            Self::Unread(_) => "unread",
        }
    }
}

impl Ending {
    /// `complete` of the JSON contract.
    pub fn as_bool(self) -> Option<bool> {
        match self {
            Self::Complete => Some(true),
            Self::CutShort => Some(false),
            Self::Unknown => None,
        }
    }
}

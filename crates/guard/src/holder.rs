//! Who holds a lease, as far as it can be known.

use serde::Serialize;

/// Who holds the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Holder {
    /// SQL Server's RESTORE: the lease has the well-known id BAC2BAC2-BAC2-BAC2-BAC2-BAC2BAC2BAC2.
    Restore,
    /// SQL Server's BACKUP, on positive evidence.
    Backup(Evidence),
    /// Anyone: a disk, a database file, another program; or a backup that has not written anything yet.
    Unknown,
}

/// What shows that a backup holds the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Evidence {
    /// The content begins with `TAPE`, a plain backup.
    TapeHeader,
    /// The content begins with `MSSQLBAK`, a compressed backup.
    CompressedHeader,
    /// Uncommitted blocks have ids of SQL Server's form, `BLOCKID` and five digits.
    BlockIds,
}

impl Holder {
    /// The word of the JSON contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Restore => "restore",
            Self::Backup(_) => "backup",
            Self::Unknown => "unknown",
        }
    }
}

impl Evidence {
    /// The word of the JSON contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TapeHeader => "tapeHeader",
            Self::CompressedHeader => "compressedHeader",
            Self::BlockIds => "blockIds",
        }
    }
}

//! What a file is by its first bytes: a plain backup, a compressed one, a raw database or log file, or nothing known.
//!
//! A raw data or log file is recognised by its first page (page header version 1, type 15 "file header", page 0 of its own file): it
//! is worth its own sentence because people do point a reader of backups at them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bytes::xor_words;
use crate::compressed;
use crate::mtf::block::HEADER;
use crate::mtf::oddity::bits_apart;

/// How a backup is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Container {
    /// Plain Microsoft Tape Format.
    Mtf,
    /// SQL Server's compressed container around it.
    MssqlBak,
}

impl Container {
    /// The name in the JSON contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mtf => "mtf",
            Self::MssqlBak => "mssqlbak",
        }
    }
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A file that is no backup at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Foreign {
    /// No bytes.
    Empty,
    /// A raw database file (.mdf, .ndf).
    DataFile,
    /// A raw transaction log file (.ldf).
    LogFile,
    /// Nothing this reader knows.
    Unknown,
}

impl Foreign {
    /// What the file is and what to do, for the person who gave it.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Empty => "the file is empty: no backup was written to it",
            Self::DataFile => {
                "this is a raw SQL Server database file (.mdf or .ndf), not a backup: attach it to an instance and back that database up"
            }
            Self::LogFile => {
                "this is a raw SQL Server transaction log file (.ldf), not a backup: a log backup comes from BACKUP LOG"
            }
            Self::Unknown => {
                "this is not a SQL Server backup: it begins neither with a tape header (TAPE) nor with MSSQLBAK"
            }
        }
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// A backup, wrapped so.
    Backup(Container),
    /// No backup.
    Foreign(Foreign),
}

/// Bytes that [`sniff`] needs to name a raw data or log file; a backup shows itself in the first eight.
pub const SNIFF_SIZE: usize = PAGE + 2;

const PAGE: usize = 8192;

/// What the file is that begins with `start`, of which [`SNIFF_SIZE`] bytes are always enough. `whole` says that nothing follows
/// `start`. `None` where more bytes are needed.
///
/// A backup whose first letters lost one bit is still recognised as one, by the rest of its header; so is one cut within its first
/// letters.
#[must_use]
pub fn sniff(start: &[u8], whole: bool) -> Option<FileKind> {
    if start.is_empty() {
        return whole.then_some(FileKind::Foreign(Foreign::Empty));
    }
    for (magic, container) in [
        (TAPE, Container::Mtf),
        (compressed::MAGIC.as_slice(), Container::MssqlBak),
    ] {
        if start.starts_with(magic) {
            return Some(FileKind::Backup(container));
        }
        if magic.starts_with(start) {
            return whole.then_some(FileKind::Backup(container));
        }
        let letters = start.len().min(magic.len());
        if bits_apart(&start[..letters], &magic[..letters]) == 1 {
            match start.first_chunk::<HEADER>() {
                None if !whole => return None,
                Some(header) if has_one_bit_wrong(header, container) => {
                    return Some(FileKind::Backup(container));
                }
                _ => {}
            }
        }
    }
    if start.len() < SNIFF_SIZE && start.starts_with(&[1, FILE_HEADER_PAGE]) && !whole {
        return None;
    }
    Some(FileKind::Foreign(
        raw_database_file(start).unwrap_or(Foreign::Unknown),
    ))
}

const TAPE: &[u8] = b"TAPE";

/// Whether the header, whose first letters are one bit off, is otherwise that of a backup.
fn has_one_bit_wrong(header: &[u8; HEADER], container: Container) -> bool {
    let mut mended = *header;
    match container {
        Container::Mtf => {
            mended[..TAPE.len()].copy_from_slice(TAPE);
            xor_words(&mended) == 0
        }
        // The version of the container follows its letters.
        Container::MssqlBak => mended[8..16] == [2, 0, 0, 0, 3, 0, 0, 0],
    }
}

/// Page type "file header".
const FILE_HEADER_PAGE: u8 = 15;

/// Page type "page free space": the second page of every data file.
const PAGE_FREE_SPACE: u8 = 11;

/// First byte of the header of a virtual log file, which follows the first page of a log file (seen in a real .ldf).
const VIRTUAL_LOG_FILE: u8 = 0xab;

fn raw_database_file(start: &[u8]) -> Option<Foreign> {
    let first: &[u8; PAGE] = start.first_chunk()?;
    let second = start.get(PAGE..SNIFF_SIZE)?;
    // Page header: 0 version, 1 type, 32 page id (0, the first).
    if !first.starts_with(&[1, FILE_HEADER_PAGE]) || first[32..36] != [0; 4] {
        return None;
    }
    match second {
        [1, PAGE_FREE_SPACE] => Some(Foreign::DataFile),
        [VIRTUAL_LOG_FILE, _] => Some(Foreign::LogFile),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Container, FileKind, Foreign, SNIFF_SIZE, sniff};

    #[test]
    fn a_backup_shows_itself_in_its_first_bytes() {
        assert_eq!(sniff(b"TAPE", false), Some(FileKind::Backup(Container::Mtf)));
        assert_eq!(
            sniff(b"MSSQLBAK\x02\0", false),
            Some(FileKind::Backup(Container::MssqlBak))
        );
        assert_eq!(sniff(b"MSSQL", false), None);
        assert_eq!(sniff(b"TA", false), None);
        assert_eq!(sniff(b"TA", true), Some(FileKind::Backup(Container::Mtf)));
    }

    #[test]
    fn what_is_no_backup_is_named() {
        assert_eq!(sniff(b"", false), None);
        assert_eq!(sniff(b"", true), Some(FileKind::Foreign(Foreign::Empty)));
        assert_eq!(
            sniff(b"PK\x03\x04", false),
            Some(FileKind::Foreign(Foreign::Unknown))
        );
        let mut page = vec![0; SNIFF_SIZE];
        page[0..2].copy_from_slice(&[1, 15]);
        page[8192..].copy_from_slice(&[1, 11]);
        assert_eq!(sniff(&page[..100], false), None);
        assert_eq!(sniff(&page, false), Some(FileKind::Foreign(Foreign::DataFile)));
        page[8192..].copy_from_slice(&[0xab, 2]);
        assert_eq!(sniff(&page, false), Some(FileKind::Foreign(Foreign::LogFile)));
        page[8192..].copy_from_slice(&[0, 0]);
        assert_eq!(sniff(&page, false), Some(FileKind::Foreign(Foreign::Unknown)));
    }
}

//! The configuration of a backup set: the MQCI stream of MSCI (as known at the start) and of MSLS (final).
//!
//! A sequence of chunks, each a four-letter tag and a u32 length that counts the tag: one SCIN, one or more SFGI (filegroups), one
//! SFIN for each database file, in this order in every real file. No checksum covers it. What protects it is that it is written
//! twice: [`Config::identity_differs`] compares what cannot change while a backup runs.

pub(crate) mod scin;
pub(crate) mod sfgi;
pub(crate) mod sfin;

use std::ops::Range;

use scin::Scin;
use sfgi::FileGroup;
use sfin::FileInfo;
use uuid::Uuid;

use crate::backup_set::{DatabaseFile, FileType};
use crate::bytes::{u16_at, u32_at, utf16};

/// A configuration as read.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) scin: Scin,
    pub(crate) groups: Vec<FileGroup>,
    pub(crate) files: Vec<FileInfo>,
    /// Tags of chunks this reader does not know.
    pub(crate) unknown: Vec<String>,
    raw: Vec<u8>,
}

/// Bytes of each chunk that may change between the start and the end of a backup: LSNs, sizes, dates, flags. All that changed in 86
/// real sets lies in them.
const CHANGING: [(&[u8; 4], &[Range<usize>]); 3] = [
    (
        b"SCIN",
        &[
            8..12,
            28..62,
            82..87,
            91..92,
            96..104,
            144..156,
            244..260,
            332..364,
        ],
    ),
    (b"SFGI", &[8..12, 44..140]),
    (b"SFIN", &[8..12, 24..32, 40..48, 158..186, 202..272]),
];

/// Bytes of a chunk's tag and length.
const CHUNK_HEADER: usize = 8;

impl Config {
    /// Reads an MQCI stream; the error is a sentence about what cannot be read.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut scin = None;
        let mut groups = Vec::new();
        let mut files = Vec::new();
        let mut unknown = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let at = bytes.len() - rest.len();
            let length = u32_at(rest, 4) as usize;
            if length < CHUNK_HEADER || length > rest.len() {
                return Err(format!(
                    "the chunk at byte {at} of the configuration has no possible length"
                ));
            }
            let (chunk, after) = rest.split_at(length);
            match &chunk[..4] {
                b"SCIN" if scin.is_none() => scin = Some(Scin::parse(chunk)?),
                b"SCIN" => return Err("the configuration describes two backup sets".into()),
                b"SFGI" => groups.push(FileGroup::parse(chunk)?),
                b"SFIN" => files.push(FileInfo::parse(chunk)?),
                tag => unknown.push(tag.escape_ascii().to_string()),
            }
            rest = after;
        }
        let scin = scin.ok_or("the configuration holds no SCIN chunk")?;
        if files.is_empty() {
            return Err("the configuration names no database file".into());
        }
        Ok(Self {
            scin,
            groups,
            files,
            unknown,
            raw: bytes.to_vec(),
        })
    }

    /// Bytes of the stream it was read from.
    pub(crate) fn size(&self) -> u64 {
        self.raw.len() as u64
    }

    /// The set GUID that the data files of a full backup repeat once it is committed; `None` where none does.
    pub(crate) fn repeated_set_guid(&self) -> Option<Uuid> {
        let files = self.files.iter().filter(|file| !file.is_log());
        files.map(|file| file.set_guid).find(|guid| !guid.is_nil())
    }

    /// The files in the form of the report.
    pub(crate) fn database_files(&self) -> Vec<DatabaseFile> {
        self.files.iter().map(|file| self.database_file(file)).collect()
    }

    fn database_file(&self, file: &FileInfo) -> DatabaseFile {
        let group = self.groups.iter().find(|group| group.id == file.group_id);
        DatabaseFile {
            file_id: file.file_id,
            logical_name: file.logical_name.clone(),
            physical_name: file.physical_name.clone(),
            file_type: if file.is_log() {
                FileType::Log
            } else {
                FileType::Data
            },
            filegroup: (!file.is_log())
                .then(|| group.map(|group| group.name.clone()))
                .flatten(),
            size: file.size,
            max_size: file.max_size,
            unique_id: (!file.unique_id.is_nil()).then_some(file.unique_id),
        }
    }

    /// What in two configurations of the same backup set differs although nothing can change it while the backup runs; `None` where
    /// they agree.
    pub(crate) fn identity_differs(&self, other: &Self) -> Option<&'static str> {
        if let Some(what) = self.scin.identity_differs(&other.scin) {
            return Some(what);
        }
        if self.groups != other.groups {
            return Some("the filegroups");
        }
        let same_files = self
            .files
            .iter()
            .map(FileInfo::identity)
            .eq(other.files.iter().map(FileInfo::identity));
        if !same_files {
            return Some("the database files");
        }
        // A field whose meaning is not known may change for a reason that is not known; but not by a single bit of all of them.
        (self.bits_apart_in_what_stays(other) == 1).then_some("one bit")
    }

    fn bits_apart_in_what_stays(&self, other: &Self) -> u64 {
        if self.raw.len() != other.raw.len() {
            return 0;
        }
        let (mut bits, mut at) = (0, 0);
        while at + CHUNK_HEADER <= self.raw.len() {
            let length = (u32_at(&self.raw, at + 4) as usize).max(CHUNK_HEADER);
            let end = (at + length).min(self.raw.len());
            let changing = CHANGING.iter().find(|(tag, _)| self.raw[at..].starts_with(*tag));
            let changing = changing.map_or(&[][..], |(_, ranges)| *ranges);
            for (index, (a, b)) in self.raw[at..end].iter().zip(&other.raw[at..end]).enumerate() {
                if !changing.iter().any(|range| range.contains(&index)) {
                    bits += u64::from((a ^ b).count_ones());
                }
            }
            at = end;
        }
        bits
    }
}

/// The UTF-16 text that the tape address at `at` of a chunk points to.
fn chunk_text(chunk: &[u8], at: usize, what: &str) -> Result<String, String> {
    let size = usize::from(u16_at(chunk, at));
    let start = usize::from(u16_at(chunk, at + 2));
    if size == 0 {
        return Ok(String::new());
    }
    let bytes = chunk
        .get(start..start + size)
        .filter(|bytes| bytes.len().is_multiple_of(2) && start >= CHUNK_HEADER);
    bytes
        .map(utf16)
        .ok_or_else(|| format!("{what} lies outside of its chunk of the configuration"))
}

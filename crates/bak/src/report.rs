//! What the verifier found out about one file: the JSON contract of `inspect` and `verify` as one value.
//!
//! The command line adds what a stream of bytes cannot know: the name of the file, its size, how long it took.

use serde::{Deserialize, Serialize};

use crate::backup_set::{BackupSet, Media};
use crate::damage::Damage;
use crate::log::fingerprint::LogFingerprint;
use crate::sniff::{Container, Foreign};
use crate::verdict::Verdict;

/// The only reason in the report of [`crate::Verifier::headers_only`] on a backup that its headers find no fault with.
pub const ONLY_HEADERS_READ: &str = "only the headers were read";

/// Everything found out about one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// How the backup is wrapped; `None` for a file that is no backup.
    pub container: Option<Container>,
    /// The media that the file is; `None` where the file ends or breaks before it says so.
    pub media: Option<Media>,
    /// The backup sets whose configuration could be read.
    pub sets: Vec<BackupSet>,
    /// What the log in each of the sets looks like, in their order; `None` where a set has no log in this file, or it was not read, or
    /// anything is wrong with it. No part of what `inspect` and `verify` print. Empty in reports of before there were fingerprints.
    #[serde(default)]
    pub log_fingerprints: Vec<Option<LogFingerprint>>,
    /// The conclusion.
    pub verdict: Verdict,
    /// Why the verdict is not `ok`, one sentence each.
    pub reasons: Vec<String>,
    /// Pages, by what protects them.
    pub pages: PageCounts,
    /// Blocks of transaction log.
    pub log_blocks: LogBlockCounts,
    /// Stream checksums (BACKUP ... WITH CHECKSUM).
    pub stream_checksums: StreamChecksumCounts,
    /// The first [`crate::limits::DAMAGE_LISTED`] findings.
    pub damage: Vec<Damage>,
    /// All findings, listed or not.
    pub damage_count: u64,
    /// Bytes read (or skipped) from the start of the file.
    pub bytes: u64,
    /// What the file is where it is no backup at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreign: Option<Foreign>,
}

impl Report {
    /// What the log in the set at this index of `sets` looks like, where that is known.
    #[must_use]
    pub fn log_fingerprint(&self, index: usize) -> Option<&LogFingerprint> {
        self.log_fingerprints.get(index)?.as_ref()
    }

    /// What the file is, where it is no backup at all: `inspect` and `verify` refuse it with [`Foreign::sentence`].
    #[must_use]
    pub fn foreign(&self) -> Option<Foreign> {
        self.foreign
    }
}

/// The 8 KiB slots of the page streams. Each slot counts once, in exactly one of the other fields; `total` is their sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PageCounts {
    /// All slots, a second pass over changed extents included.
    pub total: u64,
    /// Checksum holds, and the page is the one that belongs in its slot.
    pub checksum_ok: u64,
    /// Checksum does not hold, or a header is damaged so that the page does not show which protection it has, or wrong page.
    pub checksum_bad: u64,
    /// Torn-page bits agree.
    pub torn_ok: u64,
    /// Torn-page bits disagree, or wrong page.
    pub torn_bad: u64,
    /// Formatted, with neither checksum nor torn-page bits.
    pub unprotected: u64,
    /// Never formatted since the extent was allocated; carries zeros or stale bytes.
    pub unformatted: u64,
}

/// Blocks of transaction log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogBlockCounts {
    /// Checksum holds.
    pub ok: u64,
    /// Checksum or form does not hold.
    pub bad: u64,
    /// Well formed, without a checksum.
    pub unchecked: u64,
}

/// Stream checksums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamChecksumCounts {
    /// Holds.
    pub ok: u64,
    /// Does not hold.
    pub bad: u64,
}

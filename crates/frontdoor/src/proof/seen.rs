//! What a run's verifier has seen: `bak`'s verifier, and the first bytes, which tell whether it is worth anything.

use bak::sniff::SNIFF_SIZE;
use bak::{FileKind, Verdict, Verifier, sniff};

use super::shelf::Finding;
use crate::limits;

/// A verifier in the middle of a blob.
#[derive(Clone)]
pub(crate) struct Seen {
    verifier: Box<Verifier>,
    start: Vec<u8>,
    kind: Option<FileKind>,
    bytes: u64,
    read_back: u64,
    /// Zeros that were held back: a page blob is longer than the backup in it.
    zeros: u64,
}

/// Zeros to feed.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// The largest block of a backup, and so the most zeros that its last block may end with, bytes.
const LARGEST_BLOCK: u64 = 64 * 1024;

/// Backups end at multiples of this, bytes.
const SECTOR: u64 = 512;

impl Default for Seen {
    fn default() -> Self {
        Seen {
            verifier: Box::new(Verifier::new()),
            start: Vec::new(),
            kind: None,
            bytes: 0,
            read_back: 0,
            zeros: 0,
        }
    }
}

impl Seen {
    /// Takes the next bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        if self.kind.is_none() {
            let room = SNIFF_SIZE - self.start.len();
            self.start.extend_from_slice(&bytes[..bytes.len().min(room)]);
            self.kind = sniff(&self.start, false);
        }
        if !self.is_foreign() {
            self.verifier.push(bytes);
        }
    }

    /// Takes bytes that had to be read from the store.
    pub(crate) fn push_read_back(&mut self, bytes: &[u8]) {
        self.read_back += bytes.len() as u64;
        self.push(bytes);
    }

    /// Takes bytes of a page blob that had to be read from the store, and holds back zeros until something follows them.
    pub(crate) fn push_padded(&mut self, bytes: &[u8]) {
        let content = bytes.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
        if content > 0 && self.zeros <= limits::PROOF_HOLE {
            while self.zeros > 0 {
                self.push_zeros(ZEROS.len() as u64);
            }
            self.push_read_back(&bytes[..content]);
        }
        self.hole((bytes.len() - content) as u64);
    }

    /// Takes bytes of a page blob that were never written.
    pub(crate) fn hole(&mut self, bytes: u64) {
        self.zeros = self.zeros.saturating_add(bytes);
    }

    /// Whether the rest of a page blob does not matter.
    pub(crate) fn is_past_it(&self) -> bool {
        self.is_foreign() || self.zeros > limits::PROOF_HOLE
    }

    fn push_zeros(&mut self, most: u64) {
        let count = self.zeros.min(most).min(ZEROS.len() as u64);
        self.zeros -= count;
        self.push(&ZEROS[..usize::try_from(count).expect("it fits the zeros")]);
    }

    /// The conclusion for a page blob: its backup ends with as many of the zeros that were held back as its last block
    /// needs.
    pub(crate) fn finish_padded(mut self) -> Finding {
        let shortest = self.clone().finish();
        let ends = |finding: &Finding| !matches!(finding, Finding::Backup(report) if matches!(report.verdict, Verdict::Truncated | Verdict::Damaged));
        if ends(&shortest) {
            return shortest;
        }
        let furthest = self.bytes + self.zeros.min(LARGEST_BLOCK);
        while self.bytes < furthest && self.zeros > 0 {
            self.push_zeros(SECTOR - self.bytes % SECTOR);
            let finding = self.clone().finish();
            if ends(&finding) {
                return finding;
            }
        }
        shortest
    }

    /// Whether the rest does not matter, because this is no backup.
    pub(crate) fn is_foreign(&self) -> bool {
        matches!(self.kind, Some(FileKind::Foreign(_)))
    }

    /// Bytes seen.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes that had to be read from the store.
    pub(crate) fn read_back(&self) -> u64 {
        self.read_back
    }

    /// The conclusion, as if the blob ended here.
    pub(crate) fn finish(self) -> Finding {
        let kind = self.kind.or_else(|| sniff(&self.start, true));
        if !matches!(kind, Some(FileKind::Backup(_))) {
            return Finding::Foreign;
        }
        let report = self.verifier.finish();
        match report.foreign() {
            Some(_) => Finding::Foreign,
            None => Finding::Backup(Box::new(report)),
        }
    }
}

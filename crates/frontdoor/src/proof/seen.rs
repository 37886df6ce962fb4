//! What a run's verifier has seen: `bak`'s verifier, and the first bytes, which tell whether it is worth anything.

use bak::sniff::SNIFF_SIZE;
use bak::{FileKind, Verifier, sniff};

use super::shelf::Finding;

/// A verifier in the middle of a blob.
#[derive(Clone)]
pub(crate) struct Seen {
    verifier: Box<Verifier>,
    start: Vec<u8>,
    kind: Option<FileKind>,
    bytes: u64,
    read_back: u64,
}

impl Default for Seen {
    fn default() -> Self {
        Seen {
            verifier: Box::new(Verifier::new()),
            start: Vec::new(),
            kind: None,
            bytes: 0,
            read_back: 0,
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

//! A backup file as the demo reads it: by position, from several connections at once, and with one bit flipped where
//! the story wants a bad day. The file itself is never changed.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bak::{Report, Verifier};

/// Read at once when a whole file goes through the verifier.
const PIECE_BYTES: usize = 1024 * 1024;

/// One bit that differs from the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flip {
    /// Byte in the file.
    pub(super) offset: u64,
    /// Bit in that byte, 0 to 7.
    pub(super) bit: u8,
}

/// A file to upload.
#[derive(Debug, Clone)]
pub(super) struct Source {
    path: PathBuf,
    bytes: u64,
    flip: Option<Flip>,
}

impl Source {
    /// The file as it is.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let bytes = File::open(path)?.metadata()?.len();
        Ok(Self {
            path: path.to_owned(),
            bytes,
            flip: None,
        })
    }

    /// The same file with one bit flipped on the way.
    pub(super) fn flipped(&self, flip: Flip) -> Self {
        Self {
            flip: Some(flip),
            ..self.clone()
        }
    }

    /// Size in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The part of at most `length` bytes that starts at `offset`.
    pub(super) fn read(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let length = self.bytes.saturating_sub(offset).min(length as u64);
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut part = vec![0; usize::try_from(length).expect("no longer than the buffer asked for")];
        file.read_exact(&mut part)?;
        if let Some(flip) = self.flip {
            let within = flip
                .offset
                .checked_sub(offset)
                .and_then(|at| usize::try_from(at).ok());
            if let Some(byte) = within.and_then(|at| part.get_mut(at)) {
                *byte ^= 1 << flip.bit;
            }
        }
        Ok(part)
    }

    /// What the verifier says of it here, without any vault: what the vault's verdict is held against.
    pub(super) fn verify(&self) -> io::Result<Report> {
        let mut verifier = Verifier::new();
        let mut at = 0;
        while at < self.bytes {
            let piece = self.read(at, PIECE_BYTES)?;
            verifier.push(&piece);
            at += piece.len() as u64;
        }
        Ok(verifier.finish())
    }

    /// A bit whose flip the backup's own checksums give away, looked for around the middle of the file:
    /// a database without page checksums has stretches that nothing protects, and a demo must not claim them.
    pub(super) fn telling_flip(&self) -> io::Result<Option<(Flip, Report)>> {
        let candidates = CANDIDATE_PERCENTS
            .iter()
            .map(|percent| self.bytes / 100 * percent);
        for offset in candidates.chain([PROTECTED_HEADER_BYTE]) {
            let flip = Flip { offset, bit: 3 };
            let report = self.flipped(flip).verify()?;
            if report.damage_count > 0 && offset < self.bytes {
                return Ok(Some((flip, report)));
            }
        }
        Ok(None)
    }
}

/// Where the bit may lie, in hundredths of the file; tried in this order before the header is taken.
const CANDIDATE_PERCENTS: [u64; 6] = [50, 62, 38, 75, 25, 87];

/// A byte of the first descriptor block's common header (its control block id), under that block's checksum.
const PROTECTED_HEADER_BYTE: u64 = 36;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Flip, Source};

    #[test]
    fn a_flip_shows_in_whatever_part_holds_it_and_nowhere_else() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, [0; 10]).unwrap();
        let source = Source::of(file.path()).unwrap();
        let flipped = source.flipped(Flip { offset: 5, bit: 3 });
        assert_eq!(flipped.read(4, 3).unwrap(), [0, 8, 0]);
        assert_eq!(flipped.read(0, 5).unwrap(), [0; 5]);
        assert_eq!(flipped.read(8, 100).unwrap(), [0, 0]);
        assert_eq!(source.read(0, 100).unwrap(), [0; 10]);
        assert_eq!(fs::read(&file).unwrap(), [0; 10], "the file is untouched");
    }
}

//! How a file ends, by its last bytes alone: for whoever cannot afford to read what lies before.
//!
//! Every backup ends with a soft filemark, in the compressed container too, where filemarks are stored as they are. It lists all
//! filemarks before it: the one behind the media header, and two for each set. So the one that closes a set lists an even number, and
//! at least two. No proof: nothing before it was read.

use crate::mtf::block::{self, Block, HEADER};
use crate::mtf::filemark;

/// Bytes from the end that [`trailer`] needs: the largest physical block.
pub const TRAILER_SIZE: usize = 1 << 16;

/// What the last bytes of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trailer {
    /// The filemark that closes a backup set.
    SetClosed,
    /// Another filemark: of the media header, or of a commit record without its trailer.
    Filemark,
    /// Zeros, as far as they were given: a file that was filled up, or never written to its end.
    Zeros,
    /// Anything else.
    Other,
}

/// What a file ends with; `end` is its last [`TRAILER_SIZE`] bytes, or all of a shorter file.
#[must_use]
pub fn trailer(end: &[u8]) -> Trailer {
    let sizes = (9..=16).map(|power| 1_usize << power);
    let mut marks = sizes.filter_map(|size| end.len().checked_sub(size).map(|start| &end[start..]));
    if let Some(mark) = marks.find(|bytes| is_filemark(bytes)) {
        let count = filemark::count(&Block::parse(0, mark.to_vec()));
        let closes = count >= 2 && count.is_multiple_of(2);
        return if closes {
            Trailer::SetClosed
        } else {
            Trailer::Filemark
        };
    }
    if end.iter().all(|byte| *byte == 0) {
        Trailer::Zeros
    } else {
        Trailer::Other
    }
}

/// Whether a filemark fills `bytes` from the first to the last.
fn is_filemark(bytes: &[u8]) -> bool {
    bytes
        .first_chunk::<HEADER>()
        .is_some_and(|header| header.starts_with(b"SFMB") && block::length(header) == Ok(bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::{TRAILER_SIZE, Trailer, trailer};
    use crate::writer::BlockSize;
    use crate::writer::sample::{Sample, SampleKind};

    fn of(file: &[u8]) -> Trailer {
        trailer(&file[file.len().saturating_sub(TRAILER_SIZE)..])
    }

    #[test]
    fn a_whole_backup_ends_with_the_mark_that_closes_its_last_set() {
        for block_size in [BlockSize::B512, BlockSize::B4096, BlockSize::B65536] {
            for compressed in [false, true] {
                let sample = Sample {
                    extents: 3,
                    block_size,
                    compressed,
                    ..Sample::default()
                };
                for sets in 1..=3 {
                    let file = sample.backup_sets(&vec![SampleKind::Full; sets], 1);
                    assert_eq!(
                        of(&file),
                        Trailer::SetClosed,
                        "{block_size:?} {compressed} {sets}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_cut_one_does_not() {
        let sample = Sample {
            extents: 3,
            ..Sample::default()
        };
        let file = sample.backup(SampleKind::Full, 1);
        let marks = (512..file.len())
            .step_by(512)
            .map(|end| of(&file[..end]))
            .filter(|found| *found == Trailer::Filemark)
            .count();
        // Behind the media header, and behind the commit record.
        assert_eq!(marks, 2);
        for end in 1..file.len() {
            assert_ne!(of(&file[..end]), Trailer::SetClosed, "{end}");
        }
    }

    #[test]
    fn what_is_no_filemark_is_none() {
        assert_eq!(trailer(b"SFMB"), Trailer::Other);
        assert_eq!(trailer(&[0; 4096]), Trailer::Zeros);
        assert_eq!(trailer(&[7; TRAILER_SIZE]), Trailer::Other);
    }
}

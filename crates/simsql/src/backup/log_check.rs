//! The blocks of the log as a backup reads them: an unbroken run from the start of a piece to its end, WITH CHECKSUM with sound
//! checksums.

use bak::checksum::{LOG_BLOCK_CHECKSUM_AT, SECTOR, log_block_sum};
use bak::writer::LogSegment;

/// Checks one piece of the log, transfer by transfer.
pub(super) struct LogCheck {
    segment: LogSegment,
    /// Where the next block begins in the log file.
    next: u64,
    with_checksums: bool,
}

impl LogCheck {
    pub(super) fn new(segment: &LogSegment, with_checksums: bool) -> Self {
        Self {
            segment: *segment,
            next: segment.start,
            with_checksums,
        }
    }

    /// Takes the bytes at `at` of the log file, whole sectors. Whether all blocks that begin in them are what they should be; the
    /// checksum of one that ends in a later transfer is not looked at.
    pub(super) fn take(&mut self, at: u64, bytes: &[u8]) -> bool {
        let end = at + bytes.len() as u64;
        while self.next < end {
            let block = &bytes[(self.next - at) as usize..];
            let Some(size) = self.size_of(block) else {
                // Where the next block is cannot be told any more.
                self.next = u64::MAX;
                return false;
            };
            self.next += size as u64;
            if self.with_checksums && block.len() >= size && !is_whole(&block[..size]) {
                return false;
            }
        }
        true
    }

    /// Bytes of the block that begins here, if its header says what it should.
    fn size_of(&self, block: &[u8]) -> Option<usize> {
        let size = usize::from(u16::from_le_bytes([*block.get(6)?, *block.get(7)?]));
        let sector = (self.next - self.segment.vlf_offset) / SECTOR as u64;
        let is_here = word(block, 12)? == self.segment.vlf_sequence && u64::from(word(block, 16)?) == sector;
        (is_here && size > 0 && size.is_multiple_of(SECTOR)).then_some(size)
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|word| u32::from_le_bytes(*word))
}

/// Whether the checksum of a block holds; 0 is none.
fn is_whole(block: &[u8]) -> bool {
    let stored = word(block, LOG_BLOCK_CHECKSUM_AT).unwrap_or_default();
    stored == 0 || stored == log_block_sum(block)
}

#[cfg(test)]
mod tests {
    use bak::writer::LogSegment;
    use bak::writer::log_block::{LogPlace, format};

    use super::LogCheck;

    /// Blocks of 2, 1 and 3 sectors from sector 20 of the virtual log file 7 on.
    fn blocks() -> Vec<u8> {
        let mut log = Vec::new();
        let mut block = 20;
        for sectors in [2, 1, 3] {
            let mut bytes = vec![0x55; sectors * 512];
            let place = LogPlace {
                vlf: 7,
                block,
                previous_size: 0,
            };
            format(&mut bytes, place, 1, true);
            log.extend(bytes);
            block += sectors as u32;
        }
        log
    }

    fn check(log: &[u8], transfer: usize, with_checksums: bool) -> bool {
        let start = 0x2000 + 20 * 512;
        let segment = LogSegment {
            file_id: 2,
            vlf_sequence: 7,
            vlf_offset: 0x2000,
            vlf_length: 0x4_0000,
            start,
            end: start + log.len() as u64,
        };
        let mut check = LogCheck::new(&segment, with_checksums);
        log.chunks(transfer)
            .enumerate()
            .all(|(index, bytes)| check.take(start + (index * transfer) as u64, bytes))
    }

    #[test]
    fn damage_in_headers_is_always_seen_and_in_content_with_checksums() {
        let log = blocks();
        for transfer in [512, 1024, 65_536] {
            assert!(check(&log, transfer, true));
        }
        let flipped = |at: usize| {
            let mut log = log.clone();
            log[at] ^= 1;
            log
        };
        // The number of the second block; a byte of the first one's content.
        assert!(!check(&flipped(1024 + 16), 512, false));
        assert!(check(&flipped(700), 65_536, false));
        assert!(!check(&flipped(700), 65_536, true));
    }
}

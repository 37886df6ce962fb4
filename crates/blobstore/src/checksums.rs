//! The checksums of a payload, computed in the same pass that writes it.

use crc_fast::{CrcAlgorithm, Digest};

use crate::frame::crc64;
use crate::limits::CHECKSUM_BYTES;

/// Takes bytes in any slicing and gives one CRC-64/NVME for each [`CHECKSUM_BYTES`] of them.
#[derive(Default)]
pub(crate) struct Checksums {
    done: Vec<u64>,
    /// The chunk under way, unless it is empty.
    open: Option<Digest>,
    bytes: u64,
}

impl Checksums {
    /// Bytes taken so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn push(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            let filled = (self.bytes % CHECKSUM_BYTES as u64) as usize;
            let n = data.len().min(CHECKSUM_BYTES - filled);
            let (chunk, rest) = data.split_at(n);
            self.bytes += n as u64;
            if n == CHECKSUM_BYTES {
                self.done.push(crc64(chunk));
            } else {
                let digest = self
                    .open
                    .get_or_insert_with(|| Digest::new(CrcAlgorithm::Crc64Nvme));
                digest.update(chunk);
                if filled + n == CHECKSUM_BYTES {
                    self.done.extend(self.open.take().map(|digest| digest.finalize()));
                }
            }
            data = rest;
        }
    }

    /// The checksums, the last one of a chunk that may be short.
    pub(crate) fn finish(mut self) -> Vec<u64> {
        self.done.extend(self.open.take().map(|digest| digest.finalize()));
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slicing_makes_no_difference() {
        let data: Vec<u8> = (0..3 * CHECKSUM_BYTES + 777)
            .map(|i| (i * 31 % 251) as u8)
            .collect();
        let whole: Vec<u64> = data.chunks(CHECKSUM_BYTES).map(crc64).collect();
        for step in [
            1,
            100,
            4096,
            CHECKSUM_BYTES - 1,
            CHECKSUM_BYTES,
            CHECKSUM_BYTES + 1,
            data.len(),
        ] {
            let mut checksums = Checksums::default();
            data.chunks(step).for_each(|part| checksums.push(part));
            assert_eq!(checksums.bytes(), data.len() as u64);
            assert_eq!(checksums.finish(), whole, "step {step}");
        }
    }
}

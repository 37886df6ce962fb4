//! The bytes of one simulated file: as written, as durable, and what lies between.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};

use super::{Random, SECTOR};

const PAGE: u64 = 4096;

#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    live: Vec<u8>,
    durable: Vec<u8>,
    /// Sectors that may differ between the two.
    dirty: BTreeSet<usize>,
    /// Pages of 4 KiB that take space.
    pages: BTreeSet<u64>,
    /// Those of them that were taken at the last sync.
    durable_pages: BTreeSet<u64>,
    /// Pages given up since the last sync; not free for others before it.
    given_up: BTreeSet<u64>,
}

impl Content {
    pub(super) fn len(&self) -> u64 {
        self.live.len() as u64
    }

    /// Bytes of disk space taken.
    pub(super) fn space(&self) -> u64 {
        (self.pages.len() + self.given_up.len()) as u64 * PAGE
    }

    pub(super) fn read(&self, buf: &mut [u8], offset: u64) -> usize {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.live.len());
        let n = buf.len().min(self.live.len() - start);
        buf[..n].copy_from_slice(&self.live[start..start + n]);
        n
    }

    /// How many of `len` bytes at `offset` can be stored with `free` bytes of space.
    pub(super) fn fitting(&self, offset: u64, len: u64, free: u64) -> u64 {
        let mut left = free / PAGE;
        for page in offset / PAGE..(offset + len).div_ceil(PAGE) {
            if self.pages.contains(&page) || self.given_up.contains(&page) {
                continue;
            }
            if left == 0 {
                return (page * PAGE).saturating_sub(offset).min(len);
            }
            left -= 1;
        }
        len
    }

    pub(super) fn write(&mut self, data: &[u8], offset: u64) {
        if data.is_empty() {
            return;
        }
        let start = offset as usize;
        let end = start + data.len();
        if self.live.len() < end {
            self.live.resize(end, 0);
        }
        self.live[start..end].copy_from_slice(data);
        self.dirty.extend(start / SECTOR..end.div_ceil(SECTOR));
        self.take_pages(offset, data.len() as u64);
    }

    pub(super) fn allocate(&mut self, offset: u64, len: u64) {
        let end = (offset + len) as usize;
        if self.live.len() < end {
            self.live.resize(end, 0);
        }
        self.take_pages(offset, len);
    }

    fn take_pages(&mut self, offset: u64, len: u64) {
        for page in offset / PAGE..(offset + len).div_ceil(PAGE) {
            self.given_up.remove(&page);
            self.pages.insert(page);
        }
    }

    pub(super) fn set_len(&mut self, len: u64) {
        let len = len as usize;
        // The sectors cut off are as unsure as written ones.
        self.dirty.extend(len / SECTOR..self.live.len().div_ceil(SECTOR));
        self.live.resize(len, 0);
        let gone = self.pages.split_off(&(len as u64).div_ceil(PAGE));
        self.given_up.extend(gone);
    }

    pub(super) fn punch(&mut self, offset: u64, len: u64) {
        let end = ((offset + len) as usize).min(self.live.len());
        let start = (offset as usize).min(end);
        self.live[start..end].fill(0);
        self.dirty.extend(start / SECTOR..end.div_ceil(SECTOR));
        for page in offset.div_ceil(PAGE)..(offset + len) / PAGE {
            if self.pages.remove(&page) {
                self.given_up.insert(page);
            }
        }
    }

    pub(super) fn sync(&mut self) {
        self.durable.resize(self.live.len(), 0);
        for sector in std::mem::take(&mut self.dirty) {
            let start = (sector * SECTOR).min(self.live.len());
            let end = (start + SECTOR).min(self.live.len());
            self.durable[start..end].copy_from_slice(&self.live[start..end]);
        }
        self.given_up.clear();
        self.durable_pages.clone_from(&self.pages);
    }

    /// Each unsynced sector on its own: the new bytes, the old ones, or (where the file grew) rubbish. The
    /// length: the durable one, the new one, or one between.
    pub(super) fn crash(&mut self, random: &mut Random) {
        let (low, high) = (
            self.durable.len().min(self.live.len()),
            self.durable.len().max(self.live.len()),
        );
        let len = match random.below(4) {
            0 => self.durable.len(),
            1 => low + random.below((high - low) as u64 + 1) as usize,
            _ => self.live.len(),
        };
        let old_len = self.durable.len();
        let keep_one_in = 1 + random.below(4);
        let mut after = std::mem::take(&mut self.durable);
        after.resize(len, 0);
        for sector in std::mem::take(&mut self.dirty) {
            let start = sector * SECTOR;
            if start >= len {
                continue;
            }
            let end = (start + SECTOR).min(len);
            if random.one_in(keep_one_in) {
                let known = end.min(self.live.len()).max(start);
                if start < known {
                    after[start..known].copy_from_slice(&self.live[start..known]);
                }
            } else if start >= old_len && random.one_in(8) {
                after[start..end].fill(random.draw() as u8);
            }
        }
        self.pages = (0..(len as u64).div_ceil(PAGE))
            .filter(|page| {
                let start = (page * PAGE) as usize;
                self.durable_pages.contains(page)
                    || after[start..(start + PAGE as usize).min(len)]
                        .iter()
                        .any(|b| *b != 0)
            })
            .collect();
        self.given_up.clear();
        self.live.clone_from(&after);
        self.durable = after;
    }

    pub(super) fn rot(&mut self, offset: u64, mask: u8) -> io::Result<()> {
        let at = offset as usize;
        *self.live.get_mut(at).ok_or(ErrorKind::UnexpectedEof)? ^= mask;
        if let Some(byte) = self.durable.get_mut(at) {
            *byte ^= mask;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn synced_bytes_survive_and_others_may_not() {
        let mut lost = 0;
        for seed in 0..50 {
            let mut content = Content::default();
            content.write(&[1; 2048], 0);
            content.sync();
            content.write(&[2; 2048], 2048);
            content.crash(&mut Random::new(seed));
            let mut read = [0; 4096];
            let n = content.read(&mut read, 0);
            assert!(n >= 2048);
            assert_eq!(read[..2048], [1; 2048], "seed {seed}");
            lost += usize::from(read[2048..] != [2; 2048]);
        }
        assert!(lost > 25, "{lost} of 50");
    }

    #[test]
    fn freed_space_is_free_after_a_sync() {
        let mut content = Content::default();
        content.allocate(0, 8 * PAGE);
        content.set_len(PAGE);
        assert_eq!(content.space(), 8 * PAGE);
        content.sync();
        assert_eq!(content.space(), PAGE);
        assert_eq!(content.fitting(0, 3 * PAGE, PAGE), 2 * PAGE);
    }
}

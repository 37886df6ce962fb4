//! How large a set may make the files of a database: what it holds must agree with the sizes that it says its files have, which
//! were compared with the room on the disk. A single page far away would make a file of terabytes, and keep whoever looks at all
//! of its pages busy for hours.

use std::collections::BTreeMap;

use bak::FileType;
use bak::content::SetHeader;

use super::lane::Item;
use crate::engine::DatabaseFile;

/// Bytes of a page, and pages of an extent.
const PAGE: u64 = 8192;
const EXTENT: u64 = 8;
/// What a file may grow by while it is backed up, if it is more than its size: 1 GiB.
const GROWTH: u64 = 1 << 30;

/// The bounds of a set.
pub(super) struct Bounds {
    /// Bytes of each data file.
    data: BTreeMap<u32, u64>,
    /// Bytes of the log files together.
    log: u64,
}

impl Bounds {
    pub(super) fn of(header: &SetHeader) -> Self {
        let (mut data, mut log) = (BTreeMap::new(), 0_u64);
        for file in &header.set.files {
            if file.file_type == FileType::Log {
                log = log.saturating_add(file.size);
            } else {
                data.insert(file.file_id, file.size);
            }
        }
        Self { data, log }
    }

    /// Whether what a family brings can be part of the set. The first pass holds extents that the files had when the backup
    /// began; later ones, and the log, also what they grew by meanwhile.
    pub(super) fn allow(&self, item: &Item) -> bool {
        match item {
            Item::Extent(extent) => {
                let Some(size) = self.data.get(&u32::from(extent.file_id)) else {
                    return false;
                };
                let size = if extent.pass == 1 { *size } else { grown(*size) };
                let end = u64::from(extent.first_page) + extent.pages.len() as u64 / PAGE;
                end <= (size / PAGE).next_multiple_of(EXTENT)
            }
            Item::Log(segment, _) => segment.vlf_offset.saturating_add(segment.vlf_length) <= grown(self.log),
        }
    }

    /// Pages that each data file may have when the set is in place.
    pub(super) fn most(&self, present: &[DatabaseFile]) -> BTreeMap<u16, u32> {
        let listed = self
            .data
            .iter()
            .filter_map(|(id, size)| Some((u16::try_from(*id).ok()?, *size)));
        let mut most: BTreeMap<u16, u64> = listed.collect();
        for file in present.iter().filter(|file| file.file_type != FileType::Log) {
            let size = most.entry(file.file_id).or_default();
            *size = (*size).max(u64::from(file.size) * PAGE);
        }
        let pages = |bytes: u64| u32::try_from(grown(bytes) / PAGE).unwrap_or(u32::MAX);
        most.into_iter().map(|(id, size)| (id, pages(size))).collect()
    }
}

fn grown(size: u64) -> u64 {
    size.saturating_add(size.max(GROWTH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_grow_while_it_is_backed_up_but_not_to_the_end_of_the_world() {
        let bounds = Bounds {
            data: BTreeMap::from([(1, 64 * PAGE), (3, 4 << 30)]),
            log: 1 << 20,
        };
        // 1 GiB more, or twice as much.
        assert_eq!(
            bounds.most(&[]),
            BTreeMap::from([(1, 64 + (1 << 17)), (3, 1 << 20)])
        );
        let extent = |pass, first_page| {
            Item::Extent(bak::content::Extent {
                pass,
                file_id: 1,
                first_page,
                pages: vec![0; 8 * 8192],
                is_named: true,
            })
        };
        assert!(bounds.allow(&extent(1, 56)));
        assert!(!bounds.allow(&extent(1, 64)));
        assert!(bounds.allow(&extent(2, 64)));
        assert!(!bounds.allow(&extent(2, (1 << 31) - 8)));
    }
}

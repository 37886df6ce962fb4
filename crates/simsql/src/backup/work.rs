//! How the extents of a database are dealt out among the families of a media set: disjoint, in runs that fill one transfer.

use crate::engine::FileExtents;

/// Bytes of an extent.
pub(super) const EXTENT_BYTES: u64 = 65_536;

/// Consecutive extents of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) file_id: u16,
    /// First page / 8.
    pub(super) first: u32,
    pub(super) count: u32,
}

/// One transfer's worth of extents.
pub(super) type Portion = Vec<Run>;

/// Deals extents out, portion by portion, each of at most `portion` extents: for each family its own.
pub(super) fn deal(files: &[FileExtents], families: usize, portion: u32) -> Vec<Vec<Portion>> {
    let total: usize = files.iter().map(|file| file.extents.len()).sum();
    // A small database is spread over all families, too.
    let share = u32::try_from(total.div_ceil(families)).unwrap_or(u32::MAX).max(1);
    let portion = portion.min(share).max(1);
    let mut dealt = vec![Vec::new(); families];
    for (index, piece) in portions(files, portion).into_iter().enumerate() {
        dealt[index % families].push(piece);
    }
    dealt
}

fn portions(files: &[FileExtents], portion: u32) -> Vec<Portion> {
    let mut portions = Vec::new();
    let mut current: Portion = Vec::new();
    let mut room = portion;
    for file in files {
        for extent in &file.extents {
            match current.last_mut() {
                Some(run) if run.file_id == file.file_id && run.first + run.count == *extent => {
                    run.count += 1;
                }
                _ => current.push(Run {
                    file_id: file.file_id,
                    first: *extent,
                    count: 1,
                }),
            }
            room -= 1;
            if room == 0 {
                portions.push(std::mem::take(&mut current));
                room = portion;
            }
        }
    }
    if !current.is_empty() {
        portions.push(current);
    }
    portions
}

/// Extents in portions.
pub(super) fn extents(portions: &[Portion]) -> u64 {
    portions.iter().flatten().map(|run| u64::from(run.count)).sum()
}

#[cfg(test)]
mod tests {
    use super::{Run, deal, extents};
    use crate::engine::FileExtents;

    fn run(file_id: u16, first: u32, count: u32) -> Run {
        Run {
            file_id,
            first,
            count,
        }
    }

    #[test]
    fn runs_end_at_gaps_at_files_and_where_a_transfer_is_full() {
        let files = [
            FileExtents {
                file_id: 1,
                extents: vec![0, 1, 2, 5, 6],
            },
            FileExtents {
                file_id: 3,
                extents: vec![7],
            },
        ];
        let dealt = deal(&files, 1, 4);
        assert_eq!(
            dealt,
            [vec![
                vec![run(1, 0, 3), run(1, 5, 1)],
                vec![run(1, 6, 1), run(3, 7, 1)]
            ]]
        );
    }

    #[test]
    fn every_extent_goes_to_one_family_and_each_family_gets_some() {
        let files = [FileExtents {
            file_id: 1,
            extents: (0..50).collect(),
        }];
        let dealt = deal(&files, 3, 16);
        let mut all: Vec<u32> = dealt
            .iter()
            .flatten()
            .flatten()
            .flat_map(|run| run.first..run.first + run.count)
            .collect();
        all.sort_unstable();
        assert_eq!(all, (0..50).collect::<Vec<_>>());
        assert!(dealt.iter().all(|portions| extents(portions) > 0));
    }
}

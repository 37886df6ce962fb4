//! Which extent eight pages are: the stream does not say, the pages do.
//!
//! Each page that names an id fitting its slot is a vote; a page whose checksum holds outweighs all that have none.

use super::page::{PageHeader, PageId};
use crate::checksum::PAGE;

/// Pages of an extent.
pub(crate) const PAGES: usize = 8;

/// What an extent is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity {
    /// Its first page, named by its own pages.
    Named(PageId),
    /// No page names itself.
    Nameless,
    /// Filler at the end of a stream.
    Filler,
}

const VOTE_PROVED: u32 = 100;
const VOTE_PLAIN: u32 = 1;

/// Finds out what `extent` is; `sums` are the computed checksums of its pages, `is_file` tells the database's data files.
pub(crate) fn identify(
    extent: &[[u8; PAGE]],
    sums: &[u32; PAGES],
    is_file: impl Fn(u16) -> bool,
) -> Identity {
    let mut candidates: [(PageId, u32); PAGES] = [(PageId { file: 0, page: 0 }, 0); PAGES];
    let mut fillers = 0;
    for (slot, (page, sum)) in (0_u32..).zip(extent.iter().zip(sums)) {
        let header = PageHeader::read(page);
        if header.is_filler() {
            fillers += 1;
            continue;
        }
        let proved = header.checksum_holds(*sum);
        let named = (header.is_formatted() || proved) && header.id.page % PAGES as u32 == slot;
        if !named || !is_file(header.id.file) {
            continue;
        }
        let first = PageId {
            file: header.id.file,
            page: header.id.page - slot,
        };
        let weight = if proved { VOTE_PROVED } else { VOTE_PLAIN };
        if let Some(place) = candidates
            .iter_mut()
            .find(|(id, votes)| *id == first || *votes == 0)
        {
            place.0 = first;
            place.1 += weight;
        }
    }
    // Seven of eight: one flipped bit in the header of one filler must not make the extent something else.
    if fillers + 1 >= PAGES {
        return Identity::Filler;
    }
    // The first of the strongest: the order of the slots breaks a tie.
    let best = candidates
        .iter()
        .rev()
        .max_by_key(|(_, votes)| *votes)
        .filter(|(_, votes)| *votes > 0);
    best.map_or(Identity::Nameless, |(id, _)| Identity::Named(*id))
}

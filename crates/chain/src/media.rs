//! Backup sets put together from their pieces: one set lies on every stripe (family) of its media set, and of each stripe there may be
//! copies (MIRROR TO, or a file that was copied).
//!
//! What belongs together has the media set id, the number of families, the position and the BackupSetGUID in common. A file that was
//! overwritten WITH INIT keeps its media set id, so that the GUID has to agree too. A set that is found in more than one place is one
//! set: it is handed out once, so that no plan can hold it twice. Which copy of a stripe is sound is the caller's business.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::set::Families;

/// SQL Server writes at most so many families; who claims more is no backup to be put together.
pub const FAMILIES_MAX: u16 = 64;

/// One backup set as one file holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// The caller's number for the file and the set in it; comes back in [`Place::copies`].
    pub index: usize,
    /// Shared by all families of the media set, and by copies.
    pub media_set_id: Uuid,
    /// Which family the file is, from 1.
    pub family: u16,
    /// How many there are.
    pub family_count: u16,
    /// Which set in the file, from 1.
    pub position: u16,
    /// BackupSetGUID.
    pub guid: Option<Uuid>,
}

/// Where a set lies: a position on all families of a media set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The media set.
    pub media_set_id: Uuid,
    /// The position on it, from 1: `FILE =` of a RESTORE.
    pub position: u16,
    /// The pieces by family in ascending order, all copies of each in the order they came in; empty where a family is missing.
    pub copies: Box<[Vec<usize>]>,
}

/// A backup set put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gathered {
    /// BackupSetGUID.
    pub guid: Option<Uuid>,
    /// Where it is: of several places the one that lacks the fewest families.
    pub place: Place,
    /// Further places with a set of the same GUID.
    pub others: Vec<Place>,
}

/// All pieces put together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gathering {
    /// The sets, by where their first piece came in.
    pub sets: Vec<Gathered>,
    /// Pieces whose family number or count cannot be: 0, more than there are, more than [`FAMILIES_MAX`].
    pub strays: Vec<usize>,
}

impl Place {
    /// The families of which no copy is there, ascending.
    #[must_use]
    pub fn missing(&self) -> Box<[u16]> {
        (1..)
            .zip(&self.copies)
            .filter(|(_, copies)| copies.is_empty())
            .map(|(number, _)| number)
            .collect()
    }

    /// As a set of the planner has it.
    #[must_use]
    pub fn families(&self) -> Families {
        Families {
            count: u16::try_from(self.copies.len()).unwrap_or(FAMILIES_MAX),
            missing: self.missing(),
        }
    }

    /// The first piece of all that came in.
    fn first(&self) -> Option<usize> {
        self.copies.iter().flatten().min().copied()
    }
}

/// What pieces of one set at one place have in common. A nil media set id says nothing: such a piece goes only with itself, told by its
/// number.
type Key = (Uuid, Option<usize>, u16, u16, Option<Uuid>);

/// Puts pieces together. Time grows with the number of pieces, n log n.
#[must_use]
pub fn gather(pieces: impl IntoIterator<Item = Piece>) -> Gathering {
    let mut gathering = Gathering::default();
    let mut places: BTreeMap<Key, Place> = BTreeMap::new();
    for piece in pieces {
        let is_possible = (1..=FAMILIES_MAX).contains(&piece.family_count)
            && (1..=piece.family_count).contains(&piece.family);
        if !is_possible {
            gathering.strays.push(piece.index);
            continue;
        }
        let alone = piece.media_set_id.is_nil().then_some(piece.index);
        let key = (
            piece.media_set_id,
            alone,
            piece.family_count,
            piece.position,
            piece.guid,
        );
        let place = places.entry(key).or_insert_with(|| Place {
            media_set_id: piece.media_set_id,
            position: piece.position,
            copies: vec![Vec::new(); usize::from(piece.family_count)].into(),
        });
        place.copies[usize::from(piece.family) - 1].push(piece.index);
    }
    gathering.sets = one_of_each(places);
    gathering
}

/// Of the places with one GUID one set; a set without a GUID stands alone.
fn one_of_each(places: BTreeMap<Key, Place>) -> Vec<Gathered> {
    let mut by_guid: BTreeMap<Uuid, Vec<Place>> = BTreeMap::new();
    let mut sets = Vec::new();
    for ((.., guid), place) in places {
        match guid {
            Some(guid) => by_guid.entry(guid).or_default().push(place),
            None => sets.push(Gathered {
                guid,
                place,
                others: Vec::new(),
            }),
        }
    }
    for (guid, mut places) in by_guid {
        places.sort_by_key(|place| (place.missing().len(), place.first()));
        let place = places.remove(0);
        sets.push(Gathered {
            guid: Some(guid),
            place,
            others: places,
        });
    }
    sets.sort_by_key(|set| set.place.first());
    sets
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A piece of media set `media`: family `family` of `of`, at `position`, of set `guid`.
    fn piece(index: usize, media: u128, (family, of): (u16, u16), position: u16, guid: u128) -> Piece {
        Piece {
            index,
            media_set_id: Uuid::from_u128(media),
            family,
            family_count: of,
            position,
            guid: (guid != 0).then(|| Uuid::from_u128(guid)),
        }
    }

    fn copies(set: &Gathered) -> Vec<&[usize]> {
        set.place.copies.iter().map(Vec::as_slice).collect()
    }

    #[test]
    fn stripes_come_together_in_the_order_of_their_families() {
        let gathering = gather([
            piece(0, 1, (3, 3), 1, 10),
            piece(1, 1, (1, 3), 1, 10),
            piece(2, 1, (2, 3), 1, 10),
        ]);
        assert_eq!(gathering.sets.len(), 1);
        assert_eq!(copies(&gathering.sets[0]), [[1], [2], [0]]);
        let families = gathering.sets[0].place.families();
        assert_eq!((families.count, families.missing.len()), (3, 0));
    }

    #[test]
    fn mirrors_are_copies_and_what_is_not_there_is_named() {
        let gathering = gather([
            piece(0, 1, (2, 4), 1, 10),
            piece(1, 1, (4, 4), 1, 10),
            piece(2, 1, (2, 4), 1, 10),
        ]);
        let set = &gathering.sets[0];
        assert_eq!(copies(set), [&[][..], &[0, 2], &[], &[1]]);
        assert_eq!(*set.place.missing(), [1, 3]);
    }

    #[test]
    fn sets_of_one_file_are_told_by_position() {
        let gathering = gather([piece(0, 1, (1, 1), 1, 10), piece(1, 1, (1, 1), 2, 11)]);
        let positions: Vec<u16> = gathering.sets.iter().map(|set| set.place.position).collect();
        assert_eq!(positions, [1, 2]);
    }

    #[test]
    fn a_stripe_that_was_overwritten_does_not_belong() {
        // WITH INIT keeps the media set id; the second stripe is of the backup before.
        let gathering = gather([piece(0, 1, (1, 2), 1, 11), piece(1, 1, (2, 2), 1, 10)]);
        assert_eq!(gathering.sets.len(), 2);
        assert_eq!(*gathering.sets[0].place.missing(), [2]);
        assert_eq!(*gathering.sets[1].place.missing(), [1]);
    }

    #[test]
    fn one_guid_is_one_set_wherever_it_lies() {
        let gathering = gather([
            piece(0, 1, (1, 2), 1, 10),
            piece(1, 2, (1, 2), 1, 10),
            piece(2, 2, (2, 2), 1, 10),
        ]);
        assert_eq!(gathering.sets.len(), 1);
        let set = &gathering.sets[0];
        assert_eq!(copies(set), [[1], [2]], "the place that is whole");
        assert_eq!(set.others.len(), 1);
        assert_eq!(*set.others[0].missing(), [2]);
    }

    #[test]
    fn what_has_no_identity_meets_nobody() {
        // No media set id; no GUID on two media sets.
        let gathering = gather([
            piece(0, 0, (1, 1), 1, 0),
            piece(1, 0, (1, 1), 1, 0),
            piece(2, 5, (1, 1), 1, 0),
            piece(3, 6, (1, 1), 1, 0),
        ]);
        assert_eq!(gathering.sets.len(), 4);
        // With the GUID it is known for a copy.
        let gathering = gather([piece(0, 0, (1, 1), 1, 9), piece(1, 0, (1, 1), 1, 9)]);
        assert_eq!(gathering.sets.len(), 1);
        assert_eq!(gathering.sets[0].others.len(), 1);
    }

    #[test]
    fn impossible_numbers_are_strays() {
        let gathering = gather([
            piece(0, 1, (0, 2), 1, 10),
            piece(1, 1, (3, 2), 1, 10),
            piece(2, 1, (1, u16::MAX), 1, 10),
            piece(3, 1, (64, 64), 1, 10),
        ]);
        assert_eq!(gathering.strays, [0, 1, 2]);
        assert_eq!(gathering.sets.len(), 1);
    }

    /// Pieces that often have something in common, and sometimes impossible numbers.
    fn any_piece() -> impl Strategy<Value = Piece> {
        (0..3_u128, 0..4_u16, 1..4_u16, 1..3_u16, 0..4_u128)
            .prop_map(|(media, family, of, position, guid)| piece(0, media, (family, of), position, guid))
    }

    proptest! {
        #[test]
        fn every_piece_is_in_one_place_and_every_guid_in_one_set(
            mut pieces in proptest::collection::vec(any_piece(), 0..40)
        ) {
            for (index, piece) in pieces.iter_mut().enumerate() {
                piece.index = index;
            }
            let gathering = gather(pieces.iter().copied());
            let mut seen = gathering.strays.clone();
            let mut guids = Vec::new();
            for set in &gathering.sets {
                guids.extend(set.guid);
                for place in [&set.place].into_iter().chain(&set.others) {
                    prop_assert!(place.missing().len() >= set.place.missing().len());
                    for (family, copies) in (1..).zip(&place.copies) {
                        for index in copies {
                            let piece = &pieces[*index];
                            prop_assert_eq!(piece.guid, set.guid);
                            prop_assert_eq!(piece.family, family);
                            prop_assert_eq!(piece.position, place.position);
                            prop_assert_eq!(piece.media_set_id, place.media_set_id);
                            prop_assert_eq!(usize::from(piece.family_count), place.copies.len());
                            seen.push(*index);
                        }
                    }
                }
            }
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..pieces.len()).collect::<Vec<_>>());
            let count = guids.len();
            guids.sort_unstable();
            guids.dedup();
            prop_assert_eq!(guids.len(), count);
        }
    }
}

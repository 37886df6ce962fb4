//! Sets and the files that they lie in: positions, stripes, copies.

use chain::media::{Piece, gather};
use uuid::Uuid;

fn piece(index: usize, family: u16, family_count: u16, position: u16, guid: u128) -> Piece {
    Piece {
        index,
        media_set_id: Uuid::from_u128(7),
        family,
        family_count,
        position,
        guid: Some(Uuid::from_u128(guid)),
    }
}

#[test]
fn several_sets_in_one_file_are_told_by_position() {
    let gathering = gather([
        piece(0, 1, 1, 1, 10),
        piece(1, 1, 1, 2, 20),
        piece(2, 1, 1, 3, 30),
    ]);
    let positions: Vec<u16> = gathering.sets.iter().map(|set| set.place.position).collect();
    assert_eq!(positions, [1, 2, 3]);
}

#[test]
fn stripes_of_one_position_are_one_set() {
    let gathering = gather([
        piece(0, 1, 2, 1, 10),
        piece(1, 1, 2, 2, 20),
        piece(2, 2, 2, 1, 10),
        piece(3, 2, 2, 2, 20),
    ]);
    let copies: Vec<_> = gathering
        .sets
        .iter()
        .map(|set| set.place.copies.to_vec())
        .collect();
    assert_eq!(copies, [[vec![0], vec![2]], [vec![1], vec![3]]]);
}

#[test]
fn a_file_that_was_overwritten_holds_another_set_at_the_same_place() {
    // WITH INIT keeps the media set; the GUID of the set tells that the two stripes do not belong together.
    let gathering = gather([piece(0, 1, 2, 1, 10), piece(1, 2, 2, 1, 20)]);
    assert_eq!(gathering.sets.len(), 2);
    assert!(
        gathering
            .sets
            .iter()
            .all(|set| set.place.copies.iter().any(Vec::is_empty))
    );
}

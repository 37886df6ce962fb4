//! Stripes and mirrors: what is one set in several files, and what is the same file twice.

use chain::media::{Piece, gather};
use uuid::Uuid;

use crate::notation::history;

fn piece(index: usize, media: u128, family: u16, family_count: u16, guid: u128) -> Piece {
    Piece {
        index,
        media_set_id: Uuid::from_u128(media),
        family,
        family_count,
        position: 1,
        guid: Some(Uuid::from_u128(guid)),
    }
}

/// Going on with striped logs failed: the stripes of each were taken for sets of their own.
#[test]
fn dbatools_5357_a_striped_log_is_one_step() {
    let pieces = [
        piece(0, 1, 1, 2, 10),
        piece(1, 2, 1, 2, 20),
        piece(2, 1, 2, 2, 10),
        piece(3, 2, 2, 2, 20),
    ];
    let gathering = gather(pieces);
    assert_eq!(gathering.sets.len(), 2);
    let h = history(
        "F full 100..110 @10:00-10:05 stripes 2
         L l1   100..120 @10:15 stripes 2
         L l2   120..130 @10:30 stripes 2",
    );
    assert_eq!(h.latest(), "full l1 l2");
}

/// A mirrored backup has two files of family 1: they are two copies of one family, not two families, of which SQL Server says that
/// the media is formatted to support one.
#[test]
fn dbatools_5360_and_9320_mirrors_are_copies_not_stripes() {
    let gathering = gather([piece(0, 1, 1, 1, 10), piece(1, 1, 1, 1, 10)]);
    assert_eq!(gathering.sets.len(), 1);
    let place = &gathering.sets[0].place;
    assert_eq!(place.copies.len(), 1, "one family");
    assert_eq!(place.copies[0], [0, 1], "two copies of it");
}

/// With one of four stripes gone, a set cannot be restored, and the chain before it can.
#[test]
fn dbatools_4835_a_set_of_sixteen_stripes_needs_all_of_them() {
    let h = history(
        "F old 100..110 @10:00-10:05
         L l1  100..120 @10:15
         F new 121..125 @10:20-10:25 stripes 16 missing 10
         L l2  120..130 @10:30",
    );
    assert_eq!(h.latest(), "old l1 l2");
    let told = h.whole("new");
    assert!(
        told.starts_with("no: set unusable, stripe 10 of new missing"),
        "{told}"
    );
}

//! What later looks, probes and readings make of a record.

use azblob::lease::LeaseStatus;
use azblob::lease::{LeaseDurationKind, LeaseState, LeaseView, LeaseWitness};
use azblob::response::BlobType;

use super::*;
use crate::holder::Evidence;

fn at(seconds: u64) -> Moment {
    Moment {
        watched: Duration::from_secs(seconds),
        wall: UnixMillis(1_000_000 + 1000 * seconds as i64),
    }
}

/// A look that took a second.
fn span(seconds: u64) -> Span {
    Span {
        begun: at(seconds),
        ended: at(seconds + 1),
    }
}

fn look(tag: &str) -> Look {
    Look {
        properties: Properties {
            kind: BlobType::Page,
            size: 512,
            etag: Some(ETag(tag.to_owned())),
            last_modified: None,
            created: None,
            lease: LeaseView {
                status: LeaseStatus::Locked,
                state: LeaseState::Leased,
                duration: Some(LeaseDurationKind::Infinite),
            },
        },
        pending: None,
        witness: None,
    }
}

fn examined(tag: &str, probed: Probed) -> Examined {
    Examined {
        look: look(tag),
        probed,
        contents: Contents {
            content: Content::Other,
            evidence: Some(Evidence::TapeHeader),
        },
    }
}

fn activity(record: &Record) -> Activity {
    record.finding(&Place::new("c", "b")).activity
}

#[test]
fn quiet_is_what_lies_between_two_equal_looks_and_no_answer_s_own_time() {
    let mut record = Record::examined(examined("1", Probed::Other), span(10));
    assert_eq!((record.still(), activity(&record)), (None, Activity::Unknown));
    assert!(!record.seen(look("1"), span(100)));
    // From the end of the first look, 11, to the beginning of the second.
    assert_eq!(record.still(), Some(Duration::from_secs(89)));
    let quiet = Activity::Quiet {
        lasting: Duration::from_secs(89),
        since: at(11).wall,
    };
    assert_eq!(activity(&record), quiet);
}

#[test]
fn a_change_begins_the_quiet_anew_and_is_remembered() {
    let mut record = Record::examined(examined("1", Probed::Other), span(10));
    record.seen(look("2"), span(100));
    assert_eq!((record.still(), activity(&record)), (None, Activity::Growing));
    assert!(record.has_stirred());
    // Still again: its bytes are worth another reading.
    assert!(record.seen(look("2"), span(200)));
    assert_eq!(record.still(), Some(Duration::from_secs(99)));
    record.examined_again(examined("2", Probed::Other), span(205));
    assert_eq!(record.still(), Some(Duration::from_secs(104)));
    assert!(!record.seen(look("2"), span(210)));
    assert!(record.forgive() && !record.has_stirred());
}

#[test]
fn another_holder_begins_the_quiet_anew() {
    let mut record = Record::examined(examined("1", Probed::Other), span(10));
    record.seen(look("1"), span(100));
    assert!(record.probed(Probed::Other, span(100)));
    assert_eq!(record.still(), Some(Duration::from_secs(89)));
    assert!(!record.probed(Probed::Restore, span(100)));
    assert_eq!(record.still(), None);
    assert!(record.is_restore());
    record.seen(look("1"), span(150));
    assert!(record.probed(Probed::Restore, span(150)));
    assert_eq!(record.still(), Some(Duration::from_secs(49)));
    // Reads leave no trace: nobody knows whether it is quiet.
    assert_eq!(activity(&record), Activity::Unknown);
}

#[test]
fn a_lease_that_changes_hands_begins_the_quiet_anew() {
    let with = |state, duration| {
        let mut look = look("1");
        look.properties.lease.state = state;
        look.properties.lease.duration = duration;
        look
    };
    for between in [
        with(LeaseState::Breaking, None),
        with(LeaseState::Leased, Some(LeaseDurationKind::Fixed)),
    ] {
        let mut record = Record::examined(examined("1", Probed::Other), span(10));
        // Somebody breaks it or takes a short one, and then there is an infinite one again: not the one of before.
        assert!(record.seen(between, span(100)));
        assert!(record.seen(look("1"), span(200)));
        assert_eq!(record.still(), None);
        assert!(record.has_stirred() && !record.is_as_judged(&look("1")));
        record.examined_again(examined("1", Probed::Other), span(205));
        assert!(!record.seen(look("1"), span(300)));
        assert_eq!(record.still(), Some(Duration::from_secs(99)));
        assert!(record.is_as_judged(&look("1")));
    }
}

#[test]
fn a_lease_that_changes_hands_before_the_reading_begins_the_quiet_anew() {
    let mut record = Record::examined(examined("1", Probed::Other), span(10));
    let mut breaking = look("1");
    breaking.properties.lease.state = LeaseState::Breaking;
    assert!(record.seen(breaking, span(100)));
    record.examined_again(examined("1", Probed::Other), span(150));
    record.seen(look("1"), span(200));
    assert_eq!(record.still(), Some(Duration::from_secs(49)));
}

#[test]
fn what_came_to_rest_and_was_not_looked_into_is_unread() {
    let mut record = Record::examined(examined("1", Probed::Other), span(10));
    record.seen(look("2"), span(100));
    assert!(record.seen(look("2"), span(200)), "worth a reading");
    assert!(!record.is_as_judged(&look("2")), "that was not had");
    let finding = record.finding(&Place::new("c", "b"));
    assert_eq!(finding.holder, Holder::Unknown);
    assert!(matches!(finding.content, Content::Unread(_)));
    record.examined_again(examined("2", Probed::Other), span(205));
    assert!(record.is_as_judged(&look("2")) && !record.is_as_judged(&look("3")));
    let finding = record.finding(&Place::new("c", "b"));
    assert_eq!(finding.holder, Holder::Backup(Evidence::TapeHeader));
}

#[test]
fn a_restore_that_is_none_any_more_is_looked_into_until_that_works() {
    let mut record = Record::examined(examined("1", Probed::Restore), span(10));
    assert!(!record.probed(Probed::Other, span(100)));
    assert!(record.seen(look("1"), span(200)) && record.seen(look("1"), span(300)));
    record.examined_again(examined("1", Probed::Other), span(305));
    assert!(!record.seen(look("1"), span(400)));
    let finding = record.finding(&Place::new("c", "b"));
    assert_eq!(finding.holder, Holder::Backup(Evidence::TapeHeader));
}

#[test]
fn quiet_that_does_not_grow_with_the_time_was_interrupted() {
    let with = |quiet| {
        let mut look = look("1");
        look.witness = Some(LeaseWitness {
            since_read: Some(quiet),
            watched: 9_000_000,
            ..LeaseWitness::default()
        });
        look
    };
    // (quiet at 100 s, quiet at 201 s, 100 s after the first look ended)
    for (first, second, used) in [
        (5_000, 104_900, false),
        (5_000, 60_000, false),
        (5_000, 50_000, true),
        (5_000, 5_000, true),
        (5_000, 0, true),
    ] {
        let mut record = Record::examined(examined("1", Probed::Other), span(10));
        record.seen(with(first), span(100));
        record.seen(with(second), span(201));
        assert_eq!(record.has_stirred(), used, "{first} {second}");
    }
}

#[test]
fn the_door_s_word_counts_more_than_the_looks() {
    let mut record = Record::examined(examined("1", Probed::Other), span(10));
    let mut witnessed = look("1");
    witnessed.witness = Some(LeaseWitness {
        connections: 1,
        watched: 500_000,
        ..LeaseWitness::default()
    });
    record.seen(witnessed.clone(), span(4000));
    assert_eq!(activity(&record), Activity::Growing);
    witnessed.witness = Some(LeaseWitness {
        since_write: Some(120_000),
        watched: 500_000,
        ..LeaseWitness::default()
    });
    record.seen(witnessed, span(5000));
    let quiet = Activity::Quiet {
        lasting: Duration::from_secs(120),
        since: at(4880).wall,
    };
    assert_eq!(activity(&record), quiet);
}

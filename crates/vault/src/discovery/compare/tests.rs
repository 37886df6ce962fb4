//! What was found against what was known, case by case.

use catalog::record::{Database, DatabaseId, DatabaseState, ServerId};
use jiff::Timestamp;
use jiff::civil::{DateTime, date};
use uuid::Uuid;

use super::super::seen::{Membership, Seen};
use super::{Change, Finding, Former, compare};

const HERE: ServerId = ServerId(Uuid::from_u128(1));
const ELSEWHERE: ServerId = ServerId(Uuid::from_u128(2));
const GROUP: Uuid = Uuid::from_u128(77);

fn day(day: i8) -> DateTime {
    date(2026, 1, day).at(0, 0, 0, 0)
}

fn state(model: &str) -> DatabaseState {
    DatabaseState {
        state: "ONLINE".to_owned(),
        recovery_model: model.to_owned(),
        user_access: "MULTI_USER".to_owned(),
        is_read_only: false,
        is_standby: false,
        is_mirrored: false,
        is_snapshot: false,
        is_system: false,
        is_encrypted: false,
        last_log_backup_lsn: None,
        differential_base: None,
        is_log_shipped: false,
    }
}

/// A database seen: its guid is its number plus 100, its family plus 200, its fork plus 300.
fn seen(name: &str, number: i32) -> Seen {
    let id = u128::from(number.unsigned_abs());
    Seen {
        name: name.to_owned(),
        database_guid: Some(Uuid::from_u128(id + 100)),
        family_guid: Some(Uuid::from_u128(id + 200)),
        recovery_fork: Some(Uuid::from_u128(id + 300)),
        number,
        created: day(1),
        group: Membership::None,
        state: state("FULL"),
        data_bytes: 0,
        log_bytes: 0,
        files: Vec::new(),
        may_back_up: true,
    }
}

/// The record of what was seen.
fn known(id: u128, seen: &Seen) -> Database {
    Database {
        id: DatabaseId(Uuid::from_u128(id)),
        server: HERE,
        group: match seen.group {
            Membership::In { group, .. } => Some(group),
            _ => None,
        },
        name: seen.name.clone(),
        former_names: Vec::new(),
        database_guid: seen.database_guid,
        family_guid: seen.family_guid,
        recovery_fork: seen.recovery_fork,
        number: seen.number,
        created: seen.created,
        state: seen.state.clone(),
        data_bytes: 0,
        log_bytes: 0,
        files: Vec::new(),
        first_seen: Timestamp::UNIX_EPOCH,
        last_seen: Timestamp::UNIX_EPOCH,
        gone: None,
        is_test_copy: false,
    }
}

fn with(mut one: Seen, change: impl FnOnce(&mut Seen)) -> Seen {
    change(&mut one);
    one
}

fn told(known: &[Database], seen: Vec<Seen>) -> Vec<String> {
    told_by(known, seen, true)
}

/// Findings in short: `1 same`, `1 renamed`, `new`, `new for 1`, `1 gone`.
fn told_by(known: &[Database], seen: Vec<Seen>, sees_all: bool) -> Vec<String> {
    let number = |id: DatabaseId| id.0.as_u128();
    let former_of = |former: &Option<(DatabaseId, Former)>| match former {
        Some((id, how)) => format!(" for {} {how:?}", number(*id)),
        None => String::new(),
    };
    compare(HERE, known, seen, sees_all)
        .iter()
        .map(|finding| match finding {
            Finding::New { former, .. } => format!("new{}", former_of(former)),
            Finding::Gone(id) => format!("{} gone", number(*id)),
            Finding::Known {
                id, changes, former, ..
            } => {
                let words: Vec<&str> = changes
                    .iter()
                    .map(|change| match change {
                        Change::Renamed(_) => "renamed",
                        Change::RestoredOver => "restored",
                        Change::ModelChanged(_) => "model",
                        Change::Returned => "returned",
                    })
                    .collect();
                let words = if words.is_empty() {
                    "same".to_owned()
                } else {
                    words.join(" ")
                };
                format!("{} {words}{}", number(*id), former_of(former))
            }
        })
        .collect()
}

#[test]
fn identity_is_the_guid_and_not_the_name() {
    let (a, b) = (seen("A", 5), seen("B", 6));
    let both = [known(1, &a), known(2, &b)];
    assert_eq!(told(&both, vec![a.clone(), b.clone()]), ["1 same", "2 same"]);
    // Names exchanged.
    let swapped = vec![
        with(a.clone(), |one| one.name = "B".to_owned()),
        with(b.clone(), |one| one.name = "A".to_owned()),
    ];
    assert_eq!(told(&both, swapped), ["1 renamed", "2 renamed"]);
    // One renamed to what another one, dropped, was called.
    let moved = vec![with(a.clone(), |one| one.name = "B".to_owned())];
    assert_eq!(told(&both, moved), ["1 renamed", "2 gone"]);
    assert_eq!(told(&both, vec![a, seen("C", 7), b]), ["1 same", "new", "2 same"]);
}

#[test]
fn under_the_same_name_lineage_tells_a_restore_from_another_database() {
    let a = seen("A", 5);
    let one = [known(1, &a)];
    let new_guid = |one: &mut Seen| one.database_guid = Some(Uuid::from_u128(999));
    assert_eq!(told(&one, vec![with(a.clone(), new_guid)]), ["1 restored"]);
    let fork = |one: &mut Seen| one.recovery_fork = Some(Uuid::from_u128(998));
    assert_eq!(told(&one, vec![with(a.clone(), fork)]), ["1 restored"]);
    let other = seen("a", 8);
    assert_eq!(told(&one, vec![other.clone()]), ["new for 1 Recreated", "1 gone"]);
    // Found gone before.
    let mut gone = known(1, &a);
    gone.gone = Some(Timestamp::UNIX_EPOCH);
    let gone = [gone];
    assert_eq!(told(&gone, Vec::new()), Vec::<String>::new());
    assert_eq!(told(&gone, vec![other]), ["new for 1 Recreated"]);
    assert_eq!(told(&gone, vec![a.clone()]), ["1 returned"]);
    assert_eq!(
        told(&gone, vec![with(a.clone(), new_guid)]),
        ["1 returned restored"]
    );
    // A copy beside it shares its family and is another one.
    let copy = with(a.clone(), |one| {
        new_guid(one);
        one.name = "Copy".to_owned();
    });
    assert_eq!(told(&one, vec![a, copy]), ["1 same", "new"]);
}

#[test]
fn what_cannot_be_asked_is_known_by_name_and_age_or_by_number() {
    let a = seen("A", 5);
    let one = [known(1, &a)];
    let mute = |one: &mut Seen| {
        one.database_guid = None;
        one.family_guid = None;
        one.recovery_fork = None;
        one.state = state("");
    };
    let silent = with(a.clone(), mute);
    assert_eq!(told(&one, vec![silent.clone()]), ["1 same"]);
    let renamed = with(silent.clone(), |one| one.name = "B".to_owned());
    assert_eq!(told(&one, vec![renamed]), ["1 renamed"]);
    let another = with(silent.clone(), |one| {
        one.number = 9;
        one.created = day(2);
    });
    assert_eq!(told(&one, vec![another]), ["new for 1 Recreated", "1 gone"]);
    // First seen while it could not be asked.
    assert_eq!(told(&[known(1, &silent)], vec![a]), ["1 same"]);
}

#[test]
fn a_login_that_does_not_see_all_misses_nothing() {
    let a = seen("A", 5);
    assert_eq!(told(&[known(1, &a)], Vec::new()), ["1 gone"]);
    assert_eq!(told_by(&[known(1, &a)], Vec::new(), false), Vec::<String>::new());
}

#[test]
fn the_recovery_model_is_compared_where_it_can_be_told() {
    let a = seen("A", 5);
    let one = [known(1, &a)];
    assert_eq!(
        told(&one, vec![with(a.clone(), |one| one.state = state("SIMPLE"))]),
        ["1 model"]
    );
    let bulk = vec![with(a.clone(), |one| one.state = state("BULK_LOGGED"))];
    assert_eq!(told(&one, bulk), ["1 same"], "the log goes on");
    let simple = [known(1, &with(a.clone(), |one| one.state = state("SIMPLE")))];
    assert_eq!(told(&simple, vec![a.clone()]), ["1 model"]);
    assert_eq!(told(&one, vec![with(a, |one| one.state = state(""))]), ["1 same"]);
}

#[test]
fn tempdb_is_tempdb_whatever_it_was_made_of() {
    let system = |one: &mut Seen| one.state.is_system = true;
    let before = with(seen("tempdb", 2), system);
    let after = with(seen("tempdb", 2), |one| {
        system(one);
        one.database_guid = Some(Uuid::from_u128(999));
        one.family_guid = Some(Uuid::from_u128(998));
        one.created = day(2);
    });
    assert_eq!(told(&[known(1, &before)], vec![after]), ["1 same"]);
}

#[test]
fn a_copy_that_was_announced_is_taken_for_what_was_announced() {
    let mut announced = known(1, &seen("copy", 0));
    (
        announced.database_guid,
        announced.family_guid,
        announced.recovery_fork,
    ) = (None, None, None);
    announced.is_test_copy = true;
    assert_eq!(told(&[announced], vec![seen("copy", 9)]), ["1 same"]);
}

fn in_group(one: Seen, is_primary: bool) -> Seen {
    with(one, |one| {
        one.group = Membership::In {
            group: GROUP,
            is_primary,
        };
    })
}

#[test]
fn a_group_is_another_place_and_its_database_has_one_record_for_all_replicas() {
    let a = seen("A", 5);
    let (alone, grouped) = (known(1, &a), in_group(a.clone(), true));
    assert_eq!(
        told(std::slice::from_ref(&alone), vec![grouped.clone()]),
        ["new for 1 MovedIntoGroup", "1 gone"]
    );
    assert_eq!(told(&[known(2, &grouped)], vec![grouped.clone()]), ["2 same"]);
    assert_eq!(
        told(&[known(2, &grouped)], vec![a.clone()]),
        ["new for 2 MovedOutOfGroup", "2 gone"]
    );
    // Out again, the old one is itself once more.
    let mut gone = alone;
    gone.gone = Some(Timestamp::UNIX_EPOCH);
    assert_eq!(
        told(&[gone, known(2, &grouped)], vec![a.clone()]),
        ["1 returned for 2 MovedOutOfGroup", "2 gone"]
    );
    // Kept by another replica: the primary takes the record over, a secondary leaves it alone, and neither calls it restored.
    let other = with(in_group(a.clone(), true), |one| {
        one.database_guid = Some(Uuid::from_u128(999));
    });
    let mut kept = known(3, &grouped);
    kept.server = ELSEWHERE;
    assert_eq!(told(&[kept.clone()], vec![other.clone()]), ["3 same"]);
    let secondary = with(other, |one| {
        one.group = Membership::In {
            group: GROUP,
            is_primary: false,
        };
    });
    assert_eq!(told(&[kept], vec![secondary]), Vec::<String>::new());
    // Who may not see groups changes nothing.
    let unknown = with(a, |one| one.group = Membership::Unknown);
    assert_eq!(told(&[known(2, &grouped)], vec![unknown]), ["2 same"]);
}

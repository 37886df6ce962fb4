//! What a survey finds, what it costs, and how it comes to an end.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use azblob::time::UnixMillis;

use super::{Surveyed, survey};
use crate::account::Account;
use crate::clock::Clock;
use crate::event::{Event, Listener, Nobody};
use crate::fault::{Cause, Fault, Operation};
use crate::guard::Guard;
use crate::place::Place;
use crate::ruling::Terms;
use crate::scope::Scope;
use crate::scripted::{Blob, Scripted, fault, run};

fn look_through(account: &Scripted, scope: &Scope) -> Result<Surveyed, Fault> {
    run(survey(account, scope, &Nobody))
}

fn places(surveyed: &Surveyed) -> Vec<String> {
    surveyed
        .locked
        .iter()
        .map(|(place, _)| place.to_string())
        .collect()
}

/// Containers `a`, `b` and `c`, with one locked blob in each and one that is not.
fn three() -> Scripted {
    Scripted::of([
        ("a/1", Blob::block("x")),
        ("a/2", Blob::block("x").unlocked()),
        ("b/1", Blob::block("x").unlocked()),
        ("b/2", Blob::block("x")),
        ("c/1", Blob::block("x")),
        ("c/2", Blob::block("x").unlocked()),
    ])
}

fn gone(container: &str) -> Fault {
    fault(
        Operation::ListBlobs,
        container,
        Cause::NotFound,
        404,
        "ContainerNotFound",
    )
}

#[test]
fn a_survey_can_move_between_threads() {
    fn check<T: Send>(_: &T) {}
    fn of<A: Account>(account: &A) {
        let scope = Scope::default();
        check(&survey(account, &scope, &Nobody));
    }
    of(&Scripted::default());
}

#[test]
fn the_whole_account_is_looked_through_page_by_page_and_found_in_order() {
    let mut account = three();
    account.page = 1;
    account.empty.push("d".to_owned());
    let surveyed = look_through(&account, &Scope::default()).unwrap();
    assert_eq!(places(&surveyed), ["a/1", "b/2", "c/1"]);
    assert_eq!((surveyed.containers, surveyed.blobs), (4, 6));
    assert_eq!(surveyed.unread, []);
    assert_eq!(account.asked(Operation::ListContainers), 4);
    assert_eq!(account.asked(Operation::ListBlobs), 7);
}

#[test]
fn a_container_or_a_prefix_narrows_it() {
    let account = three();
    let scope = Scope {
        container: Some("b".to_owned()),
        prefix: "2".to_owned(),
        ..Scope::default()
    };
    let surveyed = look_through(&account, &scope).unwrap();
    assert_eq!(places(&surveyed), ["b/2"]);
    assert_eq!((surveyed.containers, surveyed.blobs), (1, 1));
    assert_eq!(account.asked_in_all(), 1);
}

/// In 50 containers, ten of them locked.
fn ten_thousand() -> Scripted {
    let mut account = Scripted::default();
    for number in 0..10_000 {
        let place = Place::new(format!("c{:02}", number % 50), format!("b{number:05}"));
        let blob = Blob::block("x");
        let blob = if number % 1_000 == 7 {
            blob
        } else {
            blob.unlocked()
        };
        account.blobs.insert(place, blob);
    }
    account
}

#[test]
fn ten_thousand_blobs_cost_their_listing_alone() {
    let account = ten_thousand();
    let surveyed = look_through(&account, &Scope::default()).unwrap();
    assert_eq!(surveyed.locked.len(), 10);
    assert_eq!((surveyed.containers, surveyed.blobs), (50, 10_000));
    assert_eq!(account.asked_in_all(), 51);
}

/// Nothing waits here.
struct Standing;

impl Clock for Standing {
    fn now(&self) -> UnixMillis {
        UnixMillis(0)
    }

    fn watched(&self) -> Duration {
        Duration::ZERO
    }

    async fn sleep(&self, _time: Duration) {}
}

#[test]
fn only_the_locked_blobs_among_ten_thousand_are_looked_into() {
    let account = ten_thousand();
    let terms = Terms {
        min_quiet: Duration::from_secs(3_600),
        include_restore: false,
        named: BTreeSet::new(),
    };
    let mut guard = Guard::new(&account, &Standing, Scope::default(), terms);
    let summary = run(guard.survey()).unwrap();
    assert_eq!((summary.blobs, summary.locked), (10_000, 10));
    assert_eq!(account.asked(Operation::ListContainers), 1);
    assert_eq!(account.asked(Operation::ListBlobs), 50);
    // The properties once, and the probe in two spellings.
    assert_eq!(account.asked(Operation::Look), 30);
    assert_eq!(account.asked(Operation::BlockList), 10);
    assert_eq!(account.asked(Operation::Read), 10);
    assert_eq!(account.asked_in_all(), 101);
}

#[test]
fn a_container_that_disappears_is_a_fault_only_where_it_was_named() {
    let account = three().failing(|operation, target, _| {
        (operation == Operation::ListBlobs && target == "b").then(|| gone("b"))
    });
    let surveyed = look_through(&account, &Scope::default()).unwrap();
    assert_eq!(places(&surveyed), ["a/1", "c/1"]);
    assert_eq!((surveyed.containers, surveyed.unread.len()), (2, 0));
    let named = Scope {
        container: Some("b".to_owned()),
        ..Scope::default()
    };
    let surveyed = look_through(&account, &named).unwrap();
    assert_eq!(surveyed.unread, [gone("b")]);
    assert_eq!(surveyed.containers, 0);
}

#[test]
fn a_container_being_deleted_took_its_blobs_with_it() {
    let deleted = || {
        let cause = Cause::Other("being deleted".to_owned());
        fault(Operation::ListBlobs, "b", cause, 409, "ContainerBeingDeleted")
    };
    let mut account = three().failing(move |operation, target, before| {
        (operation == Operation::ListBlobs && target == "b" && before > 4).then(deleted)
    });
    account.page = 1;
    let surveyed = look_through(&account, &Scope::default()).unwrap();
    assert_eq!(surveyed.unread, []);
}

#[test]
fn a_container_that_may_not_be_listed_is_told_and_the_others_are_read() {
    let forbidden = || {
        let code = "AuthorizationPermissionMismatch";
        fault(Operation::ListBlobs, "b", Cause::NotAllowed, 403, code)
    };
    let account = three().failing(move |operation, target, _| {
        (operation == Operation::ListBlobs && target == "b").then(forbidden)
    });
    let surveyed = look_through(&account, &Scope::default()).unwrap();
    assert_eq!(places(&surveyed), ["a/1", "c/1"]);
    assert_eq!(surveyed.unread, [forbidden()]);
}

#[test]
fn a_fault_of_the_account_ends_the_survey() {
    for cause in [
        Cause::Expired(None),
        Cause::Refused,
        Cause::Unreachable("no route".to_owned()),
    ] {
        let refused = move || {
            fault(
                Operation::ListBlobs,
                "b",
                cause.clone(),
                403,
                "AuthenticationFailed",
            )
        };
        let account = three().failing(move |operation, target, _| {
            (operation == Operation::ListBlobs && target == "b").then(&refused)
        });
        look_through(&account, &Scope::default()).unwrap_err();
    }
    let account = three().failing(|operation, _, _| {
        let cause = Cause::NotAllowed;
        (operation == Operation::ListContainers).then(|| fault(operation, "", cause, 403, "x"))
    });
    look_through(&account, &Scope::default()).unwrap_err();
}

#[test]
fn named_blobs_are_looked_up_and_nothing_is_listed_for_them() {
    let account = three();
    let blobs = ["a/1", "a/2", "b/2"];
    let scope = Scope {
        blobs: blobs.iter().map(|name| Place::parse(name).unwrap()).collect(),
        ..Scope::default()
    };
    let surveyed = look_through(&account, &scope).unwrap();
    assert_eq!(places(&surveyed), ["a/1", "b/2"]);
    assert_eq!((surveyed.containers, surveyed.blobs), (2, 3));
    assert_eq!(account.asked_in_all(), 3);
}

#[test]
fn a_named_blob_that_is_not_there_is_not_locked_but_its_container_must_be_there() {
    let account = three();
    let blobs = ["a/none", "none/1", "c/1"];
    let scope = Scope {
        blobs: blobs.iter().map(|name| Place::parse(name).unwrap()).collect(),
        ..Scope::default()
    };
    let surveyed = look_through(&account, &scope).unwrap();
    assert_eq!(places(&surveyed), ["c/1"]);
    assert_eq!(surveyed.blobs, 1);
    let [unread] = &surveyed.unread[..] else {
        panic!("{:?}", surveyed.unread);
    };
    assert_eq!(unread.target, "none/1");
}

#[test]
fn a_listing_without_an_end_is_given_up() {
    let same: fn(u64) -> String = |_| "again".to_owned();
    let round: fn(u64) -> String = |request| (request % 3).to_string();
    let empty: fn(u64) -> String = |request| (request + 1_000_000).to_string();
    for endless in [same, round, empty] {
        let mut account = three();
        account.endless = Some(endless);
        let scope = Scope {
            container: Some("a".to_owned()),
            ..Scope::default()
        };
        let surveyed = look_through(&account, &scope).unwrap();
        assert!(matches!(surveyed.unread[0].cause, Cause::Unusable(_)));
        assert!(account.asked_in_all() <= 1_003);
        let whole = look_through(&account, &Scope::default()).unwrap_err();
        assert!(matches!(whole.cause, Cause::Unusable(_)));
    }
}

#[test]
fn a_listener_hears_how_it_goes_on() {
    struct Heard(Mutex<Vec<Event>>);
    impl Listener for Heard {
        fn hear(&self, event: &Event) {
            self.0.lock().unwrap().push(event.clone());
        }
    }
    let heard = Heard(Mutex::default());
    run(survey(&three(), &Scope::default(), &heard)).unwrap();
    let heard = heard.0.into_inner().unwrap();
    let count = |wanted: &Event| heard.iter().filter(|event| *event == wanted).count();
    assert_eq!(count(&Event::Containers { found: 3, last: true }), 1);
    assert_eq!(count(&Event::Listed { blobs: 2, locked: 1 }), 3);
    assert_eq!(count(&Event::ContainerDone), 3);
}

//! Waiting for quiet: through looks that fail, past blobs that stir, and to an end in any case.

use std::collections::BTreeSet;
use std::sync::Mutex;

use azblob::lease::LeaseWitness;
use azblob::time::UnixMillis;
use bak::writer::sample::{Sample, SampleKind};

use super::*;
use crate::account::ETag;
use crate::act::Deed;
use crate::fault::Operation;
use crate::place::Place;
use crate::report::Skip;
use crate::ruling::Why;
use crate::scripted::{Blob, Scripted, fault, run};

const MINUTE: Duration = Duration::from_secs(60);

/// A clock that is moved by waiting alone.
#[derive(Default)]
struct Still(Mutex<Duration>);

impl Clock for Still {
    fn now(&self) -> UnixMillis {
        UnixMillis(0)
    }

    fn watched(&self) -> Duration {
        *self.0.lock().unwrap()
    }

    async fn sleep(&self, time: Duration) {
        *self.0.lock().unwrap() += time;
    }
}

fn half_a_backup() -> Blob {
    let whole = Sample::default().backup(SampleKind::Full, 1);
    let half = whole[..whole.len() / 1024 * 512].to_vec();
    let written = std::iter::once(0..half.len() as u64).collect::<Vec<_>>();
    Blob::page(1 << 30, half, &written)
}

fn terms() -> Terms {
    Terms {
        min_quiet: MINUTE,
        include_restore: false,
        named: BTreeSet::new(),
    }
}

/// Surveys, ripens, and tells how that ended, what the ruling is then, and how long it took.
fn ripen(account: &Scripted) -> (Result<(), Fault>, Vec<Ruling>, Duration) {
    let clock = Still::default();
    let mut guard = Guard::new(account, &clock, Scope::default(), terms());
    run(guard.survey()).unwrap();
    let ended = run(guard.ripen());
    let rulings = guard.entries().into_iter().map(|entry| match entry {
        Entry::Blob { ruling, .. } => ruling,
        Entry::Unread { fault, .. } => panic!("{fault}"),
    });
    (ended, rulings.collect(), clock.watched())
}

/// Looks fail so from one to another, counted over the run.
fn failing_looks(which: std::ops::Range<u64>, cause: Cause) -> Scripted {
    Scripted::of([("backups/dead.bak", half_a_backup())]).failing(move |operation, target, before| {
        (operation == Operation::Look && which.contains(&before))
            .then(|| fault(operation, target, cause.clone(), 503, "ServerBusy"))
    })
}

#[test]
fn an_outage_costs_no_quiet() {
    for cause in [
        Cause::Throttled,
        Cause::Unreachable("no route".to_owned()),
        Cause::Other("a gateway's words".to_owned()),
    ] {
        // The survey takes three: a look and both spellings of the probe.
        let (ended, rulings, took) = ripen(&failing_looks(5..12, cause));
        assert_eq!(ended, Ok(()));
        assert!(matches!(rulings[..], [Ruling::Break(_)]), "{rulings:?}");
        assert_eq!(took, MINUTE, "nothing changed, whoever looked");
    }
}

#[test]
fn waiting_ends_where_no_look_works_any_more() {
    let (ended, rulings, took) = ripen(&failing_looks(3..u64::MAX, Cause::Throttled));
    assert_eq!(ended, Ok(()), "one blob's trouble is not the account's");
    assert!(matches!(rulings[..], [Ruling::Wait(_)]), "{rulings:?}");
    assert!(took < MINUTE, "{took:?}");
    let unreachable = Cause::Unreachable("no route".to_owned());
    let (ended, ..) = ripen(&failing_looks(3..u64::MAX, unreachable.clone()));
    assert_eq!(ended.unwrap_err().cause, unreachable);
    let (ended, _, took) = ripen(&failing_looks(3..u64::MAX, Cause::Expired(None)));
    assert_eq!(ended.unwrap_err().cause, Cause::Expired(None));
    assert!(
        took <= Duration::from_secs(1),
        "an expired SAS does not heal: {took:?}"
    );
}

#[test]
fn a_blob_that_is_used_on_the_door_is_not_waited_for() {
    let mut used = half_a_backup();
    let witness = |since| LeaseWitness {
        since_read: Some(since),
        watched: 1_000_000,
        ..LeaseWitness::default()
    };
    used.witness = Some(witness(5_000));
    let mut account = Scripted::of([("backups/read.bak", used)]);
    let clock = Still::default();
    let place = Place::new("backups", "read.bak");
    let mut watched = BTreeMap::new();
    {
        let mut guard = Guard::new(&account, &clock, Scope::default(), terms());
        run(guard.survey()).unwrap();
        assert_eq!(guard.longest_wait(), Some(MINUTE - Duration::from_secs(5)));
        watched.append(&mut guard.known);
    }
    account.blobs.get_mut(&place).unwrap().witness = Some(witness(100));
    let mut guard = Guard::new(&account, &clock, Scope::default(), terms());
    guard.known = watched;
    run(guard.look_again()).unwrap();
    assert_eq!(guard.longest_wait(), None, "somebody reads it now and then");
}

/// A database that moved in under the name of a backup.
fn database() -> Blob {
    let mut page = vec![0; 8192];
    page[..2].copy_from_slice(&[1, 15]);
    let mut blob = Blob::page(1 << 30, page, std::slice::from_ref(&(0..8192)));
    blob.properties.etag = Some(ETag("\"2\"".to_owned()));
    blob
}

#[test]
fn nothing_is_done_by_what_a_blob_held_before_it_changed() {
    let clock = Still::default();
    let place = Place::new("backups", "dead.bak");
    let mut terms = terms();
    terms.named.insert(place.clone());
    let mut known = BTreeMap::new();
    let mut survey = |account: &Scripted| {
        let mut guard = Guard::new(account, &clock, Scope::default(), terms.clone());
        guard.known.append(&mut known);
        run(guard.survey()).unwrap();
        // The account panics where it is told to break.
        let did = run(guard.act(&place, Deed::Break));
        known.append(&mut guard.known);
        did
    };
    let waits = Did::Skipped(Skip::NotQuietYet);
    let with = |blob| Scripted::of([("backups/dead.bak", blob)]);
    assert_eq!(survey(&with(half_a_backup())), waits);
    assert_eq!(survey(&with(database())), Did::Skipped(Skip::Ruled(Why::Growing)));
    run(clock.sleep(2 * MINUTE));
    // It is at rest now and worth another reading, which fails behind the first request; the act's own look works.
    let busy = with(database()).failing(|operation, target, before| {
        (operation == Operation::Look && before == 1)
            .then(|| fault(operation, target, Cause::Throttled, 503, "ServerBusy"))
    });
    assert_eq!(survey(&busy), Did::Skipped(Skip::Stirred));
    let database = Did::Skipped(Skip::Ruled(Why::DataFile));
    assert_eq!(survey(&with(self::database())), database);
}

#[test]
fn an_act_whose_answer_was_lost_is_told_as_what_it_was() {
    let place = Place::new("backups", "dead.bak");
    let causes = [
        Cause::Unreachable("no answer in time".to_owned()),
        Cause::Throttled,
        Cause::Other("a gateway's words".to_owned()),
    ];
    for cause in causes {
        for (deed, did) in [
            (Deed::Break, Did::Broke),
            (Deed::Delete { complete_too: false }, Did::Deleted),
        ] {
            let mut account = Scripted::of([("backups/dead.bak", half_a_backup())]);
            account.acts = Some(cause.clone());
            let clock = Still::default();
            let mut guard = Guard::new(&account, &clock, Scope::default(), terms());
            run(guard.survey()).unwrap();
            run(guard.ripen()).unwrap();
            assert_eq!(run(guard.act(&place, deed)), did, "{cause:?}");
            assert_eq!(account.asked(Operation::BreakLease), 1);
        }
    }
}

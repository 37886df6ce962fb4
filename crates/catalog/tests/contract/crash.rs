//! What the catalog in memory does when things go wrong: the trouble that a simulation gives it.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use catalog::memory::{Event, MemoryStore, Step, pending};
use catalog::{Catalog, CatalogError, Kind, insert};
use futures::executor::block_on;

use crate::records::{Job, Policy, row};

/// All of it, by name.
pub(crate) const CASES: [(&str, fn()); 8] = [
    ("a_commit_under_way_at_a_crash_is_whole_or_not_there", under_way),
    ("a_commit_whose_caller_went_away_is_whole_or_not_there", went_away),
    (
        "a_commit_that_is_answered_after_the_crash_is_unknown",
        answered_late,
    ),
    ("a_lost_commit_is_unknown_and_whole_or_not_there", lost),
    ("planned_trouble_is_named_and_leaves_nothing_behind", planned),
    ("after_a_crash_the_old_catalog_is_dead", dead),
    (
        "after_an_answer_that_nobody_waited_for_a_transaction_is_over",
        midway,
    ),
    ("the_same_seed_gives_the_same_run", same),
];

async fn two_rows(store: &MemoryStore) -> Box<dyn catalog::Transaction> {
    let catalog = store.open().unwrap();
    let mut tx = catalog.begin().await.unwrap();
    insert(tx.as_mut(), "v1", Job::new("j1", "Queued", 1))
        .await
        .unwrap();
    insert(tx.as_mut(), "v1", Policy::new("p1", "daily"))
        .await
        .unwrap();
    // It stays open as long as its process lives, which here is until the crash.
    std::mem::forget(catalog);
    tx
}

/// A plan under which only commits wait.
fn slow_commits(step: Step) -> Event {
    match step {
        Step::Commit => Event::Wait(pending(3)),
        _ => Event::Go,
    }
}

fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// The rows after a restart: both or neither; true for both.
fn both_or_neither(store: &MemoryStore) -> bool {
    let again = store.open().unwrap();
    assert_eq!(again.info().generation, 2);
    match store.rows().len() {
        0 => false,
        2 => true,
        other => panic!("{other} of two rows"),
    }
}

fn assert_goes_both_ways(case: impl Fn(&MemoryStore) -> bool) {
    let done = (0..64).filter(|seed| case(&MemoryStore::new(*seed))).count();
    // With a fair coin, fewer than 12 or more than 52 of 64 happens once in millions of times.
    assert!((12..=52).contains(&done), "{done} of 64 were done");
}

fn under_way() {
    assert_goes_both_ways(|store| {
        store.set_plan(Box::new(slow_commits));
        let tx = block_on(two_rows(store));
        let mut commit = tx.commit();
        assert!(poll_once(commit.as_mut()).is_pending());
        assert!(store.rows().is_empty(), "nothing is seen before it is answered");
        store.crash();
        drop(commit);
        both_or_neither(store)
    });
}

fn went_away() {
    assert_goes_both_ways(|store| {
        store.set_plan(Box::new(slow_commits));
        let catalog = store.open().unwrap();
        let commit = async {
            let mut tx = catalog.begin().await.unwrap();
            tx.insert(row(Kind::Job, "v1", "j1", None)).await.unwrap();
            tx.insert(row(Kind::Item, "v1", "i1", None)).await.unwrap();
            tx.commit().await
        };
        {
            let mut commit = Box::pin(commit);
            assert!(poll_once(commit.as_mut()).is_pending());
        }
        // The next transaction sees how it ended, and it stays so.
        let mut tx = block_on(catalog.read()).unwrap();
        let job = block_on(tx.get(Kind::Job, "v1", "j1")).unwrap().is_some();
        let item = block_on(tx.get(Kind::Item, "v1", "i1")).unwrap().is_some();
        assert_eq!(job, item);
        store.crash();
        assert_eq!(both_or_neither(store), job);
        job
    });
}

fn answered_late() {
    let store = MemoryStore::new(3);
    store.set_plan(Box::new(slow_commits));
    let tx = block_on(two_rows(&store));
    let mut commit = tx.commit();
    assert!(poll_once(commit.as_mut()).is_pending());
    store.crash();
    let late = block_on(commit).unwrap_err();
    assert!(matches!(late, CatalogError::CommitUnknown { .. }), "{late}");
    both_or_neither(&store);
}

fn lost() {
    assert_goes_both_ways(|store| {
        store.set_plan(Box::new(|step: Step| match step {
            Step::Commit => Event::Lost,
            _ => Event::Go,
        }));
        let tx = block_on(two_rows(store));
        let unknown = block_on(tx.commit()).unwrap_err();
        assert!(matches!(unknown, CatalogError::CommitUnknown { .. }), "{unknown}");
        store.crash();
        both_or_neither(store)
    });
}

/// What goes wrong, and the code that it comes out with.
type Trouble = (fn() -> Event, &'static str);

fn planned() {
    let steps = [Step::Begin, Step::Read, Step::Write, Step::Commit];
    let kinds: [Trouble; 3] = [
        (|| Event::DiskFull, "CatalogDiskFull"),
        (|| Event::Conflict, "CatalogConflict"),
        (|| Event::Lost, "CatalogUnreachable"),
    ];
    for at in steps {
        for (event, code) in kinds {
            let store = MemoryStore::new(1);
            let catalog = store.open().unwrap();
            store.set_plan(Box::new(move |step| if step == at { event() } else { Event::Go }));
            let outcome: Result<(), CatalogError> = block_on(async {
                let mut tx = catalog.begin().await?;
                tx.get(Kind::Job, "v1", "j1").await?;
                tx.insert(row(Kind::Job, "v1", "j1", None)).await?;
                tx.commit().await
            });
            let said = outcome.unwrap_err().code();
            let is_lost_commit = at == Step::Commit && code == "CatalogUnreachable";
            assert_eq!(
                said,
                if is_lost_commit {
                    "CatalogCommitUnknown"
                } else {
                    code
                },
                "{at:?}"
            );
            if !is_lost_commit {
                assert!(store.rows().is_empty(), "{at:?} {code}");
            }
        }
    }
    let store = MemoryStore::new(1);
    let catalog = store.open().unwrap();
    store.set_full(true);
    let mut tx = block_on(catalog.begin()).unwrap();
    block_on(tx.insert(row(Kind::Job, "v1", "j1", None))).unwrap();
    assert_eq!(block_on(tx.commit()).unwrap_err().code(), "CatalogDiskFull");
    store.set_full(false);
    let mut tx = block_on(catalog.begin()).unwrap();
    block_on(tx.insert(row(Kind::Job, "v1", "j1", None))).unwrap();
    block_on(tx.commit()).unwrap();
    assert_eq!(store.rows().len(), 1);
}

fn dead() {
    let store = MemoryStore::new(1);
    let first = store.open().unwrap();
    assert_eq!(store.open().err().unwrap().code(), "CatalogInUse");
    let mut tx = block_on(first.begin()).unwrap();
    block_on(tx.insert(row(Kind::Job, "v1", "j1", None))).unwrap();
    store.crash();
    assert_eq!(
        block_on(tx.get(Kind::Job, "v1", "j1")).unwrap_err().code(),
        "CatalogUnreachable"
    );
    assert_eq!(block_on(tx.commit()).unwrap_err().code(), "CatalogUnreachable");
    assert_eq!(block_on(first.health()).unwrap_err().code(), "CatalogUnreachable");
    let second = store.open().unwrap();
    // The end of the dead one frees nothing that the living one holds.
    drop(first);
    assert_eq!(store.open().err().unwrap().code(), "CatalogInUse");
    block_on(second.health()).unwrap();
    assert!(store.rows().is_empty());
    drop(second);
    assert_eq!(store.open().unwrap().info().generation, 3);
}

fn midway() {
    let store = MemoryStore::new(1);
    let catalog = store.open().unwrap();
    store.set_plan(Box::new(|step: Step| match step {
        Step::Write => Event::Wait(pending(1)),
        _ => Event::Go,
    }));
    let mut tx = block_on(catalog.begin()).unwrap();
    {
        let mut insert = tx.insert(row(Kind::Job, "v1", "j1", None));
        assert!(poll_once(insert.as_mut()).is_pending());
    }
    let over = block_on(tx.get(Kind::Job, "v1", "j1")).unwrap_err();
    assert_eq!(over.code(), "CatalogUnreachable");
    assert_eq!(block_on(tx.commit()).unwrap_err(), over);
    assert!(store.rows().is_empty());
}

fn same() {
    let run = |seed| {
        let store = MemoryStore::new(seed);
        for round in 0..20 {
            let catalog = store.open().unwrap();
            store.set_plan(Box::new(|step: Step| match step {
                Step::Commit => Event::Lost,
                _ => Event::Go,
            }));
            let mut tx = block_on(catalog.begin()).unwrap();
            block_on(tx.insert(row(Kind::Job, "v1", &format!("j{round}"), None))).unwrap();
            assert!(block_on(tx.commit()).is_err());
            let copy = store.snapshot();
            assert_eq!(copy.dump(), store.dump());
            store.crash();
        }
        store.dump()
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}

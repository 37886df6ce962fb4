//! What happens when transactions meet, on every catalog.

use std::sync::Arc;

use async_trait::async_trait;
use catalog::{
    Catalog, CatalogError, Kind, Pause, Query, Range, Scope, Slot, Transaction, delete, demand, get, insert,
    page, retry, scoped, update,
};
use futures::FutureExt as _;
use futures::future::BoxFuture;

use crate::cases::put;
use crate::records::{Job, Policy, row};
use crate::subject::{Case, Subject, cases};

cases![
    of_two_that_read_and_write_the_same_one_succeeds,
    write_skew_does_not_happen,
    a_phantom_is_noticed,
    concurrent_increments_lose_nothing,
    claims_give_each_job_to_one_worker,
    two_inserts_of_one_unique_key_do_not_both_succeed,
    dropped_at_any_await_it_is_whole_or_not_there,
];

/// Waits as the vault's clock would.
pub(crate) struct Yield;

#[async_trait]
impl Pause for Yield {
    async fn pause(&self, milliseconds: u64) {
        tokio::time::sleep(std::time::Duration::from_millis(milliseconds)).await;
    }
}

/// Adds one to a job's count.
async fn increment(tx: &mut dyn Transaction, id: &str) -> Result<(), CatalogError> {
    let mut job = demand::<Job>(tx, "v1", id).await?;
    job.record.count += 1;
    update(tx, job).await?;
    Ok(())
}

/// What is done in a transaction.
type Work = fn(&mut dyn Transaction) -> BoxFuture<'_, Result<(), CatalogError>>;

/// Runs two transactions at once, and tells how many succeeded; the others must have met them.
async fn both(catalog: &Arc<dyn Catalog>, work: [Work; 2]) -> usize {
    let start = Arc::new(tokio::sync::Barrier::new(2));
    let runs = work.map(|work| {
        let catalog = Arc::clone(catalog);
        let start = Arc::clone(&start);
        tokio::spawn(async move {
            start.wait().await;
            let mut tx = catalog.begin().await?;
            work(tx.as_mut()).await?;
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            tx.commit().await
        })
    });
    let mut done = 0;
    for run in runs {
        match run.await.unwrap() {
            Ok(()) => done += 1,
            Err(CatalogError::Conflict { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
    done
}

async fn of_two_that_read_and_write_the_same_one_succeeds(subject: Arc<dyn Subject>) {
    let catalog = subject.open().await.unwrap();
    put(catalog.as_ref(), "v1", &[Job::new("j1", "Queued", 1)]).await;
    let mut sum = 0;
    for _ in 0..10 {
        sum += both(
            &catalog,
            [|tx| increment(tx, "j1").boxed(), |tx| increment(tx, "j1").boxed()],
        )
        .await;
    }
    let mut tx = catalog.read().await.unwrap();
    let job = demand::<Job>(tx.as_mut(), "v1", "j1").await.unwrap();
    assert_eq!(usize::try_from(job.record.count).unwrap(), sum);
    assert!(sum >= 10, "at least one of two succeeds each time: {sum}");
}

/// Takes one of two jobs off duty, if the other one stays on.
async fn leave(tx: &mut dyn Transaction, id: &str) -> Result<(), CatalogError> {
    let scope = Scope::vault("v1");
    let on_duty = tx
        .count(Kind::Job, &scope, Slot::A, &Range::members(&["On"]))
        .await?;
    let mut job = demand::<Job>(tx, "v1", id).await?;
    if on_duty == 2 {
        job.record.state = "Off".into();
        update(tx, job).await?;
    }
    Ok(())
}

async fn write_skew_does_not_happen(subject: Arc<dyn Subject>) {
    let catalog = subject.open().await.unwrap();
    for round in 0..10 {
        let mut tx = catalog.begin().await.unwrap();
        for id in ["j1", "j2"] {
            let job = Job::new(id, "On", round);
            match get::<Job>(tx.as_mut(), "v1", id).await.unwrap() {
                Some(mut old) => {
                    old.record = job;
                    update(tx.as_mut(), old).await.unwrap();
                }
                None => {
                    insert(tx.as_mut(), "v1", job).await.unwrap();
                }
            }
        }
        tx.commit().await.unwrap();
        both(
            &catalog,
            [|tx| leave(tx, "j1").boxed(), |tx| leave(tx, "j2").boxed()],
        )
        .await;
        let mut tx = catalog.read().await.unwrap();
        let on = tx
            .count(Kind::Job, &Scope::vault("v1"), Slot::A, &Range::members(&["On"]))
            .await
            .unwrap();
        assert_eq!(on, 1, "one stays on duty");
    }
}

async fn a_phantom_is_noticed(subject: Arc<dyn Subject>) {
    let catalog = subject.open().await.unwrap();
    // Each inserts a job of the database if none is there: at most one may.
    async fn once(tx: &mut dyn Transaction, id: &str) -> Result<(), CatalogError> {
        let query = Query::all("v1", Slot::B).range(Range::exactly("db"));
        if tx.scan(Kind::Job, &query).await?.rows.is_empty() {
            let mut job = Job::new(id, "Queued", 1);
            job.database = Some("db".into());
            insert(tx, "v1", job).await?;
        }
        Ok(())
    }
    for _ in 0..10 {
        both(
            &catalog,
            [|tx| once(tx, "j1").boxed(), |tx| once(tx, "j2").boxed()],
        )
        .await;
        let mut tx = catalog.begin().await.unwrap();
        let query = Query::all("v1", Slot::B).range(Range::exactly("db"));
        let there = page::<Job>(tx.as_mut(), &query).await.unwrap().records;
        assert_eq!(there.len(), 1);
        delete(tx.as_mut(), &there[0]).await.unwrap();
        tx.commit().await.unwrap();
    }
}

async fn concurrent_increments_lose_nothing(subject: Arc<dyn Subject>) {
    let catalog = subject.open().await.unwrap();
    put(catalog.as_ref(), "v1", &[Job::new("j1", "Queued", 1)]).await;
    let workers: Vec<_> = (0..4)
        .map(|worker| {
            let catalog = Arc::clone(&catalog);
            tokio::spawn(async move {
                let mut done = 0;
                for round in 0..10 {
                    let seed = worker * 1000 + round;
                    let done_once =
                        retry(catalog.as_ref(), &Yield, seed, |tx| scoped(increment(tx, "j1"))).await;
                    match done_once {
                        Ok(()) => done += 1,
                        Err(CatalogError::Conflict { .. }) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
                done
            })
        })
        .collect();
    let mut done = 0;
    for worker in workers {
        done += worker.await.unwrap();
    }
    let mut tx = catalog.read().await.unwrap();
    let job = demand::<Job>(tx.as_mut(), "v1", "j1").await.unwrap();
    assert_eq!(job.record.count, done);
    assert_eq!(job.version(), done + 1);
    assert!(
        done >= 30,
        "tries and waits are enough for four workers, but for a few on a machine that has other things to do: {done} of 40"
    );
}

/// Claims the first queued job.
pub(crate) async fn claim(tx: &mut dyn Transaction, worker: &str) -> Result<Option<String>, CatalogError> {
    let query = Query::all("v1", Slot::A)
        .range(Range::members(&["Queued"]))
        .limit(1);
    let Some(mut job) = page::<Job>(tx, &query).await?.records.pop() else {
        return Ok(None);
    };
    job.record.state = "InProgress".into();
    job.record.database = Some(worker.into());
    let job = update(tx, job).await?;
    Ok(Some(job.record.id))
}

async fn claims_give_each_job_to_one_worker(subject: Arc<dyn Subject>) {
    let catalog = subject.open().await.unwrap();
    let jobs: Vec<Job> = (0..40)
        .map(|n| Job::new(&format!("j{n:02}"), "Queued", n))
        .collect();
    put(catalog.as_ref(), "v1", &jobs).await;
    let workers: Vec<_> = (0..4)
        .map(|worker| {
            let catalog = Arc::clone(&catalog);
            tokio::spawn(async move {
                let mut claimed = Vec::new();
                for round in 0.. {
                    let name = format!("w{worker}");
                    let seed = worker * 1000 + round;
                    let claimed_one =
                        retry(catalog.as_ref(), &Yield, seed, |tx| scoped(claim(tx, &name))).await;
                    match claimed_one {
                        Ok(Some(id)) => claimed.push(id),
                        Ok(None) => break,
                        Err(CatalogError::Conflict { .. }) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
                claimed
            })
        })
        .collect();
    let mut claimed = Vec::new();
    for worker in workers {
        claimed.extend(worker.await.unwrap());
    }
    claimed.sort();
    let expected: Vec<String> = jobs.into_iter().map(|job| job.id).collect();
    assert_eq!(claimed, expected, "none lost, none twice");
}

async fn two_inserts_of_one_unique_key_do_not_both_succeed(subject: Arc<dyn Subject>) {
    let catalog = subject.open().await.unwrap();
    async fn name(tx: &mut dyn Transaction, id: &str) -> Result<(), CatalogError> {
        match insert(tx, "v1", Policy::new(id, "daily")).await {
            // The other one was first.
            Ok(_) | Err(CatalogError::Exists { .. }) => Ok(()),
            Err(other) => Err(other),
        }
    }
    for _ in 0..5 {
        both(
            &catalog,
            [|tx| name(tx, "p1").boxed(), |tx| name(tx, "p2").boxed()],
        )
        .await;
        let mut tx = catalog.begin().await.unwrap();
        let there = page::<Policy>(tx.as_mut(), &Query::all("v1", Slot::A))
            .await
            .unwrap()
            .records;
        assert_eq!(there.len(), 1);
        delete(tx.as_mut(), &there[0]).await.unwrap();
        tx.commit().await.unwrap();
    }
}

async fn dropped_at_any_await_it_is_whole_or_not_there(subject: Arc<dyn Subject>) {
    let catalog = subject.open().await.unwrap();
    let mut done = 0;
    for number in 0..60_u64 {
        let id = format!("n{number}");
        let pair = async {
            let mut tx = catalog.begin().await?;
            tx.insert(row(Kind::Job, "v1", &id, None)).await?;
            tx.insert(row(Kind::Item, "v1", &id, Some(&id))).await?;
            tx.commit().await
        };
        // From nothing to more than enough for all of it.
        let patience = std::time::Duration::from_micros(number * number * 4);
        if let Ok(outcome) = tokio::time::timeout(patience, pair).await {
            outcome.unwrap();
            done += 1;
        }
        // Whatever was left lying does not stand in the way of the next.
        let mut tx = catalog.begin().await.unwrap();
        let job = tx.get(Kind::Job, "v1", &id).await.unwrap();
        let item = tx.get(Kind::Item, "v1", &id).await.unwrap();
        assert_eq!(job.is_some(), item.is_some(), "{id}");
        tx.insert(row(Kind::Point, "v1", &id, None)).await.unwrap();
        tx.commit().await.unwrap();
    }
    let mut tx = catalog.read().await.unwrap();
    let scope = Scope::vault("v1");
    let jobs = tx.count(Kind::Job, &scope, Slot::Id, &Range::ALL).await.unwrap();
    assert!(jobs >= done, "{jobs} rows of {done} commits that were answered");
    assert_eq!(
        tx.count(Kind::Point, &scope, Slot::Id, &Range::ALL)
            .await
            .unwrap(),
        60
    );
}

//! How many durable commits and claims a second a catalog does:
//! `cargo run -p bac2-catalog --example rates -- PATH|URL|memory [ROUNDS]`.
//!
//! A commit is one inserted row; a claim reads the first queued row, changes it and commits. One after the other, as
//! one vault's scheduler does them, and then by four workers at once.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use catalog::memory::MemoryStore;
use catalog::sql::{Location, SqlCatalog};
use catalog::{
    Catalog, CatalogError, Keys, Kind, NewRow, Pause, Query, Range, Slot, Transaction, keys, retry, scoped,
};

struct Sleep;

#[async_trait]
impl Pause for Sleep {
    async fn pause(&self, milliseconds: u64) {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }
}

fn job(id: u64, state: &str) -> NewRow {
    NewRow {
        kind: Kind::Job,
        vault: "v1".into(),
        id: format!("j{id:08}"),
        keys: Keys {
            b: Some(keys::tuple(&[
                state,
                &keys::number(i64::try_from(id).unwrap_or(0)),
            ])),
            ..Keys::NONE
        },
        format: 1,
        body: format!("{{\"state\":\"{state}\",\"note\":\"{}\"}}", "x".repeat(500)),
    }
}

/// Takes the first queued job; false when there is none.
async fn claim(tx: &mut dyn Transaction) -> Result<bool, CatalogError> {
    let queued = Query::all("v1", Slot::B)
        .range(Range::members(&["Queued"]))
        .limit(1);
    let Some(row) = tx.scan(Kind::Job, &queued).await?.rows.pop() else {
        return Ok(false);
    };
    let number = row.id[1..].parse().unwrap_or(0);
    tx.update(job(number, "InProgress"), row.version).await?;
    Ok(true)
}

#[tokio::main]
#[allow(clippy::disallowed_methods)] // A measurement reads the clock.
async fn main() -> Result<(), CatalogError> {
    let mut arguments = std::env::args().skip(1);
    let place = arguments.next().unwrap_or_else(|| "memory".into());
    let rounds: u64 = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(2000);
    let catalog: Arc<dyn Catalog> = match place.as_str() {
        "memory" => Arc::new(MemoryStore::new(1).open()?),
        other => Arc::new(SqlCatalog::open(&Location::parse(other)?).await?),
    };
    let started = std::time::Instant::now();
    for id in 0..rounds {
        let mut tx = catalog.begin().await?;
        tx.insert(job(id, "Queued")).await?;
        tx.commit().await?;
    }
    report("commits of one row", rounds, started.elapsed());
    let started = std::time::Instant::now();
    for id in 0..rounds {
        let mut tx = catalog.read().await?;
        tx.get(Kind::Job, "v1", &format!("j{id:08}")).await?;
    }
    report("reads of one row", rounds, started.elapsed());
    let started = std::time::Instant::now();
    for seed in 0..rounds / 2 {
        retry(catalog.as_ref(), &Sleep, seed, |tx| scoped(claim(tx))).await?;
    }
    report("claims by one worker", rounds / 2, started.elapsed());
    let started = std::time::Instant::now();
    let workers: Vec<_> = (0..4)
        .map(|worker| {
            let catalog = Arc::clone(&catalog);
            tokio::spawn(async move {
                let mut claimed = 0;
                for round in 0.. {
                    match retry(catalog.as_ref(), &Sleep, worker << 32 | round, |tx| {
                        scoped(claim(tx))
                    })
                    .await
                    {
                        Ok(true) => claimed += 1,
                        Ok(false) => break,
                        Err(CatalogError::Conflict { .. }) => {}
                        Err(other) => return Err(other),
                    }
                }
                Ok(claimed)
            })
        })
        .collect();
    let mut claimed = 0;
    for worker in workers {
        claimed += worker.await.expect("the worker does not panic")?;
    }
    report("claims by four workers", claimed, started.elapsed());
    Ok(())
}

fn report(what: &str, done: u64, took: Duration) {
    let rate = f64::from(u32::try_from(done).unwrap_or(u32::MAX)) / took.as_secs_f64();
    println!(
        "{what}: {done} in {:.2} s, {rate:.0} a second",
        took.as_secs_f64()
    );
}

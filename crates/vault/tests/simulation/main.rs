//! Deterministic simulation: a vault with instances, their users, other tools, and everything that breaks, for a day and more,
//! from a seed.
//!
//! `BAC2_VAULT_SEEDS=N` plays N seeds, `BAC2_VAULT_SEED=S` that one alone, and tells its story. The same seed is the same run.

#![allow(clippy::unwrap_used)]

#[path = "../world/mod.rs"]
mod world;

mod actor;
mod judge;
mod story;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use actor::Actor;

/// Seeds that are played where nobody says how many.
const SEEDS: u64 = 12;

/// What came of a seed.
struct Played {
    wrong: Vec<String>,
    done: BTreeMap<String, u32>,
    counted: BTreeMap<&'static str, u64>,
}

fn play(seed: u64, is_told: bool) -> Played {
    let mut actor = Actor::new(seed);
    let findings = run(&mut actor);
    if is_told {
        tell(&actor);
    }
    Played {
        wrong: findings.wrong,
        done: actor.truth.done,
        counted: findings.counted,
    }
}

fn run(actor: &mut Actor) -> judge::Findings {
    let driver = actor.cluster.driver();
    driver.run(async {
        actor.play().await;
        judge::judge(actor).await
    })
}

/// Plays seeds, two at a time; each is a world of its own.
fn play_all(seeds: &[u64], is_told: bool) -> BTreeMap<u64, Played> {
    let (next, played) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)).copied() {
                    let one =
                        std::panic::catch_unwind(|| play(seed, is_told)).unwrap_or_else(|panic| Played {
                            wrong: vec![format!("panicked: {}", told(panic.as_ref()))],
                            done: BTreeMap::new(),
                            counted: BTreeMap::new(),
                        });
                    played.lock().unwrap().insert(seed, one);
                }
            });
        }
    });
    played.into_inner().unwrap()
}

/// The jobs of a run, one line each, and what people were told.
fn tell(actor: &Actor) {
    let jobs = actor.cluster.driver().run(actor.cluster.jobs());
    for job in jobs {
        let item = job
            .item
            .map_or_else(String::new, |item| item.to_string()[..8].to_owned());
        let kind = match &job.work {
            catalog::record::Work::Backup(work) => format!("{} as {}", work.asked.name(), work.kind.name()),
            other => other.name().to_owned(),
        };
        let fault = job
            .fault
            .as_ref()
            .map(|fault| format!("{} {}", fault.code().as_str(), fault.detail()));
        let warnings: Vec<_> = job.warnings.iter().map(|fault| fault.code().as_str()).collect();
        println!(
            "{} {item} {kind} {:?} attempt {}: {} {} {warnings:?}",
            job.created,
            job.trigger,
            job.attempt,
            job.state.name(),
            fault.unwrap_or_default()
        );
    }
    let notices: Vec<catalog::record::Notice> = actor.cluster.driver().run(actor.cluster.records());
    for notice in notices {
        println!(
            "{} {} x{}: {} {}",
            notice.raised,
            notice.about,
            notice.times,
            notice.fault.code().as_str(),
            notice.fault.detail()
        );
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn a_vault_keeps_its_promises_whatever_happens() {
    let seeds = match number("BAC2_VAULT_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("BAC2_VAULT_SEEDS").unwrap_or(SEEDS)).collect(),
    };
    let is_told = seeds.len() == 1;
    if let [seed] = seeds[..] {
        println!("{:#?}", story::Story::of(seed));
    }
    let (mut done, mut counted, mut failed) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    for (seed, played) in play_all(&seeds, is_told) {
        for (word, count) in played.done {
            *done.entry(word).or_insert(0) += count;
        }
        for (word, count) in played.counted {
            *counted.entry(word).or_insert(0) += count;
        }
        for sentence in &played.wrong {
            println!("seed {seed}: {sentence}");
        }
        if !played.wrong.is_empty() {
            failed.push(seed);
        }
    }
    println!("done: {done:?}\nlooked at: {counted:?}");
    assert!(
        failed.is_empty(),
        "seeds that failed: {failed:?}; BAC2_VAULT_SEED=S plays one again"
    );
}

fn told(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_default()
}

#[test]
fn the_same_seed_is_the_same_run() {
    let end = || {
        let mut actor = Actor::new(3);
        run(&mut actor);
        actor.cluster.catalog.dump()
    };
    assert!(end() == end(), "two runs of one seed differ");
}

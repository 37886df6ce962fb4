//! Deterministic simulation: a vault with instances, their users, other tools, and everything that breaks, from a seed. Many brief
//! stories of backups and restores (`brief.rs`), and some of a day and more, in which schedules, healing and cleaning have their time.
//!
//! Of stories of a day `BAC2_VAULT_FIRST_DAY=F` and `BAC2_VAULT_DAYS=N` play the seeds from F to N - 1, `BAC2_VAULT_DAY=S` plays that
//! one alone, and tells its story. The same seed is the same run.

#![allow(clippy::unwrap_used)]

#[path = "../world/mod.rs"]
mod world;

mod actor;
mod brief;
mod group;
mod judge;
mod step;
mod story;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use actor::Actor;
use brief::{Brief, Falsified};
use step::Step;

/// Stories of a day that are played where nobody says how many.
const DAYS: u64 = 8;

/// Brief stories, where nobody says how many.
const BRIEF: u64 = 200;

/// Brief stories over a catalog in SQLite, where nobody says how many.
const SQLITE: u64 = 3;

/// Seeds of groups, where nobody says how many.
const GROUPS: u64 = 1;

/// What came of a seed.
struct Played {
    wrong: Vec<String>,
    done: BTreeMap<String, u32>,
    counted: BTreeMap<&'static str, u64>,
    /// What events met, and which notices were open at the end.
    met: BTreeMap<String, BTreeMap<Step, u32>>,
    open: BTreeMap<String, u64>,
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
        met: actor.truth.met,
        open: findings.open,
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
fn in_parallel<T: Send>(seeds: &[u64], plays: impl Fn(u64) -> T + Sync) -> BTreeMap<u64, T> {
    let (next, played) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)).copied() {
                    let one = plays(seed);
                    played.lock().unwrap().insert(seed, one);
                }
            });
        }
    });
    played.into_inner().unwrap()
}

/// Plays stories of a day.
fn play_all(seeds: &[u64], is_told: bool) -> BTreeMap<u64, Played> {
    in_parallel(seeds, |seed| {
        let one = std::panic::catch_unwind(|| play(seed, is_told)).unwrap_or_else(|panic| Played {
            wrong: vec![format!("panicked: {}", told(panic.as_ref()))],
            done: BTreeMap::new(),
            counted: BTreeMap::new(),
            met: BTreeMap::new(),
            open: BTreeMap::new(),
        });
        // At once, for whoever waits for many.
        for sentence in &one.wrong {
            println!("seed {seed}: {sentence}");
        }
        one
    })
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

/// The seeds that the environment asks for: one alone, or from the first up to a number, `usual` of them where it says nothing.
fn seeds([one, first, up_to]: [&str; 3], usual: u64) -> Vec<u64> {
    match number(one) {
        Some(seed) => vec![seed],
        None => {
            let first = number(first).unwrap_or(0);
            (first..number(up_to).unwrap_or(first + usual)).collect()
        }
    }
}

#[test]
fn a_vault_keeps_its_promises_whatever_happens() {
    let seeds = seeds(
        ["BAC2_VAULT_DAY", "BAC2_VAULT_FIRST_DAY", "BAC2_VAULT_DAYS"],
        DAYS,
    );
    let is_told = seeds.len() == 1;
    if let [seed] = seeds[..] {
        println!("{:#?}", story::Story::of(seed));
    }
    let played = play_all(&seeds, is_told);
    coverage(&played);
    let failed = played.iter().filter(|(_, played)| !played.wrong.is_empty());
    let failed: Vec<u64> = failed.map(|(seed, _)| *seed).collect();
    assert!(
        failed.is_empty(),
        "seeds that failed: {failed:?}; BAC2_VAULT_DAY=S plays one again"
    );
}

#[test]
fn whatever_can_be_restored_is_as_it_was_at_that_moment() {
    let seeds = seeds(["BAC2_VAULT_SEED", "BAC2_VAULT_FIRST", "BAC2_VAULT_SEEDS"], BRIEF);
    play_brief(&seeds, brief::play);
}

#[test]
fn the_same_holds_over_a_catalog_in_sqlite() {
    let names = [
        "BAC2_VAULT_SQLITE",
        "BAC2_VAULT_FIRST_SQLITE",
        "BAC2_VAULT_SQLITES",
    ];
    play_brief(&seeds(names, SQLITE), brief::play_over_sqlite);
}

fn play_brief(seeds: &[u64], plays: impl Fn(u64) -> Brief + Sync + std::panic::RefUnwindSafe) {
    let played = in_parallel(seeds, |seed| {
        let told = std::panic::catch_unwind(|| plays(seed)).unwrap_or_else(|panic| Brief {
            wrong: vec![format!("panicked: {}", told(panic.as_ref()))],
            ..Brief::default()
        });
        for sentence in &told.wrong {
            println!("brief {seed}: {sentence}");
        }
        told
    });
    let mut done: BTreeMap<&str, u32> = BTreeMap::new();
    for (word, count) in played.values().flat_map(|told| &told.done) {
        *done.entry(word).or_default() += count;
    }
    println!("{} brief stories: {done:?}", played.len());
    steps(played.values().map(|told| &told.met));
    let failed: Vec<u64> = played
        .iter()
        .filter(|(_, told)| !told.wrong.is_empty())
        .map(|(seed, _)| *seed)
        .collect();
    assert!(
        failed.is_empty(),
        "brief stories that failed: {failed:?}; BAC2_VAULT_SEED=S, or BAC2_VAULT_SQLITE=S, plays one again"
    );
}

#[test]
fn a_group_of_replicas_has_one_chain_whatever_happens() {
    let seeds = match number("BAC2_VAULT_GROUP") {
        Some(seed) => vec![seed],
        None => (0..number("BAC2_VAULT_GROUPS").unwrap_or(GROUPS)).collect(),
    };
    let mut failed = Vec::new();
    for seed in seeds {
        let (wrong, done) = group::play(seed);
        println!("group {seed}: {done:?}");
        for sentence in &wrong {
            println!("group {seed}: {sentence}");
        }
        if !wrong.is_empty() {
            failed.push(seed);
        }
    }
    assert!(
        failed.is_empty(),
        "groups that failed: {failed:?}; BAC2_VAULT_GROUP=S plays one again"
    );
}

#[test]
fn rows_that_were_never_committed_are_noticed() {
    is_noticed(Falsified::Rows, "which are not those");
}

#[test]
fn a_lease_that_is_broken_under_a_backup_is_noticed() {
    is_noticed(Falsified::Lease, "broke the lease of");
}

#[test]
fn a_point_that_is_lost_with_the_catalog_is_noticed() {
    is_noticed(Falsified::Point, "was lost with the catalog");
}

fn is_noticed(falsified: Falsified, sentence: &str) {
    for seed in 0..2 {
        let told = brief::play_falsified(seed, falsified);
        let is_noticed = told.wrong.iter().any(|wrong| wrong.contains(sentence));
        assert!(is_noticed, "brief {seed}: {:?}", told.wrong);
    }
}

/// What happened, in all seeds together.
fn coverage(played: &BTreeMap<u64, Played>) {
    let (mut done, mut counted, mut open) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for played in played.values() {
        for (word, count) in &played.done {
            *done.entry(word.as_str()).or_insert(0) += count;
        }
        for (word, count) in &played.counted {
            let all = counted.entry(*word).or_insert(0);
            *all = if word.contains("most") {
                *count.max(all)
            } else {
                *all + count
            };
        }
        for (matter, count) in &played.open {
            *open.entry(matter.as_str()).or_insert(0) += count;
        }
    }
    println!("done: {done:?}\nlooked at: {counted:?}\nopen notices: {open:?}");
    steps(played.values().map(|played| &played.met));
}

/// Which events met jobs at which steps, in all seeds together.
fn steps<'p>(played: impl Iterator<Item = &'p BTreeMap<String, BTreeMap<Step, u32>>>) {
    let mut met: BTreeMap<&str, BTreeMap<Step, u32>> = BTreeMap::new();
    for (word, steps) in played.flatten() {
        for (step, count) in steps {
            *met.entry(word).or_default().entry(*step).or_default() += count;
        }
    }
    println!("jobs that events met, by step {:?}:", Step::ALL);
    for (word, steps) in met {
        let counts = Step::ALL.map(|step| steps.get(&step).copied().unwrap_or(0));
        println!("  {word:24} {counts:?}");
    }
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

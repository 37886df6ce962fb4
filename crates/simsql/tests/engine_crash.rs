//! Recovery, judged: the power goes at every write and sync of short runs and at random ones of long runs; of each sector that
//! was not synced yet, chance decides whether it got there. After that the tables hold exactly what committed (a commit that did
//! not return may have, or not), nothing is wrong with the pages, and all of that also when the power goes again during recovery.
//!
//! `BAC2_ENGINE_CRASH_SEEDS` sets how many seeds are run; a failure names its seed and its operation.

#![allow(missing_docs, clippy::unwrap_used)]

use simsql::engine::{Engine, EngineError, Opening, RecoveryModel};
use simsql::memory::Disk;
use simsql::moment::Moment;
use simsql::world::Disk as _;

#[allow(dead_code)] // Shared by several judges, each of which uses its part.
mod workload;

use workload::{Chance, State, Workload, assert_sound, files, plan, read, world};

const DIRECTORY: &str = "/data";

fn seeds(default: u64) -> std::ops::Range<u64> {
    let wanted = std::env::var("BAC2_ENGINE_CRASH_SEEDS").ok();
    0..wanted.and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// What a run is like.
#[derive(Clone, Copy)]
struct Run {
    seed: u64,
    steps: u32,
    /// Pages in memory: few, so that pages of open transactions go to their files.
    pool: usize,
    keeps_write_ahead: bool,
}

fn new_disk(model: RecoveryModel) -> Disk {
    let disk = Disk::new();
    disk.create_directory(DIRECTORY).unwrap();
    let engine = Engine::create(&world(&disk), plan(DIRECTORY, model), Moment(0)).unwrap();
    engine.close(Moment(1)).unwrap();
    disk
}

fn open(disk: &Disk, run: Run) -> Result<Engine, EngineError> {
    let how = Opening::Recover { at: Moment(2) };
    let mut engine = Engine::open(&world(disk), files(DIRECTORY), how)?;
    engine.set_pool_limit(run.pool);
    engine.keep_write_ahead(run.keeps_write_ahead);
    Ok(engine)
}

/// Runs until the end or until the power goes.
fn work(disk: &Disk, run: Run) -> Workload {
    let mut workload = Workload::new(run.seed);
    let Ok(mut engine) = open(disk, run) else {
        return workload;
    };
    for _ in 0..run.steps {
        if workload.step(&mut engine).is_err() {
            break;
        }
    }
    workload
}

/// The disk after the power went: each sector on its own.
fn after(disk: &Disk, chance: &Chance) -> Disk {
    let mode = chance.below(4);
    disk.after_power_loss(&mut || match mode {
        0 => false,
        1 => true,
        _ => chance.one_in(2),
    })
}

/// Whether recovery gave one of the states that it may give.
fn recovered(disk: &Disk, run: Run, possible: &[State]) -> Result<(), String> {
    let sound = Run {
        keeps_write_ahead: true,
        ..run
    };
    let mut engine = open(disk, sound).map_err(|error| format!("it does not open: {error}"))?;
    let found = read(&mut engine);
    if !possible.contains(&found) {
        return Err(format!("found {found:#?}\nexpected one of {possible:#?}"));
    }
    assert_sound(&mut engine);
    Ok(())
}

/// Cuts the power after `operations`, and judges.
fn judge(start: &Disk, run: Run, operations: u64) -> Result<(), String> {
    let chance = Chance::new(run.seed ^ operations << 32);
    let disk = start.snapshot();
    disk.cut_power_after(Some(operations));
    let workload = work(&disk, run);
    let possible = workload.possible();
    let first = after(&disk, &chance);
    // Recovery itself is cut off somewhere, and begun again, twice.
    let mut found = first.snapshot();
    for _ in 0..2 {
        let again = found.snapshot();
        again.cut_power_after(Some(chance.below(40)));
        drop(open(&again, run));
        found = after(&again, &chance);
    }
    recovered(&first, run, &possible)?;
    recovered(&found, run, &possible).map_err(|error| format!("after crashes during recovery: {error}"))
}

fn assert_judged(start: &Disk, run: Run, operations: u64) {
    if let Err(error) = judge(start, run, operations) {
        panic!("seed {} cut after {operations} operations: {error}", run.seed);
    }
}

fn length(start: &Disk, run: Run) -> u64 {
    let disk = start.snapshot();
    let before = disk.operations();
    work(&disk, run);
    disk.operations() - before
}

#[test]
fn power_lost_at_every_operation_of_short_runs() {
    for seed in seeds(6) {
        let model = [RecoveryModel::Full, RecoveryModel::Simple][seed as usize % 2];
        let start = new_disk(model);
        let run = Run {
            seed,
            steps: 25,
            pool: 12,
            keeps_write_ahead: true,
        };
        for operations in 0..=length(&start, run) {
            assert_judged(&start, run, operations);
        }
    }
}

#[test]
fn power_lost_somewhere_in_long_runs() {
    for seed in seeds(40) {
        let model = [RecoveryModel::Full, RecoveryModel::Simple][seed as usize % 2];
        let start = new_disk(model);
        let run = Run {
            seed: 1000 + seed,
            steps: 400,
            pool: [8, 20, 1000][seed as usize % 3],
            keeps_write_ahead: true,
        };
        let operations = Chance::new(seed).below(length(&start, run));
        assert_judged(&start, run, operations);
    }
}

#[test]
fn a_run_without_any_loss_ends_as_recorded() {
    for seed in seeds(10) {
        let disk = new_disk(RecoveryModel::Full);
        let run = Run {
            seed: 2000 + seed,
            steps: 300,
            pool: 16,
            keeps_write_ahead: true,
        };
        let mut workload = Workload::new(run.seed);
        let mut engine = open(&disk, run).unwrap();
        for _ in 0..run.steps {
            workload.step(&mut engine).unwrap();
        }
        workload.finish(&mut engine).unwrap();
        assert_eq!(read(&mut engine), workload.committed(), "seed {seed}");
        assert_sound(&mut engine);
        engine.close(Moment(i64::MAX)).unwrap();
        recovered(&disk, run, &workload.possible()).unwrap();
    }
}

/// An engine that writes pages before their log is durable loses its database, and this judge sees it.
#[test]
fn pages_written_before_their_log_are_found_out() {
    let start = new_disk(RecoveryModel::Full);
    let broken = |seed: u64| {
        let run = Run {
            seed,
            steps: 60,
            pool: 8,
            keeps_write_ahead: false,
        };
        let operations = Chance::new(seed).below(length(&start, run));
        let outcome = std::panic::catch_unwind(|| judge(&start, run, operations));
        !matches!(outcome, Ok(Ok(())))
    };
    assert!(
        (0..60).any(broken),
        "no run noticed that the write-ahead rule was broken"
    );
}

//! Crashes: a random workload over the simulated disk, cut off anywhere, reopened and compared with what was
//! acknowledged. One seed is one run; a failing one is printed and can be run alone:
//! `BAC2_CRASH_SEED=123 cargo test -p bac2-blobstore crash`. `BAC2_CRASH_SEEDS=50000` runs more of them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use blobstore::Store;
use blobstore::disk::SyncPoint;
use blobstore::disk::simulated::{Crash, Fault, Random, SimulatedDisk};

use crate::model::{Contents, difference};
use crate::support::{TestClock, open};
use crate::workload::{Deed, Workload};

const DIR: &str = "/data";

struct Run {
    disk: SimulatedDisk,
    clock: Arc<TestClock>,
    chance: Random,
    workload: Workload,
    generation: u64,
    tags: u64,
}

impl Run {
    fn new(seed: u64, left_out: Option<SyncPoint>) -> Self {
        let disk = SimulatedDisk::new(seed, u64::MAX);
        disk.leave_out(left_out);
        Self {
            disk,
            clock: TestClock::new(seed),
            chance: Random::new(seed ^ 0xC4A5),
            workload: Workload::new(seed),
            generation: 0,
            tags: 0,
        }
    }

    /// Some rounds of work and crash.
    fn go(&mut self) -> Result<(), String> {
        for _ in 0..3 {
            let possible = self.work()?;
            self.crash_and_compare(possible)?;
        }
        Ok(())
    }

    /// Works until the power goes; returns what the store may hold then.
    fn work(&mut self) -> Result<Vec<Contents>, String> {
        let store = self.open_store()?;
        if let Some(found) = difference(&store, &self.workload.expected) {
            return Err(format!("before the work: {found}"));
        }
        let last_call = self.chance.below(200);
        self.disk.plan_fault(last_call, Fault::Cut);
        for _ in 0..90 {
            let deed = self.workload.draw();
            if let Err(error) = self.workload.run(&store, &deed) {
                if !self.disk.is_cut() {
                    return Err(format!("{deed:?}: {error}"));
                }
                self.workload.give_up_all();
                return Ok(self.workload.possible_after(&deed));
            }
            self.check_tag(&deed)?;
        }
        self.workload.give_up_all();
        Ok(vec![self.workload.expected.clone()])
    }

    /// Tags never come twice, over all starts.
    fn check_tag(&mut self, deed: &Deed) -> Result<(), String> {
        let newest = |contents: &Contents| {
            let blobs = contents.values().flat_map(|c| c.blobs.values());
            blobs
                .filter_map(|b| b.committed.as_ref())
                .map(|c| c.etag)
                .max()
                .unwrap_or(0)
        };
        let tells_tag = match deed {
            Deed::PutBlob(..) | Deed::Commit(..) | Deed::Mark(..) => true,
            Deed::Change(_, change) => change.tells_tag(),
            _ => false,
        };
        if tells_tag {
            let tag = newest(&self.workload.expected);
            if tag <= self.tags {
                return Err(format!("{deed:?}: tag {tag:x} is not above {:x}", self.tags));
            }
            self.tags = tag;
        }
        Ok(())
    }

    /// Crashes, sometimes again while it recovers, and once more after it was read: what is served once stays.
    fn crash_and_compare(&mut self, possible: Vec<Contents>) -> Result<(), String> {
        self.crash();
        for _ in 0..self.chance.below(3) {
            let last_call = self.chance.below(12);
            self.disk.plan_fault(last_call, Fault::Cut);
            let opened = open(Arc::new(self.disk.clone()), &self.clock, DIR);
            if let Ok(store) = &opened {
                self.generation = self.generation.max(store.generation());
            }
            drop(opened);
            self.crash();
        }
        let store = self.open_store()?;
        let mut differences = Vec::new();
        let mut found = None;
        for contents in possible {
            match difference(&store, &contents) {
                None => found = Some(contents),
                Some(text) => differences.push(text),
            }
        }
        let found = found.ok_or_else(|| format!("after the crash: {}", differences.join("; or ")))?;
        drop(store);
        self.crash();
        let store = self.open_store()?;
        if let Some(text) = difference(&store, &found) {
            return Err(format!("served after one crash and not after the next: {text}"));
        }
        self.workload.expected = found;
        Ok(())
    }

    fn crash(&mut self) {
        let kind = if self.chance.one_in(3) {
            Crash::Kill
        } else {
            Crash::Power
        };
        self.disk.crash(kind);
    }

    fn open_store(&mut self) -> Result<Store, String> {
        let store = open(Arc::new(self.disk.clone()), &self.clock, DIR)
            .map_err(|error| format!("opening: {error:?}"))?;
        if store.generation() <= self.generation {
            return Err(format!(
                "generation {} after {}",
                store.generation(),
                self.generation
            ));
        }
        self.generation = store.generation();
        Ok(store)
    }
}

/// Runs one seed; `Err` says what was wrong.
fn run(seed: u64, left_out: Option<SyncPoint>) -> Result<(), String> {
    let mut run = Run::new(seed, left_out);
    catch_unwind(AssertUnwindSafe(|| run.go())).unwrap_or_else(|_| Err("panicked".to_owned()))
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn what_was_acknowledged_survives_every_crash() {
    if let Some(seed) = variable("BAC2_CRASH_SEED") {
        return run(seed, None).unwrap();
    }
    let seeds = variable("BAC2_CRASH_SEEDS").unwrap_or(2_000);
    let next = AtomicU64::new(0);
    let failure = std::sync::Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds || failure.lock().unwrap().is_some() {
                        return;
                    }
                    if let Err(error) = run(seed, None) {
                        *failure.lock().unwrap() = Some((seed, error));
                    }
                }
            });
        }
    });
    if let Some((seed, error)) = failure.into_inner().unwrap() {
        panic!("seed {seed}: {error}\nrun it alone with BAC2_CRASH_SEED={seed}");
    }
}

const RUNS_TO_NOTICE: u64 = 1_000;

/// A sync that could be left out unnoticed is useless, or the simulation is blind to what it is for.
#[test]
fn every_sync_is_needed() {
    // Reserve: it is about space, not about what survives; see the tests of a full disk. The settings of accounts have
    // a test of their own.
    let elsewhere = [
        SyncPoint::Reserve,
        SyncPoint::ServiceRecord,
        SyncPoint::ServiceEntry,
        // A crash must hit the very call: see `page_blobs`.
        SyncPoint::Map,
    ];
    let points = SyncPoint::ALL
        .into_iter()
        .filter(|point| !elsewhere.contains(point));
    let mut unnoticed = Vec::new();
    for point in points {
        match (0..RUNS_TO_NOTICE).find(|seed| run(*seed, Some(point)).is_err()) {
            Some(seed) => println!("{point:?}: noticed at seed {seed}"),
            None => unnoticed.push(point),
        }
    }
    assert!(
        unnoticed.is_empty(),
        "can be left out of {RUNS_TO_NOTICE} runs unnoticed: {unnoticed:?}"
    );
}

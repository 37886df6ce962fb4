//! The prover over a shelf in memory: what it records, when it calls it final, and that it gives memory back.

use super::super::shelf::{Finding, Recorded, Standing, Unfinished, Unreadable};
use super::*;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bak::Verdict;
use bak::stripes::Family;
use bak::writer::sample::{Sample, SampleKind};

/// One blob's commits are numbered; the content of commit `n` is the concatenation of these blocks.
#[derive(Default)]
struct Memory {
    blocks: HashMap<u32, Vec<u8>>,
    whole: Vec<u8>,
    current: Option<(u32, u64)>,
    recorded: Vec<(u32, Option<Verdict>, bool)>,
}

#[derive(Clone, Default)]
struct FakeShelf {
    memory: Arc<Mutex<Memory>>,
    leased: Arc<AtomicBool>,
    reads: Arc<AtomicUsize>,
    rotten: Arc<AtomicBool>,
}

impl FakeShelf {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap()
    }

    fn copy(&self, from: &[u8], offset: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        self.reads.fetch_add(into.len(), Ordering::Relaxed);
        if self.rotten.load(Ordering::Relaxed) {
            return Err(Unreadable::Damaged("a bit fell over".to_owned()));
        }
        let start = usize::try_from(offset).unwrap();
        into.copy_from_slice(&from[start..start + into.len()]);
        Ok(())
    }
}

impl Shelf for FakeShelf {
    type Blob = &'static str;
    type Place = u32;
    type Commit = (u32, u64);
    type Realm = ();

    fn realm(&self, _: &&'static str) {}

    fn block_size(&self, place: &u32) -> u64 {
        self.memory().blocks[place].len() as u64
    }

    fn blob_size(&self, commit: &(u32, u64)) -> u64 {
        commit.1
    }

    fn read_block(
        &self,
        _: &&'static str,
        place: &u32,
        offset: u64,
        into: &mut [u8],
    ) -> Result<(), Unreadable> {
        let block = self.memory().blocks.get(place).cloned().ok_or(Unreadable::Gone)?;
        self.copy(&block, offset, into)
    }

    fn read_blob(
        &self,
        _: &&'static str,
        commit: &(u32, u64),
        offset: u64,
        into: &mut [u8],
    ) -> Result<(), Unreadable> {
        if self.memory().current != Some(*commit) {
            return Err(Unreadable::Gone);
        }
        let whole = self.memory().whole.clone();
        self.copy(&whole, offset, into)
    }

    fn is_paged(&self, _: &&'static str) -> bool {
        false
    }

    fn read_pages(&self, _: &&'static str, _: u64, _: &mut [u8]) -> Result<(), Unreadable> {
        Err(Unreadable::Gone)
    }

    fn written_from(&self, _: &&'static str, _: u64) -> Result<Option<Range<u64>>, Unreadable> {
        Ok(None)
    }

    fn is_leased(&self, _: &&'static str) -> bool {
        false
    }

    fn record(&self, _: &&'static str, commit: &(u32, u64), finding: &Finding) -> Recorded {
        let leased = self.leased.load(Ordering::Relaxed);
        let mut memory = self.memory();
        if memory.current != Some(*commit) {
            return Recorded::Stale;
        }
        let verdict = match finding {
            Finding::Backup(report) => Some(report.verdict),
            Finding::Foreign => None,
            Finding::Damaged(_) => Some(Verdict::Damaged),
            Finding::CannotVerify(_) => Some(Verdict::CannotVerify),
        };
        memory.recorded.push((commit.0, verdict, !leased));
        if leased { Recorded::Leased } else { Recorded::Final }
    }

    fn settle(&self, _: &&'static str) -> bool {
        if self.leased.load(Ordering::Relaxed) {
            return false;
        }
        let mut memory = self.memory();
        if let Some(last) = memory.recorded.last_mut() {
            last.2 = true;
        }
        true
    }

    fn amend(&self, _: &&'static str, _: &(u32, u64), _: Verdict, _: Vec<String>) -> Recorded {
        panic!("nothing here is a stripe")
    }

    fn unfinished(&self, tell: &mut dyn FnMut(Unfinished<&'static str, (u32, u64)>)) {
        let memory = self.memory();
        let commit = memory.current.filter(|_| memory.recorded.is_empty());
        drop(memory);
        if commit.is_some() {
            tell(Unfinished::Verify("blob"));
        }
    }

    fn standing(&self, _: &&'static str, commit: &(u32, u64)) -> Option<Standing> {
        let memory = self.memory();
        let (_, verdict, is_final) = *memory.recorded.iter().rfind(|(n, ..)| *n == commit.0)?;
        Some(Standing { verdict, is_final })
    }

    fn family(&self, _: &&'static str, _: &(u32, u64)) -> Option<Family> {
        None
    }

    fn current(&self, _: &&'static str) -> Option<(u32, u64)> {
        self.memory().current
    }
}

fn backup() -> Vec<u8> {
    Sample::default().backup(SampleKind::Full, 1)
}

/// What the verifier alone says of these bytes.
fn expected(bytes: &[u8]) -> Option<Verdict> {
    let mut verifier = bak::Verifier::new();
    verifier.push(bytes);
    Some(verifier.finish().verdict)
}

/// Stores block `n` on the shelf and tells the prover; kept in memory where there is room and `keep`.
fn store(prover: &Prover<FakeShelf>, shelf: &FakeShelf, n: u32, bytes: &[u8], keep: bool) {
    shelf.memory().blocks.insert(n, bytes.to_vec());
    let kept = keep
        .then(|| prover.room(&"blob", bytes.len() as u64))
        .flatten()
        .map(|mut kept| {
            kept.push(bytes.to_vec().into());
            kept
        });
    prover.block_stored(
        &"blob",
        format!("b{n:04}").as_bytes(),
        n,
        kept,
        bytes.starts_with(b"TAPE"),
    );
}

fn commit(prover: &Prover<FakeShelf>, shelf: &FakeShelf, number: u32, blocks: std::ops::Range<u32>) {
    let sequence: Vec<_> = blocks.map(|n| (format!("b{n:04}").into_bytes(), n)).collect();
    let whole: Vec<u8> = {
        let memory = shelf.memory();
        sequence
            .iter()
            .flat_map(|(_, n)| memory.blocks[n].clone())
            .collect()
    };
    let identity = (number, whole.len() as u64);
    {
        let mut memory = shelf.memory();
        memory.whole = whole;
        memory.current = Some(identity);
    }
    prover.committed(&"blob", identity, sequence);
}

fn free(prover: &Prover<FakeShelf>) -> usize {
    prover.shared.budget.free()
}

#[test]
fn blocks_in_order_are_judged_without_reading_any_back() {
    let (shelf, bytes) = (FakeShelf::default(), backup());
    let prover = Prover::start(shelf.clone(), 2, limits::PROOF_QUIET).unwrap();
    let blocks: Vec<&[u8]> = bytes.chunks(100_000).collect();
    for (n, block) in (0..).zip(&blocks) {
        store(&prover, &shelf, n, block, true);
    }
    commit(&prover, &shelf, 1, 0..blocks.len() as u32);
    prover.wait_until_idle();
    assert_eq!(shelf.memory().recorded, [(1, expected(&bytes), true)]);
    assert_eq!(shelf.reads.load(Ordering::Relaxed), 0);
    assert_eq!(free(&prover), limits::PROOF_MEMORY, "all memory is given back");
    assert!(
        prover.shared.lock().runs.is_empty(),
        "a final verdict ends the run"
    );
}

#[test]
fn without_memory_the_blocks_are_read_back_once() {
    let (shelf, bytes) = (FakeShelf::default(), backup());
    let prover = Prover::start(shelf.clone(), 1, limits::PROOF_QUIET).unwrap();
    let blocks: Vec<&[u8]> = bytes.chunks(100_000).collect();
    for (n, block) in (0..).zip(&blocks) {
        store(&prover, &shelf, n, block, false);
    }
    commit(&prover, &shelf, 1, 0..blocks.len() as u32);
    prover.wait_until_idle();
    assert_eq!(shelf.memory().recorded, [(1, expected(&bytes), true)]);
    assert_eq!(shelf.reads.load(Ordering::Relaxed), bytes.len());
}

#[test]
fn a_deleted_blob_gives_its_memory_back_at_once() {
    let shelf = FakeShelf::default();
    let prover = Prover::start(shelf.clone(), 1, limits::PROOF_QUIET).unwrap();
    for n in 1..5 {
        store(&prover, &shelf, n, &[7; 100_000], true);
    }
    assert_eq!(free(&prover), limits::PROOF_MEMORY - 400_000);
    prover.forget(&"blob");
    assert_eq!(free(&prover), limits::PROOF_MEMORY);
}

#[test]
fn a_verdict_under_a_lease_becomes_final_when_the_lease_ends() {
    let (shelf, bytes) = (FakeShelf::default(), backup());
    shelf.leased.store(true, Ordering::Relaxed);
    let prover = Prover::start(shelf.clone(), 1, limits::PROOF_QUIET).unwrap();
    store(&prover, &shelf, 0, &bytes, true);
    commit(&prover, &shelf, 1, 0..1);
    prover.wait_until_idle();
    assert_eq!(shelf.memory().recorded, [(1, expected(&bytes), false)]);
    prover.lease_changed(&"blob");
    prover.wait_until_idle();
    assert!(!shelf.memory().recorded[0].2, "renewed, say");
    shelf.leased.store(false, Ordering::Relaxed);
    prover.lease_changed(&"blob");
    prover.wait_until_idle();
    assert_eq!(shelf.memory().recorded, [(1, expected(&bytes), true)]);
}

#[test]
fn damage_at_rest_is_a_verdict_and_a_start_finds_what_has_none() {
    let (shelf, bytes) = (FakeShelf::default(), backup());
    {
        let mut memory = shelf.memory();
        memory.current = Some((3, bytes.len() as u64));
        memory.whole.clone_from(&bytes);
    }
    let prover = Prover::start(shelf.clone(), 1, limits::PROOF_QUIET).unwrap();
    prover.wait_until_idle();
    assert_eq!(shelf.memory().recorded, [(3, expected(&bytes), true)]);
    drop(prover);
    shelf.memory().recorded.clear();
    shelf.rotten.store(true, Ordering::Relaxed);
    let prover = Prover::start(shelf.clone(), 1, limits::PROOF_QUIET).unwrap();
    prover.wait_until_idle();
    assert_eq!(shelf.memory().recorded, [(3, Some(Verdict::Damaged), true)]);
}

#[test]
fn of_two_commits_that_overtook_each_other_the_newer_is_judged() {
    let (shelf, bytes) = (FakeShelf::default(), backup());
    let prover = Prover::start(shelf.clone(), 2, limits::PROOF_QUIET).unwrap();
    store(&prover, &shelf, 0, &bytes, false);
    commit(&prover, &shelf, 2, 0..1);
    // The note of an older commit comes late.
    prover.committed(&"blob", (1, bytes.len() as u64), vec![(b"b0000".to_vec(), 0)]);
    for _ in 0..100 {
        prover.wait_until_idle();
        if !shelf.memory().recorded.is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    prover.wait_until_idle();
    let recorded = shelf.memory().recorded.clone();
    assert!(
        !recorded.is_empty()
            && recorded
                .iter()
                .all(|record| *record == (2, expected(&bytes), true))
    );
}

#[test]
fn under_a_lease_too_the_newer_of_two_commits_is_judged() {
    let (shelf, bytes) = (FakeShelf::default(), backup());
    shelf.leased.store(true, Ordering::Relaxed);
    let prover = Prover::start(shelf.clone(), 1, limits::PROOF_QUIET).unwrap();
    store(&prover, &shelf, 0, &bytes, false);
    commit(&prover, &shelf, 1, 0..1);
    prover.wait_until_idle();
    // Commit 3 is stored, and its note was taken over by the late one of commit 2.
    shelf.memory().current = Some((3, bytes.len() as u64));
    prover.committed(&"blob", (2, bytes.len() as u64), vec![(b"b0000".to_vec(), 0)]);
    prover.wait_until_idle();
    let verdict = expected(&bytes);
    assert_eq!(
        shelf.memory().recorded,
        [(1, verdict, false), (3, verdict, false)]
    );
}

/// A prover without threads, in which a blob of three slices was found without a verdict and is about to be read.
fn with_a_large_blob_in_hand(shelf: &FakeShelf) -> (Shared<FakeShelf>, Job<FakeShelf>) {
    let size = usize::try_from(limits::PROOF_SLICE).unwrap() * 5 / 2;
    let mut whole = backup();
    whole.resize(size, 0);
    {
        let mut memory = shelf.memory();
        memory.current = Some((1, size as u64));
        memory.whole = whole;
    }
    let shared = Shared::new(shelf.clone());
    for _ in 0..2 {
        let job = shared.lock().next_job().unwrap();
        shared.work_on(job);
    }
    let job = shared.lock().next_job().unwrap();
    assert!(matches!(job, Job::Work("blob")));
    (shared, job)
}

/// A block of another blob arrives.
fn upload_goes_on(shared: &Shared<FakeShelf>, shelf: &FakeShelf, n: u32) {
    shelf.memory().blocks.insert(n, b"TAPE".to_vec());
    shared.block_stored(&"hot", format!("b{n:04}").as_bytes(), n, None, n == 1);
}

#[test]
fn a_large_blob_gives_its_thread_to_an_upload_after_a_slice() {
    let shelf = FakeShelf::default();
    let (shared, job) = with_a_large_blob_in_hand(&shelf);
    upload_goes_on(&shared, &shelf, 1);
    shared.work_on(job);
    assert_eq!(shelf.reads.load(Ordering::Relaxed) as u64, limits::PROOF_SLICE);
    let next = shared.lock().next_job().unwrap();
    assert!(matches!(next, Job::Work("hot")), "the upload goes first");
    shared.work_on(next);
    // Nobody else wants the thread: it goes on where it was, to the end.
    let next = shared.lock().next_job().unwrap();
    assert!(matches!(next, Job::Work("blob")));
    shared.work_on(next);
    assert_eq!(shelf.memory().recorded.len(), 1);
    let size = shelf.memory().whole.len();
    assert_eq!(
        shelf.reads.load(Ordering::Relaxed),
        size + 4,
        "no byte was read twice"
    );
}

#[test]
fn uploads_without_end_do_not_keep_a_large_blob_waiting_for_ever() {
    let shelf = FakeShelf::default();
    let (shared, job) = with_a_large_blob_in_hand(&shelf);
    upload_goes_on(&shared, &shelf, 1);
    shared.work_on(job);
    let mut jobs = 0;
    while shelf.memory().recorded.is_empty() {
        jobs += 1;
        upload_goes_on(&shared, &shelf, jobs + 1);
        let job = shared.lock().next_job().unwrap();
        shared.work_on(job);
        assert!(
            u64::from(jobs) <= 3 * FAIR,
            "three more turns: two slices and the judgement"
        );
    }
}

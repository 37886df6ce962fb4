//! The prover against every order that a seeded scheduler finds: deeds in the store, the notes of them late and in any
//! order, and other threads at work inside each call of the store.
//!
//! There are no threads here. Before and after each call of the shelf, where a real thread may lose the processor, the
//! scheduler lets clients go on, delivers notes, or runs another job whole. What must hold in the end is simple: every
//! blob with content has a verdict on that content and no other, final unless a lease is held; a stripe is ok exactly when
//! its set is complete; and what was sealed was proved.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};

use bak::Verdict;
use bak::stripes::{Company, Family};
use bak::writer::sample::{Sample, SampleKind};

use super::super::shelf::{Finding, Recorded, Standing, Unfinished, Unreadable};
use super::*;

type Blob = &'static str;
/// A number that rises with each commit in the world, and bytes.
type Commit = (u64, u64);

const BLOBS: [Blob; 3] = ["a", "b", "c"];
/// Thirty thousand have been run; each defect they found showed itself within the first some hundred, but for one.
const HISTORIES: u64 = 1000;
const DEEDS: usize = 18;
/// Other threads that may be at work inside a call.
const DEPTH: u32 = 2;

struct Rng(u64);

impl Rng {
    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap()
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// What the fake store holds of a blob.
#[derive(Clone, Default)]
struct Kept {
    commit: Option<Commit>,
    bytes: Vec<u8>,
    /// Blocks not committed yet, by id.
    staged: BTreeMap<Vec<u8>, u64>,
    leased: bool,
    judged: Option<Judged>,
    sealed: bool,
    /// A page blob.
    paged: bool,
}

/// A Put Page that was announced and not yet done.
struct PageWrite {
    blob: Blob,
    at: usize,
    bytes: Vec<u8>,
}

/// Bytes of every page blob, and of one write.
const PAGED: usize = 256 * 1024;
const WRITE: usize = 32 * 1024;

#[derive(Clone)]
struct Judged {
    verdict: Option<Verdict>,
    is_final: bool,
    family: Option<Family>,
}

/// A note on its way to the prover.
#[derive(Debug)]
enum Note {
    /// The last says whether the block opens a backup.
    Block(Blob, Vec<u8>, u64, bool),
    Committed(Blob, Commit, Vec<(Vec<u8>, u64)>),
    Whole(Blob, Commit),
    Gone(Blob),
    Lease(Blob),
    PagesCreated(Blob, Commit),
    Pages(Blob, Option<(Range<u64>, Commit)>),
}

struct World {
    rng: Rng,
    blobs: BTreeMap<Blob, Kept>,
    /// Blocks that lie in the store, by place.
    places: HashMap<u64, Vec<u8>>,
    numbers: u64,
    deeds_left: usize,
    notes: Vec<Note>,
    writes: Vec<PageWrite>,
    /// Whose announcements the prover is still to be given, before anything else happens.
    announced: Vec<Blob>,
    seal: bool,
    /// What happened, for whoever has to find out why.
    told: Vec<String>,
}

/// A shelf over the world, in whose calls anything may happen.
#[derive(Clone)]
struct Stage {
    world: Arc<Mutex<World>>,
    prover: Arc<OnceLock<Weak<Shared<Stage>>>>,
    depth: Arc<Mutex<u32>>,
    samples: Arc<Samples>,
}

/// What a verifier says of bytes alone.
type Alone = (Option<Verdict>, Option<Family>);

/// What clients upload.
struct Samples {
    whole: Vec<Vec<u8>>,
    /// By content, and whether it is that of a page blob.
    verdicts: Mutex<HashMap<(Vec<u8>, bool), Alone>>,
}

impl Samples {
    fn new() -> Self {
        let stripes = |seed| Sample {
            families: 2,
            seed,
            ..Sample::default()
        };
        let (one, two) = (stripes(1), stripes(2));
        let log = Sample::default().backup(SampleKind::Log, 1);
        let whole = vec![
            log[..8192].to_vec(),
            log,
            one.backup(SampleKind::Log, 1),
            one.backup(SampleKind::Log, 2),
            two.backup(SampleKind::Log, 2),
            b"no backup".to_vec(),
        ];
        Samples {
            whole,
            verdicts: Mutex::default(),
        }
    }

    /// What the verifier alone says of these bytes.
    fn verdict(&self, kept: &Kept) -> Alone {
        let mut known = self.verdicts.lock().unwrap();
        let found = known.entry((kept.bytes.clone(), kept.paged)).or_insert_with(|| {
            let mut seen = Seen::default();
            let finding = if kept.paged {
                seen.push_padded(&kept.bytes);
                seen.finish_padded()
            } else {
                seen.push(&kept.bytes);
                seen.finish()
            };
            match finding {
                Finding::Backup(report) => (Some(report.verdict), Family::of(&report)),
                _ => (None, None),
            }
        });
        found.clone()
    }
}

impl World {
    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// New content: whatever was judged is about nothing now.
    fn commit(&mut self, blob: Blob, bytes: Vec<u8>) -> Commit {
        let commit = (self.number(), bytes.len() as u64);
        let kept = self.blobs.entry(blob).or_default();
        kept.commit = Some(commit);
        kept.bytes = bytes;
        kept.judged = None;
        kept.paged = false;
        commit
    }

    /// A Put Page that was announced is done, or refused.
    fn write_pages(&mut self) {
        if self.writes.is_empty() {
            return;
        }
        let which = self.writes.len();
        let which = self.rng.below(which);
        let PageWrite { blob, at, bytes } = self.writes.swap_remove(which);
        let number = self.number();
        let kept = self.blobs.get_mut(blob).filter(|kept| kept.paged && !kept.sealed);
        let done = kept.map(|kept| {
            kept.bytes[at..at + bytes.len()].copy_from_slice(&bytes);
            let commit = (number, PAGED as u64);
            kept.commit = Some(commit);
            kept.judged = None;
            (at as u64..(at + bytes.len()) as u64, commit)
        });
        self.notes.push(Note::Pages(blob, done));
    }

    /// Some client does something; its note is on its way.
    fn deed(&mut self, samples: &Samples) {
        self.deeds_left = self.deeds_left.saturating_sub(1);
        let notes = self.notes.len();
        self.do_something(samples);
        if let Some(note) = self.notes.get(notes) {
            self.told.push(format!("deed of {note:?}"));
        }
    }

    fn do_something(&mut self, samples: &Samples) {
        let blob = self.rng.pick(&BLOBS);
        if self.blobs.get(blob).is_some_and(|kept| kept.sealed) {
            return;
        }
        let sample = samples.whole[self.rng.below(samples.whole.len())].clone();
        match self.rng.below(20) {
            12..=13 => {
                let commit = self.commit(blob, vec![0; PAGED]);
                self.blobs.entry(blob).or_default().paged = true;
                self.notes.push(Note::PagesCreated(blob, commit));
            }
            14..=19 => {
                if self.blobs.get(blob).is_some_and(|kept| kept.paged) {
                    // Often the next stretch of one backup, so that some become whole.
                    let sample = &samples.whole[if self.rng.below(4) > 0 { 1 } else { 2 }];
                    let stretches = sample.len().div_ceil(WRITE);
                    for n in 0..stretches.min(1 + self.rng.below(stretches)) {
                        let n = if self.rng.below(8) == 0 {
                            stretches - 1 - n
                        } else {
                            n
                        };
                        let (at, end) = (n * WRITE, sample.len().min((n + 1) * WRITE));
                        let bytes = sample[at..end].to_vec();
                        self.announced.push(blob);
                        self.writes.push(PageWrite { blob, at, bytes });
                    }
                }
            }
            0..=2 => {
                let commit = self.commit(blob, sample);
                self.notes.push(Note::Whole(blob, commit));
            }
            3 => {
                let commit = self.commit(blob, Vec::new());
                self.notes.push(Note::Whole(blob, commit));
            }
            4..=6 if self.blobs.get(blob).is_some_and(|kept| kept.paged) => {}
            4..=6 => {
                let pieces = sample.chunks(sample.len().div_ceil(2));
                for (n, piece) in pieces.enumerate() {
                    let (id, place) = (format!("b{n}").into_bytes(), self.number());
                    self.places.insert(place, piece.to_vec());
                    let kept = self.blobs.entry(blob).or_default();
                    kept.staged.insert(id.clone(), place);
                    self.notes
                        .push(Note::Block(blob, id, place, piece.starts_with(b"TAPE")));
                }
            }
            7..=8 => {
                let staged = std::mem::take(&mut self.blobs.entry(blob).or_default().staged);
                if staged.is_empty() {
                    return;
                }
                let bytes = staged.values().flat_map(|place| self.places[place].clone());
                let bytes = bytes.collect();
                let commit = self.commit(blob, bytes);
                self.notes
                    .push(Note::Committed(blob, commit, staged.into_iter().collect()));
            }
            9 => {
                for place in self.blobs.remove(blob).unwrap_or_default().staged.values() {
                    self.places.remove(place);
                }
                self.notes.push(Note::Gone(blob));
            }
            10 => {
                let kept = self.blobs.entry(blob).or_default();
                kept.leased = kept.commit.is_some();
                self.notes.push(Note::Lease(blob));
            }
            _ => {
                if let Some(kept) = self.blobs.get_mut(blob) {
                    kept.leased = false;
                }
                self.notes.push(Note::Lease(blob));
            }
        }
    }
}

impl Stage {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    fn prover(&self) -> Arc<Shared<Stage>> {
        self.prover.get().unwrap().upgrade().unwrap()
    }

    fn tell(&self, what: &str) {
        let depth = *self.depth.lock().unwrap();
        let indent = "  ".repeat(depth as usize);
        self.world().told.push(format!("{indent}{what}"));
    }

    /// The processor is taken away: others go on.
    fn others(&self) {
        loop {
            let choice = self.world().rng.below(8);
            match choice {
                0 => {
                    let go_on = self.world().deeds_left > 0;
                    if go_on {
                        self.deed();
                    }
                    self.world().write_pages();
                }
                1..=2 => self.deliver(),
                3 => {
                    let deep = *self.depth.lock().unwrap();
                    if deep < DEPTH {
                        *self.depth.lock().unwrap() += 1;
                        self.one_job();
                        *self.depth.lock().unwrap() -= 1;
                    }
                }
                _ => return,
            }
        }
    }

    /// Some client does something.
    fn deed(&self) {
        self.world().deed(&self.samples);
        let announced = std::mem::take(&mut self.world().announced);
        for blob in announced {
            self.prover().pages_begin(&blob);
        }
    }

    /// Delivers any of the notes on their way.
    fn deliver(&self) {
        let note = {
            let mut world = self.world();
            if world.notes.is_empty() {
                return;
            }
            let n = world.notes.len();
            let at = world.rng.below(n);
            world.notes.swap_remove(at)
        };
        let prover = self.prover();
        self.tell(&format!("note {note:?}"));
        match note {
            Note::Block(blob, id, place, opens) => prover.block_stored(&blob, &id, place, None, opens),
            Note::Committed(blob, commit, sequence) => prover.committed(&blob, commit, sequence),
            Note::Whole(blob, commit) => prover.blob_stored(&blob, commit, None),
            Note::Gone(blob) if self.world().rng.below(2) == 0 => prover.forget_all(|other| *other == blob),
            Note::Gone(blob) => prover.forget(&blob),
            Note::Lease(blob) => prover.lease_changed(&blob),
            Note::PagesCreated(blob, commit) => prover.pages_created(&blob, commit),
            Note::Pages(blob, done) => prover.pages_end(&blob, done),
        }
    }

    fn one_job(&self) -> bool {
        let prover = self.prover();
        let job = prover.lock().next_job();
        match job {
            Some(job) => {
                self.tell(&job.name());
                prover.work_on(job);
                self.tell("done");
                true
            }
            None => false,
        }
    }

    /// Everything is told and done, and the prover has looked at leases that ended by themselves.
    fn come_to_rest(&self) {
        loop {
            while !self.world().notes.is_empty() || !self.world().writes.is_empty() {
                self.world().write_pages();
                self.deliver();
            }
            // Nothing is written to page blobs for long.
            let prover = self.prover();
            {
                let mut state = prover.lock();
                state.quiet = Duration::ZERO;
                state.quiet_at = None;
                state.wake_quiet_flows(Instant::now());
            }
            let mut jobs = 0;
            while self.one_job() {
                jobs += 1;
                assert!(jobs < 10_000, "the prover comes to rest");
            }
            let resting = prover.lock().flows.is_empty();
            if self.world().notes.is_empty() && resting {
                return;
            }
        }
    }

    fn sweep(&self) {
        let prover = self.prover();
        let mut state = prover.lock();
        let leased: Vec<Blob> = state.leased.keys().copied().collect();
        state.to_settle.extend(leased);
    }
}

impl Shelf for Stage {
    type Blob = Blob;
    type Place = u64;
    type Commit = Commit;
    type Realm = ();

    fn realm(&self, _: &Blob) {}

    fn block_size(&self, place: &u64) -> u64 {
        self.world()
            .places
            .get(place)
            .map_or(1, |bytes| bytes.len() as u64)
    }

    fn blob_size(&self, commit: &Commit) -> u64 {
        commit.1
    }

    fn read_block(&self, _: &Blob, place: &u64, offset: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        self.others();
        let world = self.world();
        let bytes = world.places.get(place).ok_or(Unreadable::Gone)?;
        let start = usize::try_from(offset).unwrap();
        into.copy_from_slice(&bytes[start..start + into.len()]);
        Ok(())
    }

    fn read_blob(
        &self,
        blob: &Blob,
        commit: &Commit,
        offset: u64,
        into: &mut [u8],
    ) -> Result<(), Unreadable> {
        self.others();
        let world = self.world();
        let kept = world.blobs.get(blob).filter(|kept| kept.commit == Some(*commit));
        let start = usize::try_from(offset).unwrap();
        into.copy_from_slice(&kept.ok_or(Unreadable::Gone)?.bytes[start..start + into.len()]);
        Ok(())
    }

    fn is_paged(&self, blob: &Blob) -> bool {
        self.others();
        self.world().blobs.get(blob).is_some_and(|kept| kept.paged)
    }

    fn read_pages(&self, blob: &Blob, offset: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        self.others();
        let world = self.world();
        let kept = world.blobs.get(blob).ok_or(Unreadable::Gone)?;
        let start = usize::try_from(offset).unwrap();
        let bytes = kept.bytes.get(start..start + into.len());
        into.copy_from_slice(bytes.ok_or(Unreadable::Gone)?);
        Ok(())
    }

    fn written_from(&self, blob: &Blob, offset: u64) -> Result<Option<Range<u64>>, Unreadable> {
        self.others();
        let world = self.world();
        let size = world.blobs.get(blob).ok_or(Unreadable::Gone)?.bytes.len() as u64;
        Ok((offset < size).then_some(offset..size))
    }

    fn is_leased(&self, blob: &Blob) -> bool {
        self.others();
        self.world().blobs.get(blob).is_some_and(|kept| kept.leased)
    }

    fn record(&self, blob: &Blob, commit: &Commit, finding: &Finding) -> Recorded {
        self.others();
        let recorded = (|| {
            let mut world = self.world();
            let seal = world.seal;
            let kept = world
                .blobs
                .get_mut(blob)
                .filter(|kept| kept.commit == Some(*commit));
            let Some(kept) = kept else {
                return Recorded::Stale;
            };
            let (verdict, family) = match finding {
                Finding::Backup(report) => (Some(report.verdict), Family::of(report)),
                _ => (None, None),
            };
            let told = self.samples.verdict(kept);
            assert_eq!(
                (verdict, family.clone()),
                told,
                "a verdict is about the content it is stored with"
            );
            kept.judged = Some(Judged {
                verdict,
                is_final: !kept.leased,
                family,
            });
            kept.concluded(seal)
        })();
        self.others();
        recorded
    }

    fn amend(&self, blob: &Blob, commit: &Commit, verdict: Verdict, _: Vec<String>) -> Recorded {
        self.others();
        let recorded = (|| {
            let mut world = self.world();
            let seal = world.seal;
            let kept = world
                .blobs
                .get_mut(blob)
                .filter(|kept| kept.commit == Some(*commit));
            let Some(kept) = kept else {
                return Recorded::Stale;
            };
            let leased = kept.leased;
            let Some(judged) = &mut kept.judged else {
                return Recorded::Stale;
            };
            judged.verdict = Some(verdict);
            judged.is_final |= !leased;
            kept.concluded(seal)
        })();
        self.others();
        recorded
    }

    fn settle(&self, blob: &Blob) -> bool {
        self.others();
        let done = {
            let mut world = self.world();
            let seal = world.seal;
            match world.blobs.get_mut(blob) {
                Some(kept) if kept.judged.is_some() => {
                    let leased = kept.leased;
                    let judged = kept.judged.as_mut().unwrap();
                    judged.is_final |= !leased;
                    kept.concluded(seal) == Recorded::Final
                }
                _ => true,
            }
        };
        self.others();
        done
    }

    fn unfinished(&self, tell: &mut dyn FnMut(Unfinished<Blob, Commit>)) {
        for blob in BLOBS {
            self.others();
            let kept = self.world().blobs.get(blob).cloned().unwrap_or_default();
            self.others();
            let Some(commit) = kept.commit.filter(|commit| commit.1 > 0) else {
                continue;
            };
            match kept.judged {
                None => tell(Unfinished::Verify(blob)),
                Some(judged) => {
                    if let Some(family) = judged.family {
                        tell(Unfinished::Stripe(blob, commit, family));
                    }
                    tell(Unfinished::Settle(blob));
                }
            }
        }
    }

    fn standing(&self, blob: &Blob, commit: &Commit) -> Option<Standing> {
        self.others();
        let world = self.world();
        let kept = world
            .blobs
            .get(blob)
            .filter(|kept| kept.commit == Some(*commit))?;
        let judged = kept.judged.as_ref()?;
        Some(Standing {
            verdict: judged.verdict,
            is_final: judged.is_final,
        })
    }

    fn family(&self, blob: &Blob, commit: &Commit) -> Option<Family> {
        self.others();
        let world = self.world();
        let kept = world
            .blobs
            .get(blob)
            .filter(|kept| kept.commit == Some(*commit))?;
        kept.judged.as_ref()?.family.clone()
    }

    fn current(&self, blob: &Blob) -> Option<Commit> {
        self.others();
        let current = self.world().blobs.get(blob).and_then(|kept| kept.commit);
        self.others();
        current.filter(|commit| commit.1 > 0)
    }
}

impl Kept {
    /// Seals what is proved, as the store does, and says what is in the way.
    fn concluded(&mut self, seal: bool) -> Recorded {
        let judged = self.judged.as_ref().unwrap();
        if !judged.is_final {
            return Recorded::Leased;
        }
        if seal && judged.verdict == Some(Verdict::Ok) && !self.sealed {
            if self.leased {
                return Recorded::Leased;
            }
            self.sealed = true;
        }
        Recorded::Final
    }
}

/// What each blob must be shown as, by the bytes and leases there are.
fn check(world: &World, samples: &Samples, seed: u64) {
    let judged = |blob: &Blob| world.blobs[blob].judged.as_ref();
    let with_content = |kept: &&Kept| kept.commit.is_some_and(|commit| commit.1 > 0);
    let mut finished: Vec<Family> = Vec::new();
    for kept in world.blobs.values().filter(with_content) {
        let (_, family) = samples.verdict(kept);
        if let (Some(family), Some(judged)) = (family, &kept.judged)
            && judged.is_final
        {
            finished.push(family);
        }
    }
    for (blob, kept) in world.blobs.iter().filter(|(_, kept)| with_content(kept)) {
        let Some(judged) = judged(blob) else {
            panic!(
                "seed {seed}: {blob} stays pending after\n{}",
                world.told.join("\n")
            );
        };
        let (alone, family) = samples.verdict(kept);
        let wanted = match family {
            Some(family) if family.is_sound => {
                Some(Company::of(&family, &finished).judge(&family, "").verdict)
            }
            _ => alone,
        };
        let told = || world.told.join("\n");
        assert_eq!(judged.verdict, wanted, "seed {seed}: {blob} after\n{}", told());
        assert!(
            judged.is_final || kept.leased,
            "seed {seed}: {blob} is never final after\n{}",
            told()
        );
        let proved = wanted == Some(Verdict::Ok) && judged.is_final && !kept.leased;
        assert!(
            !world.seal || kept.sealed || !proved,
            "seed {seed}: {blob} is proved and not sealed after\n{}",
            told()
        );
    }
}

impl Job<Stage> {
    fn name(&self) -> String {
        match self {
            Job::Scan => "scan".to_owned(),
            Job::Settle(blob, _) => format!("settle {blob}"),
            Job::Check(blob) => format!("check {blob}"),
            Job::Regroup(_) => "regroup".to_owned(),
            Job::Flow(blob) => format!("flow {blob}"),
            Job::Work(blob) => format!("work on {blob}"),
            Job::Verify(blob) => format!("verify {blob}"),
        }
    }
}

fn history(seed: u64, samples: &Arc<Samples>) {
    let mut rng = Rng(seed);
    let seal = rng.below(4) == 0;
    let world = World {
        rng,
        blobs: BTreeMap::new(),
        places: HashMap::new(),
        numbers: 0,
        deeds_left: DEEDS,
        notes: Vec::new(),
        writes: Vec::new(),
        announced: Vec::new(),
        seal,
        told: Vec::new(),
    };
    let stage = Stage {
        world: Arc::new(Mutex::new(world)),
        prover: Arc::default(),
        depth: Arc::default(),
        samples: Arc::clone(samples),
    };
    // Some of it happened under an earlier server, which told nobody any more.
    {
        let mut world = stage.world();
        for _ in 0..world.rng.below(4) {
            world.deed(samples);
        }
        world.notes.clear();
        world.writes.clear();
        world.announced.clear();
        world.blobs.values_mut().for_each(|kept| kept.staged.clear());
    }
    let prover = Arc::new(Shared::new(stage.clone()));
    stage.prover.set(Arc::downgrade(&prover)).unwrap();
    while stage.world().deeds_left > 0 {
        stage.others();
        let choice = stage.world().rng.below(4);
        match choice {
            0 => stage.deed(),
            1 => {
                stage.world().write_pages();
                stage.deliver();
            }
            _ => {
                stage.one_job();
            }
        }
    }
    stage.come_to_rest();
    check(&stage.world(), samples, seed);
    // Leases run out by themselves: nobody tells.
    stage
        .world()
        .blobs
        .values_mut()
        .for_each(|kept| kept.leased = false);
    stage.sweep();
    stage.come_to_rest();
    check(&stage.world(), samples, seed);
}

#[test]
fn nothing_stays_pending_and_every_verdict_is_on_the_newest_content() {
    let samples = Arc::new(Samples::new());
    for seed in 0..HISTORIES {
        history(seed, &samples);
    }
}

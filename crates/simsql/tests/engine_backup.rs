//! Backups and restores through the engine's own deeds, judged: while a random workload runs, fulls, differentials and logs are
//! copied into a list; from the list the database is restored to random moments, and its tables equal the recorded history there.
//! Crashes of the source between its backups, and of the target in the midst of restoring, change nothing.
//!
//! `BAC2_ENGINE_BACKUP_SEEDS` sets how many seeds are run; a failure names its seed.

#![allow(missing_docs, clippy::unwrap_used)]

use bak::Lsn;
use bak::writer::LogSegment;
use simsql::engine::{DataKind, Engine, EngineError, Opening, RecoveryModel, ReuseWait, Stop};
use simsql::memory::Disk;
use simsql::moment::Moment;
use simsql::world::Disk as _;
use uuid::Uuid;

#[allow(dead_code)] // Shared by several judges, each of which uses its part.
mod workload;

use workload::{Chance, Workload, assert_sound, files, plan, read, world};

const SOURCE: &str = "/source";
const TARGET: &str = "/target";
const UNDO: &str = "/target/undo";

fn seeds(default: u64) -> std::ops::Range<u64> {
    let wanted = std::env::var("BAC2_ENGINE_BACKUP_SEEDS").ok();
    0..wanted.and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A backup set.
#[derive(Clone)]
struct Set {
    /// `None` for a log.
    kind: Option<DataKind>,
    guid: Uuid,
    /// The differential base that was named when it was taken.
    base: Option<Uuid>,
    extents: Vec<(u16, u32, Vec<u8>)>,
    log: Vec<(LogSegment, Vec<u8>)>,
    first: Lsn,
    last: Lsn,
    /// When its log ended.
    end: Moment,
}

/// A database with a workload on it, and its backups.
struct Source {
    seed: u64,
    disk: Disk,
    engine: Engine,
    workload: Workload,
    chance: Chance,
    sets: Vec<Set>,
}

fn new_disk(directory: &str) -> Disk {
    let disk = Disk::new();
    disk.create_directory(directory).unwrap();
    disk
}

impl Source {
    fn new(seed: u64, model: RecoveryModel) -> Self {
        let disk = new_disk(SOURCE);
        let engine = Engine::create(&world(&disk), plan(SOURCE, model), Moment(0)).unwrap();
        let mut source = Self {
            seed,
            disk,
            engine,
            workload: Workload::new(seed),
            chance: Chance::new(seed ^ 0xBAC2),
            sets: Vec::new(),
        };
        source.engine.set_pool_limit(20);
        source
    }

    fn work(&mut self, most: u64) {
        for _ in 0..self.chance.below(most) {
            self.workload.step(&mut self.engine).unwrap();
        }
    }

    /// Loses its power, and comes back.
    fn crash(&mut self) {
        let mode = self.chance.below(3);
        let chance = &self.chance;
        self.disk = self.disk.after_power_loss(&mut || match mode {
            0 => false,
            1 => true,
            _ => chance.one_in(2),
        });
        let how = Opening::Recover {
            at: self.workload.tick(),
        };
        let expected = self.workload.committed();
        self.engine = Engine::open(&world(&self.disk), files(SOURCE), how).unwrap();
        self.engine.set_pool_limit(20);
        assert_eq!(read(&mut self.engine), expected, "seed {}", self.seed);
        self.workload.adopt(&mut self.engine);
    }

    fn data(&mut self, kind: DataKind) {
        let at = self.workload.tick();
        let guid = self.chance.guid();
        let base = self.engine.boot().differential_base.map(|(_, guid, _)| guid);
        let backup = self.engine.begin_data_backup(kind, at).unwrap();
        let mut extents = Vec::new();
        for file in &backup.files {
            for extent in &file.extents {
                let mut bytes = Vec::new();
                let verify = self.chance.one_in(2);
                self.engine
                    .read_extents(file.file_id, *extent, 1, verify, &mut bytes)
                    .unwrap();
                extents.push((file.file_id, *extent, bytes));
                if self.chance.one_in(3) {
                    self.work(4);
                }
            }
        }
        let at = self.workload.tick();
        let last = self.engine.close_log(at).unwrap();
        let log = self.log_bytes(backup.first_lsn, last);
        self.work(4);
        let fails = self.chance.one_in(8);
        let success = (!fails).then_some(guid);
        let now = self.workload.tick();
        self.engine.end_data_backup(&backup, success, now).unwrap();
        if !fails {
            self.sets.push(Set {
                kind: Some(kind),
                guid,
                base,
                extents,
                log,
                first: backup.first_lsn,
                last,
                end: at,
            });
        }
    }

    fn log_bytes(&mut self, first: Lsn, last: Lsn) -> Vec<(LogSegment, Vec<u8>)> {
        let pieces = self.engine.log_pieces(first, last).unwrap();
        pieces
            .into_iter()
            .map(|piece| {
                let mut bytes = Vec::new();
                let length = (piece.segment.end - piece.segment.start) as usize;
                self.engine
                    .read_log(piece.segment.start, length, &mut bytes)
                    .unwrap();
                (piece.segment, bytes)
            })
            .collect()
    }

    fn log(&mut self) {
        let Some(first) = self.engine.boot().last_log_backup_lsn else {
            return;
        };
        self.engine.pin_log(Some(first));
        let at = self.workload.tick();
        let last = self.engine.close_log(at).unwrap();
        self.work(5);
        let log = self.log_bytes(first, last);
        let done = self.workload.tick();
        self.engine.end_log_backup(last, done).unwrap();
        self.sets.push(Set {
            kind: None,
            guid: self.chance.guid(),
            base: None,
            extents: Vec::new(),
            log,
            first,
            last,
            end: at,
        });
    }

    /// Work and backups of all kinds.
    fn live(&mut self, rounds: u32) {
        for _ in 0..rounds {
            self.work(30);
            match self.chance.below(9) {
                0 => self.data(DataKind::Full),
                1 => self.data(DataKind::CopyOnly),
                2 | 3 => self.data(DataKind::Differential),
                4 => self.crash(),
                _ => self.log(),
            }
        }
    }

    /// A random sequence of sets to restore: a full, perhaps a differential of it, the logs behind.
    fn sequence(&self) -> Option<Vec<Set>> {
        let is_full = |set: &&Set| matches!(set.kind, Some(DataKind::Full | DataKind::CopyOnly));
        let fulls: Vec<_> = self.sets.iter().filter(is_full).collect();
        if fulls.is_empty() {
            return None;
        }
        let full = fulls[self.chance.below(fulls.len() as u64) as usize];
        let mut sequence = vec![full.clone()];
        let of_full = |set: &&Set| set.kind == Some(DataKind::Differential) && set.base == Some(full.guid);
        let differentials: Vec<_> = self.sets.iter().filter(of_full).collect();
        if !differentials.is_empty() && self.chance.one_in(2) {
            let nth = self.chance.below(differentials.len() as u64) as usize;
            sequence.push(differentials[nth].clone());
        }
        let mut reached = sequence[sequence.len() - 1].last;
        let most = self.chance.below(6);
        for set in self.sets.iter().filter(|set| set.kind.is_none()).take(1000) {
            if set.first <= reached && set.last > reached && (sequence.len() as u64) < 2 + most {
                reached = set.last;
                sequence.push(set.clone());
            }
        }
        Some(sequence)
    }
}

/// One RESTORE statement, from its beginning.
fn restore(engine: &mut Engine, set: &Set, stop: Stop) -> Result<bool, EngineError> {
    if set.kind.is_some() {
        for (file, extent, bytes) in &set.extents {
            engine.restore_extent(*file, *extent, bytes)?;
        }
        engine.end_restore_pages()?;
    }
    for (segment, bytes) in &set.log {
        engine.restore_log(segment, segment.start, bytes)?;
    }
    // Given up after a piece, it is begun anew.
    engine.begin_redo(stop)?;
    engine.redo_piece()?;
    engine.abandon();
    let redone = engine.redo(stop)?;
    if !redone.stopped {
        assert_eq!(redone.next_lsn, set.last, "redo ends where the backup does");
    }
    Ok(redone.stopped)
}

/// A database that is restored, on a disk that may lose its power.
struct Target {
    disk: Disk,
    engine: Option<Engine>,
    chance: Chance,
}

impl Target {
    fn new(seed: u64) -> Self {
        Self {
            disk: new_disk(TARGET),
            engine: None,
            chance: Chance::new(seed ^ 0x7A26),
        }
    }

    /// Does something, and again from its beginning after a loss of power in the midst of it.
    fn persist<T>(
        &mut self,
        is_first: bool,
        mut deed: impl FnMut(&mut Engine) -> Result<T, EngineError>,
    ) -> T {
        if self.chance.one_in(2) {
            let most = [20, 200][self.chance.below(2) as usize];
            self.disk.cut_power_after(Some(self.chance.below(most)));
            let engine = self.open(is_first);
            let outcome = engine.and_then(|mut engine| {
                let outcome = deed(&mut engine)?;
                self.engine = Some(engine);
                Ok(outcome)
            });
            self.disk.cut_power_after(None);
            match outcome {
                // What was done may still be lost in part, but for what a restart must find.
                Ok(outcome) => {
                    if self.chance.one_in(2) {
                        self.lose_power();
                    }
                    return outcome;
                }
                Err(_) => self.lose_power(),
            }
        }
        let mut engine = self.open(is_first).unwrap();
        let outcome = deed(&mut engine).unwrap();
        self.engine = Some(engine);
        outcome
    }

    fn open(&mut self, is_first: bool) -> Result<Engine, EngineError> {
        if is_first {
            return Engine::begin_restore(&world(&self.disk), files(TARGET));
        }
        if let Some(engine) = self.engine.take() {
            return Ok(engine);
        }
        let mut engine = Engine::open(&world(&self.disk), files(TARGET), Opening::Restoring)?;
        engine.set_pool_limit(10);
        Ok(engine)
    }

    fn lose_power(&mut self) {
        let chance = &self.chance;
        self.disk = self.disk.after_power_loss(&mut || chance.one_in(2));
        self.engine = None;
    }
}

/// Restores a sequence to a random moment of it, and compares.
fn judge_restore(source: &Source, seed: u64, sequence: &[Set]) -> (Engine, Moment) {
    let mut target = Target::new(seed);
    let last = sequence.len() - 1;
    let covered = sequence[last].end;
    let from = if last == 0 {
        covered
    } else {
        sequence[last - 1].end
    };
    let is_log = sequence[last].kind.is_none();
    let moment = if is_log && target.chance.one_in(2) {
        Moment(from.0 + target.chance.below((covered.0 - from.0 + 1) as u64) as i64)
    } else {
        covered
    };
    for (index, set) in sequence.iter().enumerate() {
        let stop = if index == last && moment < covered {
            Stop::At(moment)
        } else {
            Stop::End
        };
        target.persist(index == 0, |engine| restore(engine, set, stop));
        if target.chance.one_in(3) {
            target.persist(false, |engine| engine.enter_standby(UNDO));
            let reached = if index == last { moment } else { set.end };
            let found = target.persist(false, |engine| Ok(read(engine)));
            assert_eq!(&found, source.workload.at(reached), "seed {seed}: standby");
            if target.chance.one_in(2) {
                target.persist(false, Engine::leave_standby);
            }
        }
    }
    let fork = Uuid::from_u128(99);
    let pieces = target.chance.below(8);
    target.persist(false, |engine| {
        // Given up after some pieces, it is begun anew; it may also have been through.
        engine.begin_recovery(fork, source.workload.now())?;
        for _ in 0..pieces {
            engine.recovery_piece()?;
        }
        engine.abandon();
        if engine.boot().redo_start.is_none() {
            return Ok(());
        }
        engine.recover(fork, source.workload.now())
    });
    let mut engine = match target.engine.take() {
        Some(engine) => engine,
        // It was recovered; a restart finds it so.
        None => {
            let how = Opening::Recover {
                at: source.workload.now(),
            };
            Engine::open(&world(&target.disk), files(TARGET), how).unwrap()
        }
    };
    assert_eq!(
        &read(&mut engine),
        source.workload.at(moment),
        "seed {seed}, to {moment:?}"
    );
    assert_sound(&mut engine);
    let boot = engine.boot();
    assert_eq!(boot.recovery_fork, fork);
    assert_eq!(boot.redo_start, None);
    (engine, moment)
}

#[test]
fn restored_tables_equal_the_history() {
    let mut restored = 0;
    for seed in seeds(12) {
        let mut source = Source::new(seed, RecoveryModel::Full);
        source.data(DataKind::Full);
        source.live(14);
        for nth in 0..4 {
            if let Some(sequence) = source.sequence() {
                judge_restore(&source, seed * 10 + nth, &sequence);
                restored += 1;
            }
        }
    }
    assert!(restored > 0);
}

/// A restored database goes on: its log backups follow those of the fork it left.
#[test]
fn the_log_of_a_fork_restores_over_the_log_it_parted_from() {
    for seed in seeds(8) {
        let mut source = Source::new(seed, RecoveryModel::Full);
        source.data(DataKind::Full);
        source.live(6);
        let Some(mut sequence) = source.sequence() else {
            continue;
        };
        let (engine, moment) = judge_restore(&source, 5000 + seed, &sequence);
        let start = engine.boot().last_log_backup_lsn.expect("the chain goes on");
        let point = engine.boot().first_fork.expect("it is a fork").1;
        assert!(
            start <= point,
            "the log from before the fork point is there: {start} {point}"
        );
        // The same history up to the moment, then another one.
        let mut branch = Source {
            seed,
            disk: Disk::new(),
            engine,
            workload: source.workload,
            chance: source.chance,
            sets: Vec::new(),
        };
        branch.workload.history.retain(|(at, _)| *at <= moment);
        branch.workload.adopt(&mut branch.engine);
        branch.work(40);
        branch.log();
        branch.work(40);
        branch.log();
        sequence.retain(|set| set.first <= point);
        // A log that the fork parts from is restored up to where the branch's log begins.
        sequence.retain(|set| set.kind.is_some() || set.last <= branch.sets[0].first);
        sequence.append(&mut branch.sets.clone());
        let (restored, _) = judge_restore(&branch, 6000 + seed, &sequence);
        assert_eq!(restored.boot().recovery_fork, Uuid::from_u128(99));
    }
}

/// LSNs of the records of a piece of log, by the headers of its blocks: u16 records at 2, u16 size at 6, u32 number at 16.
fn records(segment: &LogSegment, bytes: &[u8]) -> Vec<Lsn> {
    let mut lsns = Vec::new();
    let mut rest = bytes;
    while rest.len() >= 512 {
        let count = u16::from_le_bytes([rest[2], rest[3]]);
        let size = usize::from(u16::from_le_bytes([rest[6], rest[7]]));
        let block = u32::from_le_bytes([rest[16], rest[17], rest[18], rest[19]]);
        lsns.extend((1..=count).map(|slot| Lsn {
            vlf: segment.vlf_sequence,
            block,
            slot,
        }));
        rest = &rest[size..];
    }
    lsns
}

/// Whatever record redo stops at, allocation is whole and the tables are some committed state, later for a later record.
#[test]
fn redo_stops_at_any_record() {
    let mut source = Source::new(21, RecoveryModel::Full);
    source.work(30);
    source.data(DataKind::Full);
    source.work(80);
    source.log();
    let (full, log) = (source.sets[0].clone(), source.sets[1].clone());
    let all: Vec<_> = log
        .log
        .iter()
        .flat_map(|(segment, bytes)| records(segment, bytes))
        .collect();
    let behind: Vec<_> = all.into_iter().filter(|lsn| *lsn >= full.last).collect();
    assert!(behind.len() > 300, "{} records", behind.len());
    let mut reached = 0;
    for (nth, lsn) in behind.iter().enumerate().step_by(3) {
        let disk = new_disk(TARGET);
        let mut engine = Engine::begin_restore(&world(&disk), files(TARGET)).unwrap();
        assert!(!restore(&mut engine, &full, Stop::End).unwrap());
        let stop = if nth % 2 == 0 {
            Stop::Before(*lsn)
        } else {
            Stop::Including(*lsn)
        };
        assert!(restore(&mut engine, &log, stop).unwrap(), "{stop:?} is met");
        engine.recover(Uuid::from_u128(99), Moment(1)).unwrap();
        assert_sound(&mut engine);
        let found = read(&mut engine);
        let history = source.workload.history.iter().skip(reached);
        let place = history.map(|(_, state)| state).position(|state| *state == found);
        reached += place.unwrap_or_else(|| panic!("{stop:?}: no state of the history"));
    }
}

/// The boot page of a backup names the checkpoint that the backup began with, whatever happens before it is read.
#[test]
fn a_checkpoint_during_a_backup_is_not_where_its_redo_begins() {
    let mut source = Source::new(5, RecoveryModel::Full);
    source.work(60);
    source.workload.finish(&mut source.engine).unwrap();
    let at = source.workload.tick();
    let backup = source.engine.begin_data_backup(DataKind::Full, at).unwrap();
    let mut extents = Vec::new();
    let read_one = |source: &mut Source, extent: u32| {
        let mut bytes = Vec::new();
        source
            .engine
            .read_extents(1, extent, 1, true, &mut bytes)
            .unwrap();
        (1, extent, bytes)
    };
    let (boot, others): (Vec<u32>, Vec<u32>) =
        backup.files[0].extents.iter().partition(|extent| **extent == 1);
    for extent in others {
        extents.push(read_one(&mut source, extent));
    }
    source.work(60);
    source.workload.finish(&mut source.engine).unwrap();
    let at = source.workload.tick();
    source.engine.checkpoint(at).unwrap();
    for extent in boot {
        extents.push(read_one(&mut source, extent));
    }
    let last = source.engine.close_log(at).unwrap();
    let set = Set {
        kind: Some(DataKind::Full),
        guid: Uuid::from_u128(1),
        base: None,
        extents,
        log: source.log_bytes(backup.first_lsn, last),
        first: backup.first_lsn,
        last,
        end: at,
    };
    judge_restore(&source, 1, &[set]);
}

#[test]
fn lsns_of_a_chain() {
    let mut source = Source::new(7, RecoveryModel::Full);
    let at = Moment(1);
    // Before the first full there is no chain: the log is truncated as under SIMPLE.
    assert_eq!(source.engine.boot().last_log_backup_lsn, None);
    let copy = source.engine.begin_data_backup(DataKind::CopyOnly, at).unwrap();
    source
        .engine
        .end_data_backup(&copy, Some(Uuid::from_u128(1)), at)
        .unwrap();
    assert_eq!(source.engine.boot().last_log_backup_lsn, None);
    assert_eq!(source.engine.boot().differential_base, None);
    // A full that fails starts nothing; one that succeeds, idle, has its first LSN at its checkpoint.
    let failed = source.engine.begin_data_backup(DataKind::Full, at).unwrap();
    source.engine.end_data_backup(&failed, None, at).unwrap();
    assert_eq!(source.engine.boot().log_chain_lsn, None);
    let full = source.engine.begin_data_backup(DataKind::Full, at).unwrap();
    assert_eq!(full.first_lsn, full.checkpoint_lsn);
    assert_eq!(source.engine.boot().database_backup_lsn, None);
    assert_eq!(full.checkpoint_lsn, source.engine.boot().checkpoint_lsn);
    let last = source.engine.close_log(at).unwrap();
    assert!(full.checkpoint_lsn < last && last.slot == 1);
    let guid = Uuid::from_u128(2);
    source.engine.end_data_backup(&full, Some(guid), at).unwrap();
    let boot = source.engine.boot();
    assert_eq!(boot.log_chain_lsn, Some(full.first_lsn));
    assert_eq!(boot.last_log_backup_lsn, Some(full.first_lsn));
    assert_eq!(boot.database_backup_lsn, Some(full.checkpoint_lsn));
    assert_eq!(
        boot.differential_base.map(|(lsn, guid, _)| (lsn, guid)),
        Some((full.checkpoint_lsn, guid))
    );
    // Logs follow one another; a further full changes nothing of that.
    source.work(20);
    source.log();
    source.work(20);
    source.data(DataKind::CopyOnly);
    assert_eq!(
        source.engine.boot().database_backup_lsn,
        Some(full.checkpoint_lsn)
    );
    source.log();
    let logs: Vec<_> = source.sets.iter().filter(|set| set.kind.is_none()).collect();
    assert_eq!(logs[0].first, full.first_lsn);
    assert_eq!(logs[1].first, logs[0].last);
    // SIMPLE ends the chain, and FULL alone does not start it.
    for model in [RecoveryModel::Simple, RecoveryModel::Full] {
        source
            .engine
            .change_boot(&mut |boot| boot.recovery_model = model)
            .unwrap();
        assert_eq!(source.engine.boot().log_chain_lsn, None);
        assert_eq!(source.engine.boot().last_log_backup_lsn, None);
    }
}

#[test]
fn an_open_transaction_holds_the_first_lsn_back() {
    let mut source = Source::new(9, RecoveryModel::Full);
    for _ in 0..200 {
        source.workload.step(&mut source.engine).unwrap();
        if source.engine.oldest_transaction().is_some() {
            break;
        }
    }
    let (begin, _) = source
        .engine
        .oldest_transaction()
        .expect("a transaction changed something");
    let full = source
        .engine
        .begin_data_backup(DataKind::Full, Moment(1))
        .unwrap();
    assert!(full.first_lsn <= begin && begin < full.checkpoint_lsn);
    assert_eq!(
        (full.first_lsn.vlf, full.first_lsn.block),
        (begin.vlf, begin.block)
    );
}

#[test]
fn what_holds_the_log_back() {
    let mut source = Source::new(3, RecoveryModel::Full);
    let fill = |source: &mut Source| {
        let from = source.engine.log_facts().end_lsn.vlf;
        while source.engine.log_facts().end_lsn.vlf < from + 2 {
            source.workload.step(&mut source.engine).unwrap();
        }
        source.workload.finish(&mut source.engine).unwrap();
        let at = source.workload.tick();
        source.engine.checkpoint(at).unwrap();
    };
    fill(&mut source);
    assert_eq!(source.engine.log_facts().reuse_wait, ReuseWait::Nothing);
    let at = source.workload.tick();
    let full = source.engine.begin_data_backup(DataKind::Full, at).unwrap();
    fill(&mut source);
    assert_eq!(
        source.engine.log_facts().reuse_wait,
        ReuseWait::ActiveBackupOrRestore
    );
    source
        .engine
        .end_data_backup(&full, Some(Uuid::from_u128(1)), at)
        .unwrap();
    assert_eq!(source.engine.log_facts().reuse_wait, ReuseWait::LogBackup);
    let held = source.engine.log_facts().min_lsn;
    assert!(held <= full.first_lsn);
    source.log();
    let facts = source.engine.log_facts();
    assert!(facts.min_lsn > held, "a log backup lets the log go");
    assert_eq!(facts.reuse_wait, ReuseWait::Nothing);
}

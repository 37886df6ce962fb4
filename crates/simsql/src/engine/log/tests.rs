//! The log against a model: a list of records, of which so many are durable.

use std::ops::ControlFlow;

use bak::Lsn;
use bak::writer::LogSegment;

use super::{Log, LogPlan};
use crate::engine::{EngineError, Result};
use crate::memory::Disk;
use crate::world::{Disk as _, Open};

mod backup;
mod crash;
mod cut;
mod receive;

pub(super) const PATH: &str = "/log/db.ldf";

/// splitmix64.
pub(super) struct Noise(pub(super) u64);

impl Noise {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A record: mostly short, at times as long as can be, its bytes random.
    pub(super) fn record(&mut self) -> Vec<u8> {
        let length = match self.below(20) {
            0 => self.below(32_769),
            1..4 => self.below(2000),
            _ => self.below(120),
        };
        (0..length).map(|_| self.next() as u8).collect()
    }
}

pub(super) fn plan(size: u64, growth: u64, max_size: u64) -> LogPlan {
    LogPlan {
        path: PATH.to_owned(),
        file_id: 2,
        size,
        growth,
        max_size,
    }
}

pub(super) fn usual() -> LogPlan {
    plan(280_000, 140_000, 1 << 30)
}

pub(super) fn disk() -> Disk {
    let disk = Disk::new();
    disk.create_directory("/log").unwrap();
    disk
}

pub(super) fn create(disk: &Disk, plan: LogPlan, first: u32) -> Log {
    Log::create(disk.open(PATH, Open::Create).unwrap(), plan, first).unwrap()
}

pub(super) fn open(disk: &Disk, plan: LogPlan) -> Result<Log> {
    Log::open(disk.open(PATH, Open::Write).unwrap(), plan)
}

pub(super) type Records = Vec<(Lsn, Vec<u8>)>;

pub(super) fn scan(log: &Log, from: Lsn) -> Result<Records> {
    let mut all = Vec::new();
    log.scan(from, &mut |lsn, record| {
        all.push((lsn, record.to_vec()));
        ControlFlow::Continue(())
    })?;
    Ok(all)
}

/// A log and what should be in it.
pub(super) struct Model {
    pub(super) disk: Disk,
    pub(super) plan: LogPlan,
    pub(super) log: Log,
    pub(super) noise: Noise,
    pub(super) records: Records,
    /// So many of them are durable.
    pub(super) durable: usize,
    /// Older ones may be gone.
    pub(super) keep: Lsn,
}

impl Model {
    pub(super) fn new(seed: u64) -> Self {
        let disk = disk();
        let log = create(&disk, usual(), 40);
        let keep = log.next_lsn();
        Self {
            disk,
            plan: usual(),
            log,
            noise: Noise(seed),
            records: Vec::new(),
            durable: 0,
            keep,
        }
    }

    pub(super) fn append(&mut self) -> Result<()> {
        let record = self.noise.record();
        let at_least = self.log.next_lsn();
        let lsn = if self.noise.below(4) == 0 {
            self.log.append_reserved(&record)?
        } else {
            self.log.append(&record)?
        };
        assert!(lsn >= at_least);
        assert!(
            self.records.last().is_none_or(|(last, _)| *last < lsn),
            "LSNs go up"
        );
        self.records.push((lsn, record));
        Ok(())
    }

    pub(super) fn step(&mut self) -> Result<()> {
        match self.noise.below(40) {
            0..30 => self.append(),
            30..36 => {
                self.log.flush()?;
                self.durable = self.records.len();
                Ok(())
            }
            36 | 37 => {
                let next = self.log.close_block()?;
                self.durable = self.records.len();
                assert_eq!((next.slot, self.log.durable_lsn()), (1, next));
                Ok(())
            }
            38 if !self.records.is_empty() => {
                let all = self.records.len();
                let at = all - 1 - self.noise.below(all.min(60) as u64) as usize;
                self.keep = self.keep.max(self.records[at].0);
                self.log.truncate(self.keep)
            }
            _ => self.reserve(),
        }
    }

    fn reserve(&mut self) -> Result<()> {
        let bytes = self.noise.below(5000);
        self.log.reserve(bytes)?;
        self.log.release(bytes);
        Ok(())
    }

    /// The log has what the model has, from its oldest LSN on, and so it has from some other one on.
    pub(super) fn check(&mut self) {
        let oldest = self.log.min_lsn();
        assert!(oldest <= self.keep, "{oldest} is kept, {} should be", self.keep);
        let expected: Records = self
            .records
            .iter()
            .filter(|(lsn, _)| *lsn >= oldest)
            .cloned()
            .collect();
        let found = scan(&self.log, oldest).unwrap();
        assert_same(&found, &expected);
        if expected.is_empty() {
            return;
        }
        let at = self.noise.below(expected.len() as u64) as usize;
        let (lsn, record) = &expected[at];
        assert_same(&scan(&self.log, *lsn).unwrap(), &expected[at..]);
        assert_eq!(self.log.record(*lsn).as_ref(), Ok(record));
        let start = Lsn { slot: 1, ..*lsn };
        assert_eq!(scan(&self.log, start).unwrap()[0].0, start);
    }

    /// Opens what is on `disk` and takes what it has for the truth, once it is a prefix that holds all that was durable.
    pub(super) fn reopen(&mut self, disk: Disk) {
        self.disk = disk;
        self.log = open(&self.disk, self.plan.clone()).unwrap();
        let found = scan(&self.log, self.log.min_lsn()).unwrap();
        let end = found.last().map_or(self.durable, |(last, _)| {
            let behind = self.records.iter().position(|(lsn, _)| lsn > last);
            behind.unwrap_or(self.records.len())
        });
        assert!(
            end >= self.durable,
            "{end} records, {} were durable",
            self.durable
        );
        self.records.truncate(end);
        self.durable = end;
        self.check();
    }
}

pub(super) fn assert_same(found: &[(Lsn, Vec<u8>)], expected: &[(Lsn, Vec<u8>)]) {
    let lsns = |all: &[(Lsn, Vec<u8>)]| all.iter().map(|(lsn, _)| *lsn).collect::<Vec<_>>();
    assert_eq!(lsns(found), lsns(expected));
    let bad = found.iter().zip(expected).find(|(a, b)| a.1 != b.1);
    assert!(bad.is_none(), "record {} differs", bad.unwrap().0.0);
}

/// The bytes of all pieces from `first` to `end`.
pub(super) fn raw(log: &Log, first: Lsn, end: Lsn) -> Vec<(LogSegment, Vec<u8>)> {
    let read = |segment: LogSegment| {
        let mut bytes = Vec::new();
        let length = (segment.end - segment.start) as usize;
        log.read_raw(segment.start, length, &mut bytes).unwrap();
        (segment, bytes)
    };
    log.pieces(first, end).into_iter().map(read).collect()
}

#[test]
fn any_work_reads_back_and_is_there_after_a_restart() {
    for seed in 0..20 {
        let mut model = Model::new(seed);
        for _ in 0..600 {
            model.step().unwrap();
            if model.noise.below(60) == 0 {
                model.check();
            }
            if model.noise.below(150) == 0 {
                let disk = model.disk.snapshot();
                model.reopen(disk);
            }
        }
        model.check();
        assert!(
            model.records.last().unwrap().0.vlf > 40,
            "the log went through several VLFs"
        );
    }
}

#[test]
fn a_long_run_reuses_the_same_vlfs_in_the_order_of_the_file() {
    let disk = disk();
    let mut log = create(&disk, plan(1 << 20, 0, 1 << 20), 7);
    let mut last = Lsn::ZERO;
    for round in 0..400u32 {
        let lsn = log.append(&[round as u8; 9000]).unwrap();
        assert!(lsn > last);
        last = lsn;
        log.flush().unwrap();
        log.truncate(lsn).unwrap();
    }
    assert!(last.vlf > 15);
    assert_eq!(log.space().size, 1 << 20);
    assert_eq!((log.space().vlf_count, log.space().active_vlf_count), (4, 1));
    // 3 VLFs of 253,952 bytes and one of 278,528: the fourth, the eighth and so on are the long one.
    let piece = log.pieces(last, log.next_lsn())[0];
    let index = u64::from((last.vlf - 7) % 4);
    assert_eq!(piece.vlf_offset, 8192 + index * 253_952);
}

#[test]
fn a_full_log_says_so_and_still_takes_what_was_promised() {
    let disk = disk();
    let mut log = create(&disk, plan(1 << 20, 1 << 20, 2 << 20), 1);
    log.reserve(300_000).unwrap();
    let mut appended = 0;
    let error = loop {
        match log.append(&[7; 3000]) {
            Ok(_) => appended += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error, EngineError::LogFull);
    assert!(appended > 200, "{appended} records of 3,000 bytes");
    assert_eq!(log.append(&[7; 3000]), Err(EngineError::LogFull));
    assert_eq!(log.reserve(100_000), Err(EngineError::LogFull));
    assert_eq!(log.space().size, 2 << 20);
    for _ in 0..100 {
        log.append_reserved(&[8; 3000]).unwrap();
    }
    log.release(300_000);
    let next = log.close_block().unwrap();
    log.truncate(next).unwrap();
    log.append(&[9; 3000]).unwrap();
}

#[test]
fn a_full_disk_is_a_full_log() {
    let disk = disk();
    disk.set_capacity(1_500_000);
    let mut log = create(&disk, plan(1 << 20, 1 << 20, 1 << 40), 1);
    let mut last = log.append(&[1; 30_000]).unwrap();
    let error = loop {
        match log.append(&[1; 30_000]) {
            Ok(lsn) => last = lsn,
            Err(error) => break error,
        }
    };
    assert_eq!(error, EngineError::LogFull);
    log.flush().unwrap();
    disk.set_capacity(1 << 30);
    assert!(log.append(&[1; 30_000]).unwrap() > last);
}

#[test]
fn a_record_too_long_is_refused_and_the_longest_is_not() {
    let disk = disk();
    let mut log = create(&disk, usual(), 1);
    let lsn = log.append(&[5; 32_768]).unwrap();
    assert!(matches!(log.append(&[5; 32_769]), Err(EngineError::Log { .. })));
    log.flush().unwrap();
    assert_eq!(log.record(lsn).unwrap(), [5; 32_768]);
    let empty = log.append(&[]).unwrap();
    assert!(log.record(empty).unwrap().is_empty());
    assert!(matches!(
        log.record(Lsn { slot: 2, ..lsn }),
        Err(EngineError::Log { .. })
    ));
}

#[test]
fn what_was_promised_is_there_when_the_log_is_full_whatever_the_records() {
    for seed in 0..60 {
        let mut noise = Noise(seed);
        let disk = disk();
        let size = 400_000 + noise.below(3_000_000);
        let mut log = create(&disk, plan(size, 0, size), 1);
        let mut promised = noise.below(size / 6);
        log.reserve(promised).unwrap();
        while log.append(&noise.record()).is_ok() {}
        loop {
            let record = noise.record();
            if record.len() as u64 > promised {
                break;
            }
            log.append_reserved(&record).unwrap();
            promised -= record.len() as u64;
            if noise.below(30) == 0 {
                log.flush().unwrap();
            }
        }
        log.flush().unwrap();
    }
}

//! Log taken from another log's pieces.

use bak::Lsn;
use bak::writer::LogSegment;
use bak::writer::log_block::{self, LogPlace};

use super::{Model, Noise, PATH, assert_same, disk, open, plan, raw, scan, usual};
use crate::engine::EngineError;
use crate::engine::log::Log;
use crate::memory::Disk;
use crate::world::{Disk as _, Open};

fn empty(disk: &Disk) -> Log {
    let file = disk.open(PATH, Open::Create).unwrap();
    Log::create_empty(file, plan(512 << 10, 65_536, 1 << 30)).unwrap()
}

/// Bytes of a piece cut at random block bounds: where each part begins in the source's file, and its bytes.
fn parts(noise: &mut Noise, segment: &LogSegment, bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut parts = Vec::new();
    let (mut from, mut at) = (0, 0);
    while at < bytes.len() {
        at += usize::from(u16::from_le_bytes([bytes[at + 6], bytes[at + 7]]));
        if noise.below(3) == 0 || at == bytes.len() {
            parts.push((segment.start + from as u64, bytes[from..at].to_vec()));
            from = at;
        }
    }
    parts
}

#[test]
fn pieces_however_split_rebuild_the_same_log() {
    for seed in 0..20 {
        let mut model = Model::new(seed);
        for _ in 0..400 {
            model.step().unwrap();
        }
        let end = model.log.close_block().unwrap();
        let all = scan(&model.log, model.log.min_lsn()).unwrap();
        let from = model.noise.below(all.len() as u64) as usize;
        let first = Lsn {
            slot: 1,
            ..all[from].0
        };
        let disk = disk();
        let mut copy = empty(&disk);
        for (segment, bytes) in raw(&model.log, first, end) {
            for (start, part) in parts(&mut model.noise, &segment, &bytes) {
                copy.receive(&segment, start, &part).unwrap();
                if model.noise.below(4) == 0 {
                    // What is there is passed over, in parts too.
                    copy.receive(&segment, start, &part).unwrap();
                }
            }
        }
        copy.flush().unwrap();
        let expected: Vec<_> = all.iter().filter(|(lsn, _)| *lsn >= first).cloned().collect();
        assert_eq!(
            (copy.min_lsn(), copy.next_lsn(), copy.durable_lsn()),
            (first, end, end)
        );
        assert_same(&scan(&copy, first).unwrap(), &expected);
        let mut copy = open(&disk.after_power_loss(&mut || false), usual()).unwrap();
        assert_same(&scan(&copy, first).unwrap(), &expected);
        assert_eq!(raw(&copy, first, end).len(), raw(&model.log, first, end).len());
        // The copy goes on as a log of its own.
        let next = copy.cut(end).unwrap();
        assert_eq!(copy.append(b"own").unwrap(), next);
        copy.flush().unwrap();
        assert_eq!(scan(&copy, next).unwrap(), [(next, b"own".to_vec())]);
    }
}

#[test]
fn a_gap_is_an_error_and_so_is_damage() {
    let mut model = Model::new(9);
    let mut ends = vec![model.log.next_lsn()];
    for _ in 0..40 {
        for _ in 0..10 {
            model.append().unwrap();
        }
        ends.push(model.log.close_block().unwrap());
    }
    let mut copy = empty(&disk());
    for pair in [(0, 3), (2, 5)] {
        for (segment, bytes) in raw(&model.log, ends[pair.0], ends[pair.1]) {
            copy.receive(&segment, segment.start, &bytes).unwrap();
        }
    }
    assert_eq!(copy.next_lsn(), ends[5]);
    for from in 6..ends.len() - 1 {
        let (segment, bytes) = raw(&model.log, ends[from], ends[from + 1]).remove(0);
        let outcome = copy.receive(&segment, segment.start, &bytes);
        assert!(
            matches!(outcome, Err(EngineError::Log { .. })),
            "from {}",
            ends[from]
        );
    }
    let (segment, mut bytes) = raw(&model.log, ends[5], ends[6]).remove(0);
    bytes[300] ^= 1;
    assert!(copy.receive(&segment, segment.start, &bytes).is_err());
    bytes[300] ^= 1;
    assert!(copy.receive(&segment, segment.start + 512, &bytes).is_err());
    copy.receive(&segment, segment.start, &bytes).unwrap();
}

#[test]
fn a_crash_while_log_comes_leaves_an_unbroken_part_of_it() {
    let mut model = Model::new(4);
    for _ in 0..300 {
        model.append().unwrap();
        model.log.flush().unwrap();
    }
    let end = model.log.close_block().unwrap();
    let pieces = raw(&model.log, model.log.min_lsn(), end);
    for cut in 0..60 {
        let disk = disk();
        let mut copy = empty(&disk);
        let mut noise = Noise(cut);
        disk.cut_power_after(Some(cut));
        let all = pieces.iter().flat_map(|(segment, bytes)| {
            let parts = parts(&mut noise, segment, bytes);
            parts.into_iter().map(|(start, part)| (*segment, start, part))
        });
        let all: Vec<_> = all.collect();
        let _ = all
            .iter()
            .try_for_each(|(segment, start, part)| copy.receive(segment, *start, part));
        let found = disk.after_power_loss(&mut || noise.below(2) == 0);
        let mut copy = open(&found, usual()).unwrap();
        let records = scan(&copy, copy.min_lsn()).unwrap();
        assert_same(&records, &model.records[..records.len()]);
        // The same backup again.
        for (segment, start, part) in &all {
            copy.receive(segment, *start, part).unwrap();
        }
        copy.flush().unwrap();
        assert_same(&scan(&copy, copy.min_lsn()).unwrap(), &model.records);
    }
}

#[test]
fn log_that_sql_server_wrote_is_kept_and_backed_up_but_not_read() {
    let disk = disk();
    let mut copy = empty(&disk);
    // A VLF of 496 sectors, as a log of 1 MB has; the log begins and ends within it, and goes on in the next.
    let segment = |vlf: u32, first: u64, end: u64| LogSegment {
        file_id: 2,
        vlf_sequence: vlf,
        vlf_offset: 8192,
        vlf_length: 496 * 512,
        start: 8192 + first * 512,
        end: 8192 + end * 512,
    };
    let block = |vlf: u32, block: u32, sectors: usize| {
        let mut bytes = vec![0xA5; sectors * 512];
        let place = LogPlace {
            vlf,
            block,
            previous_size: 0,
        };
        // The 15 blocks of real backups without a checksum have 0 in its place.
        log_block::format(&mut bytes, place, 4, sectors > 1);
        bytes
    };
    let (older, newer) = (segment(40, 470, 476), segment(41, 16, 20));
    let pieces = [
        (older, [block(40, 470, 5), block(40, 475, 1)].concat()),
        (newer, block(41, 16, 4)),
    ];
    for (segment, bytes) in &pieces {
        copy.receive(segment, segment.start, bytes).unwrap();
    }
    copy.flush().unwrap();
    let mut copy = open(&disk, usual()).unwrap();
    let (first, end) = (copy.min_lsn(), copy.next_lsn());
    assert_eq!((first.vlf, first.block, end.vlf, end.block), (40, 470, 41, 20));
    let found = raw(&copy, first, end);
    assert_eq!(found.len(), 2);
    assert!(found.iter().zip(&pieces).all(|(found, sent)| found.1 == sent.1));
    let error = scan(&copy, first).unwrap_err().to_string();
    assert!(error.contains("written by SQL Server"), "{error}");
    // The new fork is this engine's own.
    let next = copy.cut(end).unwrap();
    copy.append(b"own").unwrap();
    copy.flush().unwrap();
    assert_eq!(scan(&copy, end).unwrap(), [(next, b"own".to_vec())]);
}

#[test]
fn an_empty_log_is_still_empty_after_a_restart_and_begins_where_a_cut_says() {
    let disk = disk();
    drop(empty(&disk));
    let mut log = open(&disk, usual()).unwrap();
    assert_eq!(log.pieces(Lsn::ZERO, log.next_lsn()), []);
    let end = Lsn {
        vlf: 90,
        block: 33,
        slot: 1,
    };
    let next = log.cut(end).unwrap();
    assert_eq!((next.vlf, next.block, next.slot), (91, 16, 1));
    assert_eq!(log.append(b"first").unwrap(), next);
    log.flush().unwrap();
    assert_eq!(log.min_lsn(), next);
}

//! A cut: what it takes is gone, at once and after a crash at any of its operations, and its new fork lives on.

use bak::Lsn;

use super::{Model, Noise, Records, assert_same, create, disk, open, plan, raw, scan, usual};
use crate::engine::log::Log;
use crate::world::{Disk as _, Open};

fn worked(seed: u64) -> Model {
    let mut model = Model::new(seed);
    for _ in 0..250 {
        model.step().unwrap();
    }
    model.log.flush().unwrap();
    model.durable = model.records.len();
    model
}

fn before(records: &Records, end: Lsn) -> Records {
    records.iter().filter(|(lsn, _)| *lsn < end).cloned().collect()
}

#[test]
fn a_cut_takes_what_is_behind_it_and_the_log_goes_on_in_the_next_vlf() {
    for seed in 0..40 {
        let mut model = worked(seed);
        let oldest = model.log.min_lsn();
        let all: Records = scan(&model.log, oldest).unwrap();
        let end = match model.noise.below(4) {
            0 => model.log.next_lsn(),
            _ => all[model.noise.below(all.len() as u64) as usize].0,
        };
        let next = model.log.cut(end).unwrap();
        assert!(next.block == 16 && next.slot == 1 && (end.vlf..=end.vlf + 1).contains(&next.vlf));
        assert_eq!(next, model.log.next_lsn());
        model.records = before(&all, end);
        model.durable = model.records.len();
        model.keep = model.keep.min(end);
        model.check();
        let found = model.disk.after_power_loss(&mut || false);
        model.reopen(found);
        assert_eq!(model.log.next_lsn(), next);
        for _ in 0..150 {
            model.step().unwrap();
        }
        model.check();
        let found = model.disk.snapshot();
        model.reopen(found);
    }
}

#[test]
fn a_crash_in_a_cut_leaves_all_or_nothing_of_what_it_takes() {
    for seed in 0..8 {
        for cut in 0.. {
            let mut model = worked(seed);
            let oldest = model.log.min_lsn();
            let all = scan(&model.log, oldest).unwrap();
            let end = all[model.noise.below(all.len() as u64) as usize].0;
            model.disk.cut_power_after(Some(cut));
            let done = model.log.cut(end).is_ok();
            let mut coin = Noise(seed << 8 ^ cut);
            let found = model.disk.after_power_loss(&mut || coin.below(2) == 0);
            let mut log = open(&found, usual()).unwrap();
            let left = scan(&log, log.min_lsn()).unwrap();
            if done || left.len() < all.len() {
                assert_same(&left, &before(&all, end));
            } else {
                assert_same(&left, &all);
            }
            // Cut again, as recovery would.
            let next = log.cut(end).unwrap();
            let lsn = log.append(b"of the new fork").unwrap();
            assert_eq!(lsn, next);
            log.flush().unwrap();
            let log = open(&found, usual()).unwrap();
            let mut expected = before(&all, end);
            expected.push((lsn, b"of the new fork".to_vec()));
            assert_same(&scan(&log, log.min_lsn()).unwrap(), &expected);
            if done {
                break;
            }
        }
    }
}

#[test]
fn a_backup_over_a_cut_holds_neither_more_nor_less() {
    for seed in 0..20 {
        let mut model = worked(seed);
        let first = model.log.min_lsn();
        let all = scan(&model.log, first).unwrap();
        let end = all[model.noise.below(all.len() as u64) as usize].0;
        model.log.cut(end).unwrap();
        let mut expected = before(&all, end);
        for _ in 0..30 {
            let record = model.noise.record();
            expected.push((model.log.append(&record).unwrap(), record));
        }
        let last = model.log.close_block().unwrap();
        let other = disk();
        let file = other.open(super::PATH, Open::Create).unwrap();
        let mut copy = Log::create_empty(file, plan(0, 65_536, 1 << 30)).unwrap();
        for (segment, bytes) in raw(&model.log, first, last) {
            copy.receive(&segment, segment.start, &bytes).unwrap();
        }
        copy.flush().unwrap();
        assert_eq!(copy.next_lsn(), last);
        assert_same(&scan(&copy, copy.min_lsn()).unwrap(), &expected);
    }
}

#[test]
fn cuts_of_cuts() {
    let disk = disk();
    let mut log = create(&disk, usual(), 40);
    let mut kept = Vec::new();
    for round in 0..30u8 {
        for record in 0..4u8 {
            let bytes = vec![round, record];
            let lsn = log.append(&bytes).unwrap();
            if record < 2 {
                kept.push((lsn, bytes));
            }
        }
        let last = kept.last().unwrap().0;
        let next = log
            .cut(Lsn {
                slot: last.slot + 1,
                ..last
            })
            .unwrap();
        assert_eq!(next.vlf, last.vlf + 1);
        if round % 3 == 0 {
            log = open(&disk, usual()).unwrap();
            assert_eq!(log.next_lsn(), next);
        }
        assert_same(&scan(&log, log.min_lsn()).unwrap(), &kept);
    }
}

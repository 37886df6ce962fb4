//! The power goes at any operation, and any of the sectors that were under way may have reached the disk. And damage, which is no
//! crash.

use super::{Model, Noise, PATH, create, disk, open, scan, usual};
use crate::engine::EngineError;

/// One run up to the crash at operation `cut`, then on from there; whether the power went at all.
fn run(seed: u64, steps: usize, cut: u64) -> bool {
    let mut model = Model::new(seed);
    model.disk.cut_power_after(Some(cut));
    let crashed = (0..steps).any(|_| model.step().is_err());
    let mut coin = Noise(seed ^ cut << 32);
    // Now and then all or nothing survives, else each sector for itself.
    let mode = coin.below(6);
    let found = model.disk.after_power_loss(&mut || match mode {
        0 => false,
        1 => true,
        _ => coin.below(2) == 0,
    });
    model.reopen(found);
    // The log goes on, and what never counted does not come back in a second crash.
    for _ in 0..12 {
        model.step().unwrap();
    }
    model.log.flush().unwrap();
    model.durable = model.records.len();
    model.append().unwrap();
    let again = model.disk.after_power_loss(&mut || coin.below(2) == 0);
    model.reopen(again);
    crashed
}

#[test]
fn what_was_flushed_survives_a_crash_at_any_operation() {
    for seed in 0..4 {
        let mut cut = 0;
        while run(seed, 160, cut) {
            cut += 1;
        }
        assert!(cut > 40, "{cut} operations");
    }
}

#[test]
fn many_crashes_in_a_row() {
    for seed in 100..130 {
        let mut model = Model::new(seed);
        for _ in 0..12 {
            let cut = model.noise.below(60);
            model.disk.cut_power_after(Some(cut));
            while model.step().is_ok() {}
            let mut coin = Noise(model.noise.next());
            let mut found = model.disk.after_power_loss(&mut || coin.below(2) == 0);
            // The power may go while the log is opened.
            let opening = coin.below(4);
            if opening < 3 {
                found.cut_power_after(Some(opening));
                let _ = open(&found, usual());
                found = found.after_power_loss(&mut || coin.below(2) == 0);
            }
            model.reopen(found);
        }
    }
}

#[test]
fn a_write_that_failed_is_the_last_one() {
    let disk = disk();
    let mut log = create(&disk, usual(), 40);
    log.append(b"one").unwrap();
    disk.cut_power_after(Some(1));
    let error = log.flush().unwrap_err();
    assert!(matches!(&error, EngineError::Disk { path, error } if path == PATH && error.number == 1117));
    disk.cut_power_after(None);
    assert_eq!(log.flush(), Err(error));
    assert!(open(&disk, usual()).is_ok());
}

#[test]
fn damage_to_any_durable_block_but_the_last_is_reported() {
    let disk = disk();
    let mut log = create(&disk, usual(), 40);
    let mut noise = Noise(3);
    let mut starts = Vec::new();
    for _ in 0..40 {
        starts.push(log.next_lsn());
        for _ in 0..4 {
            log.append(&noise.record()).unwrap();
        }
        log.flush().unwrap();
    }
    let first = log.min_lsn();
    for block in &starts[..starts.len() - 1] {
        let piece = log.pieces(*block, log.next_lsn())[0];
        let bad = disk.snapshot();
        let bit = noise.below(512 * 8);
        bad.damage(PATH, |bytes| {
            bytes[piece.start as usize + bit as usize / 8] ^= 1 << (bit % 8);
        });
        let outcome = open(&bad, usual()).and_then(|log| scan(&log, first));
        assert!(
            matches!(outcome, Err(EngineError::Log { .. })),
            "block {block}, bit {bit}"
        );
    }
}

#[test]
fn blocks_of_an_earlier_use_of_a_vlf_are_not_taken_for_new_ones() {
    let disk = disk();
    let mut log = create(&disk, usual(), 40);
    // The same records over and over: only their places tell old from new.
    for _ in 0..3000 {
        let lsn = log.append(&[1; 450]).unwrap();
        log.flush().unwrap();
        log.truncate(lsn).unwrap();
    }
    let end = log.next_lsn();
    assert!(end.vlf > 44);
    let opened = open(&disk, usual()).unwrap();
    assert_eq!(opened.next_lsn(), end);
}

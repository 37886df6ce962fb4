//! Backups that carry this log are sound in the eyes of the reader of backups.

use bak::writer::sample::{Sample, SampleKind};
use bak::writer::{MediaWriter, SetDetails, SetPlan};
use bak::{Lsn, Verdict, Verifier};

use super::{Model, raw};
use crate::engine::log::Log;

fn report(log: &Log, first: Lsn, last: Lsn) -> bak::Report {
    let sample = Sample::default();
    let mut media = MediaWriter::new(Vec::new(), sample.media(1));
    let set = bak::BackupSet {
        first_lsn: Some(first),
        last_lsn: Some(last),
        ..sample.set(SampleKind::Log)
    };
    let mut writer = media.begin_set(SetPlan {
        set: set.clone(),
        data_pages: vec![(1, 0)],
        details: SetDetails::default(),
    });
    for (segment, bytes) in raw(log, first, last) {
        writer.begin_log(&segment);
        writer.log(&bytes);
        writer.end_log();
    }
    writer.commit(set);
    let mut verifier = Verifier::new();
    verifier.push(&media.finish());
    verifier.finish()
}

#[test]
fn a_backup_of_the_log_verifies() {
    for seed in 0..10 {
        let mut model = Model::new(seed);
        let mut first = model.log.next_lsn();
        for _ in 0..5 {
            for _ in 0..80 {
                model.append().unwrap();
            }
            let last = model.log.close_block().unwrap();
            let report = report(&model.log, first, last);
            assert_eq!((report.verdict, &report.reasons), (Verdict::Ok, &vec![]));
            assert!(report.log_blocks.ok > 0 && report.log_blocks.unchecked == 0);
            assert!(report.log_fingerprint(0).is_some());
            let sectors = model.log.bytes_between(first, last) / 512;
            assert!(sectors >= report.log_blocks.ok);
            first = last;
        }
    }
}

#[test]
fn a_backup_over_a_cut_verifies_and_follows_on_the_one_before() {
    for seed in 0..10 {
        let mut model = Model::new(seed);
        let first = model.log.next_lsn();
        for _ in 0..60 {
            model.append().unwrap();
        }
        let middle = model.log.close_block().unwrap();
        for _ in 0..40 {
            model.append().unwrap();
        }
        let end = model.records[60 + seed as usize].0;
        model.log.cut(end).unwrap();
        model.records.retain(|(lsn, _)| *lsn < end);
        for _ in 0..40 {
            model.append().unwrap();
        }
        let last = model.log.close_block().unwrap();
        for from in [first, middle] {
            let report = report(&model.log, from, last);
            assert_eq!((report.verdict, &report.reasons), (Verdict::Ok, &vec![]));
        }
    }
}

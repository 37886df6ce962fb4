//! The reader of content over sample backups: what it gives out is what was written, in any slicing, of any set, compressed or not.

use std::collections::BTreeMap;

use bak::content::{Event, Extent};
use bak::writer::sample::{EXTENT, Sample, SampleKind};
use bak::{BackupType, ContentReader, DamageKind, Report, Verdict};

fn read(mut reader: ContentReader, file: &[u8], slice: usize) -> (Vec<Event>, Report) {
    let mut events = Vec::new();
    for piece in file.chunks(slice) {
        reader.push(piece, &mut |event| events.push(event));
    }
    let report = reader.finish(&mut |event| events.push(event));
    (events, report)
}

fn extents(events: &[Event]) -> impl Iterator<Item = &Extent> {
    events.iter().filter_map(|event| match event {
        Event::Extent(extent) => Some(extent),
        _ => None,
    })
}

fn log(events: &[Event]) -> Vec<u8> {
    let blocks = events.iter().filter_map(|event| match event {
        Event::LogBlock(block) => Some(block.bytes.as_slice()),
        _ => None,
    });
    blocks.flatten().copied().collect()
}

#[test]
fn the_events_do_not_depend_on_how_the_bytes_come() {
    let sample = Sample::default();
    for kind in [SampleKind::Full, SampleKind::Differential, SampleKind::Log] {
        let file = sample.backup(kind, 1);
        let (whole, report) = read(ContentReader::new(), &file, file.len());
        assert_eq!(report.verdict, Verdict::Ok);
        for slice in [1000, 70_001] {
            assert_eq!(
                read(ContentReader::new(), &file, slice).0,
                whole,
                "{kind:?} {slice}"
            );
        }
        assert!(matches!(whole[0], Event::Media(_)));
        assert!(matches!(whole[1], Event::SetStart(_)));
        assert_eq!(
            whole.last(),
            Some(&Event::SetEnd {
                position: 1,
                complete: true
            })
        );
    }
}

#[test]
fn a_compressed_backup_holds_the_same() {
    let plain = Sample::default();
    let compressed = Sample {
        compressed: true,
        ..plain.clone()
    };
    for kind in [SampleKind::Full, SampleKind::Log] {
        let ours = read(ContentReader::new(), &compressed.backup(kind, 1), 5000).0;
        let theirs = read(ContentReader::new(), &plain.backup(kind, 1), 5000).0;
        assert!(extents(&ours).eq(extents(&theirs)));
        assert_eq!(log(&ours), log(&theirs));
    }
}

#[test]
fn one_set_of_several_is_given_and_the_others_passed_over() {
    let sample = Sample::default();
    let file = sample.backup_sets(&[SampleKind::Full, SampleKind::Differential, SampleKind::Log], 1);
    let alone = read(
        ContentReader::new(),
        &sample.backup(SampleKind::Differential, 1),
        4096,
    )
    .0;
    let mut reader = ContentReader::of_set(2);
    let (mut events, mut at, mut pushed) = (Vec::new(), 0, 0);
    while at < file.len() {
        let ahead = usize::try_from(reader.skippable()).unwrap().min(file.len() - at);
        reader.skip(ahead as u64);
        at += ahead;
        let size = 512.min(file.len() - at);
        reader.push(&file[at..at + size], &mut |event| events.push(event));
        at += size;
        pushed += size;
    }
    let report = reader.finish(&mut |event| events.push(event));
    assert_eq!(report.sets.len(), 3);
    assert!(extents(&events).eq(extents(&alone)));
    assert_eq!(log(&events), log(&alone));
    let starts: Vec<BackupType> = events
        .iter()
        .filter_map(|event| match event {
            Event::Commit(header) => Some(header.set.backup_type),
            _ => None,
        })
        .collect();
    assert_eq!(
        starts,
        [BackupType::Full, BackupType::Differential, BackupType::Log]
    );
    assert!(
        pushed < file.len() / 2,
        "{pushed} of {} bytes were looked at",
        file.len()
    );
}

#[test]
fn the_families_of_a_striped_set_give_the_whole_together() {
    let single = Sample {
        second_pass_extents: 0,
        unformatted_pages: false,
        ..Sample::default()
    };
    let striped = Sample {
        families: 3,
        ..single.clone()
    };
    let map = |events: &[Event]| -> BTreeMap<(u16, u32), Vec<u8>> {
        extents(events)
            .map(|extent| ((extent.file_id, extent.first_page), extent.pages.clone()))
            .collect()
    };
    let whole = map(&read(ContentReader::new(), &single.backup(SampleKind::Full, 1), 9999).0);
    let mut together = BTreeMap::new();
    for family in 1..=3 {
        together.extend(map(&read(
            ContentReader::new(),
            &striped.backup(SampleKind::Full, family),
            9999,
        )
        .0));
    }
    assert_eq!(whole.len(), 16);
    assert_eq!(together, whole);
}

#[test]
fn damage_and_an_early_end_are_told() {
    let sample = Sample {
        second_pass_extents: 0,
        ..Sample::default()
    };
    let mut file = sample.backup(SampleKind::Full, 1);
    let cut = read(ContentReader::new(), &file[..file.len() / 2], 4096).0;
    assert_eq!(
        cut.last(),
        Some(&Event::SetEnd {
            position: 1,
            complete: false
        })
    );
    let at = file.len() / 2;
    file[at] ^= 1;
    let (events, report) = read(ContentReader::new(), &file, 4096);
    assert_eq!(report.verdict, Verdict::Damaged);
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::Damage(damage) if damage.kind == DamageKind::Page))
    );
    assert!(events.contains(&Event::StreamChecksum {
        of_pages: true,
        holds: false
    }));
    assert!(extents(&events).all(|extent| extent.pages.len() == EXTENT));
}

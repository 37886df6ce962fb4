//! What may be deleted as partial, and what is kept.

use std::ops::Range;
use std::sync::Mutex;

use bak::compressed::FIRST_RECORD;
use bak::writer::sample::{Sample, SampleKind};

use super::{Verified, verify};
use crate::account::{Account, ETag};
use crate::event::{Event, Listener, Nobody};
use crate::fault::Operation;
use crate::place::Place;
use crate::scripted::{Blob, Scripted, run};

fn read(blob: Blob) -> (Verified, Scripted) {
    let place = Place::new("c", "a.bak");
    let properties = blob.properties.clone();
    let mut account = Scripted::of([("c/a.bak", blob)]);
    account.slow = true;
    let verified = run(verify(&account, &place, &properties, &Nobody));
    (verified, account)
}

fn full() -> Vec<u8> {
    Sample {
        extents: 300,
        ..Sample::default()
    }
    .backup(SampleKind::Full, 1)
}

fn compressed(extents: u32) -> Vec<u8> {
    Sample {
        extents,
        compressed: true,
        ..Sample::default()
    }
    .backup(SampleKind::Full, 1)
}

#[test]
fn a_verification_can_move_between_threads() {
    fn check<T: Send>(_: &T) {}
    fn of<A: Account>(account: &A) {
        let place = Place::new("c", "b");
        let properties = Blob::block("x").properties;
        check(&verify(account, &place, &properties, &Nobody));
    }
    of(&Scripted::default());
}

#[test]
fn a_plain_backup_that_ended_is_complete_for_a_few_reads() {
    let (verified, account) = read(Blob::block(full()));
    assert_eq!(verified, Verified::Complete);
    assert!(account.asked_in_all() <= 4);
    let striped = Sample {
        families: 2,
        ..Sample::default()
    };
    let (verified, _) = read(Blob::block(striped.backup(SampleKind::Full, 2)));
    assert_eq!(verified, Verified::Complete);
}

#[test]
fn a_backup_that_was_cut_is_partial_wherever_it_was_cut() {
    let bytes = Sample::default().backup(SampleKind::Full, 1);
    for end in (512..bytes.len()).step_by(512) {
        assert_eq!(read(Blob::block(&bytes[..end])).0, Verified::Partial, "{end}");
        let page = Blob::page(1 << 40, &bytes[..end], std::slice::from_ref(&(0..end as u64)));
        assert_eq!(read(page).0, Verified::Partial, "{end}");
    }
}

#[test]
fn a_compressed_backup_is_decoded_to_its_end() {
    let bytes = compressed(1_000);
    assert!(bytes.len() > 3 << 20, "{}", bytes.len());
    let (verified, account) = read(Blob::block(&bytes[..]));
    assert_eq!(verified, Verified::Complete);
    assert_eq!(account.bytes_read(), bytes.len() as u64);
    for end in [512, 4096, bytes.len() / 2, bytes.len() - 512] {
        assert_eq!(read(Blob::block(&bytes[..end])).0, Verified::Partial, "{end}");
    }
    // A piece in flight that never came.
    let size = bytes.len() as u64;
    let page = Blob::page(
        1 << 40,
        {
            let mut torn = bytes.clone();
            torn[1 << 20..2 << 20].fill(0);
            torn
        },
        &[0..1 << 20, 2 << 20..size],
    );
    assert_eq!(read(page).0, Verified::Partial);
}

#[test]
fn a_damaged_backup_that_ended_is_kept() {
    let mut bytes = full();
    // A page in the middle, and its neighbour.
    bytes[1 << 20..(1 << 20) + 16_384].fill(0x5a);
    assert_eq!(read(Blob::block(bytes)).0, Verified::Complete);
    let mut bytes = compressed(40);
    let at = bytes.len() / 2;
    bytes[at..at + 64].fill(0x5a);
    assert_eq!(read(Blob::block(bytes)).0, Verified::Complete);
}

#[test]
fn what_cannot_be_followed_to_its_end_is_kept() {
    // The header of the second block is broken: what follows may be a whole backup.
    let mut bytes = full();
    bytes[4096..4108].fill(0xff);
    assert_eq!(read(Blob::block(bytes)).0, Verified::Complete);
    // A record that no known backup has, as of an unknown codec.
    let mut bytes = compressed(40);
    bytes[FIRST_RECORD as usize] = 0x77;
    bytes[FIRST_RECORD as usize + 24] ^= 1;
    assert_eq!(read(Blob::block(bytes)).0, Verified::Complete);
}

#[test]
fn an_earlier_set_that_is_whole_is_kept_though_a_later_one_was_cut() {
    let sample = Sample::default();
    let bytes = sample.backup_sets(&[SampleKind::Full, SampleKind::Log], 1);
    assert_eq!(
        read(Blob::block(&bytes[..bytes.len() - 4096])).0,
        Verified::Complete
    );
}

#[test]
fn what_is_no_backup_is_partial_but_for_a_database_file() {
    assert_eq!(read(Blob::block("")).0, Verified::Partial);
    assert_eq!(read(Blob::block("a letter")).0, Verified::Partial);
    assert_eq!(read(Blob::page(1 << 40, "", &[])).0, Verified::Partial);
    let mut file = vec![0; 64 << 10];
    file[..2].copy_from_slice(&[1, 15]);
    let size = file.len() as u64;
    let page = Blob::page(size, file, std::slice::from_ref(&(0..size)));
    assert!(matches!(read(page).0, Verified::Unread(_)));
    let disk = Scripted::of([("c/a.vhd", Blob::block("x"))]);
    let properties = Blob::block("x").properties;
    let verified = run(verify(&disk, &Place::new("c", "a.vhd"), &properties, &Nobody));
    assert!(matches!(verified, Verified::Unread(_)));
    assert_eq!(disk.asked_in_all(), 0);
}

#[test]
fn what_changes_meanwhile_is_not_judged() {
    let blob = Blob::block(full());
    let mut properties = blob.properties.clone();
    properties.etag = Some(ETag("\"0\"".to_owned()));
    let account = Scripted::of([("c/a.bak", blob)]);
    let verified = run(verify(&account, &Place::new("c", "a.bak"), &properties, &Nobody));
    assert!(matches!(verified, Verified::Unread(why) if why.contains("being written")));
}

#[test]
fn holes_of_a_terabyte_cost_nothing() {
    let bytes = full();
    let ranges = [0..65_536, (1 << 40) - 512..1 << 40];
    let (verified, account) = read(Blob::page(1 << 40, &bytes[..65_536], &ranges));
    assert_eq!(verified, Verified::Partial);
    assert!(account.asked(Operation::Read) <= 2);
}

/// A page blob whose writer died with up to eight pieces in flight, in any order: those before them are there, of them
/// some, behind them nothing.
fn died_in_flight(bytes: &[u8], chance: &mut u64) -> Vec<Range<u64>> {
    const PIECE: usize = 64 << 10;
    let mut roll = |sides: u64| {
        *chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (*chance >> 33) % sides
    };
    let pieces = bytes.len().div_ceil(PIECE);
    let landed = roll(pieces as u64 - 1) as usize;
    let is_there: Vec<bool> = (0..pieces - 1)
        .map(|piece| piece < landed || piece < landed + 8 && roll(2) == 0)
        .collect();
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for (piece, _) in is_there.iter().enumerate().filter(|(_, is_there)| **is_there) {
        let start = (piece * PIECE) as u64;
        let end = start + PIECE as u64;
        match ranges.last_mut() {
            Some(last) if last.end == start => last.end = end,
            _ => ranges.push(start..end),
        }
    }
    ranges
}

#[test]
fn whatever_was_in_flight_when_it_died_it_is_partial() {
    let mut chance = 11;
    let plain = Sample {
        extents: 40,
        ..Sample::default()
    };
    for bytes in [plain.backup(SampleKind::Full, 1), compressed(300)] {
        for _ in 0..100 {
            let ranges = died_in_flight(&bytes, &mut chance);
            let mut content = vec![0; bytes.len()];
            for range in &ranges {
                let range = range.start as usize..range.end as usize;
                content[range.clone()].copy_from_slice(&bytes[range]);
            }
            let blob = Blob::page(1 << 40, content, &ranges);
            assert_eq!(read(blob).0, Verified::Partial, "{ranges:?}");
        }
    }
}

#[test]
fn a_listener_hears_how_far_it_is() {
    struct Heard(Mutex<Vec<u64>>);
    impl Listener for Heard {
        fn hear(&self, event: &Event) {
            if let Event::Reads { at, .. } = event {
                self.0.lock().unwrap().push(*at);
            }
        }
    }
    let bytes = compressed(400);
    let size = bytes.len() as u64;
    let blob = Blob::block(bytes);
    let properties = blob.properties.clone();
    let account = Scripted::of([("c/a.bak", blob)]);
    let heard = Heard(Mutex::default());
    run(verify(&account, &Place::new("c", "a.bak"), &properties, &heard));
    let heard = heard.0.into_inner().unwrap();
    assert!(heard.is_sorted() && heard.len() > 2);
    assert_eq!(heard.last(), Some(&size));
}

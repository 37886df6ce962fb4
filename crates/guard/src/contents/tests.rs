//! What is found in blobs of every kind, whole and cut, and what it costs.

use azblob::block::BlockId;
use bak::compressed::FIRST_RECORD;
use bak::sniff::SNIFF_SIZE;
use bak::writer::sample::{Sample, SampleKind};
use bak::{BackupType, Container};

use super::{Contents, contents};
use crate::account::{Block, Blocks, ETag, Properties};
use crate::content::{Contained, Content, Ending};
use crate::fault::Operation;
use crate::holder::Evidence;
use crate::limits::{CONTENT_BYTES_MAX, CONTENT_REQUESTS_MAX};
use crate::place::Place;
use crate::scripted::{Blob, Scripted, run};

fn look_into(name: &'static str, blob: Blob) -> (Contents, Scripted) {
    let (properties, blocks) = (blob.properties.clone(), blob.blocks.clone());
    let account = Scripted::of([(name, blob)]);
    let place = Place::parse(name).unwrap();
    let found = run(contents(&account, &place, &properties, Some(&blocks)));
    (found, account)
}

fn backup(found: &Contents) -> &Contained {
    match &found.content {
        Content::Backup(contained) => contained,
        other => panic!("no backup: {other:?}"),
    }
}

fn sql_blocks() -> Blocks {
    let id = BlockId::from_bytes(b"BLOCKID11112\0\0\0").unwrap();
    Blocks {
        committed: Vec::new(),
        uncommitted: vec![Block { id, size: 65_536 }],
    }
}

#[test]
fn a_whole_backup_says_so_for_a_few_reads_of_its_headers() {
    let sample = Sample {
        extents: 200,
        ..Sample::default()
    };
    let bytes = sample.backup(SampleKind::Full, 1);
    let size = bytes.len() as u64;
    let (found, account) = look_into("c/a.bak", Blob::block(bytes));
    assert_eq!(found.evidence, Some(Evidence::TapeHeader));
    let contained = backup(&found);
    assert_eq!(contained.container, Container::Mtf);
    assert_eq!(contained.database_name, "Sample");
    assert_eq!(contained.server_name, "SAMPLE");
    assert_eq!(contained.backup_type, Some(BackupType::Full));
    assert_eq!(
        contained.backup_start_date,
        sample.set(SampleKind::Full).backup_start_date
    );
    assert_eq!((contained.ending, contained.sets), (Ending::Complete, 1));
    assert!(
        account.asked(Operation::Read) <= 4,
        "{}",
        account.asked(Operation::Read)
    );
    assert!(account.bytes_read() < size / 10);
}

#[test]
fn a_cut_backup_is_never_complete_wherever_it_is_cut() {
    let sample = Sample {
        extents: 4,
        ..Sample::default()
    };
    let bytes = sample.backup(SampleKind::Full, 1);
    for end in (512..bytes.len()).step_by(512) {
        let (found, _) = look_into("c/a.bak", Blob::block(&bytes[..end]));
        assert_eq!(found.evidence, Some(Evidence::TapeHeader), "{end}");
        assert_eq!(backup(&found).ending, Ending::CutShort, "{end}");
    }
}

#[test]
fn an_empty_blob_shows_a_backup_only_by_its_block_ids() {
    let (found, account) = look_into("c/a.bak", Blob::block(""));
    assert_eq!((found.content, found.evidence), (Content::Empty, None));
    assert_eq!(account.asked_in_all(), 0);
    let mut blob = Blob::block("");
    blob.blocks = sql_blocks();
    let (found, _) = look_into("c/a.bak", blob);
    assert_eq!(
        (found.content, found.evidence),
        (Content::Empty, Some(Evidence::BlockIds))
    );
}

#[test]
fn what_lies_below_an_interrupted_overwrite_is_read_and_says_who_wrote_it() {
    let bytes = Sample::default().backup(SampleKind::Log, 1);
    let mut blob = Blob::block(bytes);
    blob.blocks = sql_blocks();
    let (found, _) = look_into("c/a.trn", blob);
    assert_eq!(found.evidence, Some(Evidence::TapeHeader));
    assert_eq!(backup(&found).backup_type, Some(BackupType::Log));
    assert_eq!(backup(&found).ending, Ending::Complete);
    // Over something else the block ids still show the backup's hand.
    let mut blob = Blob::block("a letter");
    blob.blocks = sql_blocks();
    let (found, _) = look_into("c/a.trn", blob);
    assert_eq!(
        (found.content, found.evidence),
        (Content::Other, Some(Evidence::BlockIds))
    );
}

#[test]
fn several_sets_and_stripes_are_followed_to_the_last_one() {
    let sample = Sample {
        extents: 40,
        ..Sample::default()
    };
    let kinds = [SampleKind::Full, SampleKind::Differential, SampleKind::Log];
    let bytes = sample.backup_sets(&kinds, 1);
    let (found, _) = look_into("c/a.bak", Blob::block(&bytes[..]));
    assert_eq!(
        (backup(&found).ending, backup(&found).sets),
        (Ending::Complete, 3)
    );
    let (found, _) = look_into("c/a.bak", Blob::block(&bytes[..bytes.len() - 512]));
    assert_eq!(
        (backup(&found).ending, backup(&found).sets),
        (Ending::CutShort, 3)
    );
    let striped = Sample {
        families: 3,
        ..sample
    };
    for family in 1..=3 {
        let bytes = striped.backup(SampleKind::Full, family);
        let (found, _) = look_into("c/a.bak", Blob::block(bytes));
        assert_eq!(backup(&found).ending, Ending::Complete, "{family}");
    }
}

#[test]
fn more_sets_than_may_be_read_end_as_their_last_block_says() {
    let kinds = [SampleKind::Full; 40];
    let bytes = Sample {
        extents: 20,
        ..Sample::default()
    }
    .backup_sets(&kinds, 1);
    let (found, account) = look_into("c/a.bak", Blob::block(&bytes[..]));
    assert_eq!(backup(&found).ending, Ending::Complete);
    assert!(backup(&found).sets < 40);
    assert_eq!(account.asked(Operation::Read), u64::from(CONTENT_REQUESTS_MAX));
    assert!(account.bytes_read() <= CONTENT_BYTES_MAX);
    let (found, _) = look_into("c/a.bak", Blob::block(&bytes[..bytes.len() - 512]));
    assert_eq!(backup(&found).ending, Ending::CutShort);
    // Filled up with zeros behind its end: nobody can say.
    let mut filled = bytes;
    filled.resize(filled.len() + (1 << 17), 0);
    let (found, _) = look_into("c/a.bak", Blob::block(filled));
    assert_eq!(backup(&found).ending, Ending::Unknown);
}

#[test]
fn a_compressed_backup_says_what_it_is_and_its_ending_where_that_is_near() {
    let compressed = Sample {
        compressed: true,
        extents: 40,
        ..Sample::default()
    };
    let bytes = compressed.backup(SampleKind::Full, 1);
    assert!((bytes.len() as u64) < CONTENT_BYTES_MAX);
    let (found, _) = look_into("c/a.bak", Blob::block(&bytes[..]));
    assert_eq!(found.evidence, Some(Evidence::CompressedHeader));
    assert_eq!(backup(&found).container, Container::MssqlBak);
    assert_eq!(backup(&found).database_name, "Sample");
    assert_eq!(backup(&found).ending, Ending::Complete);
    let (found, _) = look_into("c/a.bak", Blob::block(&bytes[..bytes.len() / 2]));
    assert_eq!(backup(&found).ending, Ending::CutShort);
}

#[test]
fn a_long_compressed_backup_costs_a_read_of_its_start_and_one_of_its_end() {
    let bytes = Sample {
        compressed: true,
        extents: 2_400,
        ..Sample::default()
    }
    .backup(SampleKind::Full, 1);
    assert!(bytes.len() as u64 > CONTENT_BYTES_MAX, "{}", bytes.len());
    let (found, account) = look_into("c/a.bak", Blob::block(&bytes[..]));
    assert_eq!(backup(&found).database_name, "Sample");
    assert_eq!(backup(&found).ending, Ending::Complete);
    assert_eq!(account.asked_in_all(), 2);
    let (found, _) = look_into("c/a.bak", Blob::block(&bytes[..bytes.len() - 512]));
    assert_eq!(backup(&found).ending, Ending::CutShort);
    // Of a form that is not known, it may end otherwise.
    let mut strange = bytes;
    strange[FIRST_RECORD as usize] = 0x77;
    strange[FIRST_RECORD as usize + 24] ^= 1;
    strange.truncate(strange.len() - 512);
    let (found, _) = look_into("c/a.bak", Blob::block(strange));
    assert_eq!(backup(&found).ending, Ending::Unknown);
}

#[test]
fn a_page_blob_ends_with_its_last_written_page_whatever_its_size() {
    let bytes = Sample::default().backup(SampleKind::Full, 1);
    let size = bytes.len() as u64;
    let whole = Blob::page(1 << 40, &bytes[..], std::slice::from_ref(&(0..size)));
    let (found, account) = look_into("c/a.bak", whole);
    assert_eq!(found.evidence, Some(Evidence::TapeHeader));
    assert_eq!(backup(&found).ending, Ending::Complete);
    assert!(account.bytes_read() <= size);
    for end in (512..size).step_by(4096) {
        let cut = Blob::page(1 << 40, &bytes[..end as usize], std::slice::from_ref(&(0..end)));
        let (found, _) = look_into("c/a.bak", cut);
        assert_eq!(found.evidence, Some(Evidence::TapeHeader));
        assert_eq!(backup(&found).ending, Ending::CutShort, "{end}");
    }
}

#[test]
fn pages_that_were_in_flight_when_it_died_make_it_cut_short_and_cost_nothing() {
    let bytes = Sample::default().backup(SampleKind::Full, 1);
    let size = bytes.len() as u64;
    let ranges = [0..4096, (1 << 39)..(1 << 39) + 512];
    let (found, account) = look_into("c/a.bak", Blob::page(1 << 40, &bytes[..4096], &ranges));
    assert_eq!(backup(&found).ending, Ending::CutShort);
    assert!(account.asked_in_all() <= 3);
    // The last pages were written, and one block before them was not.
    let ranges = [0..size - 8192, size - 4096..size];
    let mut torn = bytes.clone();
    torn[size as usize - 8192..size as usize - 4096].fill(0);
    let (found, _) = look_into("c/a.bak", Blob::page(1 << 40, torn, &ranges));
    assert_eq!(backup(&found).ending, Ending::CutShort);
}

#[test]
fn pages_that_a_copy_left_out_because_they_are_zero_are_zeros() {
    let mut bytes = Sample {
        extents: 40,
        ..Sample::default()
    }
    .backup(SampleKind::Full, 1);
    let size = bytes.len() as u64;
    let hole = 1 << 20..(2 << 20) + 512;
    bytes[hole.start as usize..hole.end as usize].fill(0);
    let ranges = [0..hole.start, hole.end..size];
    let (found, _) = look_into("c/a.bak", Blob::page(1 << 40, bytes, &ranges));
    assert_eq!(backup(&found).ending, Ending::Complete);
}

#[test]
fn a_page_blob_without_its_first_page_is_no_backup_yet() {
    let nothing = Blob::page(1 << 40, "", &[]);
    let (found, account) = look_into("c/a.bak", nothing);
    assert_eq!((found.content, found.evidence), (Content::Empty, None));
    assert_eq!(account.asked_in_all(), 1);
    let bytes = Sample::default().backup(SampleKind::Full, 1);
    let headless = Blob::page(1 << 40, bytes, std::slice::from_ref(&(4096..8192)));
    let (found, account) = look_into("c/a.bak", headless);
    assert_eq!((found.content, found.evidence), (Content::Other, None));
    assert_eq!(account.asked(Operation::Read), 0);
}

/// The first pages of a database file: its header page, then the page that follows it in a data or in a log file.
fn database_file(second: [u8; 2]) -> Vec<u8> {
    let mut pages = vec![0; 64 << 10];
    pages[..2].copy_from_slice(&[1, 15]);
    pages[SNIFF_SIZE - 2..SNIFF_SIZE].copy_from_slice(&second);
    pages
}

#[test]
fn a_database_file_is_known_by_its_bytes_whatever_it_is_called() {
    for (second, content) in [
        ([1, 11], Content::DataFile),
        ([0xab, 2], Content::LogFile),
        // Its second page is none that is known, and still its first one is the header of a database file.
        ([7, 7], Content::DataFile),
    ] {
        let bytes = database_file(second);
        let range = 0..bytes.len() as u64;
        let page = Blob::page(1 << 30, &bytes[..], std::slice::from_ref(&range));
        let mut block = Blob::block(&bytes[..]);
        block.blocks = sql_blocks();
        for blob in [page, block] {
            let (found, _) = look_into("c/x.bak", blob);
            assert_eq!((&found.content, found.evidence), (&content, None));
        }
    }
    // Written page by page, with the rest of the first extent still to come.
    let bytes = database_file([1, 11]);
    let blob = Blob::page(1 << 30, &bytes[..], &[0..8192, 65_536..66_048]);
    assert_eq!(look_into("c/x.bak", blob).0.content, Content::DataFile);
}

#[test]
fn a_name_is_enough_to_be_left_alone_and_costs_nothing() {
    let bytes = Sample::default().backup(SampleKind::Full, 1);
    for (name, content) in [
        ("c/a.VHD", Content::Disk),
        ("c/a.mdf", Content::DataFile),
        ("c/a.ldf", Content::LogFile),
    ] {
        let mut blob = Blob::block(&bytes[..]);
        blob.blocks = sql_blocks();
        let (found, account) = look_into(name, blob);
        assert_eq!((found.content, found.evidence), (content, None));
        assert_eq!(account.asked_in_all(), 0);
    }
}

#[test]
fn only_all_the_letters_are_evidence() {
    for (bytes, evidence) in [
        (b"TAPE".as_slice(), Some(Evidence::TapeHeader)),
        (b"MSSQLBAK", Some(Evidence::CompressedHeader)),
        // A lock or a flag that somebody keeps in a blob of one letter.
        (b"T", None),
        (b"MSSQL", None),
        (b"tape", None),
        (b"PK\x03\x04 and so on", None),
    ] {
        let (found, _) = look_into("c/flag", Blob::block(bytes));
        assert_eq!(found.evidence, evidence, "{}", bytes.escape_ascii());
    }
}

#[test]
fn what_changes_while_it_is_read_is_being_written() {
    let blob = Blob::block(Sample::default().backup(SampleKind::Full, 1));
    let before = Properties {
        etag: Some(ETag("\"0\"".to_owned())),
        ..blob.properties.clone()
    };
    let account = Scripted::of([("c/a.bak", blob)]);
    let place = Place::new("c", "a.bak");
    let found = run(contents(&account, &place, &before, None));
    assert_eq!(found.evidence, None);
    let Content::Unread(why) = found.content else {
        panic!("{:?}", found.content);
    };
    assert!(why.contains("being written"), "{why}");
}

#[test]
fn a_blob_without_a_tag_is_not_read() {
    let mut blob = Blob::block("TAPE and more");
    blob.properties.etag = None;
    let (found, account) = look_into("c/a.bak", blob);
    assert!(matches!(found.content, Content::Unread(_)));
    assert_eq!(account.asked_in_all(), 0);
}

#[test]
fn blocks_of_some_other_program_above_a_backup_are_its_hand_and_not_the_backups() {
    let waiting = |id: &[u8]| {
        let mut blob = Blob::block("TAPE and more");
        blob.blocks.uncommitted = vec![Block {
            id: BlockId::from_bytes(id).unwrap(),
            size: 4096,
        }];
        look_into("c/a.bak", blob).0.evidence
    };
    assert_eq!(waiting(b"other-00001"), None);
    assert_eq!(waiting(b"BLOCKID11112"), Some(Evidence::TapeHeader));
}

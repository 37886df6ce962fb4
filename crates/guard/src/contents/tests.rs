//! What is found in blobs of every kind, whole and cut, and what it costs.

use azblob::block::BlockId;
use bak::writer::sample::{Sample, SampleKind};
use bak::{BackupType, Container};

use super::{Contents, contents};
use crate::account::{Block, Blocks};
use crate::content::{Contained, Content, Ending};
use crate::fault::Operation;
use crate::holder::Evidence;
use crate::place::Place;
use crate::scripted::{Blob, Scripted, run};

fn look_into(name: &'static str, blob: Blob) -> (Contents, Scripted) {
    let account = Scripted::of([(name, blob.clone())]);
    let place = Place::parse(name).unwrap();
    let found = run(contents(&account, &place, &blob.properties, Some(&blob.blocks)));
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
    let sample = Sample::default();
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

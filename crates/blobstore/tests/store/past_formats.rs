//! Directories written by past versions must open and read the same forever. Each lies in
//! `tests/past_formats/vN/`, as the last version of that format wrote it, and is never written again.
//!
//! To make one for a new format, before it is released:
//! `cargo test -p bac2-blobstore --test store write_the_present_format -- --ignored`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use azblob::lease::{LeaseAction, LeaseDuration, LeaseId, LeaseState};
use azblob::metadata::Metadata;
use blobstore::disk::real::RealDisk;
use blobstore::{Clock, Options, Permit, Proof, Store, StoreError};

use crate::support::{TestClock, account, commit, container, id, path, put_blob, put_block, read};

fn folder(format: u64) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/past_formats/v{format}"))
}

fn first_block() -> Vec<u8> {
    b"the first block; ".repeat(300)
}

fn second_block() -> Vec<u8> {
    b"the second block, which is longer; ".repeat(200)
}

fn options(dir: &Path) -> Options {
    Options {
        reserve_bytes: 0,
        ..Options::new(dir)
    }
}

fn open(dir: &Path) -> Store {
    Store::open(
        Arc::new(RealDisk),
        TestClock::new(1) as Arc<dyn Clock>,
        &options(dir),
    )
    .unwrap()
}

#[test]
#[ignore = "writes into the source tree; only for a new format"]
fn write_the_present_format() {
    let dir = folder(blobstore::FORMAT);
    assert!(
        !dir.exists(),
        "a directory of a past format is never written again"
    );
    fs::create_dir_all(dir.parent().unwrap()).unwrap();
    let store = open(&dir);
    let mut metadata = Metadata::default();
    metadata.insert("purpose", "past format").unwrap();
    store
        .create_container(&account(), &container(), metadata)
        .unwrap();
    put_block(&store, "full.bak", "BLOCKID00000", &first_block()).unwrap();
    put_block(&store, "full.bak", "BLOCKID00001", &second_block()).unwrap();
    let committed = commit(&store, "full.bak", &["BLOCKID00000", "BLOCKID00001"]).unwrap();
    let proof = Proof {
        verdict: Some(bak::Verdict::Damaged),
        is_final: true,
        reasons: vec!["no backup at all".into()],
        report: None,
    };
    store
        .set_proof(&path("full.bak"), committed.committed.commit, &proof)
        .unwrap();
    store.seal(&path("full.bak"), true).unwrap();
    put_blob(&store, "locked", b"").unwrap();
    let acquire = LeaseAction::Acquire {
        proposed: Some(LeaseId::RESTORE),
        duration: LeaseDuration::Infinite,
    };
    store.lease_blob(&path("locked"), &acquire, &|_| Ok(())).unwrap();
    put_block(&store, "pending", "AA", b"never committed").unwrap();
    // As after a kill: a block that was begun and not ended is at the end of the file.
    let mut cut = store.begin_block(&path("pending"), &id("BB"), 5, None).unwrap();
    cut.write(b"cut").unwrap();
    std::mem::forget(cut);
}

#[test]
fn format_1_reads_the_same() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path().join("data");
    copy(&folder(1), &dir);
    let reading = Store::open_read_only(
        Arc::new(RealDisk),
        TestClock::new(1) as Arc<dyn Clock>,
        &options(&dir),
    )
    .unwrap();
    check(&reading);
    drop(reading);
    let store = open(&dir);
    assert_eq!(store.generation(), 2);
    check(&store);
    put_block(&store, "pending", "BB", b"goes on").unwrap();
    commit(&store, "pending", &["AA", "BB"]).unwrap();
    assert_eq!(read(&store, "pending").unwrap(), b"never committedgoes on");
}

fn check(store: &Store) {
    let view = store.container(&account(), &container()).unwrap();
    assert_eq!(view.metadata.get("purpose"), Some("past format"));
    let full = store.blob_properties(&path("full.bak"), &Permit::NONE).unwrap();
    assert!(full.sealed);
    assert_eq!(full.last_modified.0, 1_700_000_000_000);
    assert_eq!(
        read(store, "full.bak").unwrap(),
        [first_block(), second_block()].concat()
    );
    let blocks = store.get_block_list(&path("full.bak"), &Permit::NONE).unwrap();
    assert_eq!(
        blocks.committed,
        [(id("BLOCKID00000"), 5_100), (id("BLOCKID00001"), 7_000)]
    );
    let proof = store.proof(&path("full.bak")).unwrap().unwrap();
    assert_eq!(
        (proof.verdict, proof.is_final),
        (Some(bak::Verdict::Damaged), true)
    );
    assert_eq!(proof.reasons, ["no backup at all"]);
    let locked = store
        .blob_properties(&path("locked"), &Permit::lease(Some(LeaseId::RESTORE)))
        .unwrap();
    assert_eq!((locked.size, locked.lease_view.state), (0, LeaseState::Leased));
    assert!(matches!(read(store, "pending"), Err(StoreError::Protocol(_))));
    let pending = store.get_block_list(&path("pending"), &Permit::NONE).unwrap();
    assert!(pending.uncommitted.contains(&(id("AA"), 15)), "{pending:?}");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

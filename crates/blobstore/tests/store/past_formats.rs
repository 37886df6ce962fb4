//! Directories written by past versions must open and read the same forever. Each lies in
//! `tests/past_formats/vN/`, as the last version of that format wrote it, and is never written again.
//!
//! To make one for a new format, before it is released:
//! `cargo test -p bac2-blobstore --test store write_the_present_format -- --ignored`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use azblob::lease::{LeaseAction, LeaseDuration, LeaseId, LeaseState};
use azblob::metadata::Metadata;
use azblob::page::PageRange;
use blobstore::disk::real::RealDisk;
use blobstore::{
    AppendPermit, BlobKind, Clock, ListEntry, ListQuery, Options, PagePermit, Permit, Proof, Properties,
    PutPageBlob, Store, StoreError,
};

use crate::support::{TestClock, account, commit, container, id, path, put_blob, put_block, read, read_part};

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
    write_pages(&store);
}

/// What format 2 brought: page blobs and append blobs, with changes in the map and behind it, and snapshots.
fn write_pages(store: &Store) {
    let blob = PutPageBlob {
        size: 1 << 30,
        sequence_number: 3,
        properties: Properties::default(),
    };
    store
        .create_page_blob(&path("pages.bak"), blob, &Permit::NONE)
        .unwrap();
    put_pages(store, 0, &pages(b'a', 8));
    put_pages(store, 1 << 20, &pages(b'b', 2));
    store
        .clear_pages(&path("pages.bak"), range(512, 1024), &PagePermit::NONE)
        .unwrap();
    store
        .create_append_blob(&path("log"), Properties::default(), &Permit::NONE)
        .unwrap();
    append(store, b"one ");
    append(store, b"two ");
    // Maps.
    store.sweep(azblob::time::UnixMillis(0)).unwrap();
    store
        .snapshot_blob(&path("pages.bak"), None, &Permit::NONE)
        .unwrap();
    put_pages(store, 512, &pages(b'c', 1));
    put_pages(store, (1 << 30) - 512, &pages(b'd', 1));
    append(store, b"three");
    // As after a kill: pages that were begun and not ended.
    let begun = store.begin_pages(&path("pages.bak"), range(0, 512), &PagePermit::NONE);
    let mut cut = begun.unwrap();
    cut.write(b"cut").unwrap();
    std::mem::forget(cut);
}

fn pages(letter: u8, count: usize) -> Vec<u8> {
    vec![letter; count * 512]
}

fn range(start: u64, len: u64) -> PageRange {
    PageRange::new(start, start + len - 1).unwrap()
}

fn put_pages(store: &Store, at: u64, data: &[u8]) {
    let range = range(at, data.len() as u64);
    let begun = store.begin_pages(&path("pages.bak"), range, &PagePermit::NONE);
    let mut writer = begun.unwrap();
    writer.write(data).unwrap();
    writer.commit(&PagePermit::NONE).unwrap();
}

fn append(store: &Store, data: &[u8]) {
    let begun = store.begin_append(&path("log"), data.len() as u64, &AppendPermit::NONE);
    let mut writer = begun.unwrap();
    writer.write(data).unwrap();
    writer.commit(&AppendPermit::NONE).unwrap();
}

#[test]
fn format_1_reads_the_same() {
    reads_the_same(1, |_| {});
}

#[test]
fn format_2_reads_the_same() {
    reads_the_same(2, check_pages);
}

fn reads_the_same(format: u64, check_further: fn(&Store)) {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path().join("data");
    copy(&folder(format), &dir);
    let reading = Store::open_read_only(
        Arc::new(RealDisk),
        TestClock::new(1) as Arc<dyn Clock>,
        &options(&dir),
    )
    .unwrap();
    check(&reading);
    check_further(&reading);
    drop(reading);
    let store = open(&dir);
    assert_eq!(store.generation(), 2);
    check(&store);
    check_further(&store);
    let record = fs::read_to_string(dir.join("store.json")).unwrap();
    assert!(
        record.contains("\"format\": 2"),
        "a start brings the directory up to the present format: {record}"
    );
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

fn check_pages(store: &Store) {
    let view = store.blob_properties(&path("pages.bak"), &Permit::NONE).unwrap();
    assert_eq!((view.kind, view.size), (BlobKind::Page, 1 << 30));
    assert_eq!(view.sequence_number, 3);
    let all = store.page_ranges(&path("pages.bak"), 0..1 << 30, 99, &Permit::NONE);
    let mib = 1 << 20;
    assert_eq!(
        all.unwrap().ranges,
        [0..1024, 1536..4096, mib..mib + 1024, (1 << 30) - 512..1 << 30]
    );
    let first = [pages(b'a', 1), pages(b'c', 1), pages(0, 1), pages(b'a', 5)].concat();
    assert_eq!(read_part(store, "pages.bak", 0, 4096).unwrap(), first);
    let end = read_part(store, "pages.bak", (1 << 30) - 1024, 1024).unwrap();
    assert_eq!(end, [pages(0, 1), pages(b'd', 1)].concat());
    assert_eq!(read(store, "log").unwrap(), b"one two three");
    let log = store.blob_properties(&path("log"), &Permit::NONE).unwrap();
    assert_eq!((log.kind, log.block_count), (BlobKind::Append, 3));
    let query = ListQuery {
        prefix: "pages".into(),
        include_snapshots: true,
        ..ListQuery::default()
    };
    let listed = store.list_blobs(&account(), &container(), &query).unwrap();
    let snapshot = listed.entries.iter().find_map(|entry| match entry {
        ListEntry::Blob(_, view) => view.snapshot,
        ListEntry::Prefix(_) => None,
    });
    let path = path("pages.bak");
    let reader = store.open_blob((&path, snapshot), &Permit::NONE).unwrap();
    let mut data = vec![0; 4096];
    reader.read_at(0, &mut data).unwrap();
    assert_eq!(data, [pages(b'a', 1), pages(0, 2), pages(b'a', 5)].concat());
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

/// The program at the end of `docs/format.md` is run as it stands there, where there is a Python to run it.
#[test]
fn the_documented_reader_reads_all_formats() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/format.md");
    let text = fs::read_to_string(page).unwrap();
    let program = text.split("```python\n").nth(1).unwrap();
    let program = program.split("```").next().unwrap();
    for (format, expected) in [
        (1, &["full.bak block 12100 b'the first block; '"][..]),
        (
            2,
            &[
                "full.bak block 12100 b'the first block; '",
                "log append 13 b'one two three'",
                "pages.bak page 1073741824 b'aaaaaaaaaaaaaaaaa'",
            ],
        ),
    ] {
        let run = Command::new("python3")
            .arg("-c")
            .arg(program)
            .arg(folder(format))
            .output();
        let output = match run {
            Err(error) => {
                println!("skipped: python3: {error}");
                return;
            }
            Ok(output) => output,
        };
        let printed = String::from_utf8_lossy(&output.stdout);
        for line in expected {
            assert!(
                printed.lines().any(|printed| printed == *line),
                "format {format}, {line}: {printed}{}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
}

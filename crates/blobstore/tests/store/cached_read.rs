//! Reading what is in memory without waiting: never more and never other bytes than a read that may wait.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use azblob::metadata::Metadata;
use azblob::page::PageRange;
use blobstore::disk::real::RealDisk;
use blobstore::{PagePermit, Permit, PutPageBlob, StoreError};

use crate::support::{TestClock, account, bytes, commit, container, open, path, put_block};

/// Bytes under one checksum.
const CHUNK: usize = 64 << 10;

fn blob_file(dir: &Path) -> PathBuf {
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            match entry.path().extension() {
                Some(end) if end == "blob" => return entry.path(),
                _ if entry.file_type().unwrap().is_dir() => folders.push(entry.path()),
                _ => {}
            }
        }
    }
    panic!("no blob file in {}", dir.display());
}

#[test]
fn what_is_in_memory_is_what_a_waiting_read_gives() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("data");
    let store = open(Arc::new(RealDisk), &TestClock::new(1), data_dir.to_str().unwrap()).unwrap();
    store
        .create_container(&account(), &container(), Metadata::default())
        .unwrap();
    let (first, second) = (bytes(1, CHUNK), bytes(2, 3 * CHUNK + 777));
    put_block(&store, "warm", "a", &first).unwrap();
    put_block(&store, "warm", "b", &second).unwrap();
    commit(&store, "warm", &["a", "b"]).unwrap();
    let all = [first, second].concat();

    let reader = store.open_blob(&path("warm"), &Permit::NONE).unwrap();
    let mut buf = vec![0; all.len()];
    if !reader.read_cached(0, &mut buf) {
        eprintln!("this file system cannot tell what is in memory: nothing to compare");
        return;
    }
    assert_eq!(buf, all, "over the border of two blocks, to the short end");
    let mut buf = vec![0; 2 * CHUNK];
    assert!(reader.read_cached(CHUNK as u64, &mut buf));
    assert_eq!(buf, all[CHUNK..3 * CHUNK]);
    assert!(
        reader.read_cached(1, &mut buf),
        "ragged ends too: SQL Server reads less than a chunk"
    );
    assert_eq!(buf, all[1..=2 * CHUNK]);
    assert!(
        !reader.read_cached(all.len() as u64 - 1, &mut buf),
        "past the end"
    );

    // The last byte of the third chunk, where it lies in the file.
    let file = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(blob_file(&data_dir))
        .unwrap();
    let content = fs::read(blob_file(&data_dir)).unwrap();
    let wanted = &all[3 * CHUNK - 100..3 * CHUNK];
    let at = content.windows(100).position(|window| window == wanted).unwrap() + 99;
    file.write_all_at(&[content[at] ^ 1], at as u64).unwrap();
    assert!(
        !reader.read_cached(CHUNK as u64, &mut buf),
        "damage is left to the read that reports it"
    );
    let waited = reader.read_at(CHUNK as u64, &mut buf);
    assert!(matches!(waited, Err(StoreError::Damaged { .. })), "{waited:?}");
    assert!(
        reader.read_cached(0, &mut buf[..CHUNK]),
        "the chunks beside it are sound"
    );
}

#[test]
fn pages_in_memory_are_read_without_waiting_and_holes_always() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("data");
    let store = open(Arc::new(RealDisk), &TestClock::new(1), data_dir.to_str().unwrap()).unwrap();
    store
        .create_container(&account(), &container(), Metadata::default())
        .unwrap();
    let blob = PutPageBlob {
        size: 1 << 40,
        ..PutPageBlob::default()
    };
    store.create_page_blob(&path("b"), blob, &Permit::NONE).unwrap();
    let data = bytes(1, 3 * CHUNK);
    let put = |at: u64, data: &[u8]| {
        let range = PageRange::new(at, at + data.len() as u64 - 1).unwrap();
        let mut writer = store.begin_pages(&path("b"), range, &PagePermit::NONE).unwrap();
        writer.write(data).unwrap();
        writer.commit(&PagePermit::NONE).unwrap();
    };
    put(CHUNK as u64, &data);
    let reader = store.open_blob_at_once(&path("b"), &Permit::NONE).unwrap();
    let mut buf = vec![9; 5 * CHUNK];
    if !reader.read_cached(CHUNK as u64, &mut buf[..3 * CHUNK]) {
        eprintln!("this file system cannot tell what is in memory: nothing to compare");
        return;
    }
    assert!(reader.read_cached(0, &mut buf));
    let expected = [vec![0; CHUNK], data, vec![0; CHUNK]].concat();
    assert!(buf == expected, "a hole, the pages, a hole");
    put(2 * CHUNK as u64, &bytes(2, 512));
    assert!(reader.read_cached(0, &mut buf));
    assert!(
        buf[2 * CHUNK..2 * CHUNK + 512] == bytes(2, 512),
        "a reader follows later writes"
    );
}

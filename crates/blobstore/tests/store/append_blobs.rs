//! Append blobs from outside: what they promise, one promise a test.

use std::sync::Arc;

use azblob::error::ErrorCode;
use azblob::limits::MAX_APPEND_BLOCK_BYTES;
use azblob::metadata::Metadata;
use blobstore::disk::simulated::{Crash, SimulatedDisk};
use blobstore::{AppendPermit, Appended, BlobKind, Permit, Properties, Store, StoreError};

use crate::support::{TestClock, account, bytes, container, open, path, put_blob, read, read_part};

const DIR: &str = "/data";

fn fresh() -> (SimulatedDisk, Arc<TestClock>, Store) {
    let disk = SimulatedDisk::new(1, u64::MAX);
    let clock = TestClock::new(1);
    let store = open(Arc::new(disk.clone()), &clock, DIR).unwrap();
    store
        .create_container(&account(), &container(), Metadata::default())
        .unwrap();
    store
        .create_append_blob(&path("b"), Properties::default(), &Permit::NONE)
        .unwrap();
    (disk, clock, store)
}

fn append(store: &Store, data: &[u8], permit: &AppendPermit<'_>) -> Result<Appended, StoreError> {
    let mut writer = store.begin_append(&path("b"), data.len() as u64, permit)?;
    writer.write(data)?;
    writer.commit(permit)
}

fn refusal<T: std::fmt::Debug>(result: Result<T, StoreError>) -> ErrorCode {
    match result {
        Err(StoreError::Protocol(code)) => code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn blocks_follow_each_other_and_stay() {
    let (disk, clock, store) = fresh();
    let parts: Vec<Vec<u8>> = (0..20).map(|n| bytes(n, 1 + 7_919 * n as usize)).collect();
    let mut length = 0;
    for (n, part) in parts.iter().enumerate() {
        let done = append(&store, part, &AppendPermit::NONE).unwrap();
        assert_eq!((done.offset, done.block_count), (length, n as u32 + 1));
        length += part.len() as u64;
        let mut again = vec![0; part.len()];
        store.read_block(&path("b"), &done.block, 0, &mut again).unwrap();
        assert!(again == *part);
    }
    let content = parts.concat();
    assert!(read(&store, "b").unwrap() == content);
    drop(store);
    disk.crash(Crash::Power);
    let store = open(Arc::new(disk.clone()), &clock, DIR).unwrap();
    let view = store.blob_properties(&path("b"), &Permit::NONE).unwrap();
    assert_eq!(
        (view.kind, view.size, view.block_count),
        (BlobKind::Append, length, 20)
    );
    assert!(read(&store, "b").unwrap() == content);
    assert!(read_part(&store, "b", 100_000, 70_001).unwrap() == content[100_000..170_001]);
}

#[test]
fn position_and_length_can_be_made_conditions() {
    let (_, _, store) = fresh();
    let at = |at| AppendPermit {
        at: Some(at),
        ..AppendPermit::NONE
    };
    let within = |max_size| AppendPermit {
        max_size: Some(max_size),
        ..AppendPermit::NONE
    };
    append(&store, b"0123456789", &at(0)).unwrap();
    assert_eq!(
        refusal(append(&store, b"x", &at(0))),
        ErrorCode::AppendPositionConditionNotMet
    );
    assert_eq!(
        refusal(append(&store, b"abc", &within(12))),
        ErrorCode::MaxBlobSizeConditionNotMet
    );
    append(&store, b"ab", &within(12)).unwrap();
    // Of two that mean the same place, the second to arrive is refused.
    let begin = || {
        let mut writer = store.begin_append(&path("b"), 1, &at(12)).unwrap();
        writer.write(b"y").unwrap();
        writer
    };
    let (first, second) = (begin(), begin());
    second.commit(&at(12)).unwrap();
    assert_eq!(
        refusal(first.commit(&at(12))),
        ErrorCode::AppendPositionConditionNotMet
    );
    assert_eq!(read(&store, "b").unwrap(), b"0123456789aby");
}

#[test]
fn refusals_have_the_codes_of_azure() {
    let (_, _, store) = fresh();
    let begin = |len| refusal(store.begin_append(&path("b"), len, &AppendPermit::NONE).map(drop));
    assert_eq!(begin(0), ErrorCode::InvalidHeaderValue);
    assert_eq!(begin(MAX_APPEND_BLOCK_BYTES + 1), ErrorCode::RequestBodyTooLarge);
    put_blob(&store, "block", b"x").unwrap();
    for (name, code) in [
        ("none", ErrorCode::BlobNotFound),
        ("block", ErrorCode::InvalidBlobType),
    ] {
        let begun = store.begin_append(&path(name), 1, &AppendPermit::NONE);
        assert_eq!(refusal(begun.map(drop)), code);
    }
    append(&store, b"abc", &AppendPermit::NONE).unwrap();
    let early = store.seal_append(&path("b"), Some(2), &Permit::NONE);
    assert_eq!(refusal(early), ErrorCode::AppendPositionConditionNotMet);
    let sealed = store.seal_append(&path("b"), Some(3), &Permit::NONE).unwrap();
    assert!(sealed.append_sealed && !sealed.sealed);
    let again = store.seal_append(&path("b"), None, &Permit::NONE).unwrap();
    assert_eq!(again.etag, sealed.etag, "sealing again changes nothing");
    assert_eq!(begin(1), ErrorCode::BlobIsSealed);
    // Its metadata can still be set, and the blob deleted.
    store
        .set_metadata(&path("b"), &Metadata::default(), &Permit::NONE)
        .unwrap();
    store.delete_blob(&path("b"), &Permit::NONE).unwrap();
}

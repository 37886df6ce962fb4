//! Snapshots: what they keep, what they refuse, what remains of them.

use azblob::error::ErrorCode;
use azblob::lease::{LeaseAction, LeaseDuration, LeaseId};
use azblob::metadata::Metadata;
use azblob::snapshot::{DeleteSnapshots, SnapshotTime};
use blobstore::{ListEntry, ListQuery, Permit, Proof, Store, StoreError, Which};

use crate::contract::{assert_code, on_both_disks, with_container};
use crate::support::{account, bytes, commit, container, path, put_blob, put_block, read, read_which};

fn take(store: &Store, name: &str) -> SnapshotTime {
    store
        .snapshot_blob(&path(name), None, &Permit::NONE)
        .unwrap()
        .time
}

fn read_snapshot(store: &Store, name: &str, time: SnapshotTime) -> Result<Vec<u8>, StoreError> {
    let path = path(name);
    read_which(
        store,
        Which {
            path: &path,
            snapshot: Some(time),
        },
    )
}

#[test]
fn a_snapshot_keeps_what_the_blob_was() {
    on_both_disks(|_, reopen| {
        let store = with_container(reopen);
        let (first, second) = (bytes(1, 200_000), bytes(2, 90_000));
        put_block(&store, "b", "AA", &first).unwrap();
        let committed = commit(&store, "b", &["AA"]).unwrap().committed;
        let proof = Proof {
            verdict: Some(bak::Verdict::Ok),
            is_final: true,
            ..Proof::default()
        };
        store.set_proof(&path("b"), committed.commit, &proof).unwrap();
        let taken = store.snapshot_blob(&path("b"), None, &Permit::NONE).unwrap();
        assert_eq!(taken.etag, committed.etag);
        // The blob goes on: other blocks in the same file, then another file.
        put_block(&store, "b", "BB", &second).unwrap();
        commit(&store, "b", &["BB"]).unwrap();
        let later = take(&store, "b");
        assert!(later > taken.time);
        put_blob(&store, "b", b"short").unwrap();
        let check = |store: &Store| {
            assert_eq!(read(store, "b").unwrap(), b"short");
            assert_eq!(read_snapshot(store, "b", taken.time).unwrap(), first);
            assert_eq!(read_snapshot(store, "b", later).unwrap(), second);
            let verdict = |time| {
                store
                    .proof((&path("b"), Some(time)))
                    .unwrap()
                    .and_then(|p| p.verdict)
            };
            assert_eq!(verdict(taken.time), Some(bak::Verdict::Ok));
            assert_eq!(verdict(later), None);
            let blocks = store
                .get_block_list((&path("b"), Some(later)), &Permit::NONE)
                .unwrap();
            assert_eq!((blocks.committed.len(), blocks.uncommitted.len()), (1, 0));
        };
        check(&store);
        drop(store);
        check(&reopen());
        assert_code(
            read_snapshot(&reopen(), "b", SnapshotTime(taken.time.0 - 1)),
            ErrorCode::BlobNotFound,
        );
    });
}

#[test]
fn a_snapshot_may_have_metadata_of_its_own() {
    on_both_disks(|_, reopen| {
        let store = with_container(reopen);
        let committed = put_blob(&store, "b", b"data").unwrap();
        let mut metadata = Metadata::default();
        metadata.insert("why", "because").unwrap();
        let taken = store
            .snapshot_blob(&path("b"), Some(&metadata), &Permit::NONE)
            .unwrap();
        assert_ne!(taken.etag, committed.etag);
        drop(store);
        let store = reopen();
        let view = store
            .blob_properties((&path("b"), Some(taken.time)), &Permit::NONE)
            .unwrap();
        assert_eq!(view.properties.metadata, metadata);
        assert_eq!((view.snapshot, view.etag), (Some(taken.time), taken.etag));
        let base = store.blob_properties(&path("b"), &Permit::NONE).unwrap();
        assert_eq!(base.properties.metadata, Metadata::default());
        assert_eq!((base.snapshot, base.etag), (None, committed.etag));
    });
}

#[test]
fn deletes_ask_for_the_snapshots() {
    on_both_disks(|_, reopen| {
        let store = with_container(reopen);
        put_blob(&store, "b", b"one").unwrap();
        let first = take(&store, "b");
        let second = take(&store, "b");
        assert_code(
            store.delete_blob(&path("b"), &Permit::NONE),
            ErrorCode::SnapshotsPresent,
        );
        store.delete_snapshot(&path("b"), first, &Permit::NONE).unwrap();
        assert_code(
            store.delete_snapshot(&path("b"), first, &Permit::NONE),
            ErrorCode::BlobNotFound,
        );
        assert_eq!(read_snapshot(&store, "b", second).unwrap(), b"one");
        store
            .delete_with_snapshots(&path("b"), DeleteSnapshots::Only, &Permit::NONE)
            .unwrap();
        assert_eq!(read(&store, "b").unwrap(), b"one");
        let third = take(&store, "b");
        assert!(third > second, "a time is not given twice");
        store
            .delete_with_snapshots(&path("b"), DeleteSnapshots::Include, &Permit::NONE)
            .unwrap();
        assert_code(read(&store, "b"), ErrorCode::BlobNotFound);
        drop(store);
        let store = reopen();
        put_blob(&store, "b", b"two").unwrap();
        assert_code(read_snapshot(&store, "b", third), ErrorCode::BlobNotFound);
        store.delete_blob(&path("b"), &Permit::NONE).unwrap();
    });
}

#[test]
fn leases_and_seals_of_the_blob_count() {
    on_both_disks(|_, reopen| {
        let store = with_container(reopen);
        put_blob(&store, "b", b"data").unwrap();
        let id = LeaseId::from_u128(7);
        let acquire = LeaseAction::Acquire {
            proposed: Some(id),
            duration: LeaseDuration::Infinite,
        };
        store.lease_blob(&path("b"), &acquire, &|_| Ok(())).unwrap();
        let time = take(&store, "b");
        let wrong = Permit::lease(Some(LeaseId::from_u128(8)));
        assert_code(
            store.snapshot_blob(&path("b"), None, &wrong).map(|_| ()),
            ErrorCode::LeaseIdMismatchWithBlobOperation,
        );
        let right = Permit::lease(Some(id));
        store.snapshot_blob(&path("b"), None, &right).unwrap();
        assert_code(
            store.delete_with_snapshots(&path("b"), DeleteSnapshots::Include, &Permit::NONE),
            ErrorCode::LeaseIdMissing,
        );
        store.seal(&path("b"), true).unwrap();
        take(&store, "b");
        let sealed = ErrorCode::BlobImmutableDueToPolicy;
        assert_code(store.delete_snapshot(&path("b"), time, &Permit::NONE), sealed);
        assert_code(
            store.delete_with_snapshots(&path("b"), DeleteSnapshots::Only, &right),
            sealed,
        );
        store.seal(&path("b"), false).unwrap();
        store.delete_snapshot(&path("b"), time, &Permit::NONE).unwrap();
    });
}

#[test]
fn snapshots_are_listed_in_pages_before_their_blob() {
    on_both_disks(|_, reopen| {
        let store = with_container(reopen);
        for name in ["a", "b", "c"] {
            put_blob(&store, name, name.as_bytes()).unwrap();
        }
        let mut wanted = Vec::new();
        for (name, count) in [("a", 1), ("b", 3), ("c", 0)] {
            for _ in 0..count {
                wanted.push((name.to_owned(), Some(take(&store, name))));
            }
            wanted.push((name.to_owned(), None));
        }
        drop(store);
        let store = reopen();
        for max in 1..8 {
            let mut query = ListQuery {
                max,
                include_snapshots: true,
                ..ListQuery::default()
            };
            let mut found = Vec::new();
            loop {
                let page = store.list_blobs(&account(), &container(), &query).unwrap();
                assert!(page.entries.len() <= max);
                found.extend(page.entries.into_iter().map(|entry| match entry {
                    ListEntry::Blob(name, view) => (name.as_str().to_owned(), view.snapshot),
                    ListEntry::Prefix(prefix) => panic!("{prefix} without a delimiter"),
                }));
                match page.next_marker {
                    Some(marker) => query.marker = Some(marker),
                    None => break,
                }
            }
            assert_eq!(found, wanted, "pages of {max}");
        }
        let plain = ListQuery::default();
        let page = store.list_blobs(&account(), &container(), &plain).unwrap();
        assert_eq!(page.entries.len(), 3);
    });
}

/// A start that finds snapshots of a deleted blob clears them away; here their removal is what a crash undoes.
#[test]
fn what_a_crash_leaves_of_a_deletion_means_nothing() {
    use blobstore::disk::simulated::{Crash, Fault, SimulatedDisk};
    let mut left_behind = 0;
    for seed in 0..30 {
        let disk = SimulatedDisk::new(seed, u64::MAX);
        let clock = crate::support::TestClock::new(seed);
        let open = || crate::support::open(std::sync::Arc::new(disk.clone()), &clock, "/data").unwrap();
        let store = with_container(&open);
        put_blob(&store, "b", b"one").unwrap();
        let time = take(&store, "b");
        let calls = disk.calls();
        // The removal of the blob and its sync happen, that of the snapshot does not.
        disk.plan_fault(2, Fault::Cut);
        let deleted = store.delete_with_snapshots(&path("b"), DeleteSnapshots::Include, &Permit::NONE);
        assert!(deleted.is_err() && disk.calls() == calls + 3);
        drop(store);
        disk.crash(Crash::Power);
        let store = open();
        assert_code(read(&store, "b"), ErrorCode::BlobNotFound);
        put_blob(&store, "b", b"two").unwrap();
        drop(store);
        disk.crash(Crash::Power);
        left_behind += usize::from(read_snapshot(&open(), "b", time).is_ok());
        assert_eq!(read(&open(), "b").unwrap(), b"two");
    }
    assert_eq!(left_behind, 0);
}

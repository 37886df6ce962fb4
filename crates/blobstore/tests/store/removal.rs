//! Removal by the server's owner: of what is sealed, in one deed, and never from under a lease.

use std::sync::Arc;

use azblob::error::ErrorCode;
use azblob::lease::{LeaseAction, LeaseDuration, LeaseId};
use azblob::metadata::Metadata;
use azblob::snapshot::SnapshotTime;
use blobstore::disk::simulated::{Crash, Fault, SimulatedDisk};
use blobstore::{Permit, Which};

use crate::contract::{assert_code, on_both_disks, with_container};
use crate::support::{
    TestClock, account, bytes, commit, container, open, path, put_blob, put_block, read, read_which,
};

#[test]
fn what_is_sealed_goes_with_its_snapshots() {
    on_both_disks(|_, reopen| {
        let store = with_container(reopen);
        put_blob(&store, "b", b"data").unwrap();
        let snapshot: SnapshotTime = store.snapshot_blob(&path("b"), None, &Permit::NONE).unwrap().time;
        store.seal(&path("b"), true).unwrap();
        put_blob(&store, "open", b"data").unwrap();
        for name in ["b", "open"] {
            store.remove_sealed(&path(name)).unwrap();
            assert_code(read(&store, name), ErrorCode::BlobNotFound);
            assert_code(store.remove_sealed(&path(name)), ErrorCode::BlobNotFound);
        }
        drop(store);
        let store = reopen();
        assert_code(read(&store, "b"), ErrorCode::BlobNotFound);
        put_blob(&store, "b", b"two").unwrap();
        let of = path("b");
        let which = Which {
            path: &of,
            snapshot: Some(snapshot),
        };
        assert_code(read_which(&store, which), ErrorCode::BlobNotFound);
        // Blocks that nobody committed are no blob.
        put_block(&store, "begun", "AA", b"x").unwrap();
        assert_code(store.remove_sealed(&path("begun")), ErrorCode::BlobNotFound);
        commit(&store, "begun", &["AA"]).unwrap();
        assert_eq!(read(&store, "begun").unwrap(), b"x");
    });
}

#[test]
fn a_lease_keeps_what_is_sealed() {
    on_both_disks(|_, reopen| {
        let store = with_container(reopen);
        put_blob(&store, "b", b"data").unwrap();
        store.seal(&path("b"), true).unwrap();
        let acquire = LeaseAction::Acquire {
            proposed: Some(LeaseId::from_u128(7)),
            duration: LeaseDuration::Infinite,
        };
        store.lease_blob(&path("b"), &acquire, &|_| Ok(())).unwrap();
        drop(store);
        let store = reopen();
        assert_code(store.remove_sealed(&path("b")), ErrorCode::LeaseIdMissing);
        assert_eq!(read(&store, "b").unwrap(), b"data");
        let at_once = LeaseAction::Break { period: Some(0) };
        store.lease_blob(&path("b"), &at_once, &|_| Ok(())).unwrap();
        store.remove_sealed(&path("b")).unwrap();
    });
}

#[test]
fn wherever_it_is_cut_off_the_blob_is_whole_and_sealed_or_gone() {
    let data = bytes(3, 300_000);
    for crash in [Crash::Kill, Crash::Power] {
        let (mut stayed, mut went, mut is_done) = (0, 0, false);
        for calls in 0..60 {
            let disk = SimulatedDisk::new(calls, u64::MAX);
            let clock = TestClock::new(calls);
            let store = open(Arc::new(disk.clone()), &clock, "/data").unwrap();
            store
                .create_container(&account(), &container(), Metadata::default())
                .unwrap();
            put_blob(&store, "b", &data).unwrap();
            store.seal(&path("b"), true).unwrap();
            disk.plan_fault(calls, Fault::Cut);
            let removed = store.remove_sealed(&path("b"));
            drop(store);
            disk.crash(crash);
            let store = open(Arc::new(disk.clone()), &clock, "/data").unwrap();
            match read(&store, "b") {
                Ok(found) => {
                    assert!(removed.is_err(), "{calls}: it was removed, and is there");
                    assert_eq!(found, data, "{calls}");
                    let view = store.blob_properties(&path("b"), &Permit::NONE).unwrap();
                    assert!(view.sealed, "{calls}: no crash lifts a seal");
                    stayed += 1;
                }
                Err(_) => went += 1,
            }
            if removed.is_ok() {
                is_done = true;
                break;
            }
        }
        assert!(
            is_done && stayed > 0 && went > 0,
            "{crash:?}: {stayed} stayed, {went} went"
        );
    }
}

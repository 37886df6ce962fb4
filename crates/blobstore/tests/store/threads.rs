//! Many threads at once: nothing acknowledged is lost, nothing waits for ever.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use azblob::lease::{LeaseAction, LeaseDuration};
use azblob::metadata::Metadata;
use azblob::properties::HttpProperties;
use blobstore::Permit;
use blobstore::disk::simulated::{Crash, SimulatedDisk};

use crate::support::{
    TestClock, account, bytes, commit, container, id, open, path, put_blob, put_block, read,
};

#[test]
fn blocks_of_one_blob_arrive_from_eight_threads_between_commits() {
    let disk = SimulatedDisk::new(1, u64::MAX);
    let clock = TestClock::new(1);
    let store = open(Arc::new(disk.clone()), &clock, "/data").unwrap();
    store
        .create_container(&account(), &container(), Metadata::default())
        .unwrap();
    let name = |thread: usize, n: usize| format!("B{thread}{n:03}");
    let data = |thread: usize, n: usize| bytes((thread * 1000 + n) as u64, 1_000 + 97 * n);
    let acknowledged = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (store, acknowledged) = (&store, &acknowledged);
            scope.spawn(move || {
                for n in 0..40 {
                    put_block(store, "b", &name(thread, n), &data(thread, n)).unwrap();
                    acknowledged.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // Others change, list and read meanwhile.
        scope.spawn(|| {
            for n in 0..20 {
                put_blob(&store, "other", &bytes(n, 5_000)).unwrap();
                let acquire = LeaseAction::Acquire {
                    proposed: None,
                    duration: LeaseDuration::Infinite,
                };
                store.lease_blob(&path("other"), &acquire, &|_| Ok(())).unwrap();
                store
                    .lease_blob(&path("other"), &LeaseAction::Break { period: None }, &|_| Ok(()))
                    .unwrap();
                assert_eq!(read(&store, "other").unwrap(), bytes(n, 5_000));
                assert!(!store.inventory().is_empty());
            }
        });
    });
    assert_eq!(acknowledged.load(Ordering::Relaxed), 320);
    drop(store);
    disk.crash(Crash::Power);
    let store = open(Arc::new(disk.clone()), &clock, "/data").unwrap();
    let blocks = store.get_block_list(&path("b"), &Permit::NONE).unwrap();
    assert_eq!(blocks.uncommitted.len(), 320);
    let names: Vec<String> = (0..8).flat_map(|t| (0..40).map(move |n| name(t, n))).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    commit(&store, "b", &names).unwrap();
    let content: Vec<u8> = (0..8)
        .flat_map(|t| (0..40).flat_map(move |n| data(t, n)))
        .collect();
    assert!(read(&store, "b").unwrap() == content);
}

#[test]
fn a_commit_takes_what_was_acknowledged_before_it_and_keeps_what_came_after() {
    let disk = SimulatedDisk::new(2, u64::MAX);
    let clock = TestClock::new(2);
    let store = open(Arc::new(disk.clone()), &clock, "/data").unwrap();
    store
        .create_container(&account(), &container(), Metadata::default())
        .unwrap();
    put_block(&store, "b", "base", b"base").unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for _ in 0..50 {
                    // Each commits its own block right after it was acknowledged; others' commits may drop it.
                    let block = format!("own{thread}");
                    put_block(store, "b", &block, block.as_bytes()).unwrap();
                    match commit(store, "b", &[&block]) {
                        Ok(done) => assert_eq!(done.blocks[0].0, id(&block)),
                        Err(error) => assert!(error.to_string().starts_with("InvalidBlockList"), "{error}"),
                    }
                }
            });
        }
    });
    let content = read(&store, "b").unwrap();
    assert!(content.starts_with(b"own") && content.len() == 4);
    drop(store);
    disk.crash(Crash::Power);
    let store = open(Arc::new(disk.clone()), &clock, "/data").unwrap();
    assert_eq!(read(&store, "b").unwrap(), content);
}

#[test]
fn headers_and_metadata_set_at_once_do_not_undo_each_other() {
    let disk = SimulatedDisk::new(2, u64::MAX);
    let store = open(Arc::new(disk), &TestClock::new(2), "/data").unwrap();
    store
        .create_container(&account(), &container(), Metadata::default())
        .unwrap();
    put_blob(&store, "b", &bytes(1, 100)).unwrap();
    let start = Barrier::new(2);
    for n in 0..500 {
        let mut metadata = Metadata::default();
        metadata.insert("n", &n.to_string()).unwrap();
        let http = HttpProperties {
            content_language: Some(n.to_string()),
            ..HttpProperties::default()
        };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                start.wait();
                store.set_metadata(&path("b"), &metadata, &Permit::NONE).unwrap();
            });
            start.wait();
            store
                .set_http_properties(&path("b"), &http, &Permit::NONE)
                .unwrap();
        });
        let view = store.blob_properties(&path("b"), &Permit::NONE).unwrap();
        assert_eq!(
            (&view.properties.metadata, &view.properties.http),
            (&metadata, &http)
        );
    }
}

//! Many threads at once: nothing acknowledged is lost, nothing waits for ever.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};

use azblob::lease::{LeaseAction, LeaseDuration};
use azblob::metadata::Metadata;
use azblob::page::{PageRange, SequenceChange};
use azblob::properties::HttpProperties;
use bak::Verdict;
use blobstore::disk::real::RealDisk;
use blobstore::disk::simulated::{Crash, SimulatedDisk};
use blobstore::{AppendPermit, Concluded, PagePermit, PagesDone, Permit, Proof, Properties, PutPageBlob};

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

#[test]
fn an_inventory_shows_verdict_and_seal_of_one_moment() {
    let disk = SimulatedDisk::new(2, u64::MAX);
    let store = open(Arc::new(disk), &TestClock::new(2), "/data").unwrap();
    store
        .create_container(&account(), &container(), Metadata::default())
        .unwrap();
    put_blob(&store, "b", &bytes(1, 100)).unwrap();
    let commit = store.blob_properties(&path("b"), &Permit::NONE).unwrap().commit;
    let proved = Proof {
        verdict: Some(Verdict::Ok),
        is_final: false,
        ..Proof::default()
    };
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..600 {
                // In no state on this way is the verdict final and the blob not sealed.
                assert_eq!(
                    store.conclude(&path("b"), commit, &proved, true).unwrap(),
                    Concluded::Final
                );
                assert!(store.set_proof(&path("b"), commit, &proved).unwrap());
                store.seal(&path("b"), false).unwrap();
            }
            done.store(true, Ordering::Relaxed);
        });
        let mut torn = 0;
        while !done.load(Ordering::Relaxed) {
            let entries = store.inventory();
            let is_final = entries[0].proof.as_ref().is_some_and(|proof| proof.is_final);
            torn += usize::from(is_final && !entries[0].view.sealed);
        }
        assert_eq!(torn, 0, "final, and not sealed");
    });
}

#[test]
fn pages_of_one_blob_arrive_from_eight_threads_while_it_changes() {
    let disk = SimulatedDisk::new(3, u64::MAX);
    let clock = TestClock::new(3);
    let store = open(Arc::new(disk.clone()), &clock, "/data").unwrap();
    store
        .create_container(&account(), &container(), Metadata::default())
        .unwrap();
    let blob = PutPageBlob {
        size: 1 << 20,
        ..PutPageBlob::default()
    };
    store.create_page_blob(&path("b"), blob, &Permit::NONE).unwrap();
    let data = |thread: u64, n: u64| bytes(thread << 32 | n, 1024);
    // Where all write: the tag of each write, and what it wrote.
    let contested = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let (store, contested) = (&store, &contested);
            scope.spawn(move || {
                for n in 0..40_u64 {
                    put_pages(store, 4096 + (thread * 40 + n) * 1024, &data(thread, n));
                    let done = put_pages(store, 1024, &data(thread, 1000 + n));
                    contested
                        .lock()
                        .unwrap()
                        .push((done.etag, data(thread, 1000 + n)));
                }
            });
        }
        scope.spawn(|| {
            for n in 0..30_u64 {
                store
                    .set_sequence_number(&path("b"), SequenceChange::Increment, &Permit::NONE)
                    .unwrap();
                store
                    .resize_page_blob(&path("b"), (1 << 20) + (n % 5) * 512, &Permit::NONE)
                    .unwrap();
                store.sweep(azblob::time::UnixMillis(0)).unwrap();
                assert_eq!(read(&store, "b").unwrap()[..512], [0; 512]);
            }
        });
    });
    drop(store);
    disk.crash(Crash::Power);
    let store = open(Arc::new(disk.clone()), &clock, "/data").unwrap();
    let content = read(&store, "b").unwrap();
    for thread in 0..8_u64 {
        for n in 0..40_u64 {
            let at = 4096 + ((thread * 40 + n) * 1024) as usize;
            assert!(
                content[at..at + 1024] == data(thread, n),
                "thread {thread}, write {n}"
            );
        }
    }
    let contested = contested.into_inner().unwrap();
    let (_, last) = contested.iter().max_by_key(|(etag, _)| etag.0).unwrap();
    assert!(
        content[1024..2048] == *last,
        "the write with the newest tag is not the one that stayed"
    );
    let view = store.blob_properties(&path("b"), &Permit::NONE).unwrap();
    assert_eq!(view.sequence_number, 30);
}

#[test]
fn blocks_appended_from_four_threads_follow_each_other() {
    let disk = SimulatedDisk::new(4, u64::MAX);
    let clock = TestClock::new(4);
    let store = open(Arc::new(disk.clone()), &clock, "/data").unwrap();
    store
        .create_container(&account(), &container(), Metadata::default())
        .unwrap();
    store
        .create_append_blob(&path("b"), Properties::default(), &Permit::NONE)
        .unwrap();
    let placed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let (store, placed) = (&store, &placed);
            scope.spawn(move || {
                for n in 0..50_u64 {
                    let data = bytes(thread << 32 | n, (100 + 37 * n) as usize);
                    let len = data.len() as u64;
                    let begun = store.begin_append(&path("b"), len, &AppendPermit::NONE);
                    let mut writer = begun.unwrap();
                    writer.write(&data).unwrap();
                    let done = writer.commit(&AppendPermit::NONE).unwrap();
                    placed.lock().unwrap().push((done.offset, data));
                }
            });
        }
    });
    drop(store);
    disk.crash(Crash::Power);
    let store = open(Arc::new(disk.clone()), &clock, "/data").unwrap();
    let mut placed = placed.into_inner().unwrap();
    placed.sort();
    let content: Vec<u8> = placed.iter().flat_map(|(_, data)| data.clone()).collect();
    assert!(read(&store, "b").unwrap() == content);
    let view = store.blob_properties(&path("b"), &Permit::NONE).unwrap();
    assert_eq!(view.block_count, 200);
}

fn put_pages(store: &blobstore::Store, at: u64, data: &[u8]) -> PagesDone {
    let range = PageRange::new(at, at + data.len() as u64 - 1).unwrap();
    let mut writer = store.begin_pages(&path("b"), range, &PagePermit::NONE).unwrap();
    writer.write(data).unwrap();
    writer.commit(&PagePermit::NONE).unwrap()
}

#[test]
fn of_changes_of_a_container_for_one_tag_only_one_goes_through() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let store = open(Arc::new(RealDisk), &TestClock::new(1), data.to_str().unwrap()).unwrap();
    let mut tag = store
        .create_container(&account(), &container(), Metadata::default())
        .unwrap()
        .etag;
    for _ in 0..50 {
        let start = Barrier::new(4);
        let done = std::thread::scope(|scope| {
            let change = || {
                let unchanged = |view: &blobstore::ContainerView| match view.etag == tag {
                    true => Ok(()),
                    false => Err(azblob::error::ErrorCode::ConditionNotMet),
                };
                start.wait();
                store.set_container_metadata(&account(), &container(), Metadata::default(), &unchanged)
            };
            let all: Vec<_> = (0..4).map(|_| scope.spawn(change)).collect();
            let all = all.into_iter().map(|one| one.join().unwrap());
            all.filter_map(Result::ok).collect::<Vec<_>>()
        });
        assert_eq!(done.len(), 1, "the others saw a tag that had gone");
        tag = done[0].etag;
    }
}

//! What the store promises its callers, on the simulated disk and on the real one.

use std::sync::Arc;

use crate::support::{
    TestClock, account, bytes, commit, container, id, latest, open, path, put_blob, put_block, read,
};
use azblob::block::BlockSource;
use azblob::error::ErrorCode;
use azblob::lease::{LeaseAction, LeaseDuration, LeaseId, LeaseState};
use azblob::metadata::Metadata;
use azblob::properties::HttpProperties;
use blobstore::disk::Disk;
use blobstore::disk::real::RealDisk;
use blobstore::disk::simulated::SimulatedDisk;
use blobstore::{ListEntry, ListQuery, Permit, Proof, Properties, Store, StoreError};

/// Runs a test on both disks. The store can be reopened by the function it gets.
pub(crate) fn on_both_disks(test: impl Fn(&Arc<TestClock>, &dyn Fn() -> Store)) {
    let clock = TestClock::new(1);
    let disk = SimulatedDisk::new(1, u64::MAX);
    test(&clock, &|| open(Arc::new(disk.clone()), &clock, "/data").unwrap());
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("data");
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    test(&clock, &|| {
        open(Arc::clone(&disk), &clock, dir.to_str().unwrap()).unwrap()
    });
}

pub(crate) fn with_container(reopen: &dyn Fn() -> Store) -> Store {
    let store = reopen();
    store
        .create_container(&account(), &container(), Metadata::default())
        .unwrap();
    store
}

#[track_caller]
pub(crate) fn assert_code<T>(result: Result<T, StoreError>, code: ErrorCode) {
    match result {
        Err(StoreError::Protocol(got)) => assert_eq!(got, code),
        Err(other) => panic!("expected {code}, got {other}"),
        Ok(_) => panic!("expected {code}, got success"),
    }
}

#[test]
fn blocks_become_a_blob_and_survive_a_restart() {
    on_both_disks(|_, reopen| {
        let store = with_container(reopen);
        let blocks = [bytes(1, 300_000), bytes(2, 65_536), bytes(3, 1)];
        for (n, block) in blocks.iter().enumerate() {
            put_block(&store, "full.bak", &format!("B{n}"), block).unwrap();
        }
        assert_code(read(&store, "full.bak"), ErrorCode::BlobNotFound);
        commit(&store, "full.bak", &["B2", "B0", "B1"]).unwrap();
        let content = [&*blocks[2], &blocks[0], &blocks[1]].concat();
        assert_eq!(read(&store, "full.bak").unwrap(), content);
        drop(store);
        let store = reopen();
        assert_eq!(read(&store, "full.bak").unwrap(), content);
        assert_eq!(store.generation(), 2);
    });
}

#[test]
fn every_range_reads_the_same_bytes() {
    on_both_disks(|_, reopen| {
        let store = with_container(reopen);
        let blocks = [bytes(1, 131_072), bytes(2, 70_000), bytes(3, 65_536)];
        for (n, block) in blocks.iter().enumerate() {
            put_block(&store, "b", &format!("B{n}"), block).unwrap();
        }
        commit(&store, "b", &["B0", "B1", "B2"]).unwrap();
        let content = blocks.concat();
        let reader = store.open_blob(&path("b"), &Permit::NONE).unwrap();
        let edges = [
            0, 1, 65_535, 65_536, 65_537, 131_072, 196_608, 201_071, 201_072, 266_607, 266_608,
        ];
        for from in edges {
            for to in edges.into_iter().filter(|to| *to >= from) {
                let mut part = vec![0; to - from];
                reader.read_at(from as u64, &mut part).unwrap();
                assert!(part == content[from..to], "{from}..{to}");
            }
        }
        assert!(matches!(
            reader.read_at(266_608, &mut [0]),
            Err(StoreError::Misuse(_))
        ));
    });
}

#[test]
fn uncommitted_blocks_follow_azures_rules() {
    on_both_disks(|_, reopen| {
        let store = with_container(reopen);
        put_block(&store, "b", "AA", b"first").unwrap();
        put_block(&store, "b", "BB", b"second").unwrap();
        assert_code(
            put_block(&store, "b", "CCC", b"longer id"),
            ErrorCode::InvalidBlobOrBlock,
        );
        put_block(&store, "b", "AA", b"again").unwrap();
        let store = {
            drop(store);
            reopen()
        };
        let blocks = store.get_block_list(&path("b"), &Permit::NONE).unwrap();
        assert_eq!(blocks.uncommitted, [(id("AA"), 5), (id("BB"), 6)]);
        assert_code(commit(&store, "b", &["AA", "ZZ"]), ErrorCode::InvalidBlockList);
        commit(&store, "b", &["AA"]).unwrap();
        assert_eq!(read(&store, "b").unwrap(), b"again");
        // BB was not in the list, so it is gone; AA may be listed again, from the committed blocks.
        assert_code(commit(&store, "b", &["BB"]), ErrorCode::InvalidBlockList);
        put_block(&store, "b", "AA", b"newer").unwrap();
        let both = azblob::block::BlockList(vec![
            (BlockSource::Committed, id("AA")),
            (BlockSource::Uncommitted, id("AA")),
            (BlockSource::Latest, id("AA")),
        ]);
        store
            .put_block_list(&path("b"), &both, Properties::default(), &Permit::NONE)
            .unwrap();
        assert_eq!(read(&store, "b").unwrap(), b"againnewernewer");
        let blocks = store.get_block_list(&path("b"), &Permit::NONE).unwrap();
        assert_eq!((blocks.committed.len(), blocks.uncommitted.len()), (3, 0));
    });
}

#[test]
fn an_empty_list_makes_an_empty_blob() {
    on_both_disks(|_, reopen| {
        let store = with_container(reopen);
        commit(&store, "empty", &[]).unwrap();
        assert_eq!(read(&store, "empty").unwrap(), b"");
        assert_code(commit(&store, "other", &["AA"]), ErrorCode::InvalidBlockList);
        assert_code(read(&store, "other"), ErrorCode::BlobNotFound);
    });
}

#[test]
fn a_whole_blob_replaces_what_was_there() {
    on_both_disks(|_, reopen| {
        let store = with_container(reopen);
        let old = bytes(1, 100_000);
        put_blob(&store, "b", &old).unwrap();
        put_block(&store, "b", "AA", b"left over").unwrap();
        let reader = store.open_blob(&path("b"), &Permit::NONE).unwrap();
        let first = reader.view().etag;
        let new = bytes(2, 200_000);
        let committed = put_blob(&store, "b", &new).unwrap();
        assert_ne!(committed.etag, first);
        assert_eq!(read(&store, "b").unwrap(), new);
        let mut still = vec![0; old.len()];
        reader.read_at(0, &mut still).unwrap();
        assert_eq!(still, old, "who reads the old blob reads on");
        let blocks = store.get_block_list(&path("b"), &Permit::NONE).unwrap();
        assert_eq!((blocks.committed.len(), blocks.uncommitted.len()), (0, 0));
        put_blob(&store, "b", b"").unwrap();
        drop((reader, store));
        assert_eq!(read(&reopen(), "b").unwrap(), b"");
    });
}

#[test]
fn a_body_that_is_not_whole_leaves_nothing() {
    on_both_disks(|_, reopen| {
        let store = with_container(reopen);
        let mut writer = store.begin_block(&path("b"), &id("AA"), 10, None).unwrap();
        writer.write(b"short").unwrap();
        assert!(matches!(writer.write(b"too long"), Err(StoreError::Misuse(_))));
        assert!(matches!(writer.commit(), Err(StoreError::Misuse(_))));
        let mut writer = store.begin_blob(&path("c"), 10, &Permit::NONE).unwrap();
        writer.write(b"short").unwrap();
        assert!(matches!(
            writer.commit(Properties::default(), &Permit::NONE),
            Err(StoreError::Misuse(_))
        ));
        drop(store);
        let store = reopen();
        assert!(
            store
                .get_block_list(&path("b"), &Permit::NONE)
                .unwrap()
                .uncommitted
                .is_empty()
        );
        assert_code(
            store.blob_properties(&path("c"), &Permit::NONE),
            ErrorCode::BlobNotFound,
        );
    });
}

#[test]
fn whether_a_blob_is_locked_is_told_at_once() {
    on_both_disks(|clock, reopen| {
        let store = with_container(reopen);
        let is_locked = |store: &Store| store.is_locked_at_once(&path("b"));
        assert_eq!(is_locked(&store), Some(false), "there is none");
        put_blob(&store, "b", b"data").unwrap();
        assert_eq!(is_locked(&store), Some(false));
        let acquire = LeaseAction::Acquire {
            proposed: None,
            duration: LeaseDuration::Seconds(60),
        };
        store.lease_blob(&path("b"), &acquire, &|_| Ok(())).unwrap();
        drop(store);
        let store = reopen();
        assert_eq!(is_locked(&store), Some(true));
        clock.advance_ms(59_999);
        assert_eq!(is_locked(&store), Some(true));
        clock.advance_ms(1);
        assert_eq!(is_locked(&store), Some(false), "it ran out");
        store.lease_blob(&path("b"), &acquire, &|_| Ok(())).unwrap();
        let end = LeaseAction::Break { period: Some(10) };
        store.lease_blob(&path("b"), &end, &|_| Ok(())).unwrap();
        assert_eq!(is_locked(&store), Some(true), "it is breaking");
        clock.advance_ms(10_000);
        assert_eq!(is_locked(&store), Some(false));
    });
}

#[test]
fn leases_guard_and_survive() {
    on_both_disks(|clock, reopen| {
        let store = with_container(reopen);
        put_blob(&store, "b", b"data").unwrap();
        let mine = LeaseId::from_u128(7);
        let acquire = LeaseAction::Acquire {
            proposed: Some(mine),
            duration: LeaseDuration::Infinite,
        };
        store.lease_blob(&path("b"), &acquire, &|_| Ok(())).unwrap();
        drop(store);
        let store = reopen();
        assert_code(put_blob(&store, "b", b"x"), ErrorCode::LeaseIdMissing);
        assert_code(put_block(&store, "b", "AA", b"x"), ErrorCode::LeaseIdMissing);
        assert_code(
            store.delete_blob(&path("b"), &Permit::NONE),
            ErrorCode::LeaseIdMissing,
        );
        let wrong = Permit::lease(Some(LeaseId::from_u128(8)));
        assert_code(
            store.delete_blob(&path("b"), &wrong),
            ErrorCode::LeaseIdMismatchWithBlobOperation,
        );
        let before = store.blob_properties(&path("b"), &Permit::NONE).unwrap();
        store
            .lease_blob(&path("b"), &LeaseAction::Break { period: Some(10) }, &|_| Ok(()))
            .unwrap();
        let after = store.blob_properties(&path("b"), &Permit::NONE).unwrap();
        assert_eq!(
            (before.etag, before.last_modified),
            (after.etag, after.last_modified)
        );
        clock.advance_ms(10_001);
        assert_eq!(
            store
                .blob_properties(&path("b"), &Permit::NONE)
                .unwrap()
                .lease_view
                .state,
            LeaseState::Broken
        );
        put_block(&store, "b", "AA", b"x").unwrap();
        let view = store.blob_properties(&path("b"), &Permit::NONE).unwrap();
        assert_eq!(
            view.lease_view.state,
            LeaseState::Available,
            "a write forgets a broken lease"
        );
        store.delete_blob(&path("b"), &Permit::NONE).unwrap();
        assert_code(
            store.blob_properties(&path("b"), &Permit::NONE),
            ErrorCode::BlobNotFound,
        );
        let given = Permit::lease(Some(mine));
        assert_code(
            store.begin_blob(&path("b"), 0, &given).map(|_| ()),
            ErrorCode::LeaseNotPresentWithBlobOperation,
        );
    });
}

#[test]
fn a_seal_refuses_every_change() {
    on_both_disks(|_, reopen| {
        let store = with_container(reopen);
        put_blob(&store, "b", b"data").unwrap();
        store.seal(&path("b"), true).unwrap();
        drop(store);
        let store = reopen();
        let code = ErrorCode::BlobImmutableDueToPolicy;
        assert_code(put_blob(&store, "b", b"x"), code);
        assert_code(put_block(&store, "b", "AA", b"x"), code);
        assert_code(commit(&store, "b", &[]), code);
        assert_code(
            store.set_metadata(&path("b"), &Metadata::default(), &Permit::NONE),
            code,
        );
        assert_code(store.delete_blob(&path("b"), &Permit::NONE), code);
        assert_code(
            store.delete_container(&account(), &container(), None, &|_| Ok(())),
            code,
        );
        assert_eq!(read(&store, "b").unwrap(), b"data");
        store.seal(&path("b"), false).unwrap();
        store.delete_blob(&path("b"), &Permit::NONE).unwrap();
    });
}

#[test]
fn containers_come_and_go() {
    on_both_disks(|_, reopen| {
        let store = with_container(reopen);
        let again = store.create_container(&account(), &container(), Metadata::default());
        assert_code(again, ErrorCode::ContainerAlreadyExists);
        put_blob(&store, "b", b"data").unwrap();
        store
            .delete_container(&account(), &container(), None, &|_| Ok(()))
            .unwrap();
        assert_code(put_blob(&store, "b", b"data"), ErrorCode::ContainerNotFound);
        drop(store);
        let store = reopen();
        assert!(store.list_containers(&account()).is_empty());
        assert_eq!(
            store
                .sweep(azblob::time::UnixMillis(0))
                .unwrap()
                .containers_purged,
            1
        );
        store
            .create_container(&account(), &container(), Metadata::default())
            .unwrap();
        assert_code(read(&store, "b"), ErrorCode::BlobNotFound);
    });
}

#[test]
fn listings_come_in_pages_in_order_of_code_points() {
    on_both_disks(|_, reopen| {
        let store = with_container(reopen);
        for name in ["b", "a/1", "a/2", "Z", "a/x/3", "\u{FFFD}", "\u{1F600}"] {
            put_blob(&store, name, b"").unwrap();
        }
        put_block(&store, "pending", "AA", b"x").unwrap();
        let names = |query: &ListQuery| {
            let mut query = query.clone();
            let mut found = Vec::new();
            loop {
                let page = store.list_blobs(&account(), &container(), &query).unwrap();
                found.extend(page.entries.iter().map(|entry| match entry {
                    ListEntry::Blob(name, _) => name.as_str().to_owned(),
                    ListEntry::Prefix(prefix) => format!("{prefix}*"),
                }));
                match page.next_marker {
                    Some(marker) => query.marker = Some(marker),
                    None => return found,
                }
            }
        };
        for max in [1, 2, 3, 0] {
            let all = ListQuery {
                max,
                ..ListQuery::default()
            };
            assert_eq!(
                names(&all),
                ["Z", "a/1", "a/2", "a/x/3", "b", "\u{FFFD}", "\u{1F600}"]
            );
            let by_folder = ListQuery {
                delimiter: Some("/".into()),
                include_uncommitted: true,
                ..all.clone()
            };
            assert_eq!(
                names(&by_folder),
                ["Z", "a/*", "b", "pending", "\u{FFFD}", "\u{1F600}"]
            );
            let within = ListQuery {
                prefix: "a/".into(),
                delimiter: Some("/".into()),
                ..all
            };
            assert_eq!(names(&within), ["a/1", "a/2", "a/x/*"]);
        }
    });
}

/// 5,000 entries with the longest headers would be 300 MB, for each connection that lists.
#[test]
fn a_page_of_long_entries_ends_early() {
    on_both_disks(|_, reopen| {
        let store = with_container(reopen);
        let long = HttpProperties {
            content_type: Some("t".repeat(60_000)),
            ..HttpProperties::default()
        };
        for n in 0..150 {
            let path = path(&format!("{n:03}"));
            put_blob(&store, path.blob.as_str(), b"").unwrap();
            store.set_http_properties(&path, &long, &Permit::NONE).unwrap();
        }
        let mut query = ListQuery::default();
        let mut pages = Vec::new();
        loop {
            let page = store.list_blobs(&account(), &container(), &query).unwrap();
            pages.push(page.entries.len());
            match page.next_marker {
                Some(marker) => query.marker = Some(marker),
                None => break,
            }
        }
        // 8 MiB are 140 such entries, begun or whole.
        assert_eq!(pages, [140, 10]);
    });
}

#[test]
fn a_proof_belongs_to_one_state_of_the_content() {
    on_both_disks(|_, reopen| {
        let store = with_container(reopen);
        let committed = put_blob(&store, "b", b"data").unwrap();
        assert!(store.proof(&path("b")).unwrap().is_none());
        let proof = Proof {
            verdict: Some(bak::Verdict::Truncated),
            is_final: true,
            reasons: vec!["ends early".into()],
            report: None,
        };
        assert!(store.set_proof(&path("b"), committed.commit, &proof).unwrap());
        drop(store);
        let store = reopen();
        let found = store.proof(&path("b")).unwrap().unwrap();
        assert_eq!(found.verdict, Some(bak::Verdict::Truncated));
        assert_eq!(found.reasons, ["ends early"]);
        store
            .set_metadata(&path("b"), &Metadata::default(), &Permit::NONE)
            .unwrap();
        assert!(
            store.proof(&path("b")).unwrap().is_some(),
            "metadata is not content"
        );
        put_blob(&store, "b", b"data").unwrap();
        assert!(store.proof(&path("b")).unwrap().is_none());
        assert!(!store.set_proof(&path("b"), committed.commit, &proof).unwrap());
    });
}

#[test]
fn long_metadata_has_a_frame_of_its_own() {
    on_both_disks(|_, reopen| {
        let store = with_container(reopen);
        let mut metadata = Metadata::default();
        metadata.insert("long", &"x".repeat(7_000)).unwrap();
        let name = "n".repeat(1_000);
        put_blob(&store, &name, b"data").unwrap();
        store
            .set_metadata(&path(&name), &metadata, &Permit::NONE)
            .unwrap();
        drop(store);
        let view = reopen().blob_properties(&path(&name), &Permit::NONE).unwrap();
        assert_eq!(view.properties.metadata, metadata);
    });
}

#[test]
fn old_uploads_are_swept_and_leased_ones_kept() {
    on_both_disks(|clock, reopen| {
        let store = with_container(reopen);
        put_block(&store, "abandoned", "AA", b"x").unwrap();
        put_blob(&store, "kept", b"data").unwrap();
        put_block(&store, "kept", "AA", b"x").unwrap();
        put_block(&store, "leased", "AA", b"x").unwrap();
        let acquire = LeaseAction::Acquire {
            proposed: None,
            duration: LeaseDuration::Infinite,
        };
        store.lease_blob(&path("leased"), &acquire, &|_| Ok(())).unwrap();
        drop(store);
        let store = reopen();
        let week = blobstore::limits::UNCOMMITTED_KEPT_MS;
        let start = blobstore::Clock::now(&**clock).0;
        assert_eq!(
            store.sweep(azblob::time::UnixMillis(start + week)).unwrap(),
            Default::default()
        );
        let swept = store.sweep(azblob::time::UnixMillis(start + week + 1)).unwrap();
        assert_eq!((swept.blobs_dropped, swept.uploads_dropped), (1, 1));
        drop(store);
        let store = reopen();
        assert_code(
            store.get_block_list(&path("abandoned"), &Permit::NONE),
            ErrorCode::BlobNotFound,
        );
        assert!(
            store
                .get_block_list(&path("kept"), &Permit::NONE)
                .unwrap()
                .uncommitted
                .is_empty()
        );
        assert_eq!(
            store
                .get_block_list(&path("leased"), &Permit::NONE)
                .unwrap()
                .uncommitted
                .len(),
            1
        );
        assert_eq!(read(&store, "kept").unwrap(), b"data");
    });
}

#[test]
fn a_block_can_be_read_before_and_after_the_commit() {
    on_both_disks(|_, reopen| {
        let store = with_container(reopen);
        let data = bytes(5, 200_000);
        let block = put_block(&store, "b", "AA", &data).unwrap();
        let mut part = vec![0; 100_000];
        store.read_block(&path("b"), &block, 50_000, &mut part).unwrap();
        assert_eq!(part, data[50_000..150_000]);
        let committed = commit(&store, "b", &["AA"]).unwrap();
        assert_eq!(committed.blocks, [(id("AA"), block)]);
        store.read_block(&path("b"), &block, 50_000, &mut part).unwrap();
        commit(&store, "b", &[]).unwrap();
        let gone = store.read_block(&path("b"), &block, 50_000, &mut part);
        assert!(gone.is_ok() || matches!(gone, Err(StoreError::BlockIsGone)));
        put_blob(&store, "b", b"").unwrap();
        assert!(matches!(
            store.read_block(&path("b"), &block, 0, &mut part),
            Err(StoreError::BlockIsGone)
        ));
    });
}

#[test]
fn blocks_arrive_side_by_side_and_a_commit_does_not_lose_the_arriving_ones() {
    on_both_disks(|_, reopen| {
        let store = with_container(reopen);
        let mut early = store.begin_block(&path("b"), &id("AA"), 4, None).unwrap();
        let mut late = store.begin_block(&path("b"), &id("BB"), 4, None).unwrap();
        early.write(b"aa").unwrap();
        late.write(b"bbbb").unwrap();
        late.commit().unwrap();
        commit(&store, "b", &["BB"]).unwrap();
        early.write(b"AA").unwrap();
        early.commit().unwrap();
        drop(store);
        let store = reopen();
        let blocks = store.get_block_list(&path("b"), &Permit::NONE).unwrap();
        assert_eq!(blocks.uncommitted, [(id("AA"), 4)]);
        store
            .put_block_list(
                &path("b"),
                &latest(&["AA", "BB"]),
                Properties::default(),
                &Permit::NONE,
            )
            .unwrap();
        assert_eq!(read(&store, "b").unwrap(), b"aaAAbbbb");
    });
}

//! Page blobs from outside: what they promise, one promise a test.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use azblob::error::ErrorCode;
use azblob::lease::{LeaseAction, LeaseDuration, LeaseId};
use azblob::metadata::Metadata;
use azblob::page::{MAX_PAGE_BLOB_BYTES, MAX_SEQUENCE_NUMBER, PageRange, SequenceChange, SequenceCondition};
use blobstore::disk::simulated::{Crash, Fault, SimulatedDisk};
use blobstore::disk::{Access, Disk, SyncPoint};
use blobstore::{
    BlobKind, Clock, PageBlobChange, PagePermit, PagesDone, Permit, Properties, PutPageBlob, Store,
    StoreError,
};
use proptest::prelude::{Strategy, any, prop_oneof, proptest};

use crate::support::{
    TestClock, account, bytes, commit, container, open, path, put_blob, put_block, read, read_part, small,
};

const DIR: &str = "/data";

fn fresh() -> (SimulatedDisk, Arc<TestClock>, Store) {
    let disk = SimulatedDisk::new(1, u64::MAX);
    let clock = TestClock::new(1);
    let store = open(Arc::new(disk.clone()), &clock, DIR).unwrap();
    store
        .create_container(&account(), &container(), Metadata::default())
        .unwrap();
    (disk, clock, store)
}

fn reopened(disk: &SimulatedDisk, clock: &Arc<TestClock>, store: Store, crash: Crash) -> Store {
    drop(store);
    disk.crash(crash);
    open(Arc::new(disk.clone()), clock, DIR).unwrap()
}

fn create(store: &Store, name: &str, size: u64) {
    let blob = PutPageBlob {
        size,
        ..PutPageBlob::default()
    };
    store.create_page_blob(&path(name), blob, &Permit::NONE).unwrap();
}

fn range(start: u64, len: u64) -> PageRange {
    PageRange::new(start, start + len - 1).unwrap()
}

fn put_pages_if(
    store: &Store,
    name: &str,
    at: u64,
    data: &[u8],
    permit: &PagePermit<'_>,
) -> Result<PagesDone, StoreError> {
    let mut writer = store.begin_pages(&path(name), range(at, data.len() as u64), permit)?;
    for part in data.chunks(50_000) {
        writer.write(part)?;
    }
    writer.commit(permit)
}

fn put_pages(store: &Store, name: &str, at: u64, data: &[u8]) -> PagesDone {
    put_pages_if(store, name, at, data, &PagePermit::NONE).unwrap()
}

fn ranges(store: &Store, name: &str) -> Vec<(u64, u64)> {
    let all = store.page_ranges(&path(name), 0..u64::MAX, usize::MAX, &Permit::NONE);
    all.unwrap()
        .ranges
        .into_iter()
        .map(|r| (r.start, r.end))
        .collect()
}

fn refusal<T: std::fmt::Debug>(result: Result<T, StoreError>) -> ErrorCode {
    match result {
        Err(StoreError::Protocol(code)) => code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_largest_blob_takes_no_space_and_reads_as_zeros() {
    let (disk, clock, store) = fresh();
    let before = disk.used();
    create(&store, "b", MAX_PAGE_BLOB_BYTES);
    put_pages(&store, "b", 5 << 40, &bytes(1, 1024));
    assert!(disk.used() - before < 64 << 10, "{}", disk.used() - before);
    for crash in [Crash::Kill, Crash::Power] {
        let store = open_again(&disk, &clock, crash);
        let view = store.blob_properties(&path("b"), &Permit::NONE).unwrap();
        assert_eq!((view.kind, view.size), (BlobKind::Page, 8 << 40));
        let part = read_part(&store, "b", (5 << 40) - 512, 2048).unwrap();
        assert_eq!(part, [vec![0; 512], bytes(1, 1024), vec![0; 512]].concat());
        assert_eq!(
            read_part(&store, "b", MAX_PAGE_BLOB_BYTES - 1000, 1000).unwrap(),
            vec![0; 1000]
        );
        assert_eq!(ranges(&store, "b"), [(5 << 40, (5 << 40) + 1024)]);
    }
    drop(store);
}

fn open_again(disk: &SimulatedDisk, clock: &Arc<TestClock>, crash: Crash) -> Store {
    disk.crash(crash);
    open(Arc::new(disk.clone()), clock, DIR).unwrap()
}

#[test]
fn what_was_written_last_counts_and_clearing_makes_holes() {
    let (disk, clock, store) = fresh();
    create(&store, "b", 1 << 20);
    put_pages(&store, "b", 0, &bytes(1, 200_704));
    put_pages(&store, "b", 100_352, &bytes(2, 512));
    let cleared = store
        .clear_pages(&path("b"), range(512, 99_840), &PagePermit::NONE)
        .unwrap();
    assert_eq!(cleared.pages, None);
    put_pages(&store, "b", 300_032, &[0; 512]);
    let mut content = vec![0; 1 << 20];
    content[..200_704].copy_from_slice(&bytes(1, 200_704));
    content[100_352..100_864].copy_from_slice(&bytes(2, 512));
    content[512..100_352].fill(0);
    // Zeros that were written are there, as at Azure; what was cleared is not.
    let valid = [(0, 512), (100_352, 200_704), (300_032, 300_544)];
    assert_eq!(read(&store, "b").unwrap(), content);
    assert_eq!(ranges(&store, "b"), valid);
    let store = reopened(&disk, &clock, store, Crash::Power);
    assert_eq!(read(&store, "b").unwrap(), content);
    assert_eq!(ranges(&store, "b"), valid);
}

#[test]
fn ranges_come_in_windows_and_in_parts() {
    let (_, _, store) = fresh();
    create(&store, "b", 1 << 20);
    for at in [0, 512, 2048, 4096, 8192] {
        put_pages(&store, "b", at, &bytes(at, 512));
    }
    let within = |window, max| {
        let found = store.page_ranges(&path("b"), window, max, &Permit::NONE).unwrap();
        (found.ranges, found.next)
    };
    assert_eq!(within(0..u64::MAX, 2), (vec![0..1024, 2048..2560], Some(4096)));
    assert_eq!(within(4096..u64::MAX, 2), (vec![4096..4608, 8192..8704], None));
    assert_eq!(within(600..2100, 9), (vec![600..1024, 2048..2100], None));
    assert_eq!(within(3 << 20..4 << 20, 9), (vec![], None));
}

#[test]
fn every_write_changes_the_tag_and_metadata_leaves_the_commit() {
    let (_, clock, store) = fresh();
    create(&store, "b", 4096);
    let mut last = store.blob_properties(&path("b"), &Permit::NONE).unwrap();
    for n in 0..4_u64 {
        clock.advance_ms(1000);
        let done = if n == 3 {
            store
                .clear_pages(&path("b"), range(0, 512), &PagePermit::NONE)
                .unwrap()
        } else {
            put_pages(&store, "b", 512 * n, &bytes(n, 512))
        };
        let view = store.blob_properties(&path("b"), &Permit::NONE).unwrap();
        assert_eq!(
            (view.etag, view.last_modified, view.commit),
            (done.etag, done.last_modified, done.commit)
        );
        assert!(view.etag.0 > last.etag.0 && view.last_modified > last.last_modified);
        assert_ne!(view.commit, last.commit);
        last = view;
    }
    let marked = store
        .set_metadata(&path("b"), &Metadata::default(), &Permit::NONE)
        .unwrap();
    assert!(marked.etag != last.etag && marked.commit == last.commit);
}

#[test]
fn a_condition_counts_at_the_moment_of_the_change() {
    let (_, _, store) = fresh();
    create(&store, "b", 4096);
    let seen = store.blob_properties(&path("b"), &Permit::NONE).unwrap().etag;
    let unchanged = |version: Option<(azblob::etag::ETag, azblob::time::UnixMillis)>| match version {
        Some((etag, _)) if etag == seen => Ok(()),
        _ => Err(ErrorCode::ConditionNotMet),
    };
    let permit = PagePermit {
        permit: Permit {
            condition: &unchanged,
            ..Permit::NONE
        },
        ..PagePermit::NONE
    };
    let mut slow = store.begin_pages(&path("b"), range(0, 512), &permit).unwrap();
    slow.write(&bytes(1, 512)).unwrap();
    put_pages_if(&store, "b", 512, &bytes(2, 512), &permit).unwrap();
    assert_eq!(refusal(slow.commit(&permit)), ErrorCode::ConditionNotMet);
    assert_eq!(ranges(&store, "b"), [(512, 1024)]);
}

#[test]
fn sequence_numbers_change_on_request_and_are_asked_for() {
    let (disk, clock, store) = fresh();
    let blob = PutPageBlob {
        size: 4096,
        sequence_number: 7,
        properties: Properties::default(),
    };
    store.create_page_blob(&path("b"), blob, &Permit::NONE).unwrap();
    let with = |sequence| PagePermit {
        sequence,
        ..PagePermit::NONE
    };
    let equal = |n| {
        with(SequenceCondition {
            eq: Some(n),
            ..SequenceCondition::default()
        })
    };
    let done = put_pages_if(&store, "b", 0, &bytes(1, 512), &equal(7)).unwrap();
    assert_eq!(done.sequence_number, 7);
    let refused = put_pages_if(&store, "b", 0, &bytes(1, 512), &equal(8));
    assert_eq!(refusal(refused), ErrorCode::SequenceNumberConditionNotMet);
    let set = |change| store.set_sequence_number(&path("b"), change, &Permit::NONE);
    assert_eq!(set(SequenceChange::Max(3)).unwrap().sequence_number, 7);
    assert_eq!(set(SequenceChange::Increment).unwrap().sequence_number, 8);
    let full = set(SequenceChange::Update(MAX_SEQUENCE_NUMBER)).unwrap();
    assert_eq!(full.sequence_number, MAX_SEQUENCE_NUMBER);
    assert_eq!(
        refusal(set(SequenceChange::Increment)),
        ErrorCode::SequenceNumberIncrementTooLarge
    );
    let store = reopened(&disk, &clock, store, Crash::Power);
    let view = store.blob_properties(&path("b"), &Permit::NONE).unwrap();
    assert_eq!(view.sequence_number, MAX_SEQUENCE_NUMBER);
}

#[test]
fn what_was_cut_off_is_zeros_when_it_comes_back() {
    let (disk, clock, store) = fresh();
    create(&store, "b", 4096);
    put_pages(&store, "b", 0, &bytes(1, 4096));
    let mut late = store
        .begin_pages(&path("b"), range(3584, 512), &PagePermit::NONE)
        .unwrap();
    late.write(&bytes(3, 512)).unwrap();
    let before = store.blob_properties(&path("b"), &Permit::NONE).unwrap();
    let cut = store.resize_page_blob(&path("b"), 1024, &Permit::NONE).unwrap();
    assert_eq!(cut.size, 1024);
    assert!(cut.etag != before.etag && cut.commit != before.commit);
    assert_eq!(
        refusal(late.commit(&PagePermit::NONE)),
        ErrorCode::InvalidPageRange,
        "its pages are not there any more"
    );
    let store = reopened(&disk, &clock, store, Crash::Power);
    let change = PageBlobChange {
        size: Some(8192),
        sequence: Some(SequenceChange::Update(5)),
        http: None,
    };
    let view = store
        .change_page_blob(&path("b"), &change, &Permit::NONE)
        .unwrap();
    assert_eq!((view.size, view.sequence_number), (8192, 5));
    let expected = [&bytes(1, 4096)[..1024], &[0; 7168]].concat();
    assert_eq!(read(&store, "b").unwrap(), expected);
    let store = reopened(&disk, &clock, store, Crash::Power);
    assert_eq!(read(&store, "b").unwrap(), expected);
    assert_eq!(ranges(&store, "b"), [(0, 1024)]);
}

#[test]
fn refusals_have_the_codes_of_azure() {
    let (_, _, store) = fresh();
    put_blob(&store, "block", b"x").unwrap();
    put_block(&store, "pending", "AA", b"x").unwrap();
    create(&store, "b", 4096);
    let begin = |name: &str, at, len| {
        let begun = store.begin_pages(&path(name), range(at, len), &PagePermit::NONE);
        refusal(begun.map(|_| ()))
    };
    assert_eq!(begin("none", 0, 512), ErrorCode::BlobNotFound);
    assert_eq!(begin("pending", 0, 512), ErrorCode::BlobNotFound);
    assert_eq!(begin("block", 0, 512), ErrorCode::InvalidBlobType);
    assert_eq!(begin("b", 4096, 512), ErrorCode::InvalidPageRange);
    assert_eq!(begin("b", 0, (4 << 20) + 512), ErrorCode::RequestBodyTooLarge);
    let as_block = store.begin_block(&path("b"), &crate::support::id("AA"), 5, None);
    assert_eq!(refusal(as_block.map(|_| ())), ErrorCode::InvalidBlobType);
    assert_eq!(refusal(commit(&store, "b", &[])), ErrorCode::InvalidBlobType);
    let list = store.get_block_list(&path("b"), &Permit::NONE);
    assert_eq!(refusal(list), ErrorCode::InvalidBlobType);
    for size in [100, MAX_PAGE_BLOB_BYTES + 512] {
        let blob = PutPageBlob {
            size,
            ..PutPageBlob::default()
        };
        let made = store.create_page_blob(&path("new"), blob, &Permit::NONE);
        assert_eq!(refusal(made), ErrorCode::InvalidHeaderValue);
    }
    store.seal(&path("b"), true).unwrap();
    let immutable = ErrorCode::BlobImmutableDueToPolicy;
    assert_eq!(begin("b", 0, 512), immutable);
    assert_eq!(
        refusal(store.resize_page_blob(&path("b"), 512, &Permit::NONE)),
        immutable
    );
    assert_eq!(
        refusal(store.set_sequence_number(&path("b"), SequenceChange::Increment, &Permit::NONE)),
        immutable
    );
}

#[test]
fn a_blob_of_one_kind_takes_the_place_of_another() {
    let (disk, clock, store) = fresh();
    put_blob(&store, "b", b"block blob").unwrap();
    create(&store, "b", 1024);
    put_pages(&store, "b", 0, &bytes(1, 512));
    let mut slow = store
        .begin_pages(&path("b"), range(512, 512), &PagePermit::NONE)
        .unwrap();
    slow.write(&[7; 512]).unwrap();
    put_blob(&store, "b", b"block blob again").unwrap();
    assert_eq!(refusal(slow.commit(&PagePermit::NONE)), ErrorCode::ServerBusy);
    assert_eq!(read(&store, "b").unwrap(), b"block blob again");
    create(&store, "b", 512);
    let store = reopened(&disk, &clock, store, Crash::Power);
    assert_eq!(read(&store, "b").unwrap(), [0; 512]);
}

#[test]
fn leases_count_as_for_other_writes() {
    let (_, clock, store) = fresh();
    create(&store, "b", 4096);
    let id = LeaseId::from_u128(7);
    let acquire = LeaseAction::Acquire {
        proposed: Some(id),
        duration: LeaseDuration::Seconds(60),
    };
    store.lease_blob(&path("b"), &acquire, &|_| Ok(())).unwrap();
    let put = |lease| {
        let permit = PagePermit {
            permit: Permit::lease(lease),
            ..PagePermit::NONE
        };
        put_pages_if(&store, "b", 0, &bytes(1, 512), &permit)
    };
    assert_eq!(refusal(put(None)), ErrorCode::LeaseIdMissing);
    assert_eq!(
        refusal(put(Some(LeaseId::from_u128(8)))),
        ErrorCode::LeaseIdMismatchWithBlobOperation
    );
    put(Some(id)).unwrap();
    clock.advance_ms(61_000);
    put(None).unwrap();
    let renew = store.lease_blob(&path("b"), &LeaseAction::Renew { id }, &|_| Ok(()));
    assert_eq!(
        refusal(renew.map(|_| ())),
        ErrorCode::LeaseIdMismatchWithLeaseOperation,
        "a write after the lease expired makes it forgotten"
    );
}

#[test]
fn bytes_of_a_put_page_are_readable_until_they_are_replaced() {
    let (_, _, store) = fresh();
    create(&store, "b", 1 << 20);
    let data = bytes(1, 200_704);
    let pages = put_pages(&store, "b", 4096, &data).pages.unwrap();
    let mut part = vec![0; 1000];
    store.read_block(&path("b"), &pages, 100_000, &mut part).unwrap();
    assert_eq!(part, data[100_000..101_000]);
    put_pages(&store, "b", 4096 + 512, &bytes(2, 512));
    let gone = store.read_block(&path("b"), &pages, 0, &mut part);
    assert!(matches!(gone, Err(StoreError::BlockIsGone)), "{gone:?}");
    store.read_block(&path("b"), &pages, 1024, &mut part).unwrap();
    assert_eq!(part, data[1024..2024]);
}

#[test]
fn an_abandoned_write_leaves_nothing() {
    let (disk, clock, store) = fresh();
    create(&store, "b", 4096);
    let begin = || {
        let begun = store.begin_pages(&path("b"), range(0, 1024), &PagePermit::NONE);
        let mut writer = begun.unwrap();
        writer.write(&bytes(9, 600)).unwrap();
        writer
    };
    let first = begin();
    let second = begin();
    drop(first);
    put_pages(&store, "b", 2048, &bytes(1, 512));
    drop(second);
    assert_eq!(ranges(&store, "b"), [(2048, 2560)]);
    let store = reopened(&disk, &clock, store, Crash::Power);
    assert_eq!(ranges(&store, "b"), [(2048, 2560)]);
}

/// Writes pages, cuts the power while their map is written, and says whether they can still be read.
fn survives_a_cut_while_mapping(seed: u64, left_out: Option<SyncPoint>) -> bool {
    let disk = SimulatedDisk::new(seed, u64::MAX);
    let clock = TestClock::new(seed);
    let store = open(Arc::new(disk.clone()), &clock, DIR).unwrap();
    store
        .create_container(&account(), &container(), Metadata::default())
        .unwrap();
    create(&store, "b", 4096);
    put_pages(&store, "b", 0, &bytes(1, 512));
    disk.leave_out(left_out);
    // Map, its sync, the root, its sync: one of them is cut.
    disk.plan_fault(1 + seed % 3, Fault::Cut);
    let _cut = store.sweep(azblob::time::UnixMillis(0));
    let store = reopened(&disk, &clock, store, Crash::Power);
    matches!(read(&store, "b"), Ok(data) if data == [bytes(1, 512), vec![0; 3584]].concat())
}

#[test]
fn no_root_points_at_a_map_that_is_not_durable() {
    for seed in 0..600 {
        assert!(survives_a_cut_while_mapping(seed, None), "seed {seed}");
    }
    let noticed = (0..600).find(|seed| !survives_a_cut_while_mapping(*seed, Some(SyncPoint::Map)));
    assert!(noticed.is_some(), "the sync of the map could be left out");
}

#[test]
fn a_page_written_over_and_over_takes_the_space_of_a_few() {
    let (disk, clock, store) = fresh();
    create(&store, "b", 4096);
    let mut most = 0;
    for n in 0..600 {
        put_pages(&store, "b", 512, &bytes(n, 512));
        most = most.max(disk.used());
    }
    // A map after every sixth change in this store, so that at most these and what a map itself takes is left over.
    assert!(most < 64 * 4096 + (64 << 10), "{most}");
    let store = reopened(&disk, &clock, store, Crash::Power);
    assert_eq!(read_part(&store, "b", 512, 512).unwrap(), bytes(599, 512));
}

#[test]
fn a_whole_rewritten_blob_takes_its_space_once() {
    let (disk, _, store) = fresh();
    create(&store, "b", 2 << 20);
    for round in 0..5 {
        for at in 0..4 {
            put_pages(&store, "b", at << 19, &bytes(round * 4 + at, 512 << 10));
        }
    }
    store.sweep(azblob::time::UnixMillis(0)).unwrap();
    put_pages(&store, "b", 0, &bytes(1, 512));
    assert!(disk.used() < (2 << 20) + (512 << 10), "{}", disk.used());
    store
        .clear_pages(&path("b"), range(0, 2 << 20), &PagePermit::NONE)
        .unwrap();
    store.sweep(azblob::time::UnixMillis(0)).unwrap();
    // Freed space is free after the next sync.
    put_pages(&store, "b", 0, &bytes(1, 512));
    assert!(disk.used() < 512 << 10, "{}", disk.used());
}

#[test]
fn a_reader_meets_whole_pages_while_they_are_replaced() {
    let (_, _, store) = fresh();
    create(&store, "b", 256 << 10);
    let pages = |n: u64| -> Vec<u8> { (0..512_u64).flat_map(|page| [(n + page) as u8; 512]).collect() };
    put_pages(&store, "b", 0, &pages(0));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 1..120 {
                put_pages(&store, "b", (n % 7) * 512, &pages(n)[..(128 << 10)]);
            }
            done.store(true, Ordering::SeqCst);
        });
        let reader = store.open_blob(&path("b"), &Permit::NONE).unwrap();
        let mut data = vec![0; 256 << 10];
        while !done.load(Ordering::SeqCst) {
            reader.read_at(0, &mut data).unwrap();
            for page in data.chunks(512) {
                assert!(page.iter().all(|byte| *byte == page[0]), "a page is torn");
            }
        }
    });
}

#[test]
fn rot_anywhere_in_the_file_gives_an_error_or_the_right_bytes() {
    let (disk, clock, store) = fresh();
    create(&store, "b", 256 << 10);
    put_pages(&store, "b", 0, &bytes(1, 100_352));
    put_pages(&store, "b", 512, &bytes(2, 512));
    store.sweep(azblob::time::UnixMillis(0)).unwrap();
    put_pages(&store, "b", 1024, &bytes(3, 1024));
    store
        .clear_pages(&path("b"), range(4096, 512), &PagePermit::NONE)
        .unwrap();
    put_pages(&store, "b", 200_704, &bytes(4, 512));
    let content = read(&store, "b").unwrap();
    drop(store);
    let file = find_blob_file(&disk, Path::new(DIR)).unwrap();
    let len = disk.open(&file, Access::Read).unwrap().len().unwrap();
    let mut errors = 0;
    for offset in (0..len).step_by(101) {
        disk.rot(&file, offset, 0x40).unwrap();
        for server in [false, true] {
            if server && offset % 9 != 0 {
                continue;
            }
            // The server repairs what it takes for a crash, on a copy: what is not durable may look like that.
            let disk = disk.copy();
            let store = if server {
                open(Arc::new(disk), &clock, DIR).unwrap()
            } else {
                let clock = Arc::clone(&clock) as Arc<dyn Clock>;
                Store::open_unlocked(Arc::new(disk), clock, &small(DIR)).unwrap()
            };
            match read(&store, "b") {
                Ok(data) => {
                    // The last frame may not have been durable, as far as the file can tell.
                    let cut_off = data[..200_704] == content[..200_704] && data[200_704..] == [0; 61_440];
                    assert!(
                        data == content || cut_off,
                        "wrong bytes with rot at {offset}, server: {server}"
                    );
                }
                Err(StoreError::Damaged { .. } | StoreError::Protocol(ErrorCode::BlobNotFound)) => {
                    errors += 1;
                }
                Err(other) => panic!("rot at {offset}: {other}"),
            }
        }
        disk.rot(&file, offset, 0x40).unwrap();
    }
    assert!(errors > 300, "{errors}");
}

fn find_blob_file(disk: &SimulatedDisk, dir: &Path) -> Option<PathBuf> {
    disk.list(dir).unwrap().into_iter().find_map(|entry| {
        let path = dir.join(&entry.name);
        if entry.is_dir {
            find_blob_file(disk, &path)
        } else {
            path.extension().is_some_and(|end| end == "blob").then_some(path)
        }
    })
}

/// One step of the property below: offset and length in pages.
#[derive(Clone, Debug)]
enum Step {
    Write(u64, u64),
    Clear(u64, u64),
    Resize(u64),
    Sweep,
    Reopen(Crash),
}

fn step() -> impl Strategy<Value = Step> {
    let pages = || (0_u64..600, 1_u64..300);
    prop_oneof![
        8 => pages().prop_map(|(at, len)| Step::Write(at, len)),
        4 => pages().prop_map(|(at, len)| Step::Clear(at, len)),
        1 => (0_u64..900).prop_map(Step::Resize),
        1 => any::<bool>().prop_map(|sweep| if sweep { Step::Sweep } else { Step::Reopen(Crash::Kill) }),
        1 => any::<bool>().prop_map(|_| Step::Reopen(Crash::Power)),
    ]
}

proptest! {
    /// A page blob is a vector of bytes, whatever is done to it.
    #[test]
    fn a_page_blob_is_a_vector_of_bytes(steps in proptest::collection::vec(step(), 1..40)) {
        let (disk, clock, mut store) = fresh();
        create(&store, "b", 600 * 512);
        let mut model = vec![0_u8; 600 * 512];
        let mut valid = vec![false; 600];
        for (n, step) in steps.into_iter().enumerate() {
            let end = model.len() as u64 / 512;
            match step {
                Step::Write(at, len) if at + len <= end => {
                    let data = bytes(n as u64, len as usize * 512);
                    put_pages(&store, "b", at * 512, &data);
                    model[at as usize * 512..][..data.len()].copy_from_slice(&data);
                    valid[at as usize..][..len as usize].fill(true);
                }
                Step::Clear(at, len) if at + len <= end => {
                    let range = range(at * 512, len * 512);
                    store.clear_pages(&path("b"), range, &PagePermit::NONE).unwrap();
                    model[at as usize * 512..][..len as usize * 512].fill(0);
                    valid[at as usize..][..len as usize].fill(false);
                }
                Step::Write(..) | Step::Clear(..) => {}
                Step::Resize(pages) => {
                    store.resize_page_blob(&path("b"), pages * 512, &Permit::NONE).unwrap();
                    model.resize(pages as usize * 512, 0);
                    valid.resize(pages as usize, false);
                }
                Step::Sweep => drop(store.sweep(azblob::time::UnixMillis(0)).unwrap()),
                Step::Reopen(crash) => store = reopened(&disk, &clock, store, crash),
            }
            assert!(read(&store, "b").unwrap() == model, "after step {n}");
        }
        let held: Vec<bool> = {
            let mut held = vec![false; valid.len()];
            for (start, end) in ranges(&store, "b") {
                held[start as usize / 512..end as usize / 512].fill(true);
            }
            held
        };
        assert_eq!(held, valid);
    }
}

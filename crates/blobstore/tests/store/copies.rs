//! Copies inside the store: what they take over, and what a pending one allows.

use azblob::copy::{CopyState, CopyStatus};
use azblob::error::ErrorCode;
use azblob::page::PageRange;
use blobstore::{
    AppendPermit, BlobKind, CopyRight, PagePermit, Permit, Properties, PutPageBlob, Store, StoreError, Which,
};

use crate::contract::{assert_code, on_both_disks, with_container};
use crate::support::{bytes, commit, path, put_blob, put_block, read};

const FREELY: CopyRight<'static> = CopyRight::Permit {
    permit: Permit::NONE,
    endless: true,
    same_kind: true,
};

fn copy(store: &Store, from: Which<'_>, to: &str) -> Result<(), StoreError> {
    let source = store.open_blob(from, &Permit::NONE)?;
    let mut writer = store.begin_copy(&path(to), source, &FREELY)?;
    while writer.step()? {}
    assert_eq!(writer.copied(), writer.total());
    writer.commit(Properties::default(), &FREELY)?;
    Ok(())
}

fn write_pages(store: &Store, name: &str, at: u64, data: &[u8]) {
    let range = PageRange::new(at, at + data.len() as u64 - 1).unwrap();
    let mut writer = store.begin_pages(&path(name), range, &PagePermit::NONE).unwrap();
    writer.write(data).unwrap();
    writer.commit(&PagePermit::NONE).unwrap();
}

#[test]
fn blocks_come_along_with_their_ids() {
    on_both_disks(|_, reopen| {
        let store = with_container(reopen);
        let (a, b) = (bytes(1, 5_000_000), bytes(2, 70_000));
        put_block(&store, "b", "AA", &a).unwrap();
        put_block(&store, "b", "BB", &b).unwrap();
        commit(&store, "b", &["AA", "BB", "AA"]).unwrap();
        copy(&store, (&path("b")).into(), "c").unwrap();
        drop(store);
        let store = reopen();
        assert_eq!(read(&store, "c").unwrap(), [a.as_slice(), &b, &a].concat());
        let of = |name: &str| store.get_block_list(&path(name), &Permit::NONE).unwrap();
        assert_eq!(of("c"), of("b"));
        // The copy is a blob of its own.
        store.delete_blob(&path("b"), &Permit::NONE).unwrap();
        put_block(&store, "c", "CC", b"more").unwrap();
        commit(&store, "c", &["BB", "CC"]).unwrap();
        assert_eq!(read(&store, "c").unwrap(), [b.as_slice(), b"more"].concat());
        put_blob(&store, "empty", b"").unwrap();
        copy(&store, (&path("empty")).into(), "c").unwrap();
        assert_eq!(read(&store, "c").unwrap(), b"");
    });
}

#[test]
fn of_a_page_blob_only_what_was_written_is_copied() {
    on_both_disks(|_, reopen| {
        let store = with_container(reopen);
        let blob = PutPageBlob {
            size: 1 << 40,
            sequence_number: 7,
            ..PutPageBlob::default()
        };
        store.create_page_blob(&path("p"), blob, &Permit::NONE).unwrap();
        let data = bytes(3, 1_000_448);
        write_pages(&store, "p", 512, &data);
        write_pages(&store, "p", 1024, &[9; 512]);
        let taken = store.snapshot_blob(&path("p"), None, &Permit::NONE).unwrap();
        write_pages(&store, "p", (1 << 40) - 512, &[5; 512]);
        copy(&store, (&path("p")).into(), "now").unwrap();
        copy(&store, (&path("p"), Some(taken.time)).into(), "then").unwrap();
        drop(store);
        let store = reopen();
        for (name, last) in [("now", 5), ("then", 0)] {
            let reader = store.open_blob(&path(name), &Permit::NONE).unwrap();
            let view = reader.view();
            assert_eq!(
                (view.kind, view.size, view.sequence_number),
                (BlobKind::Page, 1 << 40, 7)
            );
            let mut found = vec![1; 1_001_472];
            reader.read_at(0, &mut found).unwrap();
            let mut wanted = [vec![0; 512], data.clone(), vec![0; 512]].concat();
            wanted[1024..1536].fill(9);
            assert!(found == wanted, "{name}");
            reader.read_at((1 << 40) - 512, &mut found[..512]).unwrap();
            assert_eq!(found[..512], [last; 512], "{name}");
            // It goes on as a page blob.
            write_pages(&store, name, 0, &[4; 512]);
            let ranges = store
                .page_ranges(&path(name), 0..2_000_000, 9, &Permit::NONE)
                .unwrap();
            assert_eq!(ranges.ranges, vec![0..1_000_960; 1]);
        }
        let then = store.page_ranges((&path("p"), Some(taken.time)), 0..u64::MAX, 9, &Permit::NONE);
        assert_eq!(then.unwrap().ranges, vec![512..1_000_960; 1]);
    });
}

#[test]
fn an_append_blob_is_copied_block_by_block() {
    on_both_disks(|_, reopen| {
        let store = with_container(reopen);
        store
            .create_append_blob(&path("a"), Properties::default(), &Permit::NONE)
            .unwrap();
        let append = |store: &Store, name: &str, data: &[u8]| {
            let permit = AppendPermit::NONE;
            let mut writer = store
                .begin_append(&path(name), data.len() as u64, &permit)
                .unwrap();
            writer.write(data).unwrap();
            writer.commit(&permit).unwrap().block_count
        };
        append(&store, "a", b"one ");
        append(&store, "a", b"two ");
        copy(&store, (&path("a")).into(), "c").unwrap();
        drop(store);
        let store = reopen();
        assert_eq!(append(&store, "c", b"three"), 3);
        assert_eq!(read(&store, "c").unwrap(), b"one two three");
        assert_eq!(read(&store, "a").unwrap(), b"one two ");
        put_blob(&store, "b", b"block").unwrap();
        assert_code(copy(&store, (&path("a")).into(), "b"), ErrorCode::InvalidBlobType);
    });
}

#[test]
fn a_source_that_changes_meanwhile_makes_no_copy() {
    on_both_disks(|_, reopen| {
        let store = with_container(reopen);
        let blob = PutPageBlob {
            size: 4096,
            ..PutPageBlob::default()
        };
        store.create_page_blob(&path("p"), blob, &Permit::NONE).unwrap();
        write_pages(&store, "p", 0, &[1; 512]);
        let source = store.open_blob(&path("p"), &Permit::NONE).unwrap();
        let mut writer = store.begin_copy(&path("c"), source, &FREELY).unwrap();
        while writer.step().unwrap() {}
        write_pages(&store, "p", 512, &[2; 512]);
        assert_code(
            writer.commit(Properties::default(), &FREELY).map(|_| ()),
            ErrorCode::SourceConditionNotMet,
        );
        assert_code(read(&store, "c"), ErrorCode::BlobNotFound);
    });
}

#[test]
fn a_pending_copy_keeps_others_out_and_ends_with_its_process() {
    on_both_disks(|_, reopen| {
        let store = with_container(reopen);
        put_blob(&store, "b", b"data").unwrap();
        let pending = Properties {
            copy: Some(CopyState {
                id: "one".to_owned(),
                source: "http://localhost/acme/backups/b".to_owned(),
                status: CopyStatus::Pending,
                copied: 0,
                total: 4,
                completed: None,
                description: None,
            }),
            ..Properties::default()
        };
        let begin = |store: &Store| {
            let source = store.open_blob(&path("b"), &Permit::NONE).unwrap();
            let made = store.begin_pending_copy(&path("c"), &source, pending.clone(), &FREELY);
            (made.unwrap().etag, source)
        };
        let status = |store: &Store| {
            let view = store.blob_properties(&path("c"), &Permit::NONE).unwrap();
            view.copy.map(|copy| copy.status)
        };
        let (etag, source) = begin(&store);
        assert_eq!(status(&store), Some(CopyStatus::Pending));
        let busy = ErrorCode::PendingCopyOperation;
        assert_code(put_blob(&store, "c", b"x"), busy);
        assert_code(put_block(&store, "c", "AA", b"x"), busy);
        assert_code(store.delete_blob(&path("c"), &Permit::NONE), busy);
        assert_code(copy(&store, (&path("b")).into(), "c"), busy);
        let end = |status, id: &str| store.end_copy(&path("c"), id, status, None, None);
        assert_code(end(CopyStatus::Aborted, "two"), ErrorCode::CopyIdMismatch);
        end(CopyStatus::Aborted, "one").unwrap();
        assert_eq!(status(&store), Some(CopyStatus::Aborted));
        assert_code(end(CopyStatus::Aborted, "one"), ErrorCode::NoPendingCopyOperation);
        let late = CopyRight::Pending(etag);
        assert_code(
            store.begin_copy(&path("c"), source, &late).map(|_| ()),
            ErrorCode::NoPendingCopyOperation,
        );
        begin(&store);
        drop(store);
        let store = reopen();
        assert_eq!(status(&store), Some(CopyStatus::Failed));
        put_blob(&store, "c", b"x").unwrap();
        assert_eq!(status(&store), None);
    });
}

//! What a store should hold, as plain values, and what one is seen to hold.

use std::collections::BTreeMap;

use azblob::copy::CopyStatus;
use azblob::error::ErrorCode;
use azblob::lease::Lease;
use azblob::metadata::Metadata;
use azblob::names::ContainerName;
use bak::Verdict;
use blobstore::{BlobPath, BlobView, Blocks, ListEntry, ListQuery, Permit, Store, StoreError};

use crate::logged::Logged;
use crate::support::account;

/// Containers by name.
pub(crate) type Contents = BTreeMap<String, ContainerState>;

/// One container.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ContainerState {
    pub(crate) mark: u64,
    pub(crate) blobs: BTreeMap<String, BlobState>,
}

/// One blob.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct BlobState {
    /// None while there are only uncommitted blocks.
    pub(crate) committed: Option<Committed>,
    /// By id: the order in which it was begun, and the data.
    pub(crate) uncommitted: BTreeMap<String, (u64, Vec<u8>)>,
    pub(crate) lease: Lease,
    pub(crate) sealed: bool,
    pub(crate) mark: u64,
    pub(crate) verdict: Option<Verdict>,
    /// The oldest first.
    pub(crate) snapshots: Vec<SnapshotState>,
    /// The newest time that a snapshot of this blob ever had, as far as somebody was told.
    pub(crate) newest: u64,
}

/// One snapshot.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SnapshotState {
    /// 0 where the operation was cut off, so that nobody was told.
    pub(crate) time: u64,
    /// With tag 0 where nobody was told.
    pub(crate) content: Committed,
    pub(crate) mark: u64,
    pub(crate) verdict: Option<Verdict>,
}

/// Committed content.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Committed {
    /// Id and data; the id is empty for the body of a Put Blob.
    pub(crate) blocks: Vec<(String, Vec<u8>)>,
    /// 0 where the operation was cut off, so that nobody was told.
    pub(crate) etag: u64,
    /// Page and append blobs, which have no blocks here.
    pub(crate) logged: Option<Logged>,
}

impl Committed {
    pub(crate) fn data(&self) -> Vec<u8> {
        if let Some(logged) = &self.logged {
            return logged.data.clone();
        }
        self.blocks
            .iter()
            .flat_map(|(_, data)| data.iter().copied())
            .collect()
    }
}

/// Metadata that stands for a number.
pub(crate) fn mark(value: u64) -> Metadata {
    let mut metadata = Metadata::default();
    if value > 0 {
        // Every third is too long for a root.
        let width = if value.is_multiple_of(3) { 5_000 } else { 8 };
        metadata.insert("mark", &format!("{value:0width$}")).unwrap();
    }
    metadata
}

fn read_mark(metadata: &Metadata) -> u64 {
    metadata.get("mark").map_or(0, |text| text.parse().unwrap())
}

/// Compares a store with what it should hold, byte for byte, and says where they differ.
pub(crate) fn difference(store: &Store, expected: &Contents) -> Option<String> {
    let containers: Vec<(String, u64)> = store
        .list_containers(&account())
        .into_iter()
        .map(|view| (view.name.as_str().to_owned(), read_mark(&view.metadata)))
        .collect();
    let wanted: Vec<(String, u64)> = expected.iter().map(|(name, c)| (name.clone(), c.mark)).collect();
    if containers != wanted {
        return Some(format!("containers {containers:?}, expected {wanted:?}"));
    }
    if !store.broken_files().is_empty() {
        return Some(format!("broken files: {:?}", store.broken_files()));
    }
    expected
        .iter()
        .find_map(|(name, container)| container_difference(store, name, container))
}

fn container_difference(store: &Store, name: &str, expected: &ContainerState) -> Option<String> {
    let container = ContainerName::new(name).unwrap();
    let query = ListQuery {
        include_uncommitted: true,
        include_snapshots: true,
        ..ListQuery::default()
    };
    let mut page = store.list_blobs(&account(), &container, &query).unwrap();
    let snapshots: Vec<ListEntry> = page.entries.extract_if(.., is_snapshot).collect();
    let names: Vec<String> = page
        .entries
        .iter()
        .map(|entry| match entry {
            ListEntry::Blob(name, _) => name.as_str().to_owned(),
            ListEntry::Prefix(prefix) => prefix.clone(),
        })
        .collect();
    let wanted: Vec<String> = expected.blobs.keys().cloned().collect();
    if names != wanted {
        return Some(format!("{name}: blobs {names:?}, expected {wanted:?}"));
    }
    page.entries.into_iter().find_map(|entry| {
        let ListEntry::Blob(blob, view) = entry else {
            return Some("a prefix without a delimiter".to_owned());
        };
        let path = BlobPath {
            account: account(),
            container: container.clone(),
            blob,
        };
        let state = &expected.blobs[path.blob.as_str()];
        let found = blob_difference(store, &path, &view, state)
            .or_else(|| snapshots_difference(store, &path, &snapshots, &state.snapshots))?;
        Some(format!("{name}/{}: {found}", path.blob.as_str()))
    })
}

fn is_snapshot(entry: &mut ListEntry) -> bool {
    matches!(entry, ListEntry::Blob(_, view) if view.snapshot.is_some())
}

/// The snapshots of one blob among all that were listed.
fn snapshots_difference(
    store: &Store,
    path: &BlobPath,
    listed: &[ListEntry],
    expected: &[SnapshotState],
) -> Option<String> {
    let views: Vec<&BlobView> = listed
        .iter()
        .filter_map(|entry| match entry {
            ListEntry::Blob(name, view) if *name == path.blob => Some(view),
            _ => None,
        })
        .collect();
    let times: Vec<u64> = views.iter().map(|view| view.snapshot.unwrap().0).collect();
    let wanted: Vec<u64> = expected.iter().map(|snapshot| snapshot.time).collect();
    let fits = |(time, wanted): (&u64, &u64)| *wanted == 0 || time == wanted;
    if times.len() != wanted.len() || !times.is_sorted() || !times.iter().zip(&wanted).all(fits) {
        return Some(format!("snapshots {times:?}, expected {wanted:?}"));
    }
    views.iter().zip(expected).find_map(|(view, expected)| {
        let found = snapshot_difference(store, path, view, expected)?;
        Some(format!("snapshot {:?}: {found}", view.snapshot))
    })
}

fn snapshot_difference(
    store: &Store,
    path: &BlobPath,
    view: &BlobView,
    expected: &SnapshotState,
) -> Option<String> {
    let mark = read_mark(&view.properties.metadata);
    if mark != expected.mark {
        return Some(format!("mark {mark}, expected {}", expected.mark));
    }
    if expected.content.etag != 0 && expected.content.etag != view.etag.0 {
        return Some(format!(
            "tag {:x}, expected {:x}",
            view.etag.0, expected.content.etag
        ));
    }
    let logged = expected.content.logged.as_ref();
    if let Some(found) = logged.and_then(|logged| logged.difference(store, path, view)) {
        return Some(found);
    }
    let verdict = store
        .proof((path, view.snapshot))
        .map(|proof| proof.and_then(|p| p.verdict));
    if !matches!(&verdict, Ok(verdict) if *verdict == expected.verdict) {
        return Some(format!("verdict {verdict:?}, expected {:?}", expected.verdict));
    }
    match crate::support::read_which(store, (path, view.snapshot).into()) {
        Err(error) => Some(format!("content: {error}")),
        Ok(data) if data != expected.content.data() => Some("content differs".to_owned()),
        Ok(_) => None,
    }
}

fn blob_difference(store: &Store, path: &BlobPath, view: &BlobView, expected: &BlobState) -> Option<String> {
    let seen = (view.committed, view.lease, view.sealed);
    let wanted = (expected.committed.is_some(), expected.lease, expected.sealed);
    if seen != wanted {
        return Some(format!("{seen:?}, expected {wanted:?}"));
    }
    let mark = read_mark(&view.properties.metadata);
    if mark != expected.mark {
        return Some(format!("mark {mark}, expected {}", expected.mark));
    }
    let logged = expected.committed.as_ref().and_then(|c| c.logged.as_ref());
    if let Some(found) = logged.and_then(|logged| logged.difference(store, path, view)) {
        return Some(found);
    }
    let blocks = match store.get_block_list(path, &Permit::NONE) {
        Ok(blocks) => blocks,
        Err(StoreError::Protocol(ErrorCode::InvalidBlobType)) if logged.is_some() => Blocks::default(),
        Err(error) => return Some(format!("block list: {error}")),
    };
    let uncommitted: Vec<(Vec<u8>, u64)> = blocks
        .uncommitted
        .iter()
        .map(|(id, len)| (id.as_bytes().to_vec(), *len))
        .collect();
    let wanted: Vec<(Vec<u8>, u64)> = expected
        .uncommitted
        .iter()
        .map(|(id, (_, data))| (id.as_bytes().to_vec(), data.len() as u64))
        .collect();
    if uncommitted != wanted {
        return Some(format!("uncommitted {uncommitted:?}, expected {wanted:?}"));
    }
    if view
        .copy
        .as_ref()
        .is_some_and(|copy| copy.status == CopyStatus::Pending)
    {
        return Some("a copy is pending that nobody is at".to_owned());
    }
    let committed = expected.committed.as_ref()?;
    if committed.etag != 0 && committed.etag != view.etag.0 {
        return Some(format!("tag {:x}, expected {:x}", view.etag.0, committed.etag));
    }
    let verdict = store
        .proof(path)
        .map(|proof| proof.and_then(|proof| proof.verdict));
    if !matches!(&verdict, Ok(verdict) if *verdict == expected.verdict) {
        return Some(format!("verdict {verdict:?}, expected {:?}", expected.verdict));
    }
    match crate::support::read_path(store, path) {
        Err(error) => Some(format!("content: {error}")),
        Ok(data) if data != committed.data() => Some("content differs".to_owned()),
        Ok(_) => None,
    }
}

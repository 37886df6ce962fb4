//! Listing blobs: in order of name, a page at a time, with prefix and delimiter.

use std::ops::Bound;
use std::sync::Arc;

use azblob::limits::MAX_LIST_RESULTS;
use azblob::names::{AccountName, BlobName, ContainerName};
use azblob::snapshot::SnapshotTime;

use crate::blob::{Blob, BlobView};
use crate::error::StoreError;
use crate::limits::LISTING_BYTES;
use crate::proof::Proof;
use crate::store::{BlobPath, Store};

/// What to list.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// Only names that begin so.
    pub prefix: String,
    /// Names that have it after the prefix are given as one, up to and with it.
    pub delimiter: Option<String>,
    /// Begin with the first name (or common prefix) that is not before this one.
    pub marker: Option<ListMarker>,
    /// At most so many entries, from 1 to [`MAX_LIST_RESULTS`], which 0 stands for; fewer where they are long
    /// ([`LISTING_BYTES`]).
    pub max: usize,
    /// Uncommitted blobs too.
    pub include_uncommitted: bool,
    /// Only names that are not before this one.
    pub start_from: Option<String>,
    /// Snapshots too: before their blob, the oldest first.
    pub include_snapshots: bool,
}

/// A place in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListMarker {
    /// A name, or a common prefix.
    pub name: String,
    /// Of the snapshots of the blob with that name, those that are not before this one; with none, all of them.
    pub snapshot: Option<SnapshotTime>,
}

/// One entry of a listing.
#[derive(Clone, Debug)]
pub enum ListEntry {
    /// A blob, or a snapshot, as its view says.
    Blob(BlobName, BlobView),
    /// A common prefix, the delimiter included.
    Prefix(String),
}

/// One page of a listing.
#[derive(Clone, Debug, Default)]
pub struct ListPage {
    /// In order of name; prefixes among blobs.
    pub entries: Vec<ListEntry>,
    /// The marker of the next page; none on the last one.
    pub next_marker: Option<ListMarker>,
}

/// One blob of the whole store, for `blob list`.
#[derive(Debug)]
pub struct InventoryEntry {
    /// Which.
    pub path: BlobPath,
    /// Its state.
    pub view: BlobView,
    /// Its verdict, if there is one for the present content.
    pub proof: Option<Proof>,
}

impl Store {
    /// One page of the blobs of a container. Order is that of Unicode code points, which is the order of the
    /// bytes of UTF-8.
    ///
    /// # Errors
    /// [`azblob::error::ErrorCode::ContainerNotFound`]. A blob whose properties are unreadable is left out and
    /// logged.
    pub fn list_blobs(
        &self,
        account: &AccountName,
        container: &ContainerName,
        query: &ListQuery,
    ) -> Result<ListPage, StoreError> {
        let core = &self.core;
        let container = core.container(account, container)?;
        let most = MAX_LIST_RESULTS as usize;
        let max = if query.max == 0 { most } else { query.max.min(most) };
        let mut page = Page {
            max,
            bytes: 0,
            page: ListPage::default(),
        };
        let blobs = container.blobs();
        let marker = query.marker.as_ref();
        let marked = marker.map_or("", |marker| marker.name.as_str());
        let wanted = query.start_from.as_deref().unwrap_or_default();
        let mut from = query.prefix.as_str().max(marked).max(wanted).to_owned();
        'seek: loop {
            let mut past = None;
            for (name_text, blob) in blobs.range::<str, _>((Bound::Included(from.as_str()), Bound::Unbounded))
            {
                if !name_text.starts_with(&query.prefix) {
                    break 'seek;
                }
                let Some(common) = common_prefix(name_text, query) else {
                    let snapshot = marker.filter(|marker| marker.name == *name_text);
                    let after = snapshot.and_then(|marker| marker.snapshot);
                    if !self.list_blob(blob, query, after, &mut page) {
                        break 'seek;
                    }
                    continue;
                };
                if !is_shown(blob, query) {
                    continue;
                }
                if !page.push(ListEntry::Prefix(common.to_owned())) {
                    break 'seek;
                }
                past = Some(common);
                break;
            }
            match past.and_then(after_all_with) {
                Some(next) => from = next,
                None => break,
            }
        }
        Ok(page.page)
    }

    /// Lists a blob with its snapshots from `after` on. False when the page is full.
    fn list_blob(
        &self,
        blob: &Arc<Blob>,
        query: &ListQuery,
        after: Option<SnapshotTime>,
        page: &mut Page,
    ) -> bool {
        let snapshots: Vec<Arc<Blob>> = if query.include_snapshots {
            let from = after.unwrap_or(SnapshotTime(0));
            blob.snapshots()
                .range(from..)
                .map(|(_, snapshot)| Arc::clone(snapshot))
                .collect()
        } else {
            Vec::new()
        };
        let shown = is_shown(blob, query).then_some(blob);
        for blob in snapshots.iter().chain(shown) {
            let core = &self.core;
            let view = blob.state().view(blob, &core.opening(), core.now());
            let fits = match view {
                Ok(Some(view)) => page.push(ListEntry::Blob(blob.name.clone(), view)),
                Ok(None) => true,
                Err(error) => {
                    tracing::error!(blob = blob.name.as_str(), %error, "a blob is left out of a listing");
                    true
                }
            };
            if !fits {
                return false;
            }
        }
        true
    }

    /// Every blob of the store, uncommitted ones too, in order of account, container and name.
    pub fn inventory(&self) -> Vec<InventoryEntry> {
        let mut entries = Vec::new();
        self.take_stock(&mut |entry| entries.push(entry));
        entries
    }

    /// As [`Self::inventory`], one blob at a time: its verdicts with their reports are more than memory should hold.
    pub fn take_stock(&self, tell: &mut dyn FnMut(InventoryEntry)) {
        let core = &self.core;
        for container in core.all_containers() {
            let blobs: Vec<Arc<Blob>> = container.blobs().values().map(Arc::clone).collect();
            for blob in blobs {
                // Both of one moment: a verdict and its seal become true together, and are told together.
                let mut state = blob.state();
                let Some(view) = core.view_as_far_as_readable(&blob, &mut state) else {
                    continue;
                };
                let proof = core.proof_in(&blob, &mut state).unwrap_or_else(|error| {
                    tracing::error!(blob = blob.name.as_str(), %error, "a verdict is unreadable");
                    None
                });
                drop(state);
                let path = BlobPath {
                    account: container.account.clone(),
                    container: container.name.clone(),
                    blob: blob.name.clone(),
                };
                tell(InventoryEntry { path, view, proof });
            }
        }
    }
}

/// A page being filled.
struct Page {
    max: usize,
    /// Of the entries, as [`ListEntry::bytes`] counts them.
    bytes: usize,
    page: ListPage,
}

impl Page {
    /// Takes an entry; on a full page it becomes the marker of the next one, and the answer is false.
    fn push(&mut self, entry: ListEntry) -> bool {
        if self.page.entries.len() < self.max && self.bytes < LISTING_BYTES {
            self.bytes += entry.bytes();
            self.page.entries.push(entry);
            return true;
        }
        self.page.next_marker = Some(match entry {
            ListEntry::Prefix(name) => ListMarker { name, snapshot: None },
            ListEntry::Blob(name, view) => ListMarker {
                name: name.as_str().to_owned(),
                // All snapshots of the blob are before it.
                snapshot: Some(view.snapshot.unwrap_or(SnapshotTime(u64::MAX))),
            },
        });
        false
    }
}

impl ListEntry {
    /// About how much there is to say of it: all that clients may have made long.
    fn bytes(&self) -> usize {
        let (name, view) = match self {
            Self::Prefix(name) => return name.len(),
            Self::Blob(name, view) => (name, view),
        };
        let properties = &view.properties;
        let http = &properties.http;
        let headers = [
            &http.content_type,
            &http.content_encoding,
            &http.content_language,
            &http.content_disposition,
            &http.cache_control,
        ];
        let headers = headers.into_iter().flatten().map(String::len).sum::<usize>();
        let pairs = properties.metadata.iter().chain(properties.tags.iter());
        let pairs = pairs.map(|(name, value)| name.len() + value.len()).sum::<usize>();
        let copy = view.copy.as_ref().map_or(0, |copy| copy.source.len());
        name.as_str().len() + headers + pairs + copy
    }
}

fn is_shown(blob: &Blob, query: &ListQuery) -> bool {
    let state = blob.state();
    let root = state.root.as_ref();
    root.is_some_and(|root| root.committed || query.include_uncommitted)
}

/// What a name is listed under, if the delimiter follows the prefix in it.
fn common_prefix<'a>(name: &'a str, query: &ListQuery) -> Option<&'a str> {
    let delimiter = query.delimiter.as_deref().filter(|d| !d.is_empty())?;
    let rest = &name[query.prefix.len()..];
    rest.find(delimiter)
        .map(|at| &name[..query.prefix.len() + at + delimiter.len()])
}

/// The first text that is after all that begin with `prefix`; none where there is none.
fn after_all_with(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        let next = match last {
            '\u{D7FF}' => Some('\u{E000}'),
            _ => char::from_u32(u32::from(last) + 1),
        };
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_after_a_prefix() {
        assert_eq!(after_all_with("a/").as_deref(), Some("a0"));
        assert_eq!(after_all_with("\u{D7FF}").as_deref(), Some("\u{E000}"));
        assert_eq!(after_all_with("a\u{10FFFF}").as_deref(), Some("b"));
        assert_eq!(after_all_with("\u{10FFFF}"), None);
    }
}

//! List Blobs and List Containers.

use std::sync::Arc;

use azblob::names::{AccountName, ContainerName};
use azblob::request::{ListBlobs, ListContainers, Marker};
use azblob::response::{BlobPage, ContainerPage, ListedBlob, ListedContainer, ListedEntry};
use azblob::version::ApiVersion;
use blobstore::{BlobKind, BlobView, ListEntry, ListMarker, ListQuery};
use http::header::HOST;

use super::copy::Asker;
use super::{Answer, Door, now};
use crate::reply::{blob_type, document};

impl Door {
    /// List Blobs.
    pub(super) async fn list_blobs(
        &self,
        account: AccountName,
        container: ContainerName,
        asked: ListBlobs,
        version: ApiVersion,
        asker: Asker<'_>,
    ) -> Answer {
        let endpoint = endpoint(&asker, &account);
        let copies = Arc::clone(&self.copies);
        self.call(move |store| {
            let query = ListQuery {
                prefix: asked.prefix.clone().unwrap_or_default(),
                delimiter: asked.delimiter.clone(),
                marker: asked.marker.clone().map(|marker| ListMarker {
                    name: marker.name,
                    snapshot: marker.snapshot,
                }),
                max: asked.max_results as usize,
                include_uncommitted: asked.include_uncommitted,
                include_snapshots: asked.include_snapshots,
                start_from: asked.start_from.clone(),
            };
            let page = store.list_blobs(&account, &container, &query)?;
            let entries = page.entries.into_iter().map(|entry| match entry {
                ListEntry::Prefix(prefix) => ListedEntry::Prefix(prefix),
                ListEntry::Blob(name, mut view) => {
                    copies.tell_progress(&mut view);
                    ListedEntry::Blob(Box::new(listed(name.as_str(), &view, &asked)))
                }
            });
            let page = BlobPage {
                entries: entries.collect(),
                next: page.next_marker.map(|marker| Marker {
                    name: marker.name,
                    snapshot: marker.snapshot,
                }),
            };
            Ok(document(page.render(
                &endpoint,
                container.as_str(),
                &asked,
                version,
            )))
        })
        .await
    }

    /// List Containers.
    pub(super) async fn list_containers(
        &self,
        account: AccountName,
        asked: ListContainers,
        version: ApiVersion,
        asker: Asker<'_>,
    ) -> Answer {
        let endpoint = endpoint(&asker, &account);
        self.call(move |store| {
            let prefix = asked.prefix.as_deref().unwrap_or_default();
            let from = asked.marker.as_ref().map_or("", |marker| marker.name.as_str());
            let mut found = store.list_containers(&account);
            found.retain(|view| view.name.as_str().starts_with(prefix) && view.name.as_str() >= from);
            let most = asked.max_results as usize;
            let next = found.get(most).map(|view| Marker::at(view.name.as_str()));
            let entries = found.into_iter().take(most).map(|view| ListedContainer {
                name: view.name.as_str().to_owned(),
                etag: unquoted(&view.etag.to_string()),
                last_modified: view.last_modified,
                lease: view.lease.view(now()),
                metadata: asked.include_metadata.then_some(view.metadata),
            });
            let page = ContainerPage {
                entries: entries.collect(),
                next,
            };
            Ok(document(page.render(&endpoint, &asked, version)))
        })
        .await
    }
}

fn listed(name: &str, view: &BlobView, asked: &ListBlobs) -> ListedBlob {
    let committed = view.committed;
    ListedBlob {
        name: name.to_owned(),
        snapshot: view.snapshot,
        etag: committed.then(|| unquoted(&view.etag.to_string())),
        last_modified: committed.then_some(view.last_modified),
        created: committed.then_some(view.created),
        length: view.size,
        blob_type: blob_type(view.kind),
        properties: view.properties.http.clone(),
        sequence_number: (view.kind == BlobKind::Page).then_some(view.sequence_number),
        append_sealed: view.append_sealed,
        lease: view.lease_view,
        copy: view.copy.as_deref().filter(|_| asked.include_copy).cloned(),
        metadata: asked.include_metadata.then(|| view.properties.metadata.clone()),
        tags: asked
            .include_tags
            .then(|| view.properties.tags.clone())
            .filter(|tags| !tags.is_empty()),
    }
}

/// Listings give tags without the quotes they have in headers.
fn unquoted(tag: &str) -> String {
    tag.trim_matches('"').to_owned()
}

/// The URL of the account as the client wrote it.
fn endpoint(asker: &Asker<'_>, account: &AccountName) -> String {
    let (head, scheme) = (asker.head, asker.peer.scheme());
    let host = head
        .headers
        .get(HOST)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    let path_style = head.uri.path().trim_start_matches('/').split('/').next() == Some(account.as_str());
    if path_style {
        format!("{scheme}://{host}/{account}/")
    } else {
        format!("{scheme}://{host}/")
    }
}

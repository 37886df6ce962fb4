//! The vault's own way to the store behind the door: the whole [`Shelf`] over the same store, policies and uses that instances
//! meet.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azblob::access_policy::{AccessPolicy, PolicyId, SignedIdentifier};
use azblob::error::ErrorCode;
use azblob::lease::{LeaseAction, LeaseStatus};
use azblob::names::{BlobName, ContainerName};
use azblob::permission::Permissions;
use azblob::sas::ServiceSas;
use azblob::time::UnixMillis;
use azblob::version::ApiVersion;
use bak::stripes::{Company, Family};
use bak::{Report, Verdict, Verifier};
use blobstore::{
    BlobKind, BlobPath, BlobView, ListEntry, ListMarker, ListQuery, Permit, Properties, SealIf, Sealed,
    Store, StoreError,
};
use jiff::Timestamp;
use mssql::Secret;
use vault::shelf::{Account, Blob, Lease, Proof, Shelf, ShelfError, Space};
use vault::world::Clock as _;

use super::door::{ACCOUNT, Door, HOST, KEY};

/// How long the store takes to answer its own vault.
const TRIP: Duration = Duration::from_micros(100);

/// The shelf.
pub(crate) struct Shelves {
    door: Arc<Door>,
}

impl Shelves {
    pub(crate) fn new(door: &Arc<Door>) -> Arc<Self> {
        Arc::new(Self {
            door: Arc::clone(door),
        })
    }

    async fn store(&self) -> Result<Arc<Store>, ShelfError> {
        self.door.clock.sleep(TRIP).await;
        let store = self.door.store();
        store.ok_or_else(|| ShelfError::Failed("the store is not open".to_owned()))
    }

    fn change_policies(
        &self,
        store: &Store,
        container: &ContainerName,
        change: impl FnOnce(&mut Vec<SignedIdentifier>),
    ) -> Result<(), ShelfError> {
        let account = &self.door.account;
        let mut policies = store
            .container_policies(account, container)
            .map_err(|error| failed(error, container.as_str()))?;
        change(&mut policies);
        let done = store.set_container_policies(account, container, policies, &|_| Ok(()));
        done.map(drop).map_err(|error| failed(error, container.as_str()))
    }

    fn see(
        &self,
        store: &Store,
        name: &BlobName,
        path: &BlobPath,
        view: &BlobView,
    ) -> Result<Blob, ShelfError> {
        let fail = |error| failed(error, name.as_str());
        let is_locked = view.lease_view.status == LeaseStatus::Locked;
        let arrived = match view.kind {
            BlobKind::Block => {
                let blocks = store
                    .get_block_list(path, &Permit::lease(view.lease.id()))
                    .map_err(fail)?;
                view.size + blocks.uncommitted.iter().map(|(_, size)| size).sum::<u64>()
            }
            // Of its size nothing is there before it is written.
            BlobKind::Page => {
                let written = store
                    .page_ranges(path, 0..view.size, usize::MAX, &Permit::lease(view.lease.id()))
                    .map_err(fail)?;
                written.ranges.iter().map(|range| range.end - range.start).sum()
            }
            BlobKind::Append => view.size,
        };
        let is_committed = view.committed && view.size > 0 && !(view.kind == BlobKind::Page && is_locked);
        let proof = match is_committed && self.door.may_be_judged(view.last_modified) {
            true => judged(store, path, view).map_err(fail)?,
            false => Proof::Pending,
        };
        let lease = is_locked.then(|| {
            let (connections, quiet, watched) = self.door.uses().testify(path, self.door.uptime());
            Lease {
                connections,
                quiet,
                watched,
            }
        });
        let lease_id = view.lease.id().map(azblob::lease::LeaseId::as_u128);
        Ok(Blob {
            name: name.clone(),
            size: if is_committed { view.size } else { 0 },
            arrived,
            is_committed,
            is_sealed: view.sealed,
            lease,
            tag: format!("{} {arrived} {lease_id:?} {:?}", view.etag, view.lease_view.state),
            proof,
        })
    }

    /// Breaks the lease of a blob that nobody uses, where there is one.
    async fn free_unused(
        &self,
        container: &ContainerName,
        blob: &BlobName,
        seen: &Blob,
    ) -> Result<(Arc<Store>, BlobPath), ShelfError> {
        let Some(now) = self.look(container, blob).await? else {
            return Err(ShelfError::Missing(blob.to_string()));
        };
        let store = self.store().await?;
        let path = self.door.path(container, blob);
        let (connections, ..) = self.door.uses().testify(&path, self.door.uptime());
        if now.tag != seen.tag || now.is_sealed || connections > 0 {
            return Err(ShelfError::Refused(format!("{blob} is sealed, used, or changed")));
        }
        if now.lease.is_some() {
            let at_once = LeaseAction::Break { period: Some(0) };
            let broken = store.lease_blob(&path, &at_once, &|_| Ok(()));
            broken.map_err(|error| failed(error, blob.as_str()))?;
        }
        Ok((store, path))
    }

    fn page(
        &self,
        store: &Store,
        container: &ContainerName,
        after: Option<&BlobName>,
        limit: usize,
    ) -> Result<Vec<(BlobName, BlobView)>, ShelfError> {
        assert!(
            (1..=1000).contains(&limit),
            "lists are asked for in pages of 1 to 1,000"
        );
        let query = ListQuery {
            marker: after.map(|name| ListMarker {
                name: name.to_string(),
                snapshot: None,
            }),
            max: limit + 1,
            include_uncommitted: true,
            ..ListQuery::default()
        };
        let page = store
            .list_blobs(&self.door.account, container, &query)
            .map_err(|error| failed(error, container.as_str()))?;
        let blobs = page.entries.into_iter().filter_map(|entry| match entry {
            ListEntry::Blob(name, view) => (Some(&name) != after).then_some((name, view)),
            ListEntry::Prefix(_) => None,
        });
        Ok(blobs.take(limit).collect())
    }
}

/// The container of records that goes with one of blobs.
pub(crate) fn records_of(container: &ContainerName) -> ContainerName {
    ContainerName::new(format!("{container}-records")).expect("names of containers leave room")
}

fn failed(error: StoreError, what: &str) -> ShelfError {
    match error {
        StoreError::Protocol(ErrorCode::BlobNotFound | ErrorCode::ContainerNotFound) => {
            ShelfError::Missing(what.to_owned())
        }
        StoreError::Protocol(code) => ShelfError::Refused(format!("{what}: {code}")),
        StoreError::DiskFull => ShelfError::Full,
        StoreError::ReadOnly { why } => ShelfError::ReadOnly(why),
        other => ShelfError::Failed(other.to_string()),
    }
}

/// The verdict on a committed blob, which is made now where there is none.
fn judged(store: &Store, path: &BlobPath, view: &BlobView) -> Result<Proof, StoreError> {
    if store.proof_state(path)?.is_none() {
        let report = verify(store, path, view)?;
        let proof = match report.foreign() {
            Some(_) => blobstore::Proof::default(),
            None => blobstore::Proof {
                verdict: Some(report.verdict),
                is_final: false,
                reasons: report.reasons.clone(),
                report: Some(serde_json::value::to_raw_value(&report).expect("reports are JSON")),
            },
        };
        store.conclude(path, view.commit, &proof, false)?;
    }
    store.settle_proof(path, false)?;
    let Some(mut proof) = store.proof(path)? else {
        return Ok(Proof::Pending);
    };
    let report: Option<Report> = proof
        .report
        .as_ref()
        .and_then(|report| serde_json::from_str(report.get()).ok());
    if let (Some(Verdict::Incomplete), Some(report)) = (proof.verdict, &report)
        && let Some(family) = Family::of(report)
        && Company::of(&family, &company(store, path)) == Company::Complete
    {
        store.amend_proof(path, view.commit, Verdict::Ok, Vec::new(), false)?;
        (proof.verdict, proof.reasons) = (Some(Verdict::Ok), Vec::new());
    }
    Ok(Proof::Judged {
        verdict: proof.verdict,
        reasons: proof.reasons,
        sets: report
            .as_ref()
            .map_or_else(Vec::new, |report| report.sets.clone()),
        logs: report
            .as_ref()
            .map_or_else(Vec::new, |report| report.log_fingerprints.clone()),
        media: report.and_then(|report| report.media),
    })
}

fn verify(store: &Store, path: &BlobPath, view: &BlobView) -> Result<Report, StoreError> {
    let permit = Permit::lease(view.lease.id());
    let reader = store.open_blob(path, &permit)?;
    let mut verifier = Verifier::new();
    let mut at = 0;
    while at < reader.size() {
        let length = (reader.size() - at).min(1 << 20);
        let mut bytes = vec![0; usize::try_from(length).expect("a mebibyte")];
        reader.read_at(at, &mut bytes)?;
        verifier.push(&bytes);
        at += length;
    }
    Ok(verifier.finish())
}

/// The families in a blob's container that were judged by themselves.
fn company(store: &Store, path: &BlobPath) -> Vec<Family> {
    let all = store.inventory().into_iter();
    let families = all.filter_map(|entry| {
        let near = entry.path.container == path.container;
        let report = entry.proof.filter(|_| near)?.report?;
        Family::of(&serde_json::from_str::<Report>(report.get()).ok()?)
    });
    families.collect()
}

#[async_trait]
impl Shelf for Shelves {
    fn url(&self, container: &ContainerName) -> String {
        format!("https://{HOST}/{container}")
    }

    async fn make_container(&self, container: &ContainerName) -> Result<(), ShelfError> {
        let store = self.store().await?;
        for name in [container, &records_of(container)] {
            match store.create_container(&self.door.account, name, azblob::metadata::Metadata::default()) {
                Ok(_) | Err(StoreError::Protocol(ErrorCode::ContainerAlreadyExists)) => {}
                Err(error) => return Err(failed(error, name.as_str())),
            }
        }
        Ok(())
    }

    async fn grant(
        &self,
        container: &ContainerName,
        policy: &str,
        until: Timestamp,
    ) -> Result<Secret, ShelfError> {
        let store = self.store().await?;
        let id = PolicyId::new(policy).map_err(|code| ShelfError::Refused(code.to_string()))?;
        let allowed = Permissions::READ | Permissions::WRITE | Permissions::CREATE | Permissions::LIST;
        let stored = SignedIdentifier {
            id: id.clone(),
            policy: AccessPolicy {
                start: None,
                expiry: Some(UnixMillis(until.as_millisecond())),
                permissions: Some(allowed),
            },
        };
        self.change_policies(&store, container, |policies| {
            policies.retain(|one| one.id != id);
            policies.push(stored);
        })?;
        let sas = ServiceSas {
            version: ApiVersion::CURRENT,
            container: container.clone(),
            blob: None,
            permissions: None,
            start: None,
            expiry: None,
            policy: Some(id),
            https_only: true,
            source: None,
        };
        Ok(Secret::new(sas.sign(&self.door.account, &self.door.key)))
    }

    async fn revoke(&self, container: &ContainerName, policy: &str) -> Result<(), ShelfError> {
        let store = self.store().await?;
        self.change_policies(&store, container, |policies| {
            policies.retain(|one| one.id.as_str() != policy);
        })
    }

    async fn account(&self, _: &ContainerName) -> Result<Option<Account>, ShelfError> {
        Ok(self.door.gives_key().then(|| Account {
            name: ACCOUNT.to_owned(),
            key: Secret::new(KEY.to_owned()),
        }))
    }

    async fn look(&self, container: &ContainerName, blob: &BlobName) -> Result<Option<Blob>, ShelfError> {
        let store = self.store().await?;
        let query = ListQuery {
            prefix: blob.to_string(),
            max: 1,
            include_uncommitted: true,
            ..ListQuery::default()
        };
        let found = store.list_blobs(&self.door.account, container, &query);
        let found = found.map_err(|error| failed(error, container.as_str()))?;
        match found.entries.into_iter().next() {
            Some(ListEntry::Blob(name, view)) if name == *blob => {
                let path = self.door.path(container, blob);
                self.see(&store, &name, &path, &view).map(Some)
            }
            _ => Ok(None),
        }
    }

    async fn list(
        &self,
        container: &ContainerName,
        after: Option<&BlobName>,
        limit: usize,
    ) -> Result<Vec<Blob>, ShelfError> {
        let store = self.store().await?;
        let page = self.page(&store, container, after, limit)?;
        let blobs = page.iter().map(|(name, view)| {
            let path = self.door.path(container, name);
            self.see(&store, name, &path, view)
        });
        blobs.collect()
    }

    async fn seal(&self, container: &ContainerName, blob: &BlobName) -> Result<(), ShelfError> {
        let store = self.store().await?;
        let sealed = store.seal_if(&self.door.path(container, blob), SealIf::Quiet);
        match sealed.map_err(|error| failed(error, blob.as_str()))? {
            Sealed::Now | Sealed::Before => Ok(()),
            Sealed::Leased => Err(ShelfError::Refused(format!("{blob} is leased"))),
            Sealed::Empty | Sealed::NotProved => Err(ShelfError::Refused(format!("{blob} has no content"))),
        }
    }

    async fn free(&self, container: &ContainerName, blob: &BlobName, seen: &Blob) -> Result<(), ShelfError> {
        self.free_unused(container, blob, seen).await.map(drop)
    }

    async fn clean(&self, container: &ContainerName, blob: &BlobName, seen: &Blob) -> Result<(), ShelfError> {
        let (store, path) = self.free_unused(container, blob, seen).await?;
        let fail = |error| failed(error, blob.as_str());
        store.delete_blob(&path, &Permit::NONE).map_err(fail)
    }

    async fn put_record(
        &self,
        container: &ContainerName,
        name: &BlobName,
        body: Vec<u8>,
    ) -> Result<(), ShelfError> {
        let store = self.store().await?;
        let path = self.door.path(&records_of(container), name);
        let fail = |error| failed(error, name.as_str());
        let mut writer = store
            .begin_blob(&path, body.len() as u64, &Permit::NONE)
            .map_err(fail)?;
        writer.write(&body).map_err(fail)?;
        let done = writer.commit(Properties::default(), &Permit::NONE);
        done.map(drop).map_err(fail)
    }

    async fn records(
        &self,
        container: &ContainerName,
        after: Option<&BlobName>,
        limit: usize,
    ) -> Result<Vec<(BlobName, Vec<u8>)>, ShelfError> {
        let store = self.store().await?;
        let container = records_of(container);
        let page = self.page(&store, &container, after, limit)?;
        let records = page.into_iter().map(|(name, _)| {
            let reader = store.open_blob(&self.door.path(&container, &name), &Permit::NONE)?;
            let mut body = vec![0; usize::try_from(reader.size()).expect("records are small")];
            reader.read_at(0, &mut body)?;
            Ok((name, body))
        });
        records
            .collect::<Result<_, _>>()
            .map_err(|error| failed(error, container.as_str()))
    }

    async fn space(&self) -> Result<Space, ShelfError> {
        let store = self.store().await?;
        let free = store
            .free_space()
            .map_err(|error| ShelfError::Failed(error.to_string()))?;
        Ok(Space {
            total: free + self.door.disk.used(),
            free,
        })
    }
}

//! The vault's own way to the store behind the door: the library's shelf over the same store, policies and uses that instances
//! meet. Verdicts are made here when somebody looks, in place of the door's threads.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azblob::lease::LeaseStatus;
use azblob::names::{BlobName, ContainerName};
use bak::stripes::{Company, Family};
use bak::{Report, Verdict, Verifier};
use blobstore::{BlobKind, BlobPath, BlobView, CommittedBlocks, Permit, Store, StoreError};
use jiff::Timestamp;
use mssql::Secret;
use vault::shelf::stored::{Stored, Witness};
use vault::shelf::{Account, Blob, Lease, Proof, Shelf, ShelfError, Space};
use vault::world::Clock as _;

use super::door::{ACCOUNT, Door, HOST, KEY};

/// How long the store takes to answer its own vault.
const TRIP: Duration = Duration::from_micros(100);

/// The shelf.
pub(crate) struct Shelves {
    door: Arc<Door>,
    stored: Stored,
}

/// What the door saw.
struct Seen(Arc<Door>);

impl Witness for Seen {
    fn testify(&self, path: &BlobPath) -> Lease {
        let (connections, quiet, watched) = self.0.uses().testify(path, self.0.uptime());
        Lease {
            connections,
            quiet,
            watched,
        }
    }

    /// Verdicts are made when somebody looks.
    fn arrived(&self, _: &BlobPath, _: CommittedBlocks) {}
}

impl Shelves {
    pub(crate) fn new(door: &Arc<Door>) -> Arc<Self> {
        let base = format!("https://{HOST}");
        let witness = Box::new(Seen(Arc::clone(door)));
        Arc::new(Self {
            stored: Stored::new(&base, door.account.clone(), door.key.clone(), witness),
            door: Arc::clone(door),
        })
    }

    async fn store(&self) -> Result<Arc<Store>, ShelfError> {
        self.door.clock.sleep(TRIP).await;
        let store = self.door.store();
        store.ok_or_else(|| ShelfError::Failed("the store is not open".to_owned()))
    }

    fn is_writable(&self) -> Result<(), ShelfError> {
        match self.door.is_read_only() {
            true => Err(ShelfError::ReadOnly("its disk failed".to_owned())),
            false => Ok(()),
        }
    }

    /// Does what may break a lease, under the eyes of the judge of leases.
    fn watched<T>(
        &self,
        store: &Store,
        container: &ContainerName,
        blob: &BlobName,
        deed: impl FnOnce() -> T,
    ) -> T {
        let path = self.door.path(container, blob);
        self.door.leases.during(store, &path, "the vault", deed)
    }

    /// Makes the verdict on a blob where its time has come.
    fn verify(&self, store: &Store, path: &BlobPath, view: &BlobView) -> Result<(), ShelfError> {
        let is_locked = view.lease_view.status == LeaseStatus::Locked;
        let is_committed = view.committed && view.size > 0 && !(view.kind == BlobKind::Page && is_locked);
        if !is_committed || !self.door.may_be_judged(view.last_modified) {
            return Ok(());
        }
        judge(store, path, view).map_err(|error| ShelfError::Failed(error.to_string()))
    }

    /// What the verifier makes of a blob that it cannot read.
    fn as_read(&self, blob: Blob) -> Blob {
        if self.door.reads() || blob.proof == Proof::Pending {
            return blob;
        }
        let proof = Proof::Judged {
            verdict: Some(Verdict::CannotVerify),
            reasons: vec!["it is encrypted".to_owned()],
            sets: Vec::new(),
            logs: Vec::new(),
            media: None,
        };
        Blob { proof, ..blob }
    }
}

/// The verdict on a committed blob, which is made now where there is none.
fn judge(store: &Store, path: &BlobPath, view: &BlobView) -> Result<(), StoreError> {
    if store.proof_state(path)?.is_none() {
        let report = verify(store, path)?;
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
    let Some(proof) = store.proof(path)? else {
        return Ok(());
    };
    let report = proof.report.as_ref();
    let report: Option<Report> = report.and_then(|report| serde_json::from_str(report.get()).ok());
    if let (Some(Verdict::Incomplete), Some(report)) = (proof.verdict, &report)
        && let Some(family) = Family::of(report)
        && Company::of(&family, &company(store, path)) == Company::Complete
    {
        store.amend_proof(path, view.commit, Verdict::Ok, Vec::new(), false)?;
    }
    Ok(())
}

fn verify(store: &Store, path: &BlobPath) -> Result<Report, StoreError> {
    let reader = store.open_blob(path, &Permit::NONE)?;
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
        self.stored.url(container)
    }

    async fn make_container(&self, container: &ContainerName) -> Result<(), ShelfError> {
        self.stored.make_container(&*self.store().await?, container)
    }

    async fn grant(
        &self,
        container: &ContainerName,
        policy: &str,
        until: Timestamp,
    ) -> Result<Secret, ShelfError> {
        let store = self.store().await?;
        self.stored.grant(&store, container, policy, until)
    }

    async fn revoke(&self, container: &ContainerName, policy: &str) -> Result<(), ShelfError> {
        self.stored.revoke(&*self.store().await?, container, policy)
    }

    async fn account(&self, _: &ContainerName) -> Result<Option<Account>, ShelfError> {
        Ok(self.door.gives_key().then(|| Account {
            name: ACCOUNT.to_owned(),
            key: Secret::new(KEY.to_owned()),
        }))
    }

    async fn look(&self, container: &ContainerName, blob: &BlobName) -> Result<Option<Blob>, ShelfError> {
        let store = self.store().await?;
        if let Some(view) = self.stored.view(&store, container, blob)? {
            self.verify(&store, &self.door.path(container, blob), &view)?;
        }
        let found = self.stored.look(&store, container, blob)?;
        Ok(found.map(|blob| self.as_read(blob)))
    }

    async fn list(
        &self,
        container: &ContainerName,
        after: Option<&BlobName>,
        limit: usize,
    ) -> Result<Vec<Blob>, ShelfError> {
        assert!(
            (1..=1000).contains(&limit),
            "lists are asked for in pages of 1 to 1,000"
        );
        let store = self.store().await?;
        for (name, view) in self.stored.views(&store, container, after, limit)? {
            self.verify(&store, &self.door.path(container, &name), &view)?;
        }
        let found = self.stored.list(&store, container, after, limit)?;
        Ok(found.into_iter().map(|blob| self.as_read(blob)).collect())
    }

    async fn unsealed(
        &self,
        container: &ContainerName,
        after: Option<&BlobName>,
        limit: usize,
    ) -> Result<Vec<Blob>, ShelfError> {
        let store = self.store().await?;
        for (name, view) in self.stored.unsealed_views(&store, container, after, limit)? {
            self.verify(&store, &self.door.path(container, &name), &view)?;
        }
        let found = self.stored.unsealed(&store, container, after, limit)?;
        Ok(found.into_iter().map(|blob| self.as_read(blob)).collect())
    }

    async fn put_piece(
        &self,
        container: &ContainerName,
        blob: &BlobName,
        number: u32,
        bytes: Vec<u8>,
    ) -> Result<(), ShelfError> {
        self.is_writable()?;
        let store = self.store().await?;
        self.stored.put_piece(&store, container, blob, number, &bytes)
    }

    async fn join(&self, container: &ContainerName, blob: &BlobName, count: u32) -> Result<(), ShelfError> {
        self.is_writable()?;
        let store = self.store().await?;
        self.stored.join(&store, container, blob, count)
    }

    async fn seal(&self, container: &ContainerName, blob: &BlobName) -> Result<(), ShelfError> {
        self.is_writable()?;
        self.stored.seal(&*self.store().await?, container, blob)
    }

    async fn free(&self, container: &ContainerName, blob: &BlobName, seen: &Blob) -> Result<(), ShelfError> {
        let store = self.store().await?;
        let deed = || self.stored.free(&store, container, blob, seen);
        self.watched(&store, container, blob, deed)
    }

    async fn clean(&self, container: &ContainerName, blob: &BlobName, seen: &Blob) -> Result<(), ShelfError> {
        let store = self.store().await?;
        let deed = || self.stored.clean(&store, container, blob, seen);
        self.watched(&store, container, blob, deed)
    }

    async fn remove_sealed(&self, container: &ContainerName, blob: &BlobName) -> Result<(), ShelfError> {
        self.is_writable()?;
        let store = self.store().await?;
        let deed = || self.stored.remove_sealed(&store, container, blob);
        self.watched(&store, container, blob, deed)
    }

    async fn remove_record(&self, container: &ContainerName, name: &BlobName) -> Result<(), ShelfError> {
        self.is_writable()?;
        let store = self.store().await?;
        self.stored.remove_record(&store, container, name)
    }

    async fn containers(&self) -> Result<Vec<ContainerName>, ShelfError> {
        Ok(self.stored.containers(&*self.store().await?))
    }

    async fn put_record(
        &self,
        container: &ContainerName,
        name: &BlobName,
        body: Vec<u8>,
    ) -> Result<(), ShelfError> {
        self.is_writable()?;
        let store = self.store().await?;
        self.stored.put_record(&store, container, name, &body)
    }

    async fn read(
        &self,
        container: &ContainerName,
        blob: &BlobName,
        from: u64,
        limit: usize,
    ) -> Result<Vec<u8>, ShelfError> {
        let store = self.store().await?;
        self.stored.read(&store, container, blob, from, limit)
    }

    async fn records(
        &self,
        container: &ContainerName,
        after: Option<&BlobName>,
        limit: usize,
    ) -> Result<Vec<(BlobName, Vec<u8>)>, ShelfError> {
        let store = self.store().await?;
        self.stored.records(&store, container, after, limit)
    }

    async fn space(&self) -> Result<Space, ShelfError> {
        let store = self.store().await?;
        self.stored.space(&store)
    }
}

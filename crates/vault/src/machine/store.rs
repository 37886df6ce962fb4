//! The store in this process, behind the front door that serves it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azblob::names::{AccountName, BlobName, ContainerName};
use azblob::shared_key;
use blobstore::{BlobPath, CommittedBlocks, Store};
use frontdoor::UseWitness;
use jiff::Timestamp;
use mssql::Secret;

use crate::shelf::stored::{Stored, Witness};
use crate::shelf::{Account, Blob, Lease, Shelf, ShelfError, Space};

/// A shelf over a store of this process.
#[derive(Clone)]
pub struct StoreShelf {
    store: Arc<Store>,
    stored: Arc<Stored>,
    account: Option<Account>,
}

impl StoreShelf {
    /// Containers of `account`, whose `key` the door takes and `base` leads to: `https://HOST` where the account is the door's only
    /// one, else `https://HOST/ACCOUNT`. `witness` is a [`DoorWitness`] of the door that serves `store`.
    #[must_use]
    pub fn new(
        store: Arc<Store>,
        witness: Box<dyn Witness>,
        base: &str,
        account: AccountName,
        key: shared_key::Secret,
    ) -> Self {
        let stored = Stored::new(base, account, key, witness);
        Self {
            store,
            stored: Arc::new(stored),
            account: None,
        }
    }

    /// Lets instances of before SQL Server 2016 have the key of the account: see [`Shelf::account`].
    #[must_use]
    pub fn giving(self, account: Account) -> Self {
        Self {
            account: Some(account),
            ..self
        }
    }

    /// Has a thread that may block do it.
    async fn call<T: Send + 'static>(
        &self,
        deed: impl FnOnce(&Stored, &Store) -> Result<T, ShelfError> + Send + 'static,
    ) -> Result<T, ShelfError> {
        let (store, stored) = (Arc::clone(&self.store), Arc::clone(&self.stored));
        let done = tokio::task::spawn_blocking(move || deed(&stored, &store)).await;
        done.unwrap_or_else(|_| Err(ShelfError::Failed("its work broke down".to_owned())))
    }
}

/// What a front door of this process saw.
pub struct DoorWitness(pub UseWitness);

impl Witness for DoorWitness {
    fn testify(&self, path: &BlobPath) -> Lease {
        let seen = self.0.testify(path);
        Lease {
            connections: seen.connections.saturating_add(seen.jobs),
            quiet: Duration::from_millis(seen.quiet()),
            watched: Duration::from_millis(seen.watched),
        }
    }

    fn arrived(&self, path: &BlobPath, done: CommittedBlocks) {
        self.0.arrived(path, done);
    }
}

#[async_trait]
impl Shelf for StoreShelf {
    fn url(&self, container: &ContainerName) -> String {
        self.stored.url(container)
    }

    async fn make_container(&self, container: &ContainerName) -> Result<(), ShelfError> {
        let container = container.clone();
        self.call(move |stored, store| stored.make_container(store, &container))
            .await
    }

    async fn grant(
        &self,
        container: &ContainerName,
        policy: &str,
        until: Timestamp,
    ) -> Result<Secret, ShelfError> {
        let (container, policy) = (container.clone(), policy.to_owned());
        self.call(move |stored, store| stored.grant(store, &container, &policy, until))
            .await
    }

    async fn revoke(&self, container: &ContainerName, policy: &str) -> Result<(), ShelfError> {
        let (container, policy) = (container.clone(), policy.to_owned());
        self.call(move |stored, store| stored.revoke(store, &container, &policy))
            .await
    }

    async fn account(&self, _: &ContainerName) -> Result<Option<Account>, ShelfError> {
        Ok(self.account.clone())
    }

    async fn look(&self, container: &ContainerName, blob: &BlobName) -> Result<Option<Blob>, ShelfError> {
        let (container, blob) = (container.clone(), blob.clone());
        self.call(move |stored, store| stored.look(store, &container, &blob))
            .await
    }

    async fn read(
        &self,
        container: &ContainerName,
        blob: &BlobName,
        from: u64,
        limit: usize,
    ) -> Result<Vec<u8>, ShelfError> {
        let (container, blob) = (container.clone(), blob.clone());
        self.call(move |stored, store| stored.read(store, &container, &blob, from, limit))
            .await
    }

    async fn list(
        &self,
        container: &ContainerName,
        after: Option<&BlobName>,
        limit: usize,
    ) -> Result<Vec<Blob>, ShelfError> {
        let (container, after) = (container.clone(), after.cloned());
        self.call(move |stored, store| stored.list(store, &container, after.as_ref(), limit))
            .await
    }

    async fn unsealed(
        &self,
        container: &ContainerName,
        after: Option<&BlobName>,
        limit: usize,
    ) -> Result<Vec<Blob>, ShelfError> {
        let (container, after) = (container.clone(), after.cloned());
        self.call(move |stored, store| stored.unsealed(store, &container, after.as_ref(), limit))
            .await
    }

    async fn put_piece(
        &self,
        container: &ContainerName,
        blob: &BlobName,
        number: u32,
        bytes: Vec<u8>,
    ) -> Result<(), ShelfError> {
        let (container, blob) = (container.clone(), blob.clone());
        self.call(move |stored, store| stored.put_piece(store, &container, &blob, number, &bytes))
            .await
    }

    async fn join(&self, container: &ContainerName, blob: &BlobName, count: u32) -> Result<(), ShelfError> {
        let (container, blob) = (container.clone(), blob.clone());
        self.call(move |stored, store| stored.join(store, &container, &blob, count))
            .await
    }

    async fn seal(&self, container: &ContainerName, blob: &BlobName) -> Result<(), ShelfError> {
        let (container, blob) = (container.clone(), blob.clone());
        self.call(move |stored, store| stored.seal(store, &container, &blob))
            .await
    }

    async fn free(&self, container: &ContainerName, blob: &BlobName, seen: &Blob) -> Result<(), ShelfError> {
        let (container, blob, seen) = (container.clone(), blob.clone(), seen.clone());
        self.call(move |stored, store| stored.free(store, &container, &blob, &seen))
            .await
    }

    async fn clean(&self, container: &ContainerName, blob: &BlobName, seen: &Blob) -> Result<(), ShelfError> {
        let (container, blob, seen) = (container.clone(), blob.clone(), seen.clone());
        self.call(move |stored, store| stored.clean(store, &container, &blob, &seen))
            .await
    }

    async fn remove_sealed(&self, container: &ContainerName, blob: &BlobName) -> Result<(), ShelfError> {
        let (container, blob) = (container.clone(), blob.clone());
        self.call(move |stored, store| stored.remove_sealed(store, &container, &blob))
            .await
    }

    async fn remove_record(&self, container: &ContainerName, name: &BlobName) -> Result<(), ShelfError> {
        let (container, name) = (container.clone(), name.clone());
        self.call(move |stored, store| stored.remove_record(store, &container, &name))
            .await
    }

    async fn containers(&self) -> Result<Vec<ContainerName>, ShelfError> {
        self.call(|stored, store| Ok(stored.containers(store))).await
    }

    async fn put_record(
        &self,
        container: &ContainerName,
        name: &BlobName,
        body: Vec<u8>,
    ) -> Result<(), ShelfError> {
        let (container, name) = (container.clone(), name.clone());
        self.call(move |stored, store| stored.put_record(store, &container, &name, &body))
            .await
    }

    async fn records(
        &self,
        container: &ContainerName,
        after: Option<&BlobName>,
        limit: usize,
    ) -> Result<Vec<(BlobName, Vec<u8>)>, ShelfError> {
        let (container, after) = (container.clone(), after.cloned());
        self.call(move |stored, store| stored.records(store, &container, after.as_ref(), limit))
            .await
    }

    async fn space(&self) -> Result<Space, ShelfError> {
        self.call(Stored::space).await
    }
}

//! The real catalog of SQLite, in files of a folder of its own, under a vault in simulated time: what it is asked takes no simulated time,
//! and all that happens waits until it is answered.
//!
//! SQLite has one writer, and here whoever waits for it must not keep the thread on which the writer would go on; so transactions are
//! admitted before SQLite is asked, one that writes and a few that read. A transaction that is dropped is rolled back.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use catalog::sql::{Location, SqlCatalog};
use catalog::{
    Catalog, CatalogError, Info, Kind, NewRow, Query, Range, Row, RowPage, Scope, Slot, Transaction,
};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Transactions that read at a time.
const READERS: usize = 2;

/// The folder.
pub(crate) struct Files {
    folder: TempDir,
    runtime: Arc<Runtime>,
}

impl Files {
    pub(crate) fn new() -> Self {
        // SQLite has threads of its own; what else there is to do is done while somebody waits.
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        Self {
            folder: tempfile::tempdir().unwrap(),
            runtime: Arc::new(runtime),
        }
    }

    /// Opens the catalog, as one process at a time can.
    pub(crate) fn open(&self) -> Sqlite {
        let location = Location::file(self.folder.path().join("catalog.db"));
        let inner = self.runtime.block_on(SqlCatalog::open(&location)).unwrap();
        Sqlite {
            info: inner.info().clone(),
            inner: Some(inner),
            runtime: Arc::clone(&self.runtime),
            writer: Arc::new(Semaphore::new(1)),
            readers: Arc::new(Semaphore::new(READERS)),
        }
    }

    /// It is gone. Nobody has it open.
    pub(crate) fn lose(&self) {
        for entry in std::fs::read_dir(self.folder.path()).unwrap() {
            let path: &Path = &entry.unwrap().path();
            std::fs::remove_file(path).unwrap();
        }
    }
}

/// The catalog.
pub(crate) struct Sqlite {
    info: Info,
    inner: Option<SqlCatalog>,
    runtime: Arc<Runtime>,
    writer: Arc<Semaphore>,
    readers: Arc<Semaphore>,
}

impl Sqlite {
    fn wait<T>(
        &self,
        asks: impl AsyncFnOnce(&SqlCatalog) -> Result<T, CatalogError>,
    ) -> Result<T, CatalogError> {
        let inner = self.inner.as_ref().expect("it is open until it is dropped");
        self.runtime.block_on(asks(inner))
    }

    async fn admitted(&self, gate: &Arc<Semaphore>) -> OwnedSemaphorePermit {
        let gate = Arc::clone(gate);
        gate.acquire_owned().await.expect("it is never closed")
    }

    fn transaction(&self, inner: Box<dyn Transaction>, permit: OwnedSemaphorePermit) -> Box<dyn Transaction> {
        Box::new(Asking {
            inner: Some(inner),
            runtime: Arc::clone(&self.runtime),
            _permit: permit,
        })
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take() {
            self.runtime.block_on(inner.close());
        }
    }
}

#[async_trait]
impl Catalog for Sqlite {
    fn info(&self) -> &Info {
        &self.info
    }

    async fn begin(&self) -> Result<Box<dyn Transaction>, CatalogError> {
        let permit = self.admitted(&self.writer).await;
        let inner = self.wait(async |inner| inner.begin().await)?;
        Ok(self.transaction(inner, permit))
    }

    async fn read(&self) -> Result<Box<dyn Transaction>, CatalogError> {
        let permit = self.admitted(&self.readers).await;
        let inner = self.wait(async |inner| inner.read().await)?;
        Ok(self.transaction(inner, permit))
    }

    async fn health(&self) -> Result<(), CatalogError> {
        let _permit = self.admitted(&self.readers).await;
        self.wait(async |inner| inner.health().await)
    }
}

/// A transaction.
struct Asking {
    inner: Option<Box<dyn Transaction>>,
    runtime: Arc<Runtime>,
    _permit: OwnedSemaphorePermit,
}

impl Asking {
    fn inner(&mut self) -> &mut dyn Transaction {
        self.inner.as_deref_mut().expect("it is there until its end")
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        // Its connection goes back to where the runtime has it.
        let _inside = self.runtime.enter();
        self.inner = None;
    }
}

#[async_trait]
impl Transaction for Asking {
    async fn get(&mut self, kind: Kind, vault: &str, id: &str) -> Result<Option<Row>, CatalogError> {
        let runtime = Arc::clone(&self.runtime);
        runtime.block_on(self.inner().get(kind, vault, id))
    }

    async fn scan(&mut self, kind: Kind, query: &Query) -> Result<RowPage, CatalogError> {
        let runtime = Arc::clone(&self.runtime);
        runtime.block_on(self.inner().scan(kind, query))
    }

    async fn count(
        &mut self,
        kind: Kind,
        scope: &Scope,
        slot: Slot,
        range: &Range,
    ) -> Result<i64, CatalogError> {
        let runtime = Arc::clone(&self.runtime);
        runtime.block_on(self.inner().count(kind, scope, slot, range))
    }

    async fn insert(&mut self, row: NewRow) -> Result<Row, CatalogError> {
        let runtime = Arc::clone(&self.runtime);
        runtime.block_on(self.inner().insert(row))
    }

    async fn update(&mut self, row: NewRow, expected: i64) -> Result<Row, CatalogError> {
        let runtime = Arc::clone(&self.runtime);
        runtime.block_on(self.inner().update(row, expected))
    }

    async fn delete(&mut self, kind: Kind, vault: &str, id: &str, expected: i64) -> Result<(), CatalogError> {
        let runtime = Arc::clone(&self.runtime);
        runtime.block_on(self.inner().delete(kind, vault, id, expected))
    }

    async fn commit(mut self: Box<Self>) -> Result<(), CatalogError> {
        let inner = self.inner.take().expect("it is there until its end");
        self.runtime.block_on(inner.commit())
    }
}

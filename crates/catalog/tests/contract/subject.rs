//! What the suite runs on: something durable that catalogs are opened on, one after the other.

use std::sync::Arc;

use async_trait::async_trait;
use catalog::memory::MemoryStore;
use catalog::sql::{Location, SqlCatalog};
use catalog::{Catalog, CatalogError};
use futures::future::BoxFuture;
use tempfile::TempDir;

/// Something durable, empty at first.
#[async_trait]
pub(crate) trait Subject: Send + Sync {
    /// Starts a catalog on it.
    async fn open(&self) -> Result<Arc<dyn Catalog>, CatalogError>;
}

#[async_trait]
impl Subject for MemoryStore {
    async fn open(&self) -> Result<Arc<dyn Catalog>, CatalogError> {
        Ok(Arc::new(MemoryStore::open(self)?))
    }
}

/// A catalog in SQL; the folder, if it has one, goes with it.
pub(crate) struct Sql {
    pub(crate) location: Location,
    pub(crate) _folder: Option<TempDir>,
}

impl Sql {
    /// A file in a folder of its own. Its name is one that URLs would misread.
    pub(crate) fn file() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        Self {
            location: Location::file(folder.path().join("a %20 vault?#é.db")),
            _folder: Some(folder),
        }
    }
}

#[async_trait]
impl Subject for Sql {
    async fn open(&self) -> Result<Arc<dyn Catalog>, CatalogError> {
        Ok(Arc::new(SqlCatalog::open(&self.location).await?))
    }
}

/// A case: its name and what it does with a fresh subject.
pub(crate) type Case = (&'static str, fn(Arc<dyn Subject>) -> BoxFuture<'static, ()>);

macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        /// All cases.
        pub(crate) const CASES: &[Case] = &[$((stringify!($name), |subject| $name(subject).boxed())),*];
    };
}

pub(crate) use cases;

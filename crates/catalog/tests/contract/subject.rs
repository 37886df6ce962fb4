//! What the suite runs on: something durable that catalogs are opened on, one after the other.

use std::sync::Arc;

use async_trait::async_trait;
use catalog::memory::MemoryStore;
use catalog::{Catalog, CatalogError};
use futures::future::BoxFuture;

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

/// A case: its name and what it does with a fresh subject.
pub(crate) type Case = (&'static str, fn(Arc<dyn Subject>) -> BoxFuture<'static, ()>);

macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        /// All cases.
        pub(crate) const CASES: &[Case] = &[$((stringify!($name), |subject| $name(subject).boxed())),*];
    };
}

pub(crate) use cases;

//! Catalogs in SQL: SQLite by default, PostgreSQL by URL, with the same statements.
//!
//! This module is the crate's adapter: files, the network, random numbers and the runtime's threads are used here and
//! nowhere else. All statements are in `statements` and `schema`, as constants; values are bound, always.
//!
//! The common subset, a rule: i64, text; times are i64 microseconds, ids are text, documents are JSON as text; text
//! is compared bytewise (`COLLATE "binary"`: SQLite's own, and on PostgreSQL a copy of its `"C"`).
//!
//! Where the two differ, it is here:
//! - SQLite has one writing connection (`BEGIN IMMEDIATE`) and a few reading ones, WAL, `synchronous = FULL`; a lock
//!   file beside it keeps a second process out, as SQLite's own locks would not.
//! - PostgreSQL writes under SERIALIZABLE and reads under REPEATABLE READ; any number of processes may open it, each
//!   with its own generation.
//!
//! Invariant: an answer to COMMIT that did not arrive is `CommitUnknown`, never done and never not done.
//!
//! Deliberately absent: prepared schema checks at compile time, MySQL, in-memory SQLite.

mod errors;
mod location;
mod lock;
mod postgres;
mod schema;
mod sqlite;
mod statements;
mod transaction;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use sqlx::{AnyPool, Connection as _};

pub use location::Location;

use crate::catalog::{Catalog, Engine, Info, Transaction};
use crate::error::CatalogError;
use errors::{Phase, Place};
use lock::OwnerLock;
use transaction::SqlTransaction;

/// An open catalog in SQL. Transactions that are still open keep it in use after it is dropped.
pub struct SqlCatalog {
    info: Info,
    shared: Arc<Shared>,
}

/// What transactions need of their catalog.
struct Shared {
    place: Place,
    writers: AnyPool,
    readers: AnyPool,
    /// The disk failed in the middle of a commit: nothing is written any more until the next start.
    broken: AtomicBool,
    _lock: Option<OwnerLock>,
}

impl Shared {
    /// Names an error, and remembers one that forbids further writing.
    fn fail(&self, error: &sqlx::Error, phase: Phase) -> CatalogError {
        if self.place.is_broken_by(error) {
            self.broken.store(true, Ordering::SeqCst);
        }
        self.place.name(error, phase)
    }

    fn check_writable(&self) -> Result<(), CatalogError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(CatalogError::NotWritable {
                catalog: self.place.name.clone(),
                why: "its disk failed while it was written".into(),
            });
        }
        Ok(())
    }
}

impl SqlCatalog {
    /// Opens a catalog for writing, makes its tables where there are none, brings older ones up to date, and takes
    /// the next generation.
    ///
    /// # Errors
    /// `InUse` when another process has this SQLite file, `Newer` for tables of a later version, `Corrupt` for a file
    /// or tables that are not a catalog's, `Unreachable`, `NotWritable`, `DiskFull`.
    pub async fn open(location: &Location) -> Result<Self, CatalogError> {
        install_drivers();
        let shared = match location {
            Location::Sqlite { path, max_bytes } => sqlite::open(path, *max_bytes).await?,
            Location::Postgres(url) => postgres::open(url).await?,
        };
        let start = schema::start(&shared).await?;
        let info = Info {
            engine: shared.place.engine,
            name: shared.place.name.clone(),
            catalog_id: start.catalog_id,
            schema: crate::SCHEMA,
            generation: start.generation,
        };
        Ok(Self {
            info,
            shared: Arc::new(shared),
        })
    }

    /// Waits for open transactions and closes the connections; SQLite then has all of it in its one file.
    pub async fn close(self) {
        self.shared.readers.close().await;
        self.shared.writers.close().await;
    }

    async fn start(&self, writes: bool) -> Result<Box<dyn Transaction>, CatalogError> {
        let shared = &self.shared;
        let (pool, begin) = match (shared.place.engine, writes) {
            (Engine::Postgres, true) => (&shared.writers, "BEGIN ISOLATION LEVEL SERIALIZABLE"),
            (Engine::Postgres, false) => (
                &shared.readers,
                "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
            ),
            (_, true) => (&shared.writers, "BEGIN IMMEDIATE"),
            (_, false) => (&shared.readers, "BEGIN"),
        };
        let inner = begin_on(shared, pool, begin).await?;
        Ok(Box::new(SqlTransaction::new(
            Arc::clone(shared),
            self.info.generation,
            inner,
            writes,
        )))
    }
}

/// Begins on a sound connection of the pool, throwing away those that are not.
async fn begin_on(
    shared: &Shared,
    pool: &AnyPool,
    begin: &'static str,
) -> Result<sqlx::Transaction<'static, sqlx::Any>, CatalogError> {
    let mut left = pool.options().get_max_connections();
    loop {
        let error = match pool.begin_with(begin).await {
            Ok(inner) => return Ok(inner),
            Err(error) => error,
        };
        left = left.saturating_sub(1);
        match error {
            // SQLite ended a transaction by itself, as it does when the disk is full, and the driver, whose rollback
            // then failed, still counts it.
            sqlx::Error::InvalidSavePointStatement if left > 0 || shared.place.engine == Engine::Sqlite => {
                let stale = pool
                    .acquire()
                    .await
                    .map_err(|error| shared.fail(&error, Phase::Begin))?;
                // Whatever closing says, the connection is gone.
                let _ = stale.close().await;
            }
            sqlx::Error::PoolTimedOut => return Err(timed_out(shared, pool).await),
            other => return Err(shared.fail(&other, Phase::Begin)),
        }
    }
}

/// Why there was no connection in time: the server says so itself when it is asked without the pool.
async fn timed_out(shared: &Shared, pool: &AnyPool) -> CatalogError {
    if shared.place.engine == Engine::Postgres {
        match sqlx::AnyConnection::connect_with(&pool.connect_options()).await {
            Ok(connection) => drop(connection),
            Err(error) => return shared.fail(&error, Phase::Begin),
        }
    }
    CatalogError::Conflict {
        what: "other transactions did not end in time".into(),
    }
}

#[async_trait]
impl Catalog for SqlCatalog {
    fn info(&self) -> &Info {
        &self.info
    }

    async fn begin(&self) -> Result<Box<dyn Transaction>, CatalogError> {
        self.shared.check_writable()?;
        self.start(true).await
    }

    async fn read(&self) -> Result<Box<dyn Transaction>, CatalogError> {
        self.start(false).await
    }

    async fn health(&self) -> Result<(), CatalogError> {
        self.shared.check_writable()?;
        let mut tx = self.start(false).await?;
        tx.get(crate::Kind::Vault, "health", "health").await?;
        Ok(())
    }
}

/// Makes both engines known to the driver, once in a process.
fn install_drivers() {
    // Fails when they are known already, which is as good.
    let _ = sqlx::any::install_drivers(&[sqlx::sqlite::any::DRIVER, sqlx::postgres::any::DRIVER]);
}

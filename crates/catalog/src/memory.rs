//! A catalog in memory, deterministic, with the semantics of a durable one and the misdeeds of a real one.
//!
//! [`MemoryStore`] is what survives: the disk, so to say. [`MemoryStore::open`] starts a catalog on it, one at a
//! time, each with the next generation. [`MemoryStore::crash`] ends it as `kill -9` does: open transactions are
//! forgotten, and of a commit that was under way a seed decides whether it is there.
//!
//! Transactions read the moment they began at and are checked at their commit against all that was committed since
//! (`transaction`), so that nobody waits for anybody: harsher than SQLite, which makes writers queue, and no milder
//! than PostgreSQL. A [`Plan`] decides before each step what goes wrong.
//!
//! Part of the library, not of the tests alone, so that other crates can run a vault in simulation.
//!
//! Deliberately absent: a limit of size, threads, time.

mod plan;
mod state;
mod table;
mod transaction;

use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;

pub use plan::{Event, NoTrouble, Plan, Step, pending};

use crate::SCHEMA;
use crate::catalog::{Catalog, Engine, Info, Transaction};
use crate::error::CatalogError;
use crate::memory::state::State;
use crate::memory::transaction::MemoryTransaction;
use crate::row::Row;

/// The name of this catalog in errors.
const NAME: &str = "in memory";

/// What survives a crash. Clones are the same.
#[derive(Clone)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
}

impl MemoryStore {
    /// An empty one whose decisions follow the seed.
    pub fn new(seed: u64) -> Self {
        Self {
            state: Arc::new(Mutex::new(State::new(seed))),
        }
    }

    /// Starts a catalog with the next generation.
    ///
    /// # Errors
    /// `InUse` while another one is open.
    pub fn open(&self) -> Result<MemoryCatalog, CatalogError> {
        let mut state = self.lock();
        if state.held {
            return Err(CatalogError::InUse {
                catalog: NAME.into(),
                holder: " (this one)".into(),
            });
        }
        state.held = true;
        state.settle();
        state.generation += 1;
        let info = Info {
            engine: Engine::Memory,
            name: NAME.into(),
            catalog_id: state.catalog_id.clone(),
            schema: SCHEMA,
            generation: state.generation,
        };
        Ok(MemoryCatalog {
            store: self.clone(),
            epoch: state.epoch,
            info,
        })
    }

    /// Ends the open catalog as the death of its process does. Its transactions answer `Unreachable` from now on.
    pub fn crash(&self) {
        let mut state = self.lock();
        state.epoch += 1;
        state.held = false;
        state.settle();
        state.forget_readers();
    }

    /// From now on this decides what goes wrong.
    pub fn set_plan(&self, plan: Box<dyn Plan>) {
        self.lock().plan = plan;
    }

    /// Whether there is no space: every commit that writes fails with `DiskFull`.
    pub fn set_full(&self, full: bool) {
        self.lock().full = full;
    }

    /// Another store with the same committed rows, as they are now.
    #[must_use]
    pub fn snapshot(&self) -> Self {
        Self {
            state: Arc::new(Mutex::new(self.lock().copy())),
        }
    }

    /// All committed rows, by kind, vault id and id.
    pub fn rows(&self) -> Vec<Row> {
        self.lock().rows()
    }

    /// All committed rows in a canonical text, a line each, for comparisons.
    pub fn dump(&self) -> String {
        let rows = self.rows().into_iter();
        let lines = rows.map(|row| {
            format!(
                "{} {} {} v{} g{} f{} {:?} {}\n",
                row.kind, row.vault, row.id, row.version, row.generation, row.format, row.keys, row.body
            )
        });
        lines.collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("no holder of this lock panics: it is never held over foreign code but a plan's")
    }
}

/// An open catalog in memory. Dropping it frees the store for the next start.
pub struct MemoryCatalog {
    store: MemoryStore,
    epoch: u64,
    info: Info,
}

impl MemoryCatalog {
    /// What survives.
    pub fn store(&self) -> &MemoryStore {
        &self.store
    }

    async fn start(&self, writes: bool) -> Result<Box<dyn Transaction>, CatalogError> {
        plan::face(&self.store, Step::Begin).await?;
        let mut state = self.store.lock();
        state.check_epoch(self.epoch)?;
        state.settle();
        let number = state.enter();
        let begin = state.sequence;
        drop(state);
        Ok(Box::new(MemoryTransaction::new(
            self.store.clone(),
            self.epoch,
            self.info.generation,
            number,
            begin,
            writes,
        )))
    }
}

impl Drop for MemoryCatalog {
    fn drop(&mut self) {
        let mut state = self.store.lock();
        if state.epoch == self.epoch {
            state.epoch += 1;
            state.held = false;
        }
    }
}

#[async_trait]
impl Catalog for MemoryCatalog {
    fn info(&self) -> &Info {
        &self.info
    }

    async fn begin(&self) -> Result<Box<dyn Transaction>, CatalogError> {
        self.start(true).await
    }

    async fn read(&self) -> Result<Box<dyn Transaction>, CatalogError> {
        self.start(false).await
    }

    async fn health(&self) -> Result<(), CatalogError> {
        self.store.lock().check_epoch(self.epoch)
    }
}

pub(crate) fn unreachable(why: &str) -> CatalogError {
    CatalogError::Unreachable {
        catalog: NAME.into(),
        why: why.into(),
    }
}

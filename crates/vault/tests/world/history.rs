//! A catalog that remembers everything that was written through it, so that a judge sees what happened, not only what is left of
//! it.

use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use catalog::{
    Catalog, CatalogError, Info, Kind, NewRow, Query, Range, Row, RowPage, Scope, Slot, Transaction,
};
use futures::task::AtomicWaker;

use super::time::MachineClock;

/// One write.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    /// When it was committed, by true time.
    pub(crate) at: Duration,
    /// Kind.
    pub(crate) kind: Kind,
    /// Id.
    pub(crate) id: String,
    /// The version that it made.
    pub(crate) version: i64,
    /// The start that wrote it.
    pub(crate) generation: i64,
    /// Its body; none where it was removed.
    pub(crate) body: Option<String>,
    /// Whether the commit is known to have been done.
    pub(crate) is_sure: bool,
}

/// All writes of items, jobs, notices and points, in the order of their commits.
#[derive(Default)]
pub(crate) struct History {
    writes: Mutex<Vec<Write>>,
    /// Of who waits for a write.
    waits: AtomicWaker,
}

impl History {
    /// The writes of a kind.
    pub(crate) fn of(&self, kind: Kind) -> Vec<Write> {
        self.of_all(&[kind])
    }

    /// The writes of some kinds, as they followed on each other.
    pub(crate) fn of_all(&self, kinds: &[Kind]) -> Vec<Write> {
        let writes = self.writes.lock().unwrap();
        writes
            .iter()
            .filter(|write| kinds.contains(&write.kind))
            .cloned()
            .collect()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.writes.lock().unwrap().len()
    }

    /// Waits for a write, committed from now on, of which `finds` makes something. One waits at a time.
    pub(crate) async fn until<T>(&self, finds: impl Fn(&Write) -> Option<T>) -> T {
        let mut from = self.len();
        std::future::poll_fn(move |context| {
            self.waits.register(context.waker());
            let writes = self.writes.lock().unwrap();
            let new = &writes[from..];
            if let Some(found) = new.iter().filter(|write| write.is_sure).find_map(&finds) {
                return Poll::Ready(found);
            }
            // What is not committed yet is looked at again.
            from += new
                .iter()
                .take_while(|write| write.is_sure || write.version < 0)
                .count();
            Poll::Pending
        })
        .await
    }
}

/// The catalog.
pub(crate) struct Watched {
    pub(crate) inner: Arc<dyn Catalog>,
    pub(crate) history: Arc<History>,
    pub(crate) clock: Arc<MachineClock>,
}

#[async_trait]
impl Catalog for Watched {
    fn info(&self) -> &Info {
        self.inner.info()
    }

    async fn begin(&self) -> Result<Box<dyn Transaction>, CatalogError> {
        Ok(Box::new(Watching {
            inner: self.inner.begin().await?,
            writes: Vec::new(),
            history: Arc::clone(&self.history),
            clock: Arc::clone(&self.clock),
        }))
    }

    async fn read(&self) -> Result<Box<dyn Transaction>, CatalogError> {
        self.inner.read().await
    }

    async fn health(&self) -> Result<(), CatalogError> {
        self.inner.health().await
    }
}

struct Watching {
    inner: Box<dyn Transaction>,
    writes: Vec<Write>,
    history: Arc<History>,
    clock: Arc<MachineClock>,
}

impl Watching {
    fn note(&mut self, row: &Row) {
        if matches!(row.kind, Kind::Item | Kind::Job | Kind::Notice | Kind::Point) {
            self.writes.push(Write {
                at: Duration::ZERO,
                kind: row.kind,
                id: row.id.clone(),
                version: row.version,
                generation: row.generation,
                body: Some(row.body.clone()),
                is_sure: false,
            });
        }
    }
}

#[async_trait]
impl Transaction for Watching {
    async fn get(&mut self, kind: Kind, vault: &str, id: &str) -> Result<Option<Row>, CatalogError> {
        self.inner.get(kind, vault, id).await
    }

    async fn scan(&mut self, kind: Kind, query: &Query) -> Result<RowPage, CatalogError> {
        self.inner.scan(kind, query).await
    }

    async fn count(
        &mut self,
        kind: Kind,
        scope: &Scope,
        slot: Slot,
        range: &Range,
    ) -> Result<i64, CatalogError> {
        self.inner.count(kind, scope, slot, range).await
    }

    async fn insert(&mut self, row: NewRow) -> Result<Row, CatalogError> {
        let row = self.inner.insert(row).await?;
        self.note(&row);
        Ok(row)
    }

    async fn update(&mut self, row: NewRow, expected: i64) -> Result<Row, CatalogError> {
        let row = self.inner.update(row, expected).await?;
        self.note(&row);
        Ok(row)
    }

    async fn delete(&mut self, kind: Kind, vault: &str, id: &str, expected: i64) -> Result<(), CatalogError> {
        self.inner.delete(kind, vault, id, expected).await?;
        self.writes.push(Write {
            at: Duration::ZERO,
            kind,
            id: id.to_owned(),
            version: expected + 1,
            generation: 0,
            body: None,
            is_sure: false,
        });
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<(), CatalogError> {
        let this = *self;
        let at = vault::world::Clock::uptime(&*this.clock);
        let (from, to) = {
            let mut history = this.history.writes.lock().unwrap();
            let from = history.len();
            history.extend(this.writes.into_iter().map(|write| Write { at, ..write }));
            (from, history.len())
        };
        // Dropped from here on, the writes are there or not.
        let done = this.inner.commit().await;
        let mut history = this.history.writes.lock().unwrap();
        match &done {
            Ok(()) => history[from..to]
                .iter_mut()
                .for_each(|write| write.is_sure = true),
            Err(CatalogError::CommitUnknown { .. }) => {}
            Err(_) => history[from..to].iter_mut().for_each(|write| write.version = -1),
        }
        drop(history);
        this.history.waits.wake();
        done
    }
}

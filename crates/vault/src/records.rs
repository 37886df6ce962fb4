//! The vault's way to its records: typed, under its own id, changed by version, repeated where two changes met.

use std::fmt::Display;

use async_trait::async_trait;
use catalog::record::Item;
use catalog::{
    CatalogError, Cursor, Pause, Query, Range, Record, Retryable, Scope, Scoped, Slot, Transaction,
    Versioned, all, decode, demand, get, insert, retry, scoped, update,
};
use faults::{Code, Fault};

use crate::vault::Vault;
use crate::world::World;

/// The most records that one list holds: a vault has at most 2,000 databases by default, and room for those that are gone.
pub const LIST_MAX: usize = 100_000;

/// Why a transaction did not do its work: the catalog failed, or the work itself refused.
#[derive(Debug)]
pub enum Trouble {
    /// The catalog.
    Catalog(CatalogError),
    /// The work.
    Refused(Box<Fault>),
}

impl From<CatalogError> for Trouble {
    fn from(error: CatalogError) -> Self {
        Self::Catalog(error)
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Refused(Box::new(fault))
    }
}

impl Retryable for Trouble {
    fn catalog_error(&self) -> Option<&CatalogError> {
        match self {
            Self::Catalog(error) => Some(error),
            Self::Refused(_) => None,
        }
    }
}

impl Trouble {
    /// As people see it.
    pub fn fault(self) -> Fault {
        match self {
            Self::Catalog(error) => fault(error),
            Self::Refused(fault) => *fault,
        }
    }
}

/// A page of records in which those that cannot be read are told apart: one damaged record must not hold up the others.
pub(crate) struct Readable<R> {
    /// Those that can be read, in order.
    pub(crate) records: Vec<Versioned<R>>,
    /// Ids of those that cannot, and why.
    pub(crate) unreadable: Vec<(String, Fault)>,
    /// Where the next page starts.
    pub(crate) next: Option<Cursor>,
}

/// A page of what can be read.
///
/// # Errors
/// What the engine failed with; a record that cannot be read is none of them.
pub(crate) async fn readable<R: Record>(
    tx: &mut dyn Transaction,
    query: &Query,
) -> Result<Readable<R>, CatalogError> {
    let found = tx.scan(R::KIND, query).await?;
    let (mut records, mut unreadable) = (Vec::new(), Vec::new());
    for row in found.rows {
        let id = row.id.clone();
        match decode::<R>(row) {
            Ok(record) => records.push(record),
            Err(error) => unreadable.push((id, fault(error))),
        }
    }
    Ok(Readable {
        records,
        unreadable,
        next: found.next,
    })
}

struct Wait<'w>(&'w World);

#[async_trait]
impl Pause for Wait<'_> {
    async fn pause(&self, milliseconds: u64) {
        self.0
            .clock
            .sleep(std::time::Duration::from_millis(milliseconds))
            .await;
    }
}

impl Vault {
    /// Runs `work` in a writing transaction and commits it, again where it met another one:
    /// `transact(|tx| scoped(async move { ... }))`. `work` must have no effect but through its transaction.
    ///
    /// # Errors
    /// What `work` refused with; what the catalog failed with.
    pub(crate) async fn transact<'a, T, F>(&self, work: F) -> Result<T, Fault>
    where
        T: Send,
        F: for<'t> FnMut(&'t mut dyn Transaction) -> Scoped<'a, 't, Result<T, Trouble>> + Send,
    {
        let mut seed = [0; 8];
        self.world.chance.fill(&mut seed);
        let catalog = self.world.catalog.as_ref();
        retry(catalog, &Wait(&self.world), u64::from_le_bytes(seed), work)
            .await
            .map_err(Trouble::fault)
    }

    /// The record of an id, where there is one.
    ///
    /// # Errors
    /// What the catalog failed with.
    pub(crate) async fn find<R: Record>(&self, id: impl Display) -> Result<Option<Versioned<R>>, Fault> {
        let mut tx = self.world.catalog.read().await.map_err(fault)?;
        get::<R>(tx.as_mut(), &self.key, &id.to_string())
            .await
            .map_err(fault)
    }

    /// The record of an id.
    ///
    /// # Errors
    /// There is none; what the catalog failed with.
    pub(crate) async fn get<R: Record>(&self, id: impl Display) -> Result<Versioned<R>, Fault> {
        let mut tx = self.world.catalog.read().await.map_err(fault)?;
        demand::<R>(tx.as_mut(), &self.key, &id.to_string())
            .await
            .map_err(fault)
    }

    /// Records by a range of a slot, ascending.
    ///
    /// # Errors
    /// What the catalog failed with; more than [`LIST_MAX`].
    pub(crate) async fn list<R: Record>(&self, slot: Slot, range: Range) -> Result<Vec<Versioned<R>>, Fault> {
        let mut tx = self.world.catalog.read().await.map_err(fault)?;
        let query = Query::of(Scope::vault(&self.key), slot, range);
        all::<R>(tx.as_mut(), query, LIST_MAX).await.map_err(fault)
    }

    /// Records by a range of a slot, ascending, without those that cannot be read.
    ///
    /// # Errors
    /// What the catalog failed with.
    pub(crate) async fn list_readable<R: Record>(
        &self,
        slot: Slot,
        range: Range,
    ) -> Result<Vec<Versioned<R>>, Fault> {
        let mut tx = self.world.catalog.read().await.map_err(fault)?;
        let mut query = Query::of(Scope::vault(&self.key), slot, range);
        let mut found = Vec::new();
        loop {
            let page = readable::<R>(tx.as_mut(), &query).await.map_err(fault)?;
            found.extend(page.records);
            match page.next {
                Some(next) => query = query.after(next),
                None => return Ok(found),
            }
        }
    }

    /// Writes a new record.
    ///
    /// # Errors
    /// What the catalog failed with.
    pub(crate) async fn insert<R: Record + Sync>(&self, record: R) -> Result<Versioned<R>, Fault> {
        let record = &record;
        self.transact(move |tx| scoped(async move { Ok(insert(tx, &self.key, record.clone()).await?) }))
            .await
    }

    /// Changes a record: reads it, lets `work` change it, writes it over the version that was read; again where somebody else was
    /// faster. Gives the record as it is then, and what `work` gave.
    ///
    /// # Errors
    /// There is none; what `work` refused with; what the catalog failed with.
    pub(crate) async fn change<R: Record, T: Send>(
        &self,
        id: impl Display,
        work: impl Fn(&mut R) -> Result<T, Fault> + Send + Sync,
    ) -> Result<(Versioned<R>, T), Fault> {
        let (id, work) = (&id.to_string(), &work);
        self.transact(move |tx| {
            scoped(async move {
                let mut found = demand::<R>(tx, &self.key, id).await?;
                let result = work(&mut found.record)?;
                Ok((update(tx, found).await?, result))
            })
        })
        .await
    }
}

/// Refuses to change what somebody else has changed since a user saw it, at version `seen` (none: whatever it is).
///
/// # Errors
/// `Bac2VersionConflict`.
pub(crate) fn refuse_changed(version: i64, seen: Option<i64>, target: &str) -> Result<(), Fault> {
    match seen {
        Some(seen) if seen != version => Err(Fault::new(Code::Bac2VersionConflict).at(target).because(
            &format!("it is version {version} by now, and was seen at version {seen}"),
        )),
        _ => Ok(()),
    }
}

/// Counts a user's change of an item, where nobody else has changed it since the user saw it at edition `seen`.
///
/// # Errors
/// `Bac2VersionConflict`.
pub(crate) fn edit(item: &mut Item, seen: Option<i64>) -> Result<(), Fault> {
    refuse_changed(item.edition, seen, &format!("item {}", item.id))?;
    item.edition = item.edition.saturating_add(1);
    Ok(())
}

/// What the catalog failed with, as people see it.
#[must_use]
#[allow(clippy::needless_pass_by_value)] // It is what `map_err` gives.
pub fn fault(error: CatalogError) -> Fault {
    let code = match &error {
        CatalogError::Missing { .. } => Code::Bac2NotFound,
        CatalogError::Exists { .. } => Code::Bac2NameTaken,
        CatalogError::Conflict { .. } => Code::Bac2VersionConflict,
        CatalogError::TooLarge { .. } => Code::Bac2LimitReached,
        CatalogError::Newer { .. } => Code::Bac2CatalogTooNew,
        CatalogError::Misuse { .. } => Code::Bac2InternalError,
        _ => Code::Bac2CatalogUnavailable,
    };
    Fault::new(code).because(&error.to_string())
}

//! The vault's way to its records: typed, under its own id, changed by version, repeated where two changes met.

use std::fmt::Display;

use async_trait::async_trait;
use catalog::retry::{Pause, Retryable, Tries};
use catalog::{
    CatalogError, Kind, Query, Range, Record, Scope, Slot, Transaction, Versioned, all, demand, get, insert,
    update,
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

struct Wait<'w>(&'w World);

#[async_trait]
impl Pause for Wait<'_> {
    async fn pause(&self, milliseconds: u64) {
        self.0.clock.sleep(std::time::Duration::from_millis(milliseconds)).await;
    }
}

impl Vault {
    /// Tries of a transaction, with waits that differ from others'.
    pub(crate) fn tries(&self) -> Tries {
        let mut seed = [0; 8];
        self.world.chance.fill(&mut seed);
        Tries::new(u64::from_le_bytes(seed))
    }

    /// Whether a transaction that failed is worth another try; waits before it says so.
    pub(crate) async fn again(&self, tries: &mut Tries, trouble: &Trouble) -> bool {
        match trouble.catalog_error() {
            Some(error) => tries.again(error, &Wait(&self.world)).await,
            None => false,
        }
    }

    /// Runs `work` in a writing transaction and commits it, again where it met another one. `work` must have no effect but through its
    /// transaction.
    ///
    /// # Errors
    /// What `work` refused with; what the catalog failed with.
    pub(crate) async fn transact<T>(
        &self,
        mut work: impl AsyncFnMut(&mut dyn Transaction) -> Result<T, Trouble>,
    ) -> Result<T, Fault> {
        let mut tries = self.tries();
        loop {
            let done = async {
                let mut tx = self.world.catalog.begin().await?;
                let done = work(tx.as_mut()).await?;
                tx.commit().await?;
                Ok::<T, Trouble>(done)
            }
            .await;
            match done {
                Ok(done) => return Ok(done),
                Err(trouble) if self.again(&mut tries, &trouble).await => {}
                Err(trouble) => return Err(trouble.fault()),
            }
        }
    }

    /// The record of an id, where there is one.
    ///
    /// # Errors
    /// What the catalog failed with.
    pub(crate) async fn find<R: Record>(&self, id: impl Display) -> Result<Option<Versioned<R>>, Fault> {
        let mut tx = self.world.catalog.read().await.map_err(fault)?;
        get::<R>(tx.as_mut(), &self.key, &id.to_string()).await.map_err(fault)
    }

    /// The record of an id.
    ///
    /// # Errors
    /// There is none; what the catalog failed with.
    pub(crate) async fn get<R: Record>(&self, id: impl Display) -> Result<Versioned<R>, Fault> {
        let mut tx = self.world.catalog.read().await.map_err(fault)?;
        demand::<R>(tx.as_mut(), &self.key, &id.to_string()).await.map_err(fault)
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

    /// Writes a new record.
    ///
    /// # Errors
    /// What the catalog failed with.
    pub(crate) async fn insert<R: Record>(&self, record: R) -> Result<Versioned<R>, Fault> {
        let mut tries = self.tries();
        loop {
            let done = async {
                let mut tx = self.world.catalog.begin().await?;
                let done = insert(tx.as_mut(), &self.key, record.clone()).await?;
                tx.commit().await?;
                Ok::<_, Trouble>(done)
            }
            .await;
            match done {
                Ok(done) => return Ok(done),
                Err(trouble) if self.again(&mut tries, &trouble).await => {}
                Err(trouble) => return Err(trouble.fault()),
            }
        }
    }

    /// Changes a record: reads it, lets `work` change it, writes it over the version that was read; again where somebody else was
    /// faster. Gives the record as it is then, and what `work` gave.
    ///
    /// # Errors
    /// There is none; what `work` refused with; what the catalog failed with.
    pub(crate) async fn change<R: Record, T>(
        &self,
        id: impl Display,
        mut work: impl FnMut(&mut R) -> Result<T, Fault>,
    ) -> Result<(Versioned<R>, T), Fault> {
        let (id, mut tries) = (id.to_string(), self.tries());
        loop {
            let done = async {
                let mut tx = self.world.catalog.begin().await?;
                let mut found = demand::<R>(tx.as_mut(), &self.key, &id).await?;
                let result = work(&mut found.record)?;
                let changed = update(tx.as_mut(), found).await?;
                tx.commit().await?;
                Ok::<_, Trouble>((changed, result))
            }
            .await;
            match done {
                Ok(done) => return Ok(done),
                Err(trouble) if self.again(&mut tries, &trouble).await => {}
                Err(trouble) => return Err(trouble.fault()),
            }
        }
    }
}

/// What the catalog failed with, as people see it.
#[must_use]
#[allow(clippy::needless_pass_by_value)] // It is what `map_err` gives.
pub fn fault(error: CatalogError) -> Fault {
    let code = match &error {
        CatalogError::Missing { kind, .. } => missing(*kind),
        CatalogError::Conflict { .. } => Code::Bac2VersionConflict,
        _ => Code::Bac2CatalogNotWritable,
    };
    Fault::new(code).because(&error.to_string())
}

/// The code for a record that is not there.
fn missing(_kind: Kind) -> Code {
    Code::Bac2NotFound
}

//! What the vault takes from outside: time, chance, SQL Server, the front door's store, the catalog, the key of its secrets. The
//! vault names nothing else, so that it runs whole in simulated time over simulated instances, from a seed.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use catalog::Catalog;
use jiff::Timestamp;
use mssql::Connector;
use uuid::Uuid;

use crate::keyring::Keyring;
use crate::shelf::Shelf;

/// Everything from outside.
#[derive(Clone)]
pub struct World {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub chance: Arc<dyn Chance>,
    /// The way to instances.
    pub connector: Arc<dyn Connector>,
    /// Where backups arrive.
    pub shelf: Arc<dyn Shelf>,
    /// The vault's records.
    pub catalog: Arc<dyn Catalog>,
    /// The key of secrets at rest.
    pub keyring: Arc<Keyring>,
}

/// Time and how it passes.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now, in UTC. May jump, forward and back.
    fn now(&self) -> Timestamp;
    /// Time since some moment before the vault started, which never jumps: durations are measured by it.
    fn uptime(&self) -> Duration;
    /// Waits, by [`Clock::uptime`]; with zero, lets others run.
    async fn sleep(&self, time: Duration);
}

/// Chance.
pub trait Chance: Send + Sync {
    /// Fills `bytes`; in the product from the operating system, good enough for keys and nonces.
    fn fill(&self, bytes: &mut [u8]);

    /// A new id (a version 4 UUID).
    fn uuid(&self) -> Uuid {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }
}

//! This machine, for the vault that runs on it: the one module of the crate that names tokio, the machine's clock and its chance.
//!
//! `clock` and `chance` are small; `store` is the shelf over the store in this process and the front door that serves it. The
//! connector is [`mssql::tds::Tds`], the catalog [`catalog::sql::SqlCatalog`]: they need no adapter here.
//!
//! Invariant: nothing here holds up a worker of the runtime; the store blocks on threads that are there for it.

mod chance;
mod clock;
mod store;

pub use chance::MachineChance;
pub use clock::MachineClock;
pub use store::{DoorWitness, StoreShelf};

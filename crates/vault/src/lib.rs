//! The vault: which instances there are, which databases they hold, what protects them, and the backups that come of it.
//!
//! It knows SQL Server, the store behind the front door, its records, time and chance only through the small traits of [`world`],
//! and runs as one future with no task, thread or timer of its own: in the product the machine polls it, in the simulation a seed
//! does, and drops it at any await to see what a crash leaves behind.
//!
//! - [`registration`], [`readiness`], [`discovery`]: instances and what is on them.
//! - [`policies`], [`protection`], [`selection`]: what shall be backed up, and how.
//! - [`scheduler`], [`jobs`], [`notices`]: when, one durable step after the other, and what people must know.
//! - [`backup`]: one backup, from the look at the database to the recovery point with its proof.
//! - [`restoring`]: from a moment that somebody names to a database that stands at it.
//! - [`foreign`], [`healing`], [`cleaning`], [`errorlog`]: other tools' backups, broken chains, what interrupted backups leave behind.
//! - [`retention`]: how long recovery points live, and how they end.
//! - [`rebuilding`]: a lost catalog, made again of the records beside the blobs.
//! - [`machine`]: this machine's clock, chance and store, for the product; the only module that knows tokio.
//!
//! Rules: outcome is SQL Server's word, proof is the vault's, and neither stands for the other. What must survive is in the catalog
//! before the deed that it announces, and every step can be done again. Every failure that reaches people has a code.
//!
//! Deliberately absent: the network face.

pub mod backup;
mod bell;
pub mod cleaning;
pub mod discovery;
mod draining;
pub mod errorlog;
pub mod foreign;
pub mod healing;
pub mod jobs;
pub mod keyring;
pub mod machine;
pub mod notices;
mod points;
pub mod policies;
pub mod protection;
pub mod readiness;
pub mod rebuilding;
pub mod records;
pub mod registration;
pub mod restoring;
pub mod retention;
pub mod scheduler;
mod secrets;
pub mod selection;
pub mod settings;
pub mod shelf;
#[cfg(test)]
mod staged;
pub mod vault;
pub mod world;

pub use vault::Vault;
pub use world::World;

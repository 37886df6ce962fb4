//! A simulated SQL Server instance: TDS in front, a small page-and-log engine behind. It proves nothing about SQL Server; it is
//! what bac2's own tests and demo talk to where no SQL Server can run, and it says so in every banner.
//!
//! Faithful where a backup vault depends on it: pages, checksums, LSNs, backups in SQL Server's format, the requests of BACKUP TO
//! URL, messages and their order, the catalog. Everything from outside comes through [`world`], so that an instance runs in
//! memory, in simulated time, from a seed; [`machine`] is the adapter for a real disk, clock and network.
//!
//! Deliberately absent: a query optimiser, indexes, views, procedures, triggers, and every statement that neither the vault nor a
//! test workload needs: refused with message 40510, which says that this is a simulation.

pub mod answers;
pub mod backup;
pub mod engine;
pub mod faults;
pub mod instance;
pub mod machine;
pub mod media;
pub mod memory;
pub mod message;
pub mod moment;
pub mod query;
pub mod restore;
pub mod session;
pub mod tds;
pub mod tsql;
pub mod url;
pub mod value;
pub mod views;
pub mod world;

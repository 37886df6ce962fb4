//! The world in which the vault is tested: one simulated clock, instances of simsql, the real store on a simulated disk behind
//! the rules of the Blob service, a catalog in memory, and everything of it in one process, from one seed, with no thread and no
//! socket.
//!
//! ```text
//! Cluster --- clock, dice
//!    |------- Network (mssql::Connector) --- Server... (simsql::Instance) ---+
//!    |------- Shelves (vault::Shelf) --- Door (blobstore::Store) ------------+ DoorWire: BACKUP TO URL
//!    |------- MemoryStore (catalog)
//!    +------- Vault, its run as a task that a crash drops at any await
//! ```
//!
//! Each test makes a [`Cluster`] and runs a scenario with [`Cluster::run`]; time passes only when all wait.

#![allow(dead_code, unused_imports)] // Each test binary uses a part of it.

pub(crate) mod cluster;
pub(crate) mod connection;
pub(crate) mod convert;
pub(crate) mod deeds;
pub(crate) mod door;
pub(crate) mod enrol;
pub(crate) mod groups;
pub(crate) mod history;
pub(crate) mod lag;
pub(crate) mod leases;
pub(crate) mod servers;
pub(crate) mod shelf;
pub(crate) mod sql;
pub(crate) mod sqlite;
pub(crate) mod tasks;
pub(crate) mod time;
pub(crate) mod uses;

pub(crate) use cluster::Cluster;
pub(crate) use groups::Group;
pub(crate) use servers::{End, PASSWORD, Server};
pub(crate) use sql::Sql;

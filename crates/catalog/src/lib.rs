//! The vault's records behind one trait with transactions.
//!
//! A record hangs under a vault id, has a stable id, up to four secondary keys, a version for optimistic concurrency
//! and a body of JSON. [`Catalog`] and [`Transaction`] are the seam; [`Record`] with [`get`], [`page`], [`insert`],
//! [`update`] and [`delete`] puts types over it, [`retry`] repeats a transaction that met another one.
//!
//! - [`sql`]: SQLite, PostgreSQL.
//! - [`dump`]: a whole catalog as lines of JSON, and back.
//! - [`memory`]: in memory, deterministic, with crashes and planned trouble, for simulation.
//! - [`mod@record`]: the vault's records, each with its keys.
//!
//! Invariants:
//! - What a commit returned as done survives; what it refused left nothing behind; what is not known is said so.
//! - Two transactions that read and wrote the same rows do not both succeed.
//! - No body and no password is in an error.
//!
//! Deliberately absent: what records mean. The record types know their fields and keys; the vault knows the rest.

pub mod dump;
pub mod keys;
pub mod memory;
pub mod record;
pub mod sql;

mod catalog;
mod error;
mod kind;
mod query;
mod retry;
mod row;
mod typed;

pub use catalog::{Catalog, Engine, Info, Transaction};
pub use error::CatalogError;
pub use keys::{KEY_BYTES_MAX, Keys};
pub use kind::{Kind, Slot};
pub use query::{Cursor, Order, PAGE_ROWS_MAX, Query, Range, RowPage, Scope};
pub use retry::{Pause, Retryable, Scoped, TRIES_MAX, Tries, retry, scoped};
pub use row::{BODY_BYTES_MAX, ID_BYTES_MAX, NewRow, Row, VAULT_BYTES_MAX};
pub use typed::{Page, Record, Versioned, all, decode, delete, demand, get, insert, page, update};

/// The version of the tables that this program writes, and the newest it reads.
pub const SCHEMA: i64 = 2;

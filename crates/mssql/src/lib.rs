//! Sessions with SQL Server, for a vault that backs it up.
//!
//! ```text
//! address, authentication, trust -> connection::Target --Connector--> Connection -> Session
//!                                                                                    |
//!                quoting -> statement/ (BACKUP, RESTORE, credentials, logins) -------+-> facts, databases, history, media, readiness
//!                                                                                    +-> run (how a BACKUP or RESTORE really ended)
//! ```
//!
//! The real connection is [`tds`], over Microsoft's client `mssql-tds`; no type of it leaves that module. Everything else works
//! over the two traits in [`connection`], so that a vault runs over simulated instances in one process and in simulated time.
//!
//! Invariants: no text from outside reaches a statement but through [`quoting`]; no secret is in an error, a log or a Debug;
//! whether a BACKUP succeeded is SQL Server's own word (message 3014, or msdb's row), never a guess; nothing that a server sends
//! grows without limit.
//!
//! Deliberately absent: a pool (sessions are few and long), parameters (what is asked is built here, and quoted), and any
//! decision about what to back up.

pub mod activity;
pub mod address;
pub mod authentication;
pub mod build;
pub mod clock;
pub mod connection;
pub mod databases;
pub mod errorlog;
pub mod facts;
pub mod groups;
pub mod history;
pub mod media;
pub mod message;
pub mod outcome;
pub mod quoting;
pub mod readiness;
pub mod run;
pub mod session;
pub mod statement;
pub mod tds;
pub mod trust;
pub mod value;

pub use address::Address;
pub use authentication::{Authentication, Secret};
pub use build::{Build, Edition};
pub use clock::Clock;
pub use connection::{Canceller, ConnectError, Connection, Connector, Fault, Target};
pub use message::Message;
pub use outcome::{Outcome, Row, Rows};
pub use session::{Error, Session};
pub use trust::{Fingerprint, Trust};
pub use value::Value;

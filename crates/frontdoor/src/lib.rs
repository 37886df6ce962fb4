//! The vault's front door: an Azure Blob endpoint over HTTP and HTTPS.
//!
//! Requests are parsed and signed by `azblob`'s rules, carried out by `blobstore`, and every backup that comes in is
//! verified by `bak` while it arrives. [`Server`] is the way in; the modules:
//!
//! - `accept`, `handshake`, `stall`, `patience`: sockets, TLS, and letting go of clients that do not move.
//! - `uses`: who uses which blob, so that the holder of a lease can be told from one who is gone.
//! - `health`, `metrics`, `request_log`: what operators see.
//! - `door`: one request from head to answer. `authorise`, `accounts`: whose signature it is, and what it allows.
//! - `intake`, `download`, `buffers`: bytes in and out. An async worker never waits for the disk.
//! - `proof`: the verifier, beside the requests. It delays none of them.
//! - [`tls`]: certificates, our own or the user's, renewed while the server runs. `host`: what clients call it.
//! - [`control`], [`listing`], [`sealing`], [`policies`], [`creating`]: what a running server tells its owner, and does
//!   for them.
//! - [`limits`]: all of them.
//!
//! Deliberately absent: HTTP/2, because SQL Server's client fails where it is offered; logging into `$logs`, metrics
//! tables, soft deletion, versions, tiers.

mod accept;
mod accounts;
mod answer;
mod authorise;
mod buffers;
mod checks;
mod config;
pub mod control;
mod copies;
pub mod creating;
mod door;
mod download;
mod fault;
mod handshake;
mod health;
mod host;
mod intake;
pub mod limits;
pub mod listing;
mod metrics;
mod patience;
mod peer;
pub mod policies;
mod proof;
mod reply;
mod request_log;
pub mod sealing;
mod server;
mod stall;
pub mod tls;
mod uses;

pub use accounts::Accounts;
pub use config::{Account, Config};
pub use host::{Host, NotAHost};
pub use server::{ProofWaiter, Reloader, Server, StartError, UseWitness};

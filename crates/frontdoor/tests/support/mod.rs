//! What the tests of the door share: a server in this process, and a client that signs.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)] // Each test binary uses its own part.

pub mod client;
pub mod clockwork;
pub mod server;
pub mod upload;

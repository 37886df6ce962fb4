//! The requests of BACKUP TO URL and RESTORE FROM URL against what is documented and was seen of SQL Server's two clients. No
//! expectation here comes from what the clients send: each names its source.

#![allow(clippy::unwrap_used)]

mod bad_days;
mod block;
mod door;
mod page;
mod place;
mod service;
mod wire;

//! The vault on this machine: its rules over TDS, against processes of `bac2 sim` that back up to a real front door over https.
//!
//! What needs thousands of cases or an exact moment is tested in simulated time by the crate of the vault; here is what only real
//! processes, sockets, files and certificates can show, and that every code comes out of it.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod backup;
mod builds;
mod codes;
mod discovery;
mod errorlog;
mod first;
mod groups;
mod healing;
mod jobs;
mod lab;
mod outage;
mod outcomes;
mod overflow;
mod policies;
mod protection;
mod reaching;
mod registration;
mod restart;
mod restore;
mod restore_continued;
mod restore_damaged;
mod restore_refused;
mod restore_targets;
mod retention;
mod store;
mod trouble;

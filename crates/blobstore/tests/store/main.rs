//! Tests of the store from outside, one binary.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod append_blobs;
#[cfg(unix)]
mod cached_read;
mod contract;
mod copies;
mod crash;
mod faults;
mod logged;
mod model;
mod page_blobs;
mod past_formats;
mod policies;
mod removal;
mod service_record;
mod snapshots;
mod support;
mod threads;
mod workload;

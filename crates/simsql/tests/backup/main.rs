//! BACKUP of a simulated instance in memory: what it writes, what it says, what it refuses and what it leaves behind.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "helpers of tests fail by panicking; the measurement needs the machine's clock"
)]

mod bulk;
mod concurrency;
mod damage;
mod files;
mod history;
mod media;
mod refusals;
mod speed;
mod support;
mod url;

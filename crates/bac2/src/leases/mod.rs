//! `bac2 leases`: blobs left behind locked, on any Azure Blob account, found, told apart, and freed.
//!
//! The rules and the looking are the guard's (crate `guard`); here is what people type, see and confirm. One flow serves
//! `break` and `delete` ([`clean`]); `list` only looks; `watch` goes on looking. Each is generic over the account and the
//! clock, so that tests drive it over an account in memory.

mod account;
mod ask;
mod clean;
mod complaint;
mod confirm;
pub(crate) mod deed;
pub(crate) mod list;
mod progress;
mod report;
mod rounds;
mod stop;
mod table;
mod terms;
pub(crate) mod watch;

#[cfg(test)]
mod pretend;
#[cfg(test)]
mod tests;

use tokio::runtime::Runtime;

use crate::failure::Failure;

/// Runs `work` to its end. What still waits then (a question on the terminal that nobody answers) is left behind.
fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = Runtime::new().map_err(|error| {
        Failure::failed(
            "StartFailed",
            format!("threads cannot be started: {error}"),
            "look at this user's limits",
        )
    })?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    done
}

//! Finding every locked blob: containers and blobs page by page, several containers at once.
//!
//! The account is not trusted to come to an end: a listing that names the same page twice, or one empty page after
//! another, is given up. Answers come in any order; what is found is ordered at the end, so a survey repeats.

mod listing;
mod total;

#[cfg(test)]
mod tests;

use std::pin::pin;

use azblob::lease::LeaseStatus;
use futures::stream::{self, StreamExt};

use crate::account::{Account, Properties};
use crate::event::{Event, Listener};
use crate::fault::{Cause, Fault};
use crate::limits::CONCURRENCY;
use crate::look;
use crate::place::Place;
use crate::scope::Scope;
use listing::{Container, read_container};
use total::Total;

/// All locked blobs of a scope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Surveyed {
    /// The locked ones, ordered by place.
    pub(crate) locked: Vec<(Place, Properties)>,
    /// Containers that could not be read to their end, and named blobs that could not be looked up, ordered. What was
    /// found in a container before is in `locked`.
    pub(crate) unread: Vec<Fault>,
    /// Containers read to their end; of named blobs, those that have one.
    pub(crate) containers: u64,
    /// Blobs seen, locked or not.
    pub(crate) blobs: u64,
}

/// Looks through the scope. A container that disappears meanwhile is no fault, unless it is the one that was named.
///
/// # Errors
/// A fault of the account itself: its containers cannot be listed, the credential is refused or past its time, nothing
/// answers. Then nothing is known, however much was found before. Also more locked blobs than
/// [`FINDINGS_MAX`](crate::limits::FINDINGS_MAX).
pub(crate) async fn survey<A: Account>(
    account: &A,
    scope: &Scope,
    listener: &dyn Listener,
) -> Result<Surveyed, Fault> {
    if !scope.blobs.is_empty() {
        return named(account, scope, listener).await;
    }
    let mut total = Total::default();
    if let Some(container) = &scope.container {
        listener.hear(&Event::Containers { found: 1, last: true });
        let read = read_container(account, container.clone(), &scope.prefix, listener).await;
        total.add(read, true)?;
        return Ok(total.in_order());
    }
    let names = listing::containers(account, listener);
    // One request more in flight is the next page of containers.
    let reading = names
        .map(async |name| match name {
            Ok(name) => Ok(read_container(account, name, &scope.prefix, listener).await),
            Err(fault) => Err(fault),
        })
        .buffer_unordered(CONCURRENCY - 1);
    let mut reading = pin!(reading);
    while let Some(read) = reading.next().await {
        total.add(read?, false)?;
    }
    Ok(total.in_order())
}

/// Looks up blobs one by one.
async fn named<A: Account>(account: &A, scope: &Scope, listener: &dyn Listener) -> Result<Surveyed, Fault> {
    let mut total = Total::default();
    let looking = stream::iter(scope.blobs.clone())
        .map(async |place: Place| {
            let head = look::head(account, &place).await;
            (place, head)
        })
        .buffer_unordered(CONCURRENCY);
    let mut looking = pin!(looking);
    while let Some((place, head)) = looking.next().await {
        let mut container = Container::new(place.container);
        match head {
            Ok(head) => container.see(place.blob, head.properties),
            // Not there is not locked; a container that is not there is a name mistyped.
            Err(fault) if fault.cause == Cause::NotFound && !is_about_the_container(&fault) => {}
            Err(fault) => container.ended = Err(fault),
        }
        listener.hear(&Event::Listed {
            blobs: container.blobs,
            locked: container.locked.len(),
        });
        total.add(container, true)?;
    }
    Ok(total.in_order())
}

/// Whether the whole container is gone, and not just a blob in it.
fn is_about_the_container(fault: &Fault) -> bool {
    matches!(
        fault.code.as_deref(),
        Some("ContainerNotFound" | "ContainerBeingDeleted" | "ContainerDisabled")
    )
}

fn is_locked(properties: &Properties) -> bool {
    properties.lease.status == LeaseStatus::Locked
}

//! Finding every locked blob: containers and blobs page by page, several containers at once.

use crate::account::{Account, Properties};
use crate::event::Listener;
use crate::fault::Fault;
use crate::place::Place;
use crate::scope::Scope;

/// All locked blobs of a scope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Surveyed {
    /// The locked ones, ordered by place.
    pub(crate) locked: Vec<(Place, Properties)>,
    /// Containers that could not be read to their end, ordered. What was found in them before is in `locked`.
    pub(crate) unread: Vec<Fault>,
    /// Containers read.
    pub(crate) containers: u64,
    /// Blobs seen, locked or not.
    pub(crate) blobs: u64,
}

/// Looks through the scope. A container that disappears meanwhile is no fault.
///
/// # Errors
/// A fault of the account itself: its containers cannot be listed, the credential is refused or past its time, nothing
/// answers. Then nothing is known, however much was found before.
pub(crate) async fn survey<A: Account>(
    account: &A,
    scope: &Scope,
    listener: &dyn Listener,
) -> Result<Surveyed, Fault> {
    let _ = (account, scope, listener);
    unimplemented!()
}

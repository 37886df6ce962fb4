//! Whether a blob holds a complete backup, by reading all of it: asked before a deletion.

use crate::account::{Account, Properties};
use crate::event::Listener;
use crate::place::Place;

/// What a full reading says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verified {
    /// A complete backup, every page and log block sound; or one that is complete as far as can be read and cannot be
    /// verified further (encrypted): it must not be lost by a clean-up either.
    Complete,
    /// Cut short, damaged, empty, or no backup.
    Partial,
    /// Could not be read to its end; one sentence why.
    Unread(String),
}

/// Reads the committed content of the tag that `properties` has, as far as needed to be sure.
pub(crate) async fn verify<A: Account>(
    account: &A,
    place: &Place,
    properties: &Properties,
    listener: &dyn Listener,
) -> Verified {
    let _ = (account, place, properties, listener);
    unimplemented!()
}

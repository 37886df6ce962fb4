//! Whether a lease is SQL Server's restore lease.
//!
//! A restore leases its blob under an id that everybody knows. A HEAD that carries this id is answered with 200 only
//! while the lease has it, and changes nothing. (The published script acquires under that id instead, which makes a new
//! infinite lease where the old one is gone in that moment.) Some servers compare ids as text, so both spellings are
//! tried: SQL Server's own without dashes, and the dashed one.

use crate::account::Account;
use crate::fault::Fault;
use crate::place::Place;

/// What the probe says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probed {
    /// It is the restore lease.
    Restore,
    /// It is some other lease.
    Other,
    /// There is no lease any more.
    NotLeased,
}

/// Asks under both spellings.
///
/// # Errors
/// The fault of the request, [`Cause::NotFound`](crate::fault::Cause::NotFound) for a blob that is gone.
pub(crate) async fn probe<A: Account>(account: &A, place: &Place) -> Result<Probed, Fault> {
    let _ = (account, place);
    unimplemented!()
}

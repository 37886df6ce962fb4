//! Whether a lease is SQL Server's restore lease.
//!
//! A restore leases its blob under an id that everybody knows. A HEAD that carries this id is answered with 200 only
//! while the lease has it, and changes nothing. (The published script acquires under that id instead, which makes a new
//! infinite lease where the old one is gone in that moment.)
//!
//! Two spellings are worth sending. Azure compares lease ids as 128-bit numbers, so any spelling does there. Azurite
//! compares them as text, in reads without regard to case: there the id must be written as its holder wrote it, and a
//! holder writes it either as SQL Server does, 32 digits, or as every client library prints an id, with dashes. Braces
//! and parentheses are allowed by the protocol and written by nobody.

use crate::account::{Account, Probe};
use crate::fault::Fault;
use crate::place::Place;

/// SQL Server's own spelling, then that of the client libraries.
const SPELLINGS: [&str; 2] = [
    "BAC2BAC2BAC2BAC2BAC2BAC2BAC2BAC2",
    "bac2bac2-bac2-bac2-bac2-bac2bac2bac2",
];

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

/// Asks under both spellings. A match ends the questions. So does the answer that nothing is leased, and it outweighs a
/// mismatch of a moment before: that lease is gone.
///
/// # Errors
/// The fault of the request, [`Cause::NotFound`](crate::fault::Cause::NotFound) for a blob that is gone.
pub(crate) async fn probe<A: Account>(account: &A, place: &Place) -> Result<Probed, Fault> {
    for spelling in SPELLINGS {
        match account.probe(place, spelling).await? {
            Probe::Match => return Ok(Probed::Restore),
            Probe::NotLeased => return Ok(Probed::NotLeased),
            Probe::Mismatch => {}
        }
    }
    Ok(Probed::Other)
}

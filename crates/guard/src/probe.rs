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

use azblob::lease::{LeaseStatus, LeaseWitness};

use crate::account::{Account, Probe};
use crate::fault::{Cause, Fault};
use crate::look;
use crate::place::Place;

/// SQL Server's own spelling, then that of the client libraries.
const SPELLINGS: [&str; 2] = [
    "BAC2BAC2BAC2BAC2BAC2BAC2BAC2BAC2",
    "bac2bac2-bac2-bac2-bac2-bac2bac2bac2",
];

/// What the door that was just looked at testified.
type Witness = Option<LeaseWitness>;

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

/// Asks under both spellings; a door that testifies compares ids as numbers, so one is enough there. A match ends the questions. So does the answer that nothing is leased, and it outweighs a
/// mismatch of a moment before: that lease is gone. A blob that has only uncommitted blocks answers to no HEAD, with a
/// lease id or without: its lease counts as some other one, since a restore reads what is committed.
///
/// # Errors
/// The fault of the request, [`Cause::NotFound`] for a blob that is gone.
pub(crate) async fn probe<A: Account>(account: &A, place: &Place, witness: Witness) -> Result<Probed, Fault> {
    let spellings = match witness {
        Some(_) => &SPELLINGS[..1],
        None => &SPELLINGS,
    };
    for spelling in spellings {
        match account.probe(place, spelling).await {
            Ok(Probe::Match) => return Ok(Probed::Restore),
            Ok(Probe::NotLeased) => return Ok(Probed::NotLeased),
            Ok(Probe::Mismatch) => {}
            Err(fault) if fault.cause == Cause::NotFound => return of_uncommitted(account, place).await,
            Err(fault) => return Err(fault),
        }
    }
    Ok(Probed::Other)
}

async fn of_uncommitted<A: Account>(account: &A, place: &Place) -> Result<Probed, Fault> {
    let head = look::head(account, place).await?;
    Ok(match head.properties.lease.status {
        LeaseStatus::Locked => Probed::Other,
        LeaseStatus::Unlocked => Probed::NotLeased,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Blocks;
    use crate::scripted::{Blob, Scripted, run};

    const NAME: &str = "c/b";

    fn ask(blob: Blob) -> (Result<Probed, Fault>, u64) {
        let account = Scripted::of([(NAME, blob)]);
        let probed = run(probe(&account, &Place::parse(NAME).unwrap(), None));
        (probed, account.asked_in_all())
    }

    fn with_lease(id: &'static str) -> Blob {
        let mut blob = Blob::block("x");
        blob.lease_id = id;
        blob
    }

    #[test]
    fn the_restore_lease_is_known_in_both_spellings() {
        let (probed, asked) = ask(with_lease("BAC2BAC2BAC2BAC2BAC2BAC2BAC2BAC2"));
        assert_eq!((probed, asked), (Ok(Probed::Restore), 1));
        let (probed, asked) = ask(with_lease("bac2bac2-bac2-bac2-bac2-bac2bac2bac2"));
        assert_eq!((probed, asked), (Ok(Probed::Restore), 2));
        let (probed, asked) = ask(with_lease("0c2e3a2e-8d5c-4b5f-9f0a-2b2f5a3d9c11"));
        assert_eq!((probed, asked), (Ok(Probed::Other), 2));
    }

    #[test]
    fn a_door_that_testifies_is_asked_once() {
        let account = Scripted::of([(NAME, with_lease("0c2e3a2e-8d5c-4b5f-9f0a-2b2f5a3d9c11"))]);
        let testimony = Some(LeaseWitness::default());
        let probed = run(probe(&account, &Place::parse(NAME).unwrap(), testimony));
        assert_eq!((probed, account.asked_in_all()), (Ok(Probed::Other), 1));
    }

    #[test]
    fn what_nobody_leases_is_not_leased() {
        assert_eq!(ask(Blob::block("x").unlocked()), (Ok(Probed::NotLeased), 1));
    }

    #[test]
    fn a_lease_that_ends_between_the_questions_is_gone() {
        let mut blob = Blob::block("x");
        blob.leased_for = 1;
        assert_eq!(ask(blob), (Ok(Probed::NotLeased), 2));
    }

    #[test]
    fn a_blob_of_uncommitted_blocks_has_some_other_lease() {
        let (probed, _) = ask(Blob::uncommitted(Blocks::default()));
        assert_eq!(probed, Ok(Probed::Other));
        let account = Scripted::of([(NAME, Blob::block("x"))]);
        let gone = run(probe(&account, &Place::parse("c/other").unwrap(), None)).unwrap_err();
        assert_eq!(gone.cause, Cause::NotFound);
    }
}

//! What did not work, said on standard error: the guard's faults and outcomes in the words and exit codes of the command
//! line.

use guard::Fault;
use guard::fault::Cause;
use guard::report::{Did, Entry, Row, Skip};

use crate::console::Console;
use crate::failure::{Exit, Failure};
use crate::quantity::count;

/// Complaints that are said one by one; more are counted. The answer and the report have all of them.
const SAID: usize = 20;

/// The account itself does not answer as it should: nothing is known, exit code 2.
pub(super) fn unusable(fault: &Fault) -> Failure {
    let (code, next) = words(&fault.cause);
    Failure::unusable(code, fault.sentence(), next)
}

/// A part of the work failed: exit code 1.
pub(super) fn failed(fault: &Fault) -> Failure {
    let (code, next) = words(&fault.cause);
    Failure::failed(code, fault.sentence(), next)
}

fn words(cause: &Cause) -> (&'static str, &'static str) {
    match cause {
        Cause::NotFound => ("NotFound", "check the names of account, container and blob"),
        Cause::Changed => ("BlobChanged", "look again with bac2 leases list"),
        Cause::Lease => ("LeaseChanged", "look again with bac2 leases list"),
        Cause::NotAllowed => ("NotAllowed", "give a credential with that permission"),
        Cause::Expired { .. } => ("CredentialExpired", "make a new SAS and run the command again"),
        Cause::Refused => (
            "CredentialRefused",
            "check the credential, the account's name and its firewall",
        ),
        Cause::Throttled => (
            "Throttled",
            "run the command again later, or on one container at a time",
        ),
        Cause::Protected => ("BlobProtected", "lift the protection first if the blob is to go"),
        Cause::Unreachable(_) => (
            "AccountUnreachable",
            "check --account-url, the network, and --ca where it is https",
        ),
        Cause::Unusable(_) => (
            "AnswerUnusable",
            "check that --account-url is an Azure Blob endpoint",
        ),
        Cause::Other(_) => ("AccountFailed", "look at the account, then run the command again"),
    }
}

/// Says what of `entries` failed or was passed over when it came to the act, and remembers how heavy it weighs.
/// `acted` tells whether an entry was to be acted on.
pub(super) fn about(entries: &[Entry], acted: impl Fn(&Entry) -> bool, console: &Console) {
    let mut said = 0;
    let mut more = 0;
    for entry in entries {
        let Some(complaint) = complaint(entry, acted(entry)) else {
            continue;
        };
        if said == SAID {
            more += 1;
            console.ended(complaint.exit());
            continue;
        }
        said += 1;
        match complaint {
            Complaint::Warning(sentence) => console.warn(sentence),
            Complaint::Failure(failure) => console.fail(&failure),
        }
    }
    if more > 0 {
        console.warn(format!("and {} more; the answer has them all", count(more)));
    }
}

enum Complaint {
    Warning(String),
    Failure(Failure),
}

impl Complaint {
    fn exit(&self) -> Exit {
        match self {
            Self::Warning(_) => Exit::Done,
            Self::Failure(failure) => failure.exit(),
        }
    }
}

fn complaint(entry: &Entry, acted: bool) -> Option<Complaint> {
    match entry {
        Entry::Unread { fault, .. } => Some(Complaint::Failure(failed(fault))),
        Entry::Blob { finding, did, .. } => match did {
            Did::Failed(fault) => Some(Complaint::Failure(failed(fault))),
            Did::BrokeNotDeleted(fault) => {
                let (_, next) = words(&fault.cause);
                let sentence = format!(
                    "the lease of {} was broken, but the blob was not deleted: {}",
                    finding.place,
                    fault.sentence()
                );
                Some(Complaint::Failure(Failure::failed(
                    "BrokenNotDeleted",
                    sentence,
                    next,
                )))
            }
            Did::Skipped(skip) if acted && *skip != Skip::Declined => {
                let why = Row::of(entry, "").detail.unwrap_or_default();
                Some(Complaint::Warning(format!(
                    "{} is left alone: {why}",
                    finding.place
                )))
            }
            _ => None,
        },
    }
}

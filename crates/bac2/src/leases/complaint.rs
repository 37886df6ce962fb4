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

/// The account itself does not answer as it should: nothing is known, exit code 2. Its address shows a slip of the pen.
pub(super) fn unusable(fault: &Fault, address: &str) -> Failure {
    let happened = fault.happened();
    let happened = match happened.strip_prefix("the account:") {
        Some(rest) => format!("the account {address}:{rest}"),
        None => happened,
    };
    Failure::unusable(code(&fault.cause), happened, fault.next_step())
}

/// A part of the work failed: exit code 1.
pub(super) fn failed(fault: &Fault) -> Failure {
    Failure::failed(code(&fault.cause), fault.happened(), fault.next_step())
}

/// The word to search for; Azure's own code stands in the sentence.
fn code(cause: &Cause) -> &'static str {
    match cause {
        Cause::NotFound => "NotFound",
        Cause::Changed => "BlobChanged",
        Cause::Lease => "LeaseChanged",
        Cause::NotAllowed => "NotAllowed",
        Cause::Expired { .. } => "CredentialExpired",
        Cause::Refused => "CredentialRefused",
        Cause::Throttled => "Throttled",
        Cause::Protected => "BlobProtected",
        Cause::Unreachable(_) => "AccountUnreachable",
        Cause::Unusable(_) => "AnswerUnusable",
        Cause::Other(_) => "AccountFailed",
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
                let sentence = format!(
                    "a lease was broken, but its blob not deleted: {}",
                    fault.happened()
                );
                let failure = Failure::failed("BrokenNotDeleted", sentence, fault.next_step());
                Some(Complaint::Failure(failure))
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

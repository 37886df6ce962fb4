//! `reason` of a row: one stable word for machines, camelCase of our own or Azure's error code as it is.
//!
//! A word, once here, keeps its meaning: schedulers branch on it. Sentences for people are [`super::sentence`]'s.

use crate::fault::{Cause, Fault};
use crate::ruling::{Grounds, Ruling, Why};

use super::outcome::{Did, Skip};

/// The word for what was done to a blob and what the rules said of it.
pub(super) fn of_blob(ruling: &Ruling, did: &Did) -> String {
    match did {
        Did::Skipped(skip) => of_skip(skip).to_owned(),
        Did::BrokeNotDeleted(fault) | Did::Failed(fault) => of_fault(fault),
        Did::Listed | Did::WouldBreak | Did::WouldDelete | Did::Broke | Did::Deleted => {
            of_ruling(ruling).to_owned()
        }
    }
}

/// Azure's error code; where there was no answer or no code, a word of our own for the cause.
pub(super) fn of_fault(fault: &Fault) -> String {
    if let Some(code) = &fault.code {
        return code.clone();
    }
    let word = match &fault.cause {
        Cause::NotFound => "notFound",
        Cause::Changed => "changed",
        Cause::Lease => "lease",
        Cause::NotAllowed => "notAllowed",
        Cause::Expired { .. } => "expired",
        Cause::Refused => "refused",
        Cause::Throttled => "throttled",
        Cause::Protected => "protected",
        Cause::Unreachable(_) => "unreachable",
        Cause::Unusable(_) => "unusable",
        Cause::Other(_) => "other",
    };
    word.to_owned()
}

fn of_ruling(ruling: &Ruling) -> &'static str {
    match ruling {
        Ruling::Break(grounds) => of_grounds(*grounds),
        Ruling::Wait(_) => "notQuietYet",
        Ruling::Keep(why) => of_why(why),
    }
}

fn of_grounds(grounds: Grounds) -> &'static str {
    match grounds {
        Grounds::QuietBackup => "quietBackup",
        Grounds::QuietBackupNotRunning => "quietBackupNotRunning",
        Grounds::AbandonedAtOurDoor => "abandonedAtOurDoor",
        Grounds::IncludedRestore => "includedRestore",
        Grounds::NamedByUser => "namedByUser",
    }
}

fn of_why(why: &Why) -> &'static str {
    match why {
        Why::NotLocked => "notLocked",
        Why::DataFile => "dataFile",
        Why::LogFile => "logFile",
        Why::Disk => "disk",
        Why::FixedLease => "fixedLease",
        Why::UnknownDuration => "unknownDuration",
        Why::Breaking => "breaking",
        Why::UnknownHolder => "unknownHolder",
        Why::Restore => "restore",
        Why::Growing => "growing",
        Why::ConnectionOpen => "connectionOpen",
        Why::JobRunning => "jobRunning",
        Why::Running { .. } => "running",
        Why::Unanswered { .. } => "unanswered",
        Why::NoTag => "noTag",
        Why::ContentUnread => "contentUnread",
    }
}

fn of_skip(skip: &Skip) -> &'static str {
    match skip {
        Skip::Ruled(why) => of_why(why),
        Skip::NotQuietYet => "notQuietYet",
        Skip::Stirred => "stirred",
        Skip::Released => "released",
        Skip::Gone => "gone",
        Skip::CompleteBackup => "completeBackup",
        Skip::NotVerified(_) => "notVerified",
        Skip::Declined => "declined",
        Skip::NotAsked(_) => "notAsked",
    }
}

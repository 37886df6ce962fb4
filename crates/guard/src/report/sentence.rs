//! `detail` of a row: one plain sentence, why, and what to do next.
//!
//! Every sentence that speaks for a break on an account other than the vault's own says what quiet is worth there:
//! evidence, not proof. Sentences are for people and may change; machines read [`super::reason`].

use std::time::Duration;

use crate::activity::Activity;
use crate::content::{Content, Ending};
use crate::finding::Finding;
use crate::holder::Holder;
use crate::ruling::{Grounds, Ruling, Why};

use super::outcome::{Did, Skip};

/// Why this was done to a blob, or not done.
pub(super) fn of_blob(finding: &Finding, ruling: &Ruling, did: &Did) -> String {
    match did {
        Did::Listed => of_ruling(finding, ruling),
        Did::WouldBreak => format!(
            "Its lease would be broken: {}; run the command again without --dry-run.",
            spoken_for(finding, ruling)
        ),
        Did::WouldDelete => format!(
            "Its lease would be broken and the blob deleted: {}; run the command again without --dry-run.",
            spoken_for(finding, ruling)
        ),
        Did::Broke => format!(
            "The lease was broken: {}; the blob can be overwritten or deleted now{}.",
            spoken_for(finding, ruling),
            again(finding)
        ),
        Did::Deleted => format!(
            "The lease was broken and the blob deleted: {}{}.",
            spoken_for(finding, ruling),
            again(finding)
        ),
        Did::Skipped(skip) => of_skip(finding, skip),
        Did::BrokeNotDeleted(fault) => {
            format!("The lease was broken and the blob is still there: {fault}")
        }
        Did::Failed(fault) => fault.to_string(),
    }
}

fn of_ruling(finding: &Finding, ruling: &Ruling) -> String {
    match ruling {
        Ruling::Break(grounds) => format!(
            "Its lease can be broken: {}; bac2 leases break or delete does it.",
            of_grounds(finding, *grounds)
        ),
        Ruling::Wait(rest) => format!(
            "Not quiet for long enough yet: {} more without a sign of life and its lease can be broken; keep \
             watching.",
            length(*rest)
        ),
        Ruling::Keep(why) => of_why(finding, why),
    }
}

/// What spoke for an act. An act without grounds does not come from [`crate::guard`]; it would still be told truly.
fn spoken_for(finding: &Finding, ruling: &Ruling) -> String {
    match ruling {
        Ruling::Break(grounds) => of_grounds(finding, *grounds),
        Ruling::Wait(_) | Ruling::Keep(_) => "on no grounds that the rules name".to_owned(),
    }
}

fn of_grounds(finding: &Finding, grounds: Grounds) -> String {
    let quiet = quiet(finding);
    let mut text = match grounds {
        Grounds::QuietBackup => {
            format!("a backup without a sign of life {quiet}, which is evidence, not proof, that it died")
        }
        Grounds::QuietBackupNotRunning => format!(
            "a backup that no asked server runs and that showed no sign of life {quiet}; servers that were not \
             asked may still run it"
        ),
        Grounds::AbandonedAtOurDoor => format!(
            "an abandoned backup, because the vault's own door has no connection and no job that uses the blob \
             and saw no use of it {quiet}"
        ),
        Grounds::IncludedRestore if finding.witness.is_some() => format!(
            "a restore lease, included by request, and the vault's own door saw no use of the blob {quiet}"
        ),
        Grounds::IncludedRestore => {
            "a restore lease, included by request; reads leave no trace on this account, \
                                     so a restore that still runs would look the same"
                .to_owned()
        }
        Grounds::NamedByUser => format!(
            "nothing shows who holds the lease, but this blob was named, and it showed no sign of life {quiet}"
        ),
    };
    if matches!(finding.holder, Holder::Backup(_)) && is_complete(&finding.content) {
        text.push_str(" (the backup in it is complete: perhaps somebody locked it on purpose)");
    }
    text
}

/// A lease on a complete backup may be a lost release, or a lock that a person put there to keep it.
fn is_complete(content: &Content) -> bool {
    matches!(content, Content::Backup(contained) if contained.ending == Ending::Complete)
}

fn of_why(finding: &Finding, why: &Why) -> String {
    let text = match why {
        Why::NotLocked => "Not locked any more: there is nothing to break.",
        Why::DataFile => {
            "A SQL Server data file: breaking its lease takes a database down, so it is never broken; detach or \
             drop the database instead."
        }
        Why::LogFile => {
            "A SQL Server log file: breaking its lease takes a database down, so it is never broken; detach or \
             drop the database instead."
        }
        Why::Disk => {
            "The disk of a virtual machine: breaking its lease can damage it, so it is never broken; detach the \
             disk or delete the machine instead."
        }
        Why::FixedLease => {
            "A lease of 15 to 60 seconds ends by itself; where it stays, a living program renews it: find that \
             program."
        }
        Why::UnknownDuration => {
            "The account does not say for how long this lease was taken, so it may be one that its living holder \
             renews, and is left alone; ask the account's operator what it is."
        }
        Why::Breaking => "Its lease is being broken already and ends within a minute; look again then.",
        Why::UnknownHolder => {
            "Nothing shows who holds this lease, so it is left alone; if its holder is known to be dead, name this \
             one blob with --blob."
        }
        Why::Restore => {
            "A restore holds this lease, so it is left alone; once no restore from this blob runs, \
             --include-restore includes it."
        }
        Why::Growing => "The blob changes: its holder is alive; let it finish.",
        Why::ConnectionOpen => return connections(finding),
        Why::JobRunning => "A job of the vault uses the blob: its holder is alive; let the job finish.",
        Why::Running { server, session } => {
            return format!(
                "Session {session} on {server} runs a backup or restore that names this blob, or may; let it \
                 finish, or end it there first (KILL {session})."
            );
        }
        Why::Unanswered { server, reason } => return not_asked(&format!("{server}: {reason}")),
        Why::NoTag => {
            "The blob has uncommitted blocks only and no tag, so a break could hit a newer backup and is not \
             tried; Azure drops such blocks a week after the last one was put."
        }
        Why::ContentUnread => return unread(finding),
    };
    text.to_owned()
}

fn connections(finding: &Finding) -> String {
    match finding.witness.map(|witness| witness.connections) {
        Some(count @ 2..) => format!(
            "{count} connections that use the blob are open on the vault's own door: its holder is alive; let it \
             finish."
        ),
        _ => "A connection that uses the blob is open on the vault's own door: its holder is alive; let it finish."
            .to_owned(),
    }
}

fn unread(finding: &Finding) -> String {
    let because = match &finding.content {
        Content::Unread(sentence) => format!(" ({})", clause(sentence)),
        _ => String::new(),
    };
    format!(
        "What the blob holds could not be read{because}, so it may be a database file and is left alone; allow \
         reading (SAS letter r), or name this one blob with --blob if you know what it is."
    )
}

fn of_skip(finding: &Finding, skip: &Skip) -> String {
    let text = match skip {
        Skip::Ruled(why) => return of_why(finding, why),
        Skip::NotQuietYet => {
            "Not quiet for long enough when the run ended, so it was left alone; run the command again and let it \
             watch for the whole time."
        }
        Skip::Stirred => {
            "It changed between the look and the act, so it was left alone: somebody uses it; look again later."
        }
        Skip::Released => {
            "Its lease was released or broken by somebody else meanwhile: nothing is left to do."
        }
        Skip::Gone => "Somebody else deleted it meanwhile: nothing is left to do.",
        Skip::CompleteBackup => {
            "It holds a complete backup, or one that cannot be followed to its end and may be complete, so it was not \
             deleted; bac2 leases break frees it, and --complete-too deletes such blobs as well."
        }
        Skip::NotVerified(sentence) => {
            return format!(
                "Whether it holds a complete backup could not be verified ({}), so it was not deleted; bac2 \
                 leases break frees it, and --complete-too deletes it all the same.",
                clause(sentence)
            );
        }
        Skip::Declined => {
            "Left alone, because it was not confirmed; run the command again to be asked again."
        }
        Skip::NotAsked(sentence) => return not_asked(sentence),
    };
    text.to_owned()
}

fn not_asked(sentence: &str) -> String {
    format!(
        "Left alone, because not every server could be asked what it runs ({}); make it answer, or leave it out \
         of --ask.",
        clause(sentence)
    )
}

/// What is to be done after a backup's remains are out of the way; a restore or a stranger needs nothing.
fn again(finding: &Finding) -> &'static str {
    match finding.holder {
        Holder::Backup(_) => "; take the backup again if that has not been done",
        Holder::Restore | Holder::Unknown => "",
    }
}

/// For how long the blob was quiet, as words that follow "showed no sign of life".
fn quiet(finding: &Finding) -> String {
    match finding.activity {
        Activity::Quiet { lasting, .. } => format!("for {}", length(lasting)),
        Activity::Growing | Activity::Unknown => "while it was watched".to_owned(),
    }
}

/// A sentence without its full stop, to stand inside another.
fn clause(sentence: &str) -> &str {
    sentence.trim().trim_end_matches('.')
}

/// A length of time in its two largest units: `2 d 3 h`, `1 h 5 min`, `40 s`. Cut, never rounded up: nothing was quiet
/// for longer than it was.
pub(super) fn length(time: Duration) -> String {
    let seconds = time.as_secs();
    let (unit, below) = match seconds {
        0 if !time.is_zero() => return "less than 1 s".to_owned(),
        0..60 => return format!("{seconds} s"),
        60..3_600 => ((60, "min"), (1, "s")),
        3_600..86_400 => ((3_600, "h"), (60, "min")),
        _ => ((86_400, "d"), (3_600, "h")),
    };
    let rest = seconds % unit.0 / below.0;
    let first = format!("{} {}", seconds / unit.0, unit.1);
    if rest == 0 {
        first
    } else {
        format!("{first} {rest} {}", below.1)
    }
}

//! The planner's judgements in the words of a person, and the words by which a program tells them apart.

use chain::{Grade, Hole, HoleReason, Kind, Moment, Reason, Refusal, SetId, Stop, Target};

use super::aim::shown;
use super::clockface::{Clockface, spaced};
use super::library::{Held, Kin};
use crate::paint::printable;
use crate::quantity::count;

/// `FULL`, `DIFFERENTIAL`, `LOG`.
pub(super) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Full => "FULL",
        Kind::Differential(_) => "DIFFERENTIAL",
        Kind::Log => "LOG",
    }
}

/// How sure a step is, as a label.
pub(super) fn grade(grade: Grade) -> &'static str {
    match grade {
        Grade::Proved => "proved",
        Grade::EngineVerified => "verified by SQL Server",
        Grade::Accepted => "accepted",
        Grade::HeadersOnly => "headers only",
        Grade::Disputed => "DAMAGED",
        Grade::None => "not whole",
    }
}

/// The files of a set, with the position where a file has several.
pub(super) fn files(held: &Held) -> String {
    let files = held.files.join(" + ");
    if held.position > 1 {
        format!("{files} #{}", held.position)
    } else {
        files
    }
}

/// Files that are named of many sets.
const FILES_NAMED: usize = 8;

/// The files of several sets in one line; of many the first.
pub(super) fn some_files(kin: &Kin, sets: &[SetId]) -> String {
    let held = sets.iter().filter_map(|id| kin.held(*id));
    let mut names: Vec<String> = held
        .take(FILES_NAMED)
        .map(|held| printable(&files(held)))
        .collect();
    if sets.len() > FILES_NAMED {
        names.push(format!("and {} more", count((sets.len() - FILES_NAMED) as u64)));
    }
    names.join(", ")
}

fn files_of(kin: &Kin, id: SetId) -> String {
    kin.held(id).map_or_else(|| "a backup set".to_owned(), files)
}

/// The word for a hole, for programs.
pub(super) fn hole_kind(reason: &HoleReason) -> &'static str {
    match reason {
        HoleReason::NoFull => "noFull",
        HoleReason::MissingLog => "missingLog",
        HoleReason::BulkLogged(_) => "bulkLogged",
        HoleReason::SwitchedToSimple => "switchedToSimple",
        HoleReason::OtherFork(_) => "otherFork",
        HoleReason::FamiliesMissing(..) => "familiesMissing",
        HoleReason::NotProved(_) => "notProved",
        HoleReason::Damaged(_) => "damaged",
        HoleReason::BaseMissing(..) => "baseMissing",
    }
}

/// The backup set that a hole is about.
pub(super) fn hole_set(reason: &HoleReason) -> Option<SetId> {
    match reason {
        HoleReason::BulkLogged(set)
        | HoleReason::FamiliesMissing(set, _)
        | HoleReason::NotProved(set)
        | HoleReason::Damaged(set)
        | HoleReason::BaseMissing(set, _) => Some(*set),
        HoleReason::NoFull
        | HoleReason::MissingLog
        | HoleReason::SwitchedToSimple
        | HoleReason::OtherFork(_) => None,
    }
}

/// Why a hole is one, in a sentence without its full stop.
pub(super) fn hole(kin: &Kin, hole: &Hole) -> String {
    let is_base = |held: &Held| held.set.kind == Kind::Full && held.set.last <= hole.from;
    match &hole.reason {
        // A full there is, but no way from it to here.
        HoleReason::NoFull if kin.held.iter().any(is_base) => {
            "the log before these logs is missing, and no full or differential backup ends in them".to_owned()
        }
        HoleReason::MissingLog => {
            let before = kin.held.iter().find(|held| held.set.last == hole.from);
            let after = kin
                .held
                .iter()
                .find(|held| held.set.is_log() && held.set.first == hole.to);
            let between = match (before, after) {
                (Some(before), Some(after)) => format!(", between {} and {}", files(before), files(after)),
                (Some(before), None) => format!(", behind {}", files(before)),
                (None, Some(after)) => format!(", before {}", files(after)),
                (None, None) => String::new(),
            };
            format!("these LSNs are in no log backup here{between}")
        }
        reason => why(kin, reason),
    }
}

/// The same where it is not known where the hole is.
fn why(kin: &Kin, reason: &HoleReason) -> String {
    let held = hole_set(reason).and_then(|id| kin.held(id));
    let files = hole_set(reason).map_or_else(String::new, |id| files_of(kin, id));
    let remark = held.and_then(|held| held.remark.as_deref());
    match reason {
        HoleReason::NoFull => "no full backup here ends early enough for these logs".to_owned(),
        HoleReason::MissingLog => "these LSNs are in no log backup here".to_owned(),
        HoleReason::BulkLogged(_) => {
            format!("{files} has bulk-logged changes and can only be applied whole: of it, only the end")
        }
        HoleReason::SwitchedToSimple => {
            "the database was in the SIMPLE recovery model, which broke the log chain".to_owned()
        }
        HoleReason::OtherFork(fork) => {
            format!("what follows belongs to recovery fork {fork}, which does not continue what is here")
        }
        HoleReason::FamiliesMissing(_, missing) => {
            let count = held.map_or(0, |held| held.set.families.count);
            let numbers: Vec<String> = missing.iter().map(u16::to_string).collect();
            let stripes = if missing.len() == 1 { "stripe" } else { "stripes" };
            format!(
                "of the backup in {files}, {stripes} {} of {count} missing",
                numbers.join(", ")
            )
        }
        HoleReason::NotProved(_) => match remark {
            Some(remark) => format!("{files} cannot be used: {remark}"),
            None => format!("{files} is not known to be whole"),
        },
        HoleReason::Damaged(_) => match remark {
            Some(remark) => format!("{files} is damaged: {remark}"),
            None => format!("{files} is damaged"),
        },
        HoleReason::BaseMissing(_, base) => match base {
            Some(base) => format!("{files} is a differential of the full {base}, which is not here"),
            None => format!("{files} is a differential of a full that is not here"),
        },
    }
}

/// Whether the logs reach back to the target and no full does: to a person that is simply too early.
fn is_too_early(refusal: &Refusal) -> bool {
    let has_no_full = matches!(&refusal.reason, Reason::Hole(hole) if hole.reason == HoleReason::NoFull);
    has_no_full && refusal.before.is_none()
}

/// The word for a refusal, for programs and to search for.
pub(super) fn refusal_code(refusal: &Refusal) -> &'static str {
    match &refusal.reason {
        _ if is_too_early(refusal) => "BeforeFirstRestorable",
        Reason::Nothing => "NothingRestorable",
        Reason::TooEarly => "BeforeFirstRestorable",
        Reason::TooLate => "AfterLastRestorable",
        Reason::Hole(_) => "NotRestorable",
        Reason::Ambiguous(_) | Reason::AmbiguousInLog(_) => "AmbiguousMoment",
        Reason::Skipped => "SkippedMoment",
        Reason::OffsetUnknown => "OffsetUnknown",
        Reason::UnknownMark => "UnknownMark",
        Reason::SetUnusable(_) => "SetUnusable",
        Reason::UnknownBranch => "UnknownFork",
    }
}

/// Why there is no plan, in a sentence without its full stop.
pub(super) fn refusal(kin: &Kin, refusal: &Refusal, face: &Clockface) -> String {
    match &refusal.reason {
        Reason::Hole(found) if is_too_early(refusal) => format!(
            "that is before the first point that can be restored: {}",
            hole(kin, found)
        ),
        Reason::Nothing => nothing(kin),
        Reason::TooEarly => "that is before the first point that can be restored".to_owned(),
        Reason::TooLate => "that is after the last point that can be restored".to_owned(),
        Reason::Hole(found) => format!(
            "it lies between LSN {} and {}: {}",
            found.from,
            found.to,
            hole(kin, found)
        ),
        Reason::Ambiguous(readings) if readings.iter().any(|at| face.read(*at).1.is_none()) => {
            "the server's clock showed that moment more than once, and no offset tells the times apart".to_owned()
        }
        Reason::Ambiguous(readings) => {
            let readings: Vec<String> = readings.iter().map(|at| face.exact(*at)).collect();
            format!(
                "the server's clock showed that moment more than once: {}",
                readings.join(" and ")
            )
        }
        Reason::AmbiguousInLog(set) => format!(
            "the server's clock showed that moment twice, both times within {}, where STOPAT cannot tell them apart",
            files_of(kin, *set)
        ),
        Reason::Skipped => "the server's clock never showed that moment: it was put forward over it".to_owned(),
        Reason::OffsetUnknown => {
            "the backups do not say how far the server's clock was from UTC, so a moment with an offset means nothing to them"
                .to_owned()
        }
        Reason::UnknownMark => "no log backup here holds the record that --mark-lsn names".to_owned(),
        Reason::SetUnusable(None) => "that backup set cannot be used".to_owned(),
        Reason::SetUnusable(Some(reason)) => why(kin, reason),
        Reason::UnknownBranch => "there is no such fork".to_owned(),
    }
}

/// Why nothing at all can be restored.
fn nothing(kin: &Kin) -> String {
    let fulls = kin.held.iter().filter(|held| held.set.kind == Kind::Full);
    let newest = fulls.max_by_key(|held| (held.set.last, held.set.clock.start));
    let Some(full) = newest else {
        return "there is no full backup here, and without one nothing can be restored".to_owned();
    };
    let missing = &full.set.families.missing;
    let id = full.set.id;
    let reason = match full.set.grade {
        _ if !missing.is_empty() => HoleReason::FamiliesMissing(id, missing.clone()),
        Grade::Disputed => HoleReason::Damaged(id),
        Grade::None => HoleReason::NotProved(id),
        _ => return "no full backup here can be used".to_owned(),
    };
    format!("no full backup here can be used: {}", why(kin, &reason))
}

/// Where a step stops, as it stands in the script.
pub(super) fn stop_literal(stop: &Stop) -> String {
    match stop {
        Stop::At(local) => chain::time::sql_literal(*local),
        Stop::AtLsn(lsn) | Stop::BeforeLsn(lsn) => format!("lsn:{lsn}"),
        Stop::AtMark { name, .. } => name.clone(),
    }
}

/// The option of RESTORE LOG that a stop is.
pub(super) fn stop_option(stop: &Stop) -> &'static str {
    match stop {
        Stop::At(_) => "STOPAT",
        Stop::AtLsn(_) | Stop::AtMark { .. } => "STOPATMARK",
        Stop::BeforeLsn(_) => "STOPBEFOREMARK",
    }
}

/// Where a step stops, for people.
pub(super) fn stop(stop: &Stop) -> String {
    match stop {
        Stop::At(local) => format!("stop at {}", spaced(*local)),
        Stop::AtLsn(lsn) => format!("stop at LSN {lsn}"),
        Stop::BeforeLsn(lsn) => format!("stop before LSN {lsn}"),
        Stop::AtMark { name, .. } => format!("stop at mark {name}"),
    }
}

/// What was asked for, as the object of "restore to".
pub(super) fn target(kin: &Kin, target: &Target, face: &Clockface) -> String {
    match target {
        Target::Moment(Moment::Universal(at)) => face.plain(*at),
        Target::Moment(Moment::Local(local)) => format!("{} (the server's clock)", spaced(*local)),
        Target::Lsn(lsn) => format!("LSN {lsn}"),
        Target::BeforeLsn(lsn) => format!("just before LSN {lsn}"),
        Target::Mark { name, .. } => format!("the mark {name}"),
        Target::Latest => "the latest point".to_owned(),
        Target::Set(id) => format!("the end of {}", files_of(kin, *id)),
    }
}

/// `fork 2`, where there is more than one to tell apart.
pub(super) fn fork(branch: chain::BranchId) -> String {
    format!("fork {}", shown(branch))
}

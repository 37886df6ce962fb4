//! What the headers of a backup come to.

use bak::{Container, Trailer, Verdict};

use super::walk::{Stop, Walked};
use crate::content::{Contained, Ending};

/// What can be said of the backup that `walked` went through.
pub(super) fn contained(walked: &Walked, container: Container) -> Contained {
    let sets = &walked.report.sets;
    let first = sets.first();
    Contained {
        container,
        database_name: first.map(|set| set.database_name.clone()).unwrap_or_default(),
        server_name: first.map(|set| set.server_name.clone()).unwrap_or_default(),
        backup_type: first.map(|set| set.backup_type),
        backup_start_date: first.and_then(|set| set.backup_start_date),
        ending: ending(walked),
        sets: sets.len(),
    }
}

/// Whether the backup is whole.
///
/// The report of a walk through headers is never `ok`, so its verdict alone does not tell: what counts is whether the last
/// set was closed, and whether anything follows it. Where the reader got lost, or met an order of blocks that it does not
/// know, it does not know how the backup ends either. Where the walk was given up for its cost, the last block speaks.
pub(crate) fn ending(walked: &Walked) -> Ending {
    let report = &walked.report;
    let is_closed = report.sets.last().is_some_and(|set| set.complete);
    match (walked.stop, report.verdict) {
        (Stop::Lost | Stop::Foreign, _) => Ending::Unknown,
        (Stop::Allowance, verdict) => match walked.trailer {
            Some(Trailer::SetClosed) => Ending::Complete,
            // Nothing strange was met on the way, only the end was not; a file of a form that is not known may end
            // otherwise, and one that was filled up with zeros says nothing.
            Some(Trailer::Filemark | Trailer::Other)
                if verdict == Verdict::Truncated && report.reasons.len() == 1 =>
            {
                Ending::CutShort
            }
            _ => Ending::Unknown,
        },
        (Stop::Unwritten, _) | (Stop::End, Verdict::Truncated) => Ending::CutShort,
        (Stop::End, _) if is_closed => Ending::Complete,
        // Damage has the first word, and what is not known about the backup stands behind it.
        (Stop::End, Verdict::Damaged) if report.reasons.len() == 1 => Ending::CutShort,
        (Stop::End, _) => Ending::Unknown,
    }
}

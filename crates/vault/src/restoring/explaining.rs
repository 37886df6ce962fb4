//! Why there is no way to a target, in the catalogue's codes, with the nearest points that can be had.

use catalog::record::Point;
use chain::{HoleReason, Reason, Refusal, Restorable, SetId};
use faults::{Code, Fault};

use super::planning::point_of;

/// What a planner refused, as people see it.
pub(super) fn refused(refusal: &Refusal, points: &[Point]) -> Fault {
    let (code, why) = reason(&refusal.reason, points);
    Fault::new(code).because(&format!("{why}{}", instead(refusal)))
}

fn reason(reason: &Reason, points: &[Point]) -> (Code, String) {
    let moment = Code::Bac2MomentNotRestorable;
    match reason {
        Reason::Nothing => (
            moment,
            "there is no full backup of it that can be used".to_owned(),
        ),
        Reason::TooEarly => (
            moment,
            "it is before the first point that can be restored".to_owned(),
        ),
        Reason::TooLate => (moment, "it is after the end of the last backup".to_owned()),
        Reason::Hole(hole) => by_hole(&hole.reason, points),
        Reason::Ambiguous(readings) => {
            let readings: Vec<String> = readings.iter().map(ToString::to_string).collect();
            let why = format!(
                "the server's clock showed this time more than once ({}): name it with its offset",
                readings.join(", ")
            );
            (moment, why)
        }
        Reason::AmbiguousInLog(set) => {
            let why = "the server's clock showed this time twice within one log backup, where SQL Server cannot tell the two apart";
            (moment, format!("{why} ({})", named(*set, points)))
        }
        Reason::Skipped => (moment, "the server's clock never showed this time".to_owned()),
        Reason::OffsetUnknown => {
            let why = "no backup tells how far the server's clock was from UTC: name the time as that clock showed it";
            (moment, why.to_owned())
        }
        Reason::UnknownMark => (moment, "no such mark is known".to_owned()),
        Reason::SetUnusable(Some(hole)) => by_hole(hole, points),
        Reason::SetUnusable(None) => (
            Code::UserErrorInstantRpNotFound,
            "this recovery point is not there".to_owned(),
        ),
        Reason::UnknownBranch => (moment, "there is no such line of history".to_owned()),
    }
}

fn by_hole(hole: &HoleReason, points: &[Point]) -> (Code, String) {
    let moment = Code::Bac2MomentNotRestorable;
    match hole {
        HoleReason::NoFull => (
            moment,
            "no full backup ends early enough for the logs there".to_owned(),
        ),
        HoleReason::MissingLog => (moment, "the log backup that holds it is missing".to_owned()),
        HoleReason::BulkLogged(set) => (
            Code::UserErrorRestoreNotPossibleBecauseLogBackupContainsBulkLoggedChanges,
            format!(
                "{} holds bulk-logged changes: of it, only the end can be restored",
                named(*set, points)
            ),
        ),
        HoleReason::SwitchedToSimple => (
            moment,
            "the database was in the SIMPLE recovery model then, which broke its log chain".to_owned(),
        ),
        HoleReason::OtherFork(fork) => (
            moment,
            format!("what follows belongs to recovery fork {fork}, which does not go on from what is there"),
        ),
        HoleReason::FamiliesMissing(set, _) => {
            (moment, format!("stripes of {} are missing", named(*set, points)))
        }
        HoleReason::NotProved(set) => (
            moment,
            format!("{} is not known to be whole", named(*set, points)),
        ),
        HoleReason::Damaged(set) => (
            Code::Bac2DamagedSetInPlan,
            format!("{} is damaged", named(*set, points)),
        ),
        HoleReason::BaseMissing(set, _) => (
            moment,
            format!(
                "the full backup that {} stands on is not there",
                named(*set, points)
            ),
        ),
    }
}

fn named(set: SetId, points: &[Point]) -> String {
    point_of(points, set).map_or_else(
        |_| "a backup".to_owned(),
        |point| format!("the {} backup {}", point.kind.name(), point.id),
    )
}

/// What can be had instead, as the end of a sentence.
fn instead(refusal: &Refusal) -> String {
    let shown = |point: &Restorable| match (point.at, point.within, point.lsn) {
        (Some(at), _, _) => format!("{at}"),
        (None, Some(within), _) => format!("the state of some moment from {} to {}", within.from, within.to),
        (None, None, Some(lsn)) => format!("LSN {lsn}"),
        (None, None, None) => "a point without a time".to_owned(),
    };
    match (&refusal.before, &refusal.after) {
        (None, None) => String::new(),
        (Some(before), None) => format!("; the nearest before it: {}", shown(before)),
        (None, Some(after)) => format!("; the nearest after it: {}", shown(after)),
        (Some(before), Some(after)) => format!(
            "; the nearest before it: {}, after it: {}",
            shown(before),
            shown(after)
        ),
    }
}

#[cfg(test)]
mod tests {
    use bak::Lsn;
    use chain::{BranchId, Hole, HoleReason, Reason, Refusal, Restorable, SetId};
    use faults::Code;
    use uuid::Uuid;

    use super::refused;

    fn refusal(reason: Reason) -> Refusal {
        Refusal {
            reason,
            before: None,
            after: None,
            moment: None,
        }
    }

    fn hole(reason: HoleReason) -> Reason {
        Reason::Hole(Hole {
            branch: BranchId(0),
            from: Lsn::default(),
            to: Lsn::default(),
            reason,
        })
    }

    #[test]
    fn each_reason_has_its_code() {
        let bulk = Code::UserErrorRestoreNotPossibleBecauseLogBackupContainsBulkLoggedChanges;
        for (reason, code) in [
            (Reason::Nothing, Code::Bac2MomentNotRestorable),
            (Reason::TooEarly, Code::Bac2MomentNotRestorable),
            (hole(HoleReason::MissingLog), Code::Bac2MomentNotRestorable),
            (
                hole(HoleReason::OtherFork(Uuid::nil())),
                Code::Bac2MomentNotRestorable,
            ),
            (hole(HoleReason::BulkLogged(SetId(0))), bulk),
            (hole(HoleReason::Damaged(SetId(0))), Code::Bac2DamagedSetInPlan),
            (Reason::SetUnusable(None), Code::UserErrorInstantRpNotFound),
            (Reason::SetUnusable(Some(HoleReason::BulkLogged(SetId(7)))), bulk),
        ] {
            assert_eq!(refused(&refusal(reason.clone()), &[]).code(), code, "{reason:?}");
        }
    }

    #[test]
    fn the_nearest_points_are_named() {
        let at = |second| Restorable {
            branch: BranchId(0),
            lsn: None,
            at: Some(jiff::Timestamp::from_second(second).unwrap()),
            within: None,
        };
        let both = Refusal {
            before: Some(at(1_800_000_000)),
            after: Some(at(1_800_000_060)),
            ..refusal(hole(HoleReason::MissingLog))
        };
        // 1,800,000,000 s after 1970 is 15 January 2027, 08:00.
        let fault = refused(&both, &[]);
        for word in ["2027-01-15T08:00:00Z", "2027-01-15T08:01:00Z", "missing"] {
            assert!(fault.happened().contains(word), "{}", fault.happened());
        }
    }
}

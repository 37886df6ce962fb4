//! How long points are kept by their age and by users' wishes alone.

use catalog::record::{Grade, Point};
use jiff::Timestamp;
use schedule::keep::{self, Origin, by_age};
use schedule::{BackupKind, Policy};

use super::Reason;

/// The reasons of each point, in the order given; at least one each.
pub(super) fn reasons(policy: &Policy, points: &[&Point]) -> Vec<Vec<Reason>> {
    let aged: Vec<keep::Point<usize>> = points
        .iter()
        .enumerate()
        .map(|(place, point)| keep::Point {
            id: place,
            kind: point.kind,
            origin: origin(point),
            taken: point.taken.unwrap_or(point.ended),
            finished: point.ended,
            disputed: point.grade == Grade::Disputed,
        })
        .collect();
    let kept = by_age(policy, &aged).into_iter().zip(points);
    let reasons = kept.map(|(kept, point)| {
        let rules = kept.holds.iter().map(|hold| Reason::Rule {
            rule: hold.why,
            until: hold.until,
        });
        let wish = point.keep_until.map(|until| Reason::Wish { until });
        rules.chain(wish).collect()
    });
    reasons.collect()
}

/// Until when reasons hold at least; none: for as long as one of them does.
pub(super) fn until(reasons: &[Reason]) -> Option<Timestamp> {
    let ends: Option<Vec<Timestamp>> = reasons
        .iter()
        .map(|reason| match reason {
            Reason::Rule { until, .. } => *until,
            Reason::Wish { until } => Some(*until),
            _ => None,
        })
        .collect();
    ends.map(|ends| ends.into_iter().max().unwrap_or(Timestamp::MIN))
}

/// Who wanted it. Where that was not kept: a full with a wish is a user's.
fn origin(point: &Point) -> Origin {
    let is_wanted =
        point.keep_until.is_some() && matches!(point.kind, BackupKind::Full | BackupKind::CopyOnlyFull);
    point.origin.unwrap_or(match is_wanted {
        true => Origin::OnDemand { keep: None },
        false => Origin::Scheduled,
    })
}

//! A plan checked step by step by the arithmetic of LSNs alone, as RESTORE would: whoever asks a history for a plan gets this check
//! with it.

use bak::Lsn;
use chain::{Grade, Kind, Plan, Set, Stop};
use uuid::Uuid;

use super::History;

impl History {
    /// Walks over the plan; panics where RESTORE would refuse a step.
    pub(super) fn walk(&self, plan: &Plan) {
        let told = self.told(plan);
        let mut before: Option<&Set> = None;
        let mut at = Lsn::ZERO;
        for (number, step) in plan.steps.iter().enumerate() {
            let set = self.sets.iter().find(|set| set.id == step.set);
            let set = set.unwrap_or_else(|| panic!("{told}: a set that is not there"));
            assert!(set.families.missing.is_empty(), "{told}: a stripe is missing");
            let is_named = set.grade == Grade::Disputed && self.terms.accept_damaged.contains(&set.id);
            assert!(set.grade.is_usable() || is_named, "{told}: a set of no use");
            match (set.kind, before) {
                (Kind::Full, None) => {}
                (Kind::Differential(base), Some(full)) => {
                    let is_base = match base.guid {
                        Some(guid) => full.guid == Some(guid),
                        None => full.checkpoint == base.lsn,
                    };
                    assert!(
                        number == 1 && is_base && !full.is_copy_only,
                        "{told}: of another base"
                    );
                }
                (Kind::Log, Some(other)) => {
                    assert!(set.first <= at && at < set.last, "{told}: not applicable at {at}");
                    assert_eq!(
                        fork_at(other, at),
                        fork_at(set, at),
                        "{told}: another fork at {at}"
                    );
                }
                _ => panic!("{told}: a full first, and only one"),
            }
            at = match &step.stop {
                None => set.last,
                Some(Stop::BeforeLsn(lsn) | Stop::AtLsn(lsn)) => {
                    assert!(
                        set.is_log() && at <= *lsn && *lsn <= set.last,
                        "{told}: {lsn} is not in it"
                    );
                    *lsn
                }
                Some(Stop::AtMark { .. }) => {
                    let mark = plan.reaches;
                    assert!(
                        set.is_log() && at <= mark && mark <= set.last,
                        "{told}: not in it"
                    );
                    mark
                }
                Some(Stop::At(_)) => {
                    assert!(set.is_log(), "{told}: only a log stops");
                    set.last
                }
            };
            assert!(
                step.stop.is_none() || !set.is_bulk_logged,
                "{told}: applied whole or not at all"
            );
            before = Some(set);
        }
        assert_eq!(plan.reaches, at, "{told}: how far it gets");
        let bytes: u64 = plan
            .steps
            .iter()
            .filter_map(|step| self.sets.iter().find(|set| set.id == step.set))
            .map(|set| set.bytes)
            .sum();
        assert_eq!(plan.bytes, bytes, "{told}: bytes");
    }
}

/// The fork that a set is on at an LSN.
fn fork_at(set: &Set, at: Lsn) -> Uuid {
    match set.fork.origin {
        Some(origin) if at <= origin.point => origin.parent,
        _ => set.fork.id,
    }
}

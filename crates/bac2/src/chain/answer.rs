//! The JSON of `bac2 chain`: members and their order are the contract; further members stand behind those it names.
//!
//! LSNs are decimal strings, moments follow [`Clockface::exact`]. A database without a target has `plan: null`; one that has a target
//! and no plan says why in `refusal`, with the nearest points that can be had.

use bak::Lsn;
use chain::{
    Coverage, Grade, Hole, Kind, Plan, Plans, Reason, Refusal, Restorable, Span, Step, Target, TimeSpan,
};
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::aim::shown;
use super::clockface::Clockface;
use super::library::{Held, Kin};
use super::loss::Loss;
use super::words;

/// The whole answer.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    pub(super) databases: Vec<DatabaseAnswer>,
}

/// One database.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DatabaseAnswer {
    database_name: String,
    family_guid: Option<Uuid>,
    forks: Vec<ForkAnswer>,
    coverage: Vec<SpanAnswer>,
    holes: Vec<HoleAnswer>,
    pub(super) plan: Option<PlanAnswer>,
    pub(super) refusal: Option<RefusalAnswer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) if_deleted: Option<LossAnswer>,
    other_names: Vec<String>,
    server_names: Vec<String>,
    backup_sets: usize,
    unusable: Vec<UnusableAnswer>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ForkAnswer {
    number: u32,
    recovery_fork_id: Uuid,
    history: u32,
    parent: Option<u32>,
    left_parent_at_lsn: Option<Lsn>,
    first_recovery_fork_id: Option<Uuid>,
    fork_point_lsn: Option<Lsn>,
    /// Why this is a history of its own that SQL Server did not declare.
    evidence: Option<String>,
}

/// What can be restored to.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SpanAnswer {
    from_lsn: Lsn,
    to_lsn: Lsn,
    from_time: Option<String>,
    to_time: Option<String>,
    fork: u32,
    /// Where there are no moments: between which two the state was that of the database, where that is known.
    #[serde(flatten)]
    taken: Option<TakenAnswer>,
}

/// Of what a data backup alone holds: it was taken between these moments, and nobody knows at which.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct TakenAnswer {
    taken_after: String,
    taken_before: String,
}

impl TakenAnswer {
    fn of(within: TimeSpan, face: &Clockface) -> Self {
        Self {
            taken_after: face.exact(within.from),
            taken_before: face.exact(within.to),
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct HoleAnswer {
    from_lsn: Lsn,
    to_lsn: Lsn,
    reason: String,
    kind: &'static str,
    fork: u32,
    files: Vec<String>,
    backup_set_guid: Option<Uuid>,
}

/// The way there.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PlanAnswer {
    steps: Vec<StepAnswer>,
    pub(super) tsql: Option<String>,
    fork: u32,
    reaches_lsn: Lsn,
    bytes: u64,
    alternatives: Vec<OtherPlan>,
    other_forks: Vec<OtherPlan>,
}

/// A plan that was not chosen.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OtherPlan {
    steps: Vec<StepAnswer>,
    fork: u32,
    reaches_lsn: Lsn,
    bytes: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StepAnswer {
    backup_type: &'static str,
    files: Vec<String>,
    position: u16,
    first_lsn: Lsn,
    last_lsn: Lsn,
    stop_at: Option<String>,
    /// STOPAT, STOPATMARK or STOPBEFOREMARK.
    stop_option: Option<&'static str>,
    /// Left out where the database, restoring, stands before this LSN: a step before has then got to the moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    only_from_lsn: Option<Lsn>,
    grade: Grade,
    remark: Option<String>,
    backup_set_guid: Option<Uuid>,
    backup_start_date: String,
    backup_finish_date: String,
}

/// Why there is no plan, and what can be had instead.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RefusalAnswer {
    reason: String,
    before: Option<PointAnswer>,
    after: Option<PointAnswer>,
    code: &'static str,
    /// What to type for each point that an ambiguous moment may mean.
    readings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct PointAnswer {
    lsn: Option<Lsn>,
    time: Option<String>,
    fork: u32,
    /// What to type for it.
    option: String,
    #[serde(flatten)]
    taken: Option<TakenAnswer>,
}

/// What deleting files would cost.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LossAnswer {
    /// The backup sets that would be gone.
    backup_set_guids: Vec<Option<Uuid>>,
    /// The files they lie in.
    files: Vec<String>,
    /// What could not be restored to any more.
    lost: Vec<SpanAnswer>,
    /// The files of sets that stay and that nothing would lead to any more.
    of_no_use: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct UnusableAnswer {
    file: String,
    position: u16,
    reason: String,
}

impl DatabaseAnswer {
    /// What is restorable of `kin`; plan, refusal and loss are put in by whoever asked for them.
    pub(super) fn of(kin: &Kin, coverage: &Coverage, face: &Clockface) -> Self {
        let unusable = kin.unused.iter().map(|unused| UnusableAnswer {
            file: unused.file.clone(),
            position: unused.position,
            reason: unused.why.clone(),
        });
        Self {
            database_name: kin.name.clone(),
            family_guid: kin.family,
            forks: forks(coverage),
            coverage: coverage
                .spans
                .iter()
                .map(|span| SpanAnswer::of(span, face))
                .collect(),
            holes: coverage
                .holes
                .iter()
                .map(|hole| HoleAnswer::of(kin, hole))
                .collect(),
            plan: None,
            refusal: None,
            if_deleted: None,
            other_names: kin.other_names.clone(),
            server_names: kin.servers.clone(),
            backup_sets: kin.held.len(),
            unusable: unusable.collect(),
        }
    }
}

fn forks(coverage: &Coverage) -> Vec<ForkAnswer> {
    let branches = coverage.branches.iter();
    let answers = branches.map(|branch| ForkAnswer {
        number: shown(branch.id),
        recovery_fork_id: branch.fork,
        history: branch.history,
        parent: branch.parent.map(|(parent, _)| shown(parent)),
        left_parent_at_lsn: branch.parent.map(|(_, lsn)| lsn),
        first_recovery_fork_id: branch.origin.map(|origin| origin.parent),
        fork_point_lsn: branch.origin.map(|origin| origin.point),
        evidence: branch.evidence.clone(),
    });
    answers.collect()
}

impl SpanAnswer {
    /// As JSON shows it.
    pub(super) fn of(span: &Span, face: &Clockface) -> Self {
        Self {
            from_lsn: span.from,
            to_lsn: span.to,
            from_time: span.times.map(|times| face.exact(times.from)),
            to_time: span.times.map(|times| face.exact(times.to)),
            fork: shown(span.branch),
            taken: span.within.map(|within| TakenAnswer::of(within, face)),
        }
    }
}

impl HoleAnswer {
    fn of(kin: &Kin, hole: &Hole) -> Self {
        let held = words::hole_set(&hole.reason).and_then(|id| kin.held(id));
        Self {
            from_lsn: hole.from,
            to_lsn: hole.to,
            reason: words::hole(kin, hole),
            kind: words::hole_kind(&hole.reason),
            fork: shown(hole.branch),
            files: held.map_or_else(Vec::new, |held| held.files.clone()),
            backup_set_guid: held.and_then(|held| held.set.guid),
        }
    }
}

impl LossAnswer {
    /// As JSON shows it.
    pub(super) fn of(kin: &Kin, loss: &Loss, face: &Clockface) -> Self {
        let gone: Vec<_> = loss.sets.iter().filter_map(|id| kin.held(*id)).collect();
        Self {
            backup_set_guids: gone.iter().map(|held| held.set.guid).collect(),
            files: gone.iter().flat_map(|held| held.files.clone()).collect(),
            of_no_use: loss
                .useless
                .iter()
                .filter_map(|id| kin.held(*id))
                .flat_map(|held| held.files.clone())
                .collect(),
            lost: loss
                .lost
                .spans
                .iter()
                .map(|span| SpanAnswer::of(span, face))
                .collect(),
        }
    }
}

impl PlanAnswer {
    /// As JSON shows it, without the script.
    pub(super) fn of(kin: &Kin, plans: &Plans) -> Self {
        let other = |plan: &Plan| OtherPlan {
            steps: steps(kin, plan),
            fork: shown(plan.branch),
            reaches_lsn: plan.reaches,
            bytes: plan.bytes,
        };
        Self {
            steps: steps(kin, &plans.best),
            tsql: None,
            fork: shown(plans.best.branch),
            reaches_lsn: plans.best.reaches,
            bytes: plans.best.bytes,
            alternatives: plans.alternatives.iter().map(other).collect(),
            other_forks: plans.other_branches.iter().map(other).collect(),
        }
    }
}

fn steps(kin: &Kin, plan: &Plan) -> Vec<StepAnswer> {
    let held = plan.steps.iter().map(|step| (step, kin.held(step.set)));
    let answers = held.map(|(step, held)| step_answer(step, held.expect("a plan names sets it was given")));
    answers.collect()
}

fn step_answer(step: &Step, held: &Held) -> StepAnswer {
    StepAnswer {
        backup_type: match step.kind {
            Kind::Full => "full",
            Kind::Differential(_) => "differential",
            Kind::Log => "log",
        },
        files: held.files.clone(),
        position: held.position,
        first_lsn: held.set.first,
        last_lsn: held.set.last,
        stop_at: step.stop.as_ref().map(words::stop_literal),
        stop_option: step.stop.as_ref().map(words::stop_option),
        only_from_lsn: step.only_from,
        grade: step.grade,
        remark: held.remark.clone(),
        backup_set_guid: held.set.guid,
        backup_start_date: held.set.clock.start.to_string(),
        backup_finish_date: held.set.clock.finish.to_string(),
    }
}

impl RefusalAnswer {
    /// As JSON shows it.
    pub(super) fn of(kin: &Kin, target: &Target, refusal: &Refusal, view: &View<'_>) -> Self {
        let point = |point: &Restorable| PointAnswer {
            lsn: point.lsn,
            time: point.at.map(|at| view.face.exact(at)),
            fork: shown(point.branch),
            option: option(target, point, view),
            taken: point.within.map(|within| TakenAnswer::of(within, view.face)),
        };
        Self {
            reason: words::refusal(kin, refusal, view.face),
            before: refusal.before.as_ref().map(point),
            after: refusal.after.as_ref().map(point),
            code: words::refusal_code(refusal),
            readings: readings(refusal, view),
        }
    }
}

/// What it takes to name a point.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    /// How moments are written.
    pub(super) face: &'a Clockface,
    /// Whether a fork has to be named.
    pub(super) has_forks: bool,
}

/// What to type for each point that an ambiguous moment may mean; nothing where no offset tells them apart.
pub(super) fn readings(refusal: &Refusal, view: &View<'_>) -> Vec<String> {
    let Reason::Ambiguous(moments) = &refusal.reason else {
        return Vec::new();
    };
    let mut options: Vec<String> = moments
        .iter()
        .filter(|at| view.face.read(**at).1.is_some())
        .map(|at| format!("--at {}", view.face.exact(*at)))
        .collect();
    options.dedup();
    options
}

/// What to type for a point: in the terms of the target where the point has them.
pub(super) fn option(target: &Target, point: &Restorable, view: &View<'_>) -> String {
    let by_time = |at: Timestamp| format!("--at {}", view.face.exact(at));
    let by_lsn = |lsn: Lsn| format!("--lsn {lsn}");
    let in_lsns = matches!(
        target,
        Target::Lsn(_) | Target::BeforeLsn(_) | Target::Mark { .. }
    );
    let (first, second) = (point.lsn.map(by_lsn), point.at.map(by_time));
    let option = if in_lsns {
        first.or(second)
    } else {
        second.or(first)
    };
    let mut option = option.unwrap_or_else(|| "--latest".to_owned());
    if view.has_forks {
        option.push_str(&format!(" --fork {}", shown(point.branch)));
    }
    option
}

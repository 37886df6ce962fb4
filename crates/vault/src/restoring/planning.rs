//! Which recovery points a restore takes, in which order, and where it stops.

use bak::Lsn;
use catalog::record::{Item, Point, PointId, RestoreOrder, RestoreStep, RestoreStop, RestoreTarget};
use catalog::{Range, Slot};
use chain::{Moment, Plan, SetId, Stop, Target, Terms};
use faults::{Code, Fault};

use super::explaining::refused;
use crate::points::set_of;
use crate::vault::Vault;

/// What a restore takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Way {
    /// Its statements.
    pub steps: Vec<RestoreStep>,
    /// How far it gets in the log at most.
    pub reaches: Lsn,
    /// The points of `steps`, in their order.
    pub points: Vec<Point>,
}

impl Way {
    /// Bytes to read from the vault.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.steps
            .iter()
            .map(|step| step.bytes)
            .fold(0, u64::saturating_add)
    }
}

impl Vault {
    /// The way to an order's target.
    ///
    /// # Errors
    /// There is none; the fault says why, and names the nearest moments that can be restored.
    pub(super) async fn way(&self, order: &RestoreOrder) -> Result<Way, Fault> {
        let item = self.get::<Item>(order.item).await?.record;
        let points = self
            .list_readable::<Point>(Slot::A, Range::members(&[&item.id.to_string()]))
            .await?;
        // What is deleted is not restored from, until somebody takes that back.
        let points: Vec<Point> = points
            .into_iter()
            .map(|point| point.record)
            .filter(|point| point.deletion.is_none())
            .collect();
        way_of(&points, order)
    }
}

/// The same of an item's points.
pub(super) fn way_of(points: &[Point], order: &RestoreOrder) -> Result<Way, Fault> {
    let mut sets = Vec::with_capacity(points.len());
    for (number, point) in points.iter().enumerate() {
        sets.push(set_of(point, number_of(number))?);
    }
    let database = chain::Database::new(sets);
    let place = |id: &PointId| points.iter().position(|point| point.id == *id).map(number_of);
    let not_there = |id: &PointId| {
        Fault::new(Code::UserErrorInstantRpNotFound)
            .because(&format!("there is no recovery point {id} of it"))
    };
    let target = match &order.target {
        RestoreTarget::Latest => Target::Latest,
        RestoreTarget::Moment { at } => Target::Moment(Moment::Universal(*at)),
        RestoreTarget::Local { at } => Target::Moment(Moment::Local(*at)),
        RestoreTarget::Point { point } => Target::Set(place(point).ok_or_else(|| not_there(point))?),
        RestoreTarget::Lsn { lsn } => Target::Lsn(lsn.parse().map_err(|_| {
            Fault::new(Code::Bac2InputInvalid).because(&format!("{lsn} is no LSN in decimal digits"))
        })?),
    };
    let mut terms = Terms::default();
    for id in &order.accept_damaged {
        terms.accept_damaged.push(place(id).ok_or_else(|| not_there(id))?);
    }
    let plans = database
        .plan(&target, &terms)
        .map_err(|refusal| refused(&refusal, points))?;
    steps_of(&plans.best, points)
}

fn number_of(place: usize) -> SetId {
    SetId(place as u64)
}

/// The point behind a number.
pub(super) fn point_of(points: &[Point], id: SetId) -> Result<&Point, Fault> {
    usize::try_from(id.0)
        .ok()
        .and_then(|place| points.get(place))
        .ok_or_else(|| Fault::new(Code::Bac2InternalError).because("a plan of sets that nobody knows"))
}

fn steps_of(plan: &Plan, points: &[Point]) -> Result<Way, Fault> {
    let mut way = Way {
        steps: Vec::with_capacity(plan.steps.len()),
        reaches: plan.reaches,
        points: Vec::with_capacity(plan.steps.len()),
    };
    for step in &plan.steps {
        let point = point_of(points, step.set)?;
        way.steps.push(RestoreStep {
            point: point.id,
            kind: point.kind,
            container: point.container,
            blobs: point.blobs.clone(),
            first_lsn: point.set.first_lsn.clone(),
            last_lsn: point.set.last_lsn.clone(),
            bytes: point.bytes,
            // The vault asks for checksums in every backup; what its header says is looked at before anything is touched.
            has_checksums: true,
            is_damaged: step.grade == chain::Grade::Disputed,
            stop: step.stop.as_ref().map(stop_of).transpose()?,
            only_from: step.only_from.map(|lsn| lsn.to_string()),
            moves: Vec::new(),
        });
        way.points.push(point.clone());
    }
    Ok(way)
}

fn stop_of(stop: &Stop) -> Result<RestoreStop, Fault> {
    match stop {
        Stop::At(at) => Ok(RestoreStop::At { at: *at }),
        Stop::AtLsn(lsn) => Ok(RestoreStop::AtLsn { lsn: lsn.to_string() }),
        Stop::BeforeLsn(_) | Stop::AtMark { .. } => {
            Err(Fault::new(Code::Bac2InternalError).because("a plan stops where nobody ordered it"))
        }
    }
}

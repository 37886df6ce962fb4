//! Which recovery points a restore takes, in which order, and where it stops.

use bak::Lsn;
use catalog::record::{Item, ItemId, Point, PointId, RestoreOrder, RestoreStep, RestoreStop, RestoreTarget};
use catalog::{Range, Slot};
use chain::{Coverage, Moment, Plan, Set, SetId, Stop, Target, Terms};
use faults::{Code, Fault};
use schedule::BackupKind;

use super::explaining::refused;
use crate::points::set_of;
use crate::vault::Vault;

/// What a restore takes.
pub(super) struct Way {
    /// Its statements; where their files go is decided later.
    pub(super) steps: Vec<RestoreStep>,
    /// How far it gets in the log at most.
    pub(super) reaches: Lsn,
    /// The points of `steps`, in their order.
    pub(super) points: Vec<Point>,
    /// The same as the planner gave it.
    pub(super) plan: Plan,
    /// The sets of `points`, in their order.
    pub(super) sets: Vec<Set>,
    /// What was asked for, in the planner's words.
    pub(super) target: Target,
}

impl Way {
    /// Bytes to read from the vault.
    pub(super) fn bytes(&self) -> u64 {
        self.steps
            .iter()
            .map(|step| step.bytes)
            .fold(0, u64::saturating_add)
    }

    /// The way without the steps that a database has taken already, which stands at `redo` on the plan's line of history.
    ///
    /// # Errors
    /// No log of the plan goes on from there.
    pub(super) fn behind(mut self, redo: Lsn) -> Result<Self, Fault> {
        let taken = |set: &Set| set.last <= redo;
        let done = self.sets.iter().rposition(taken).map_or(0, |place| place + 1);
        let goes_on = self
            .sets
            .get(done)
            .is_none_or(|set| set.is_log() && set.first <= redo);
        if !goes_on {
            let why = format!(
                "it stands at LSN {redo}, and no log backup of the way to the target begins there: restore from the full backup on"
            );
            return Err(Fault::new(Code::Bac2RestoreStepRefused).because(&why));
        }
        self.steps.drain(..done);
        self.points.drain(..done);
        self.sets.drain(..done);
        self.plan.steps.drain(..done);
        Ok(self)
    }
}

impl Vault {
    /// The way to an order's target.
    ///
    /// # Errors
    /// There is none; the fault says why, and names the nearest moments that can be restored.
    pub(super) async fn way(&self, order: &RestoreOrder) -> Result<Way, Fault> {
        let points = self.restorable_points(order.item).await?;
        match way_of(&points, order) {
            Ok(way) => Ok(way),
            Err(fault) => Err(self.naming_server_logs(order.item, fault).await?),
        }
    }

    /// The way on from where a database stands that waits for more. A newer full or differential may be the cheaper way to the target;
    /// the database cannot take it, and the logs alone lead on.
    ///
    /// # Errors
    /// No log goes on from there to the target.
    pub(super) async fn way_behind(&self, order: &RestoreOrder, redo: Lsn) -> Result<Way, Fault> {
        let mut points = self.restorable_points(order.item).await?;
        let fault = match way_of(&points, order)?.behind(redo) {
            Err(fault) if fault.code() == Code::Bac2RestoreStepRefused => fault,
            way => return way,
        };
        let is_behind = |point: &Point| point.set.last_lsn.parse::<Lsn>().is_ok_and(|last| last <= redo);
        points.retain(|point| point.kind == BackupKind::Log || is_behind(point));
        let way = way_of(&points, order).and_then(|way| way.behind(redo));
        way.map_err(|_| fault)
    }

    /// The points of an item that a restore may take: what is deleted is not restored from, until somebody takes that back.
    pub(super) async fn restorable_points(&self, item: ItemId) -> Result<Vec<Point>, Fault> {
        let of_item = Range::members(&[&item.to_string()]);
        let points = self.list_readable::<Point>(Slot::A, of_item).await?;
        let points = points.into_iter().map(|point| point.record);
        Ok(points.filter(|point| point.deletion.is_none()).collect())
    }

    /// What of a protected database can be restored: intervals of LSN and of time, and why each hole is one. Set `n` of the answer is
    /// the `n`th of the points beside it.
    ///
    /// # Errors
    /// The catalog does not answer; a point's record holds what is no set.
    pub async fn coverage(&self, item: ItemId) -> Result<(Coverage, Vec<Point>), Fault> {
        self.get::<Item>(item).await?;
        let points = self.restorable_points(item).await?;
        let coverage = database_of(&points)?.coverage();
        Ok((coverage, points))
    }
}

fn database_of(points: &[Point]) -> Result<chain::Database, Fault> {
    let mut sets = Vec::with_capacity(points.len());
    for (number, point) in points.iter().enumerate() {
        sets.push(set_of(point, number_of(number))?);
    }
    Ok(chain::Database::new(sets))
}

/// The same of an item's points.
pub(super) fn way_of(points: &[Point], order: &RestoreOrder) -> Result<Way, Fault> {
    let database = database_of(points)?;
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
    way_along(plans.best, &database, target, points)
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

fn way_along(plan: Plan, database: &chain::Database, target: Target, points: &[Point]) -> Result<Way, Fault> {
    let mut way = Way {
        steps: Vec::with_capacity(plan.steps.len()),
        reaches: plan.reaches,
        points: Vec::with_capacity(plan.steps.len()),
        sets: Vec::with_capacity(plan.steps.len()),
        target,
        plan,
    };
    for step in &way.plan.steps {
        let point = point_of(points, step.set)?;
        way.steps.push(RestoreStep {
            point: point.id,
            kind: point.kind,
            container: point.container,
            blobs: point.blobs.clone(),
            first_lsn: point.set.first_lsn.clone(),
            last_lsn: point.set.last_lsn.clone(),
            bytes: point.bytes,
            // The vault asks for checksums in every backup; what the header says is looked at before anything is touched.
            has_checksums: true,
            is_damaged: step.grade == chain::Grade::Disputed,
            stop: step.stop.as_ref().map(stop_of).transpose()?,
            only_from: step.only_from.map(|lsn| lsn.to_string()),
            moves: Vec::new(),
        });
        way.sets.extend(database.set(step.set).cloned());
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

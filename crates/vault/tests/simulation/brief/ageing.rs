//! Days pass without the vault, and at its next start retention takes what its age ends, and nothing else.

use std::time::Duration;

use catalog::record::{Point, PointId};
use chain::{Moment, SetId, Target, Terms};
use jiff::{SignedDuration, Timestamp};

use super::aiming::Held;
use super::{KEPT_DAYS, Play};

const DAY: Duration = Duration::from_secs(86_400);

/// What is younger no rule of these stories ends, whenever the days of a rule begin, and though the vault's clock jumped some hours.
const SURELY_KEPT: SignedDuration = SignedDuration::from_hours(24 * (KEPT_DAYS as i64 - 2));

/// A log's end is known to the second it is cut to: this long before it, its moments are covered if any are.
pub(super) const BEFORE_END: SignedDuration = SignedDuration::from_secs(2);

impl Play {
    /// Days pass; what could be restored and is not too old can be restored still.
    pub(super) async fn ages(&mut self, is_calm: bool) {
        let before = self.held().await;
        let was_newest = newest(&before);
        // Those in their soft deletion, too: one that is needed again comes back.
        let known: Vec<PointId> = self.cluster.points().await.iter().map(|point| point.id).collect();
        let met = self.steps().await;
        self.cluster.crash_vault();
        let days = [1, 3, 8, 9, 15, 24][self.dice.below(6) as usize];
        self.cluster.pass(DAY * days).await;
        if !is_calm && self.dice.one_in(2) {
            self.dies_while_it_retains().await;
        }
        self.start_vault().await;
        self.cluster.pass(Duration::from_secs(300)).await;
        self.counts(if days < 8 { "days" } else { "weeks" }, &met);
        let after = self.held().await;
        // A newer backup may show that a clock was put back, and take from what the older ones promised.
        let left = self.held_of(|point| known.contains(&point.id)).await;
        self.retained(&before, &left);
        // What is newer may have been taken since the vault is back: then the other ages as all do.
        let is_newest = newest(&after);
        if was_newest
            .as_ref()
            .is_some_and(|was| is_newest.as_ref().is_none_or(|is| is.ended < was.ended))
        {
            self.wrong(format!(
                "{days} days took the newest that could be restored: {was_newest:#?}"
            ));
        }
        let gone = before
            .points
            .iter()
            .filter(|point| !has(&after, point.id))
            .count();
        for _ in 0..gone {
            self.counts("expired", &[]);
        }
    }

    /// The vault is started, and dies after some polls, a few times.
    async fn dies_while_it_retains(&mut self) {
        self.is_troubled = true;
        for _ in 0..1 + self.dice.below(4) {
            self.cluster.try_start_vault_for(1 + self.dice.below(300)).await;
            self.cluster
                .pass(Duration::from_secs(1 + self.dice.below(60)))
                .await;
            self.cluster.crash_vault();
            self.counts("crash in retention", &[]);
        }
    }

    /// Whatever is young enough is there, and leads where it led.
    fn retained(&mut self, before: &Held, after: &Held) {
        let now = self.cluster.now();
        let young = |point: &&Point| now.duration_since(point.ended) < SURELY_KEPT;
        let mut lost = Vec::new();
        for point in before.points.iter().filter(young) {
            if is_restorable(before, point.id) && !is_restorable(after, point.id) {
                lost.push(format!("point {} of {}", point.id, point.ended));
            }
            let moment = point.ended - BEFORE_END;
            if is_covered(before, moment) && !is_covered(after, moment) {
                lost.push(format!("the moment {moment}"));
            }
        }
        for lost in lost {
            self.wrong(format!("at {now} retention has taken {lost}"));
        }
    }
}

fn has(held: &Held, point: PointId) -> bool {
    held.points.iter().any(|one| one.id == point)
}

pub(super) fn is_restorable(held: &Held, point: PointId) -> bool {
    let place = held.points.iter().position(|one| one.id == point);
    place.is_some_and(|place| leads(held, &Target::Set(SetId(place as u64))))
}

pub(super) fn is_covered(held: &Held, at: Timestamp) -> bool {
    leads(held, &Target::Moment(Moment::Universal(at)))
}

fn leads(held: &Held, target: &Target) -> bool {
    held.database.plan(target, &Terms::default()).is_ok()
}

/// The last point of the plan to the latest.
fn newest(held: &Held) -> Option<Point> {
    let plans = held.database.plan(&Target::Latest, &Terms::default()).ok()?;
    let last = plans.best.steps.last()?.set;
    held.points.get(usize::try_from(last.0).ok()?).cloned()
}

//! The catalog is lost, and made again of the store; and users do what rebuilding tells them to do.
//!
//! What was restorable is restorable still, by the same points. Nothing more comes but by these rules: a point that was deleted and not
//! removed yet is there again, and so is the set of a job that was not over, of which the store may know more than the catalog did.

use std::collections::BTreeSet;
use std::time::Duration;

use catalog::record::{Container, Job, Point, PointId, Work as JobWork};
use chain::Span;
use faults::Code;
use vault::backup::record::SetRecord;
use vault::shelf::Shelf as _;

use super::Play;
use super::ageing::{BEFORE_END, is_covered, is_restorable};
use super::aiming::Held;

/// By then the sweep after a start is over, however slow the catalog is.
const FIRST_SWEEP: Duration = Duration::from_secs(300);

/// What there was before.
struct Before {
    points: Vec<Point>,
    held: Held,
    spans: Vec<Span>,
    /// Blobs of jobs that were not over.
    open: BTreeSet<String>,
}

impl Play {
    /// The catalog is lost. `is_robbed`: and the record of a point with it.
    pub(super) async fn loses_the_catalog(&mut self, is_calm: bool, is_robbed: bool) {
        let before = self.before().await;
        if before.held.points.is_empty() {
            // Of a vault that has nothing the store knows nothing.
            return;
        }
        let met = self.steps().await;
        self.cluster.lose_catalog();
        if is_robbed {
            self.loses_a_record(before.held.points[0].id).await;
        }
        if !is_calm && self.dice.one_in(2) {
            self.is_troubled = true;
            for _ in 0..1 + self.dice.below(4) {
                let polls = 1 + self.dice.below(12);
                if self.cluster.rebuild(polls).await.is_none() {
                    self.counts("crash in rebuilding", &[]);
                }
            }
        }
        let mut is_left_to_start = false;
        match self.cluster.rebuild(u64::MAX).await {
            Some(Ok(_)) => {}
            // It was cut off after the vault's own record: the points come as after any start, by a sweep.
            Some(Err(fault)) if fault.code() == Code::Bac2NameTaken => is_left_to_start = true,
            other => self.wrong(format!("a lost catalog cannot be made again: {other:?}")),
        }
        self.start_vault().await;
        if is_left_to_start {
            self.cluster.pass(FIRST_SWEEP).await;
        }
        self.counts("catalog lost", &met);
        self.registers_again().await;
        self.judge_rebuilt(&before).await;
        let vault = self.cluster.vault().await;
        if let Err(fault) = vault.resume(self.item, None).await {
            self.wrong(format!(
                "the item of a catalog that was made again cannot be resumed: {fault:?}"
            ));
        }
    }

    async fn before(&mut self) -> Before {
        let jobs: Vec<Job> = self.cluster.records().await;
        let open = jobs.into_iter().filter(|job| !job.state.is_ended());
        let open = open.flat_map(|job| match job.work {
            JobWork::Backup(work) => work.blobs,
            _ => Vec::new(),
        });
        let open = open.collect();
        loop {
            let points = self.cluster.points().await;
            let (spans, held) = (self.spans().await, self.held().await);
            // A backup may have ended meanwhile.
            if self.cluster.points().await == points {
                return Before {
                    open,
                    spans,
                    points,
                    held,
                };
            }
        }
    }

    /// What the vault shows.
    pub(super) async fn spans(&self) -> Vec<Span> {
        let vault = self.cluster.vault().await;
        vault
            .coverage(self.item)
            .await
            .expect("the catalog answers")
            .0
            .spans
    }

    /// The record of a point is lost too.
    async fn loses_a_record(&self, point: PointId) {
        let shelf = &self.cluster.shelf;
        for container in shelf.containers().await.unwrap() {
            for (name, body) in shelf.records(&container, None, 1000).await.unwrap_or_default() {
                if SetRecord::decode(&body).is_ok_and(|record| record.point == point) {
                    shelf.remove_record(&container, &name).await.unwrap();
                }
            }
        }
    }

    /// Credentials that count as foreign now are dropped, and the instances registered again.
    async fn registers_again(&mut self) {
        // A machine that is put back to a time before this carries an older marker, and is refused until somebody registers it anew.
        self.kept = None;
        let containers: Vec<Container> = self.cluster.records().await;
        for server in self.servers.clone() {
            for container in &containers {
                let url = self.cluster.url(container);
                // There may be none.
                self.cluster
                    .sql(&server)
                    .run(&format!("DROP CREDENTIAL [{url}]"))
                    .await;
            }
        }
        let vault = self.cluster.vault().await;
        for (number, server) in self.servers.clone().iter().enumerate() {
            match vault.add_server(server.registration()).await {
                Ok(id) if number == 0 && id != self.ids[0] => {
                    self.wrong(format!("{} was {}, and is {id}", server.address, self.ids[0]));
                }
                Ok(id) => self.ids[number] = id,
                Err(fault) => self.wrong(format!(
                    "{} cannot be registered again: {fault:?}",
                    server.address
                )),
            }
        }
    }

    async fn judge_rebuilt(&mut self, before: &Before) {
        // Without those that come back from their soft deletion: they may show that a machine was put back, and take from what the others
        // promised.
        let live: Vec<PointId> = before.held.points.iter().map(|point| point.id).collect();
        let after = self.held_of(|point| live.contains(&point.id)).await;
        let points = self.cluster.points().await;
        let mut wrong = Vec::new();
        for point in &before.points {
            let again = points.iter().find(|one| one.id == point.id);
            match again {
                Some(again) if !is_same(point, again) => {
                    wrong.push(format!("{point:?} came back as {again:?}"));
                }
                None if point.deletion.is_none() => {
                    wrong.push(format!(
                        "point {} of {} was lost with the catalog",
                        point.id, point.ended
                    ));
                }
                _ => {}
            }
        }
        let is_known = |point: &&Point| before.points.iter().any(|one| one.id == point.id);
        let (known, new): (Vec<&Point>, Vec<&Point>) = points.iter().partition(is_known);
        for point in &new {
            if !point.blobs.iter().all(|blob| before.open.contains(blob)) {
                wrong.push(format!("{point:?} was no point before the catalog was lost"));
            }
        }
        for point in &before.held.points {
            if is_restorable(&before.held, point.id) && !is_restorable(&after, point.id) {
                wrong.push(format!("point {} can be restored no more", point.id));
            }
            let moment = point.ended - BEFORE_END;
            if is_covered(&before.held, moment) && !is_covered(&after, moment) {
                wrong.push(format!("the moment {moment} can be restored no more"));
            }
        }
        if new.is_empty()
            && known.len() == before.points.len()
            && before.points.iter().all(|one| one.deletion.is_none())
        {
            let spans = self.spans().await;
            self.counts("same coverage", &[]);
            if spans != before.spans {
                wrong.push(format!("coverage was {:#?}, and is {spans:#?}", before.spans));
            }
        }
        wrong.into_iter().for_each(|sentence| self.wrong(sentence));
    }
}

/// Whether a point that came back is the one that it was, and live.
fn is_same(before: &Point, after: &Point) -> bool {
    let facts = |point: &Point| {
        (
            point.item,
            point.kind,
            point.grade,
            point.blobs.clone(),
            point.bytes,
            point.set.clone(),
        )
    };
    facts(before) == facts(after) && after.deletion.is_none()
}

//! Says whether the vault kept its promises to a group, from what lies in the store, in the catalog and on the replicas.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use azblob::names::ContainerName;
use catalog::Kind;
use catalog::record::{Container, Grade, Item, Job, JobState, Notice, Point, Trigger, Work};
use jiff::Timestamp;
use schedule::BackupKind;
use simsql::instance::Version;
use simsql::value::Value;
use vault::shelf::Shelf as _;

use super::Play;
use crate::actor::uptime;
use crate::judge::{lsn, newest};
use crate::world::Sql;

const DAY: Duration = Duration::from_secs(24 * 3600);

impl Play {
    /// What is wrong, one sentence each.
    pub(super) async fn judge(&self, calm: Duration) -> Vec<String> {
        let mut wrong = self.cluster.door.leases.seen().wrong;
        let (items, containers): (Vec<Item>, Vec<Container>) =
            (self.cluster.records().await, self.cluster.records().await);
        let of_group = items.iter().filter(|item| item.id == self.item).count();
        if (of_group, items.len(), containers.len()) != (1, 1, 1) {
            wrong.push(format!(
                "{} items in {} containers",
                items.len(),
                containers.len()
            ));
        }
        let jobs: Vec<Job> = self.cluster.jobs().await;
        let now = self.cluster.now();
        for job in &jobs {
            if !job.state.is_ended() && now.duration_since(job.created).as_secs() > 3600 {
                wrong.push(format!("job {} has not ended: {job:?}", job.id));
            }
        }
        let points = self.points().await;
        self.slots(calm, &jobs, &mut wrong).await;
        self.histories(&jobs, &points, &mut wrong).await;
        self.chain(&jobs, &points, &mut wrong).await;
        for notice in self.cluster.notices().await {
            let Notice { about, again, .. } = &notice;
            if about.starts_with("failed/") || about.starts_with("missed/") || about.starts_with("replica/") {
                let kind = about.rsplit('/').next().unwrap_or_default();
                let is_over = jobs.iter().any(|job| {
                    let is_kind = matches!(&job.work, Work::Backup(work) if work.asked.name() == kind);
                    is_kind && job.point.is_some() && job.ended.is_some_and(|ended| ended > *again)
                });
                if is_over || about.starts_with("replica/") {
                    wrong.push(format!("the notice {about} of {again} is open: {}", notice.fault));
                }
            }
        }
        wrong
    }

    /// Points in the order in which they were written.
    async fn points(&self) -> Vec<Point> {
        let mut written = BTreeMap::new();
        for (place, write) in self.cluster.history.of(Kind::Point).into_iter().enumerate() {
            written.entry(write.id).or_insert(place);
        }
        let mut points: Vec<Point> = self.cluster.records().await;
        points.sort_by_key(|point| written.get(&point.id.to_string()).copied());
        points
    }

    /// Every hour of the calm has its log.
    async fn slots(&self, calm: Duration, jobs: &[Job], wrong: &mut Vec<String>) {
        let taken: BTreeSet<i64> = jobs
            .iter()
            .filter_map(|job| match (&job.trigger, &job.work) {
                (Trigger::Scheduled { slot }, Work::Backup(work))
                    if work.asked == BackupKind::Log && job.point.is_some() =>
                {
                    Some(slot.as_second())
                }
                _ => None,
            })
            .collect();
        let now = self.cluster.now().as_second();
        let passed = i64::try_from((uptime(&self.cluster) - calm).as_secs()).unwrap();
        // What fails in the first minutes is still of the trouble.
        let first = (now - passed + 900).div_euclid(3600) + 1;
        for hour in first..(now - 900).div_euclid(3600) {
            if !taken.contains(&(hour * 3600)) {
                let slot = Timestamp::from_second(hour * 3600).unwrap();
                wrong.push(format!("no log was taken for {slot}, while all was well"));
            }
        }
    }

    /// SQL Server's own word, on whichever replica: each set of the vault's is a point or of a job that failed, and each point a set.
    async fn histories(&self, jobs: &[Job], points: &[Point], wrong: &mut Vec<String>) {
        let mut found = BTreeSet::new();
        for server in &self.servers {
            let text = "SELECT name, backup_set_uuid FROM msdb.dbo.backupset WHERE name LIKE 'bac2 %'";
            let answers = self.cluster.sql(server).go(text).await;
            for row in &answers.results.last().expect("a result").rows {
                let [Value::Text(name), Value::Guid(guid)] = &row[..] else {
                    panic!("{row:?}");
                };
                found.insert(*guid);
                let job = name.trim_start_matches("bac2 ");
                let state = jobs
                    .iter()
                    .find(|one| one.id.to_string() == job)
                    .map(|job| job.state);
                let is_point = points.iter().any(|point| point.set.guid == *guid);
                if !is_point && state != Some(JobState::Failed) {
                    wrong.push(format!(
                        "{} has set {guid} of job {job}, which is {state:?}",
                        server.address
                    ));
                }
            }
        }
        let lost = points.iter().filter(|point| !found.contains(&point.set.guid));
        wrong.extend(lost.map(|point| format!("no replica knows the set of point {}", point.id)));
    }

    /// The newest chain is of the last hours, and restores to the rows of that time.
    async fn chain(&self, jobs: &[Job], points: &[Point], wrong: &mut Vec<String>) {
        let sound: Vec<&Point> = points
            .iter()
            .filter(|point| point.grade != Grade::Disputed)
            .collect();
        let Some(chain) = newest(&sound) else {
            return wrong.push("there is no full".to_owned());
        };
        let last = chain.newest();
        let end = lsn(&last.set.last_lsn);
        let reach = sound.iter().map(|point| lsn(&point.set.last_lsn)).max();
        if reach.is_some_and(|reach| reach > end) {
            wrong.push(format!(
                "the chain ends at {end}, and a later set at {reach:?} is not of it"
            ));
        }
        let sql = self
            .cluster
            .sql(&self.cluster.server_of("judge", None, Version::V2022));
        let url = self.credential(&sql).await;
        let steps = [Some(chain.full), chain.differential].into_iter().flatten();
        for point in steps.chain(chain.logs.iter().copied()) {
            let what = if point.kind == BackupKind::Log {
                "LOG"
            } else {
                "DATABASE"
            };
            let blob = &point.blobs[0];
            let text = format!("RESTORE {what} [R] FROM URL = '{url}/{blob}' WITH NORECOVERY");
            let answers = sql.run(&text).await;
            let errors: Vec<_> = answers.errors().map(|error| error.text.clone()).collect();
            if !errors.is_empty() {
                return wrong.push(format!("{text}: {errors:?}"));
            }
        }
        sql.go("RESTORE DATABASE [R] WITH RECOVERY").await;
        let rows = sql.rows("R").await;
        let (least, most) = self.rows_of(last, jobs);
        if !(least..=most).contains(&rows) {
            wrong.push(format!(
                "{rows} rows after the restore, and there were {least} to {most}"
            ));
        }
    }

    /// How many rows there were when a backup began, and when it had ended.
    fn rows_of(&self, point: &Point, jobs: &[Job]) -> (i64, i64) {
        let job = point.job.and_then(|id| jobs.iter().find(|job| job.id == id));
        let ago = |at: Timestamp| {
            let ago = self.cluster.now().duration_since(at).unsigned_abs();
            uptime(&self.cluster).saturating_sub(ago)
        };
        let at = |time: Duration| {
            let known = self.rows.iter().rfind(|(at, _)| *at <= time);
            known.map_or(0, |(_, rows)| *rows)
        };
        let started = job.and_then(|job| job.started);
        (
            started.map_or(0, |started| at(ago(started))),
            at(ago(point.ended) + Duration::from_secs(1)),
        )
    }

    /// A credential of the judge's for the group's container; its URL.
    async fn credential(&self, sql: &Sql) -> String {
        let containers: Vec<Container> = self.cluster.records().await;
        let name = ContainerName::new(containers[0].name.as_str()).unwrap();
        let until = self.cluster.now() + DAY;
        let sas = self.cluster.shelf.grant(&name, "judge", until).await.unwrap();
        let url = self.cluster.shelf.url(&name);
        sql.go(&format!(
            "CREATE CREDENTIAL [{url}] WITH IDENTITY = 'SHARED ACCESS SIGNATURE', SECRET = '{}'",
            sas.reveal()
        ))
        .await;
        url
    }
}

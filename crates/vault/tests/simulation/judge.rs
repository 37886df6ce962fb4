//! Says whether a vault kept its promises, from what lies in the store, in the catalog and on the instances. It shares no code
//! with the vault.
//!
//! - `jobs`: every job ends, and goes only the ways there are.
//! - `slots`: every slot is one job or one report.
//! - `sets`: nothing is called proved or accepted that is not; catalog and store agree.
//! - `chains`: what is called a chain restores, and what broke was made whole.
//! - `msdb`: no success of SQL Server is forgotten, and none is had twice.
//! - `healing`: fulls that heal come one at a time on an instance, and once a day to a database.
//! - `seats`: never more at once than is allowed.
//! - `notices`: what is over is told no more.
//! - No lease of a live backup is broken (`world/leases.rs`).
//! - `protection`: what is to be protected is, and what rests rests.

mod chains;
mod healing;
mod jobs;
mod msdb;
mod notices;
mod protection;
mod seats;
mod sets;
mod slots;

use std::collections::BTreeMap;
use std::time::Duration;

use catalog::Kind;
use catalog::record::{Container, Database, Item, Job, Point};

use crate::actor::Actor;
use crate::world::Cluster;

pub(crate) use chains::{lsn, newest};

/// All that the catalog holds at the end.
pub(crate) struct Seen {
    pub(crate) jobs: BTreeMap<String, Job>,
    /// In the order in which they were written, whatever the clocks showed.
    pub(crate) points: Vec<Point>,
    /// When each point was written, by true time.
    pub(crate) written: BTreeMap<String, Duration>,
    pub(crate) items: Vec<Item>,
    pub(crate) databases: Vec<Database>,
    pub(crate) containers: BTreeMap<String, Container>,
}

/// What is wrong, one sentence each; empty where nothing is. And what was looked at.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) wrong: Vec<String>,
    pub(crate) counted: BTreeMap<&'static str, u64>,
    /// Notices that are open at the end, by their matter.
    pub(crate) open: BTreeMap<String, u64>,
}

impl Findings {
    pub(crate) fn demand(&mut self, holds: bool, sentence: impl FnOnce() -> String) {
        if !holds {
            self.wrong.push(sentence());
        }
    }

    pub(crate) fn count(&mut self, what: &'static str, number: u64) {
        *self.counted.entry(what).or_default() += number;
    }

    fn most(&mut self, what: &'static str, number: u64) {
        let most = self.counted.entry(what).or_default();
        *most = number.max(*most);
    }

    fn count_open(&mut self, matter: &str) {
        *self.open.entry(matter.to_owned()).or_default() += 1;
    }
}

/// Judges a played story.
pub(crate) async fn judge(actor: &Actor) -> Findings {
    let cluster = &actor.cluster;
    let mut written = BTreeMap::new();
    for write in cluster.history.of(Kind::Point) {
        if write.version == 1 {
            written.entry(write.id).or_insert(write.at);
        }
    }
    let mut points: Vec<Point> = cluster.records().await;
    points.sort_by_key(|point| written.get(&point.id.to_string()).copied());
    let mut jobs = removed_jobs(cluster);
    let there = cluster.records::<Job>().await;
    jobs.extend(there.into_iter().map(|job| (job.id.to_string(), job)));
    let seen = Seen {
        jobs,
        points,
        written,
        items: cluster.records().await,
        databases: cluster.records().await,
        containers: cluster
            .records::<Container>()
            .await
            .into_iter()
            .map(|container| (container.id.to_string(), container))
            .collect(),
    };
    let mut findings = Findings::default();
    jobs::judge(actor, &seen, &mut findings);
    slots::judge(actor, &seen, &mut findings);
    sets::judge(actor, &seen, &mut findings).await;
    chains::judge(actor, &seen, &mut findings).await;
    msdb::judge(actor, &seen, &mut findings).await;
    healing::judge(actor, &mut findings);
    seats::judge(actor, &seen, &mut findings);
    notices::judge(actor, &seen, &mut findings).await;
    protection::judge(actor, &seen, &mut findings).await;
    leases(actor, &mut findings);
    secrets(actor, &mut findings);
    findings
}

/// No lease of a live backup was broken.
fn leases(actor: &Actor, findings: &mut Findings) {
    let seen = actor.cluster.door.leases.seen();
    findings.count("leases that were broken", seen.broken);
    findings.wrong.extend(seen.wrong);
}

/// No secret lies in the catalog in the open.
fn secrets(actor: &Actor, findings: &mut Findings) {
    let dump = actor.cluster.catalog.dump();
    // With what stands before it in a signature: base64 of what is sealed may end so as well.
    for secret in [crate::world::PASSWORD, "&sig=", crate::world::door::KEY] {
        findings.demand(!dump.contains(secret), || {
            "a secret lies in the catalog in the open".to_owned()
        });
    }
}

/// Jobs that were removed since they ended long ago, as they were then.
fn removed_jobs(cluster: &Cluster) -> BTreeMap<String, Job> {
    let mut last = BTreeMap::new();
    let mut removed = BTreeMap::new();
    for write in cluster.history.of(Kind::Job) {
        match write.body {
            Some(body) => {
                last.insert(write.id, body);
            }
            None if write.is_sure => {
                let job: Job = serde_json::from_str(&last[&write.id]).unwrap();
                removed.insert(write.id, job);
            }
            None => {}
        }
    }
    removed
}

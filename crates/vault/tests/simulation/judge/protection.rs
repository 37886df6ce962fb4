//! What is protected and what is not: auto-protection takes what it must and nothing else, what was stopped or deleted rests, and
//! nothing that was deleted is lost before its time.

use std::collections::{BTreeMap, BTreeSet};

use catalog::Kind;
use catalog::record::{Item, Job, Protection, Server, Trigger, Work};

use super::{Findings, Seen};
use crate::actor::Actor;

pub(super) async fn judge(actor: &Actor, seen: &Seen, findings: &mut Findings) {
    rests(actor, seen, findings);
    meanwhile(actor, findings);
    auto(actor, seen, findings).await;
    let removed = actor.cluster.history.of(Kind::Point).into_iter();
    for point in removed.filter(|write| write.body.is_none() && write.version > 0) {
        findings.wrong.push(format!(
            "point {} was removed, and its time was not over",
            point.id
        ));
    }
    findings.wrong.extend(actor.truth.wrong.iter().cloned());
}

/// Nothing is taken of what is stopped or deleted, and what is over goes.
fn rests(actor: &Actor, seen: &Seen, findings: &mut Findings) {
    let now = actor.cluster.now();
    for item in &seen.items {
        let (word, since) = match item.protection {
            Protection::Protected => ("protected", None),
            Protection::Suspended { since } => ("suspended", Some(since)),
            Protection::Stopped { since } => ("stopped", Some(since)),
            Protection::SoftDeleted { since, until } => {
                let has_points = seen.points.iter().any(|point| point.item == item.id);
                // The sweep comes every ten minutes.
                let is_over = now.duration_since(until).as_secs() > 3600;
                findings.demand(!is_over || has_points, || {
                    format!("item {} was to go at {until}, and nothing keeps it", item.id)
                });
                let word = if is_over {
                    "deleted, its time over"
                } else {
                    "deleted"
                };
                (word, Some(since))
            }
        };
        findings.count(word, 1);
        let Some(since) = since.filter(|_| actor.truth.vault_clock_wrong.is_none()) else {
            continue;
        };
        for job in seen.jobs.values().filter(|job| job.item == Some(item.id)) {
            let is_backup = matches!(job.work, Work::Backup(_));
            findings.demand(!is_backup || job.created <= since, || {
                format!(
                    "item {} is {word} since {since}, and job {} was made at {}",
                    item.id, job.id, job.created
                )
            });
        }
    }
}

/// At no time was a backup begun of what rested then: by schedule of nothing that was suspended, and of what was stopped or deleted not
/// even because somebody wanted it.
fn meanwhile(actor: &Actor, findings: &mut Findings) {
    let mut protection: BTreeMap<String, Protection> = BTreeMap::new();
    for write in actor.cluster.history.of_all(&[Kind::Item, Kind::Job]) {
        let Some(body) = write.body.as_ref().filter(|_| write.version > 0) else {
            protection.remove(&write.id);
            continue;
        };
        if write.kind == Kind::Item {
            let item: Item = serde_json::from_str(body).unwrap();
            match write.is_sure {
                true => protection.insert(write.id, item.protection),
                // Nobody knows, until it is written again.
                false => protection.remove(&write.id),
            };
            continue;
        }
        let job: Job = serde_json::from_str(body).unwrap();
        let Work::Backup(work) = &job.work else { continue };
        let now = job.item.and_then(|item| protection.get(&item.to_string()));
        // What keeps a backup that was taken before begins none.
        let (1, None, Some(now)) = (write.version, work.adopts, now) else {
            continue;
        };
        findings.count("backups begun", 1);
        let may = match now {
            Protection::Protected => true,
            Protection::Suspended { .. } => !matches!(job.trigger, Trigger::Scheduled { .. }),
            Protection::Stopped { .. } | Protection::SoftDeleted { .. } => job.state.is_ended(),
        };
        findings.demand(may, || {
            let (id, work, trigger) = (job.id, job.work.name(), &job.trigger);
            format!("job {id}, a {work} by {trigger:?}, was made while its item was {now:?}")
        });
    }
}

/// On an instance that protects itself all databases are protected, but those that are left out.
async fn auto(actor: &Actor, seen: &Seen, findings: &mut Findings) {
    let servers: Vec<Server> = actor.cluster.records().await;
    let protected: BTreeSet<_> = seen.items.iter().map(|item| item.database).collect();
    for database in &seen.databases {
        let is_protected = protected.contains(&database.id);
        let is_excluded = actor.truth.excluded.contains(&database.name);
        findings.demand(!(is_excluded && is_protected), || {
            format!("{} is left out, and protected", database.name)
        });
        let address = servers
            .iter()
            .find(|one| one.id == database.server)
            .map(|one| &one.address);
        let number = actor
            .servers
            .iter()
            .position(|server| Some(&server.address) == address);
        let is_auto = number.is_some_and(|number| actor.story.stage.auto[number]);
        if is_auto && database.name.starts_with("Db ") && database.gone.is_none() {
            findings.count("protected by themselves", 1);
            findings.demand(is_protected, || {
                format!("{} is not protected by itself", database.name)
            });
        }
    }
}

//! What is protected and what is not: auto-protection takes what it must and nothing else, what was stopped or deleted rests, and
//! nothing that was deleted is lost before its time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use catalog::Kind;
use catalog::record::{DatabaseId, Item, Job, Point, Protection, Server, Trigger, Work};

use super::{Findings, Seen};
use crate::actor::Actor;

/// For how long what is deleted can be had back: what the documents say of a vault that says nothing.
const HAD_BACK: Duration = Duration::from_secs(14 * 86_400);

pub(super) async fn judge(actor: &Actor, seen: &Seen, findings: &mut Findings) {
    rests(actor, seen, findings);
    meanwhile(actor, findings);
    auto(actor, seen, findings).await;
    removed(actor, findings);
    findings.wrong.extend(actor.truth.wrong.iter().cloned());
}

/// A point goes when it was deleted for so long as such a thing can be had back, by itself or with its item; the time is counted by a
/// clock that never jumps.
fn removed(actor: &Actor, findings: &mut Findings) {
    let mut since: BTreeMap<String, Duration> = BTreeMap::new();
    let mut item_of: BTreeMap<String, String> = BTreeMap::new();
    for write in actor.cluster.history.of_all(&[Kind::Item, Kind::Point]) {
        let is_deleted = match (write.kind, &write.body) {
            (Kind::Item, Some(body)) => {
                let item: Item = serde_json::from_str(body).unwrap();
                matches!(item.protection, Protection::SoftDeleted { .. })
            }
            (_, Some(body)) => {
                let point: Point = serde_json::from_str(body).unwrap();
                item_of.insert(write.id.clone(), point.item.to_string());
                point.deletion.is_some()
            }
            (Kind::Item, None) => continue,
            (_, None) => {
                let of_item = item_of.get(&write.id).and_then(|item| since.get(item));
                let of_point = since.get(&write.id);
                let is_over = of_point
                    .into_iter()
                    .chain(of_item)
                    .any(|since| write.at.saturating_sub(*since) >= HAD_BACK);
                findings.demand(is_over || write.version <= 0, || {
                    format!("point {} was removed, and its time was not over", write.id)
                });
                continue;
            }
        };
        match is_deleted {
            true => {
                since.entry(write.id).or_insert(write.at);
            }
            // Perhaps it was never written.
            false if !write.is_sure => {}
            false => {
                since.remove(&write.id);
            }
        }
    }
}

/// Databases whose item was deleted and is gone for good: nobody protects them anew but a user.
fn gone(actor: &Actor) -> BTreeSet<DatabaseId> {
    let mut deleted = BTreeMap::new();
    let mut gone = BTreeSet::new();
    for write in actor.cluster.history.of(Kind::Item) {
        match &write.body {
            Some(body) => {
                let item: Item = serde_json::from_str(body).unwrap();
                deleted.insert(write.id, item);
            }
            None if write.is_sure => {
                let item = deleted.remove(&write.id);
                gone.extend(item.map(|item| item.database));
            }
            None => {}
        }
    }
    gone
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
    let gone = gone(actor);
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
            findings.demand(is_protected || gone.contains(&database.id), || {
                format!("{} is not protected by itself", database.name)
            });
        }
    }
}

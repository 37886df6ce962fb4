//! Nothing is called proved or accepted that is not, and catalog and store agree.

use std::collections::{BTreeMap, BTreeSet};

use azblob::names::{BlobName, ContainerName};
use bak::stripes::{Company, Family};
use bak::{Report, Verdict, Verifier};
use blobstore::{BlobPath, Permit};
use catalog::record::{Grade, JobState, Point};
use vault::shelf::stored::records_of;

use super::{Findings, Seen};
use crate::actor::Actor;

pub(super) async fn judge(actor: &Actor, seen: &Seen, findings: &mut Findings) {
    let mut guids = BTreeSet::new();
    let mut ours = BTreeSet::new();
    for point in &seen.points {
        findings.count(grade(point.grade), 1);
        let key = (point.container, point.set.guid);
        findings.demand(guids.insert(key), || {
            format!("set {} has two points", point.set.guid)
        });
        let Some(container) = seen.containers.get(&point.container.to_string()) else {
            findings
                .wrong
                .push(format!("point {} lies in no known container", point.id));
            continue;
        };
        let container = ContainerName::new(container.name.as_str()).unwrap();
        let paths: Vec<BlobPath> = point
            .blobs
            .iter()
            .map(|name| {
                actor
                    .cluster
                    .door
                    .path(&container, &BlobName::new(name.as_str()).unwrap())
            })
            .collect();
        ours.extend(paths.iter().cloned());
        bytes(actor, point, &paths, findings);
        job(point, seen, findings);
        record(actor, point, &container, findings);
        history(actor, point, seen, findings).await;
    }
    strays(actor, &ours, findings);
    records(actor, seen, findings);
}

fn grade(grade: Grade) -> &'static str {
    match grade {
        Grade::Proved => "proved",
        Grade::EngineVerified => "engine verified",
        Grade::Accepted => "accepted",
        Grade::Disputed => "disputed",
    }
}

/// The bytes are what the point says of them.
fn bytes(actor: &Actor, point: &Point, paths: &[BlobPath], findings: &mut Findings) {
    let store = actor.cluster.door.store().unwrap();
    let mut reports: Vec<Report> = Vec::new();
    let mut size = 0;
    for path in paths {
        let Ok(reader) = store.open_blob(path, &Permit::NONE) else {
            findings
                .wrong
                .push(format!("point {}: {path:?} is not there", point.id));
            return;
        };
        findings.demand(reader.view().sealed, || {
            format!("point {}: {path:?} is not sealed", point.id)
        });
        let mut bytes = vec![0; reader.size() as usize];
        if reader.read_at(0, &mut bytes).is_err() {
            findings.count("rotten", 1);
            let is_known = !actor.truth.unnoted.contains(path);
            findings.demand(point.grade == Grade::Disputed || !is_known, || {
                let grade = grade(point.grade);
                format!(
                    "point {} is called {grade}, and {path:?} cannot be read",
                    point.id
                )
            });
            return;
        }
        size += bytes.len() as u64;
        let mut verifier = Verifier::new();
        verifier.push(&bytes);
        reports.push(verifier.finish());
    }
    findings.demand(size == point.bytes, || {
        format!(
            "point {} says {} bytes, and there are {size}",
            point.id, point.bytes
        )
    });
    let verdict = together(&reports);
    let fits = match point.grade {
        Grade::Proved => verdict == Verdict::Ok,
        Grade::EngineVerified | Grade::Accepted => verdict == Verdict::CannotVerify,
        Grade::Disputed => !matches!(verdict, Verdict::Ok | Verdict::CannotVerify),
    };
    findings.demand(fits, || {
        format!(
            "point {} is called {}, and its bytes are {}",
            point.id,
            grade(point.grade),
            verdict.as_str()
        )
    });
    let Some(set) = reports.first().and_then(|report| report.sets.first()) else {
        return;
    };
    let told = (
        point.set.guid,
        point.set.first_lsn.clone(),
        point.set.last_lsn.clone(),
    );
    let found = (
        set.backup_set_guid.unwrap_or_default(),
        set.first_lsn
            .map_or_else(String::new, |lsn| lsn.to_decimal().to_string()),
        set.last_lsn
            .map_or_else(String::new, |lsn| lsn.to_decimal().to_string()),
    );
    findings.demand(told == found, || {
        format!("point {} says {told:?}, its bytes {found:?}", point.id)
    });
}

/// What the families of a set come to.
fn together(reports: &[Report]) -> Verdict {
    // A set is as sure as the stripe of which least is known.
    let worst = |wanted: &[Verdict]| {
        reports
            .iter()
            .map(|report| report.verdict)
            .find(|one| wanted.contains(one))
    };
    if let Some(verdict) = worst(&[Verdict::Damaged, Verdict::Truncated]).or(worst(&[Verdict::CannotVerify]))
    {
        return verdict;
    }
    let families: Vec<Family> = reports.iter().filter_map(Family::of).collect();
    match (reports, families.first()) {
        ([only], None) => only.verdict,
        (_, Some(first)) if families.len() == reports.len() => {
            if Company::of(first, &families) == Company::Complete {
                Verdict::Ok
            } else {
                Verdict::Incomplete
            }
        }
        _ => Verdict::Damaged,
    }
}

fn job(point: &Point, seen: &Seen, findings: &mut Findings) {
    let Some(id) = point.job else { return };
    let Some(job) = seen.jobs.get(&id.to_string()) else {
        findings.wrong.push(format!(
            "point {} comes of job {id}, which is not there",
            point.id
        ));
        return;
    };
    let is_done = matches!(job.state, JobState::Completed | JobState::CompletedWithWarnings);
    findings.demand(is_done && job.point == Some(point.id), || {
        format!(
            "point {} comes of job {id}, which is {} with point {:?}",
            point.id,
            job.state.name(),
            job.point
        )
    });
}

/// The set's record lies beside its blobs.
fn record(actor: &Actor, point: &Point, container: &ContainerName, findings: &mut Findings) {
    let store = actor.cluster.door.store().unwrap();
    let guid = point.set.guid.to_string();
    let records = records_of(container);
    let found = store.inventory().into_iter().any(|entry| {
        if entry.path.container != records {
            return false;
        }
        let reader = store.open_blob(&entry.path, &Permit::NONE).unwrap();
        let mut body = vec![0; reader.size() as usize];
        reader.read_at(0, &mut body).unwrap();
        String::from_utf8_lossy(&body).to_lowercase().contains(&guid)
    });
    findings.demand(found, || {
        format!("point {} has no record beside its blobs", point.id)
    });
}

/// Each record beside the blobs is that of a point, and says the same of it.
fn records(actor: &Actor, seen: &Seen, findings: &mut Findings) {
    let store = actor.cluster.door.store().unwrap();
    let points: BTreeMap<String, &Point> = seen.points.iter().map(|one| (one.id.to_string(), one)).collect();
    for entry in store.inventory() {
        if !entry.path.container.as_str().ends_with("-records") {
            continue;
        }
        findings.count("records of sets", 1);
        let reader = store.open_blob(&entry.path, &Permit::NONE).unwrap();
        let mut body = vec![0; reader.size() as usize];
        reader.read_at(0, &mut body).unwrap();
        let record: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let Some(point) = record["point"].as_str().and_then(|id| points.get(id)) else {
            findings
                .wrong
                .push(format!("{:?} is the record of no point", entry.path));
            continue;
        };
        let told = (record["set"]["guid"].as_str(), record["bytes"].as_u64());
        let is = (point.set.guid.to_string(), point.bytes);
        findings.demand(told == (Some(is.0.as_str()), Some(is.1)), || {
            format!("{:?} says {told:?}, and its point {is:?}", entry.path)
        });
    }
}

/// SQL Server itself says that the backup succeeded.
async fn history(actor: &Actor, point: &Point, seen: &Seen, findings: &mut Findings) {
    let database = seen.databases.iter().find(|one| one.id == point.database);
    let names: BTreeMap<_, _> = seen.items.iter().map(|item| (item.id, item.server)).collect();
    let servers: Vec<catalog::record::Server> = actor.cluster.records().await;
    let address = names
        .get(&point.item)
        .and_then(|id| servers.iter().find(|server| server.id == *id))
        .map(|server| server.address.clone());
    let (Some(_), Some(address)) = (database, address) else {
        findings
            .wrong
            .push(format!("point {} is of no known database", point.id));
        return;
    };
    let number = actor
        .servers
        .iter()
        .position(|server| server.address == address)
        .unwrap();
    if actor.truth.rewound.contains(&number) {
        return;
    }
    let text = format!(
        "SELECT COUNT(*) FROM msdb.dbo.backupset WHERE backup_set_uuid = '{}'",
        point.set.guid
    );
    let count = actor.cluster.sql(&actor.servers[number]).value(&text).await;
    findings.demand(count == simsql::value::Value::Integer(1), || {
        format!("point {} is of a set that msdb does not know", point.id)
    });
}

/// What lies in the store and belongs to no point: nothing sealed, nothing leased, nothing half written.
fn strays(actor: &Actor, ours: &BTreeSet<BlobPath>, findings: &mut Findings) {
    let store = actor.cluster.door.store().unwrap();
    for entry in store.inventory() {
        if entry.path.container.as_str().ends_with("-records") || ours.contains(&entry.path) {
            continue;
        }
        findings.count("stray blobs", 1);
        findings.demand(!entry.view.sealed, || {
            format!("{:?} is sealed, and of no point", entry.path)
        });
        let is_locked = entry.view.lease_view.status == azblob::lease::LeaseStatus::Locked;
        findings.demand(!is_locked, || {
            format!(
                "{:?} is leased still, {} bytes, after a day of calm",
                entry.path, entry.view.size
            )
        });
    }
}

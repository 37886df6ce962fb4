//! Fulls that heal do not storm: one at a time on an instance, one a day of a database.

use std::collections::BTreeMap;

use catalog::Kind;
use catalog::record::{ItemId, Job, JobState, ServerId, Trigger, Work};
use jiff::Timestamp;
use schedule::BackupKind;

use super::Findings;
use crate::actor::Actor;

/// So much earlier than a day after the last one a full may begin, in seconds: the last one counts from its end.
const EARLY: i64 = 600;

pub(super) fn judge(actor: &Actor, findings: &mut Findings) {
    let mut running: BTreeMap<String, Option<ServerId>> = BTreeMap::new();
    let mut taken: BTreeMap<ItemId, BTreeMap<String, Timestamp>> = BTreeMap::new();
    for write in actor.cluster.history.of(Kind::Job) {
        let job: Option<Job> = write
            .body
            .as_deref()
            .map(|body| serde_json::from_str(body).unwrap());
        let Some(job) = job.filter(|job| heals(job) && write.version > 0) else {
            running.remove(&write.id);
            continue;
        };
        if let (Some(item), Some(ended), true) = (job.item, job.ended, job.point.is_some()) {
            taken.entry(item).or_default().insert(write.id.clone(), ended);
        }
        let is_running = matches!(job.state, JobState::InProgress | JobState::Cancelling);
        if !is_running || !write.is_sure {
            running.remove(&write.id);
            continue;
        }
        running.insert(write.id.clone(), job.server);
        let here = running.values().filter(|server| **server == job.server).count();
        findings.demand(here == 1, || {
            format!("{here} fulls heal at once on one instance, with job {}", write.id)
        });
    }
    for (item, fulls) in taken {
        findings.count("fulls that healed", fulls.len() as u64);
        let mut ends: Vec<Timestamp> = fulls.into_values().collect();
        ends.sort();
        for pair in ends.windows(2) {
            let apart = pair[1].duration_since(pair[0]).as_secs();
            let is_right = apart >= 86_400 - EARLY || actor.truth.vault_clock_wrong.is_some();
            findings.demand(is_right, || {
                format!(
                    "item {item}: fulls healed it at {} and {}, {apart} s apart",
                    pair[0], pair[1]
                )
            });
        }
    }
}

/// Whether a job takes a full that nobody scheduled and nobody wanted.
fn heals(job: &Job) -> bool {
    let Work::Backup(work) = &job.work else {
        return false;
    };
    let is_own = matches!(job.trigger, Trigger::Healing { .. })
        || matches!(job.trigger, Trigger::Scheduled { .. }) && work.asked != work.kind;
    is_own && work.kind == BackupKind::Full
}

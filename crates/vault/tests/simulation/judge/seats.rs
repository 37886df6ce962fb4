//! Never do more backups run at once than vault, instance and policy allow, and a part of that is left to logs.

use std::collections::{BTreeMap, BTreeSet};

use catalog::Kind;
use catalog::record::{ItemId, Job, JobState, PolicyId, ServerId, Work};
use schedule::BackupKind;

use super::{Findings, Seen};
use crate::actor::Actor;

/// Of this many places one is for logs alone: the documents say a fifth.
const LOGS_SHARE: u32 = 5;

/// A backup that runs.
struct Running {
    server: Option<ServerId>,
    policy: Option<PolicyId>,
    is_log: bool,
}

pub(super) fn judge(actor: &Actor, seen: &Seen, findings: &mut Findings) {
    let policies: BTreeMap<ItemId, PolicyId> = seen.items.iter().map(|item| (item.id, item.policy)).collect();
    let (of_vault, of_server, of_policy) = actor.story.stage.at_once;
    let mut running: BTreeMap<String, Running> = BTreeMap::new();
    let (mut most, mut told) = (0, BTreeSet::new());
    for write in actor.cluster.history.of(Kind::Job) {
        let job: Option<Job> = write
            .body
            .as_deref()
            .map(|body| serde_json::from_str(body).unwrap());
        let open = job.filter(|job| matches!(job.state, JobState::InProgress | JobState::Cancelling));
        let Some((job, Work::Backup(work))) = open.as_ref().map(|job| (job, &job.work)) else {
            // One that may have ended has, and one that may have begun has not: so what is found is surely so.
            running.remove(&write.id);
            continue;
        };
        if write.version < 0 || !write.is_sure && !running.contains_key(&write.id) {
            continue;
        }
        let one = Running {
            server: job.server,
            policy: job.item.and_then(|item| policies.get(&item).copied()),
            is_log: work.asked == BackupKind::Log,
        };
        let (server, policy) = (one.server, one.policy);
        running.insert(write.id.clone(), one);
        let all: Vec<&Running> = running.values().collect();
        let here: Vec<&Running> = all.iter().filter(|one| one.server == server).copied().collect();
        let by_policy: Vec<&Running> = here.iter().filter(|one| one.policy == policy).copied().collect();
        most = most.max(all.len());
        for (where_, limit, taken) in [
            ("in the vault", of_vault, &all),
            ("on an instance", of_server, &here),
            ("of a policy on an instance", of_policy, &by_policy),
        ] {
            let data = taken.iter().filter(|one| !one.is_log).count();
            let fits = taken.len() <= limit as usize && data <= (limit - limit / LOGS_SHARE) as usize;
            findings.demand(fits || !told.insert(write.id.clone()), || {
                let count = taken.len();
                format!(
                    "{count} backups ran at once {where_}, {data} of them no logs, where {limit} may: job {}",
                    write.id
                )
            });
        }
    }
    findings.most("most at once", most as u64);
}

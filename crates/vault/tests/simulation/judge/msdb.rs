//! What SQL Server says that it did for the vault is in the vault, or the vault says that it is lost.

use std::collections::BTreeMap;

use catalog::record::JobState;
use simsql::value::Value;

use super::{Findings, Seen};
use crate::actor::Actor;

pub(super) async fn judge(actor: &Actor, seen: &Seen, findings: &mut Findings) {
    for (number, server) in actor.servers.iter().enumerate() {
        // What was put back tells of backups that the vault never saw end, and forgot others.
        if actor.truth.rewound.contains(&number) {
            continue;
        }
        let text = "SELECT name, backup_set_uuid, type FROM msdb.dbo.backupset WHERE name LIKE 'bac2 %'";
        let answers = actor.cluster.sql(server).go(text).await;
        let rows = &answers.results.last().expect("a result").rows;
        let mut of_job: BTreeMap<String, u32> = BTreeMap::new();
        for row in rows {
            findings.count("rows of msdb", 1);
            let [Value::Text(name), Value::Guid(guid), Value::Text(kind)] = &row[..] else {
                panic!("{row:?}");
            };
            let job = name.trim_start_matches("bac2 ").to_owned();
            let is_point = seen.points.iter().any(|point| point.set.guid == *guid);
            let state = seen.jobs.get(&job).map(|job| job.state);
            let item = seen.jobs.get(&job).and_then(|job| job.item);
            let is_gone = item.is_some_and(|item| seen.items.iter().all(|one| one.id != item));
            findings.demand(is_point || is_gone || state == Some(JobState::Failed), || {
                format!(
                    "msdb has set {guid} ({kind}) of job {job}, which is no point, and the job is {state:?}"
                )
            });
            *of_job.entry(job).or_default() += 1;
        }
        for (job, count) in of_job {
            findings.demand(count == 1, || {
                format!("job {job} succeeded {count} times by msdb")
            });
        }
    }
}

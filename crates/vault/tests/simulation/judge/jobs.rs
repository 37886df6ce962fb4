//! Every job ends, and goes only the ways there are.

use std::collections::BTreeMap;

use catalog::Kind;
use catalog::record::{Job, JobState, Work};

use super::{Findings, Seen};
use crate::actor::{Actor, uptime};

/// From which state a job may come into which: written down again, by the words of the records.
const WAYS: [(JobState, &[JobState]); 3] = [
    (
        JobState::Queued,
        &[JobState::InProgress, JobState::Cancelled, JobState::Failed],
    ),
    (
        JobState::InProgress,
        &[
            JobState::Queued,
            JobState::Cancelling,
            JobState::Completed,
            JobState::CompletedWithWarnings,
            JobState::Failed,
            JobState::Cancelled,
        ],
    ),
    (
        JobState::Cancelling,
        // Queued where the backup may have succeeded: it ends as SQL Server says.
        &[
            JobState::Queued,
            JobState::Completed,
            JobState::CompletedWithWarnings,
            JobState::Failed,
            JobState::Cancelled,
        ],
    ),
];

/// So long a job may take while all is well, in seconds.
const LONGEST: i64 = 3600;

pub(super) fn judge(actor: &Actor, seen: &Seen, findings: &mut Findings) {
    let now = actor.cluster.now();
    for job in seen.jobs.values() {
        // Since it was made: what is tried again and again does not end either.
        let age = now.duration_since(job.created).as_secs();
        let waits = matches!(job.work, Work::Purge) && job.run_at > now;
        findings.demand(job.state.is_ended() || waits || age < LONGEST, || {
            format!(
                "job {} ({}) has not ended after {age} s of calm: {job:?}",
                job.id,
                job.work.name()
            )
        });
        findings.demand(!job.state.is_ended() || job.ended.is_some(), || {
            format!("job {} ended, and does not say when", job.id)
        });
        let failed = matches!(job.state, JobState::Failed | JobState::Cancelled);
        findings.demand(!failed || job.fault.is_some(), || {
            format!("job {} failed, and does not say why", job.id)
        });
        findings.count(job.state.name(), 1);
    }
    findings.demand(uptime(&actor.cluster) > actor.truth.calm_since, || {
        "time stands still".to_owned()
    });
    ways(actor, findings);
}

fn ways(actor: &Actor, findings: &mut Findings) {
    let mut states: BTreeMap<String, (i64, JobState)> = BTreeMap::new();
    for write in actor.cluster.history.of(Kind::Job) {
        let Some(body) = write.body.as_ref().filter(|_| write.version > 0) else {
            continue;
        };
        let job: Job = serde_json::from_str(body).unwrap();
        let before = states.insert(write.id.clone(), (write.version, job.state));
        let Some((version, before)) = before else { continue };
        // Of a commit whose end is not known, the next one tells: it follows on it, or writes its version anew.
        if write.version != version + 1 || before == job.state {
            continue;
        }
        let ways = WAYS.iter().find(|(from, _)| *from == before);
        let is_way = ways.is_some_and(|(_, to)| to.contains(&job.state));
        findings.demand(is_way, || {
            format!(
                "job {} went from {} to {}",
                write.id,
                before.name(),
                job.state.name()
            )
        });
    }
}

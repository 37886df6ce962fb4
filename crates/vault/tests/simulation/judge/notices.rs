//! A notice is over when what it tells of is over; and of one matter one is open at a time.

use std::collections::BTreeSet;

use catalog::record::{Item, Job, JobState, Notice, Server, ServerState, Work};

use super::{Findings, Seen};
use crate::actor::Actor;

pub(super) async fn judge(actor: &Actor, seen: &Seen, findings: &mut Findings) {
    let notices: Vec<Notice> = actor.cluster.records().await;
    let servers: Vec<Server> = actor.cluster.records().await;
    let mut open = BTreeSet::new();
    for notice in notices.iter().filter(|notice| notice.resolved.is_none()) {
        findings.count_open(notice.about.split('/').next().unwrap_or_default());
        findings.demand(open.insert(&notice.about), || {
            format!("two notices about {} are open", notice.about)
        });
        if let Some(why) = over(notice, seen, &servers) {
            findings.wrong.push(format!(
                "the notice {} of {} is open, and {why}",
                notice.about, notice.again
            ));
        }
    }
}

/// Why a notice should be over.
fn over(notice: &Notice, seen: &Seen, servers: &[Server]) -> Option<String> {
    let mut words = notice.about.split('/');
    let matter = words.next()?;
    let item = notice
        .item
        .and_then(|id| seen.items.iter().find(|item| item.id == id));
    match matter {
        "missed" | "failed" => {
            let kind = notice.about.rsplit('/').next()?;
            let job = succeeded(item?, kind, notice, seen)?;
            Some(format!("job {} succeeded later, at {:?}", job.id, job.ended))
        }
        "faulty" => {
            let server = servers.iter().find(|one| Some(one.id) == notice.server)?;
            let is_faulty = matches!(server.state, ServerState::Faulty { .. });
            (!is_faulty).then(|| "its instance is well".to_owned())
        }
        "stuck" => {
            let job = seen.jobs.get(&notice.job?.to_string())?;
            job.state.is_ended().then(|| "its job is over".to_owned())
        }
        "unscheduled" => Some("all is well".to_owned()),
        "foreignOwner" => item?
            .foreign_owner
            .is_none()
            .then(|| "nobody else owns it".to_owned()),
        "unsupported" => {
            let database = item?.database;
            let database = seen.databases.iter().find(|one| one.id == database)?;
            let is_simple = database.state.recovery_model.eq_ignore_ascii_case("SIMPLE");
            (!is_simple && database.gone.is_none()).then(|| "its database takes logs".to_owned())
        }
        _ => None,
    }
}

/// A backup of a kind that succeeded after a notice was raised last.
fn succeeded<'s>(item: &Item, kind: &str, notice: &Notice, seen: &'s Seen) -> Option<&'s Job> {
    seen.jobs.values().find(|job| {
        let is_kind = matches!(&job.work, Work::Backup(work) if work.asked.name() == kind);
        let is_done = matches!(job.state, JobState::Completed | JobState::CompletedWithWarnings);
        is_kind
            && is_done
            && job.point.is_some()
            && job.item == Some(item.id)
            && job.ended.is_some_and(|ended| ended > notice.again)
    })
}

//! A notice is over when what it tells of is over; of one matter one is open at a time; and what lies about is told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use catalog::Kind;
use catalog::record::{Grade, Item, Job, JobState, Notice, Point, Protection, Server, ServerState, Work};
use schedule::BackupKind;

use super::{Findings, Seen};
use crate::actor::{Actor, uptime};

/// After so long a notice of a past event is over, and some minutes for who looks.
const DAY: Duration = Duration::from_secs(25 * 3600);
const WEEK: Duration = Duration::from_secs((7 * 24 + 1) * 3600);

pub(super) async fn judge(actor: &Actor, seen: &Seen, findings: &mut Findings) {
    let notices: Vec<Notice> = actor.cluster.records().await;
    let stand = Stand {
        actor,
        seen,
        servers: actor.cluster.records().await,
        strays: strays(actor, seen),
    };
    let mut raised = BTreeMap::new();
    for write in actor.cluster.history.of(Kind::Notice) {
        raised.insert(write.id, write.at);
    }
    let mut open = BTreeSet::new();
    for notice in notices.iter().filter(|notice| notice.resolved.is_none()) {
        findings.count_open(notice.about.split('/').next().unwrap_or_default());
        findings.demand(open.insert(notice.about.as_str()), || {
            format!("two notices about {} are open", notice.about)
        });
        if let Some(why) = stand.over(notice, raised[&notice.id.to_string()]) {
            findings.wrong.push(format!(
                "the notice {} of {} is open, and {why}",
                notice.about, notice.again
            ));
        }
    }
    for container in &stand.strays {
        let matter = format!("strangeBlobs/{container}");
        findings.demand(open.contains(matter.as_str()), || {
            format!("complete blobs of no point lie in container {container}, and nobody says so")
        });
    }
}

/// Containers in which complete blobs lie that belong to no point.
fn strays(actor: &Actor, seen: &Seen) -> BTreeSet<String> {
    let store = actor.cluster.door.store().unwrap();
    let ours: BTreeSet<(String, &str)> = seen
        .points
        .iter()
        .flat_map(|point| {
            point
                .blobs
                .iter()
                .map(|blob| (point.container.to_string(), blob.as_str()))
        })
        .collect();
    let mut found = BTreeSet::new();
    for entry in store.inventory().into_iter().filter(|entry| entry.view.committed) {
        let name = entry.path.container.as_str();
        let container = seen.containers.iter().find(|(_, one)| one.name == name);
        // An empty blob is where a backup began.
        if let Some((id, _)) = container
            && entry.view.size > 0
            && !ours.contains(&(id.clone(), entry.path.blob.as_str()))
        {
            found.insert(id.clone());
        }
    }
    found
}

/// What notices are held against.
struct Stand<'s> {
    actor: &'s Actor,
    seen: &'s Seen,
    servers: Vec<Server>,
    strays: BTreeSet<String>,
}

impl Stand<'_> {
    /// Why a notice should be over that was raised last at `raised`, by true time.
    fn over(&self, notice: &Notice, raised: Duration) -> Option<String> {
        let seen = self.seen;
        let mut words = notice.about.split('/');
        let matter = words.next()?;
        let subject = words.next();
        let item = notice
            .item
            .and_then(|id| seen.items.iter().find(|item| item.id == id));
        if let Some(why) = item.and_then(|item| self.rests(item, notice)) {
            return Some(why);
        }
        let age = uptime(&self.actor.cluster) - raised;
        let off = Duration::from_secs(self.actor.truth.vault_clock_off);
        match matter {
            "missed" | "failed" => {
                let kind = notice.about.rsplit('/').next()?;
                let job = succeeded(item?, kind, notice, seen)?;
                Some(format!("job {} succeeded later, at {:?}", job.id, job.ended))
            }
            "faulty" => {
                let server = self.servers.iter().find(|one| Some(one.id) == notice.server)?;
                let is_faulty = matches!(server.state, ServerState::Faulty { .. });
                (!is_faulty).then(|| "its instance is well".to_owned())
            }
            "stuck" => {
                let job = seen.jobs.get(&notice.job?.to_string())?;
                job.state.is_ended().then(|| "its job is over".to_owned())
            }
            "unscheduled" | "inconsistent" | "setRecord" => Some("all is well".to_owned()),
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
            "clock" | "limit" => (age > DAY + off).then(|| "that was days ago".to_owned()),
            "timedOut" | "adopted" => (age > WEEK + off).then(|| "that was weeks ago".to_owned()),
            "strangeBlobs" => {
                let is_there = self.strays.contains(subject?);
                (!is_there).then(|| "there are none".to_owned())
            }
            "lostBlobs" => {
                let point = seen
                    .points
                    .iter()
                    .find(|one| Some(one.id.to_string().as_str()) == subject);
                let is_told = point.is_some_and(|point| point.grade == Grade::Disputed);
                (!is_told).then(|| "its point is sound or gone".to_owned())
            }
            "disputed" => {
                let kind = notice.about.rsplit('/').next()?;
                let ends = |point: &Point| match point.kind {
                    BackupKind::Full => true,
                    BackupKind::Differential => matches!(kind, "differential" | "log"),
                    BackupKind::CopyOnlyFull => kind == "copyOnlyFull",
                    BackupKind::Log => false,
                };
                self.sound_after(item?, raised, ends)
            }
            "restored" | "model" | "renamed" => {
                let item = seen
                    .items
                    .iter()
                    .find(|item| Some(item.database.to_string().as_str()) == subject)?;
                self.sound_after(item, raised, |point| point.kind == BackupKind::Full)
            }
            "putBack" | "foreignBackup" | "healingDisabled" => {
                self.sound_after(item?, raised, |point| point.kind == BackupKind::Full)
            }
            _ => None,
        }
    }

    /// Nobody waits for anything of an item whose protection ended since.
    fn rests(&self, item: &Item, notice: &Notice) -> Option<String> {
        let since = match item.protection {
            Protection::Stopped { since } | Protection::SoftDeleted { since, .. } => since,
            Protection::Protected | Protection::Suspended { .. } => return None,
        };
        let is_sure = self.actor.truth.vault_clock_wrong.is_none();
        (is_sure && notice.again <= since).then(|| format!("its item rests since {since}"))
    }

    /// A sound backup that came later.
    fn sound_after(&self, item: &Item, raised: Duration, ends: impl Fn(&Point) -> bool) -> Option<String> {
        let point = self.seen.points.iter().find(|point| {
            let written = self.seen.written.get(&point.id.to_string());
            point.item == item.id
                && point.grade != Grade::Disputed
                && ends(point)
                && written.is_some_and(|at| *at > raised)
        })?;
        Some(format!("point {} was written later", point.id))
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

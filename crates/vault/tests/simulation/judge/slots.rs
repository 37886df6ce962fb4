//! Every slot is kept by one job, or its miss is reported. Slots are counted here by plain arithmetic in UTC.

use std::collections::BTreeMap;

use catalog::Kind;
use catalog::record::{Item, Job, Notice, Trigger, Work};
use jiff::Timestamp;
use schedule::BackupKind;

use super::{Findings, Seen};
use crate::actor::Actor;

/// How late a start may be while all is well, in seconds.
const LATEST: i64 = 60;

pub(super) fn judge(actor: &Actor, seen: &Seen, findings: &mut Findings) {
    let missed = missed(actor);
    for item in &seen.items {
        let jobs = jobs_of(item, seen);
        one_job_a_slot(item, &jobs, actor, findings);
        for kind in [BackupKind::Full, BackupKind::Log] {
            of_kind(actor, item, kind, &jobs, &missed, findings);
        }
    }
}

/// The scheduled jobs of an item, with their kinds and slots.
fn jobs_of<'s>(item: &Item, seen: &'s Seen) -> Vec<(BackupKind, Timestamp, &'s Job)> {
    let jobs = seen.jobs.values().filter(|job| job.item == Some(item.id));
    let scheduled = jobs.filter_map(|job| match (&job.work, &job.trigger) {
        (Work::Backup(work), Trigger::Scheduled { slot }) => Some((work.asked, *slot, job)),
        _ => None,
    });
    scheduled.collect()
}

fn one_job_a_slot(
    item: &Item,
    jobs: &[(BackupKind, Timestamp, &Job)],
    actor: &Actor,
    findings: &mut Findings,
) {
    if actor.truth.vault_clock_jumped {
        return;
    }
    let mut seen: BTreeMap<(BackupKind, Timestamp), u32> = BTreeMap::new();
    for (kind, slot, _) in jobs {
        *seen.entry((*kind, *slot)).or_default() += 1;
    }
    for ((kind, slot), count) in seen {
        findings.demand(count == 1, || {
            format!("item {}: {count} jobs for the {} at {slot}", item.id, kind.name())
        });
    }
}

/// Every report of missed slots: item, kind, the newest slot that it reports.
fn missed(actor: &Actor) -> Vec<(String, BackupKind, Timestamp)> {
    let notices = actor.cluster.history.of(Kind::Notice).into_iter();
    let notices = notices.filter(|write| write.version > 0).filter_map(|write| {
        let notice: Notice = serde_json::from_str(write.body.as_ref()?).unwrap();
        let (kind, slot) = notice.missed?;
        Some((notice.item?.to_string(), kind, slot))
    });
    notices.collect()
}

fn of_kind(
    actor: &Actor,
    item: &Item,
    kind: BackupKind,
    jobs: &[(BackupKind, Timestamp, &Job)],
    missed: &[(String, BackupKind, Timestamp)],
    findings: &mut Findings,
) {
    let stage = &actor.story.stage;
    if actor.truth.vault_clock_jumped || !takes(actor, item, kind) {
        return;
    }
    let jitter = stage.jitter_minutes * 60;
    let now = actor.cluster.now();
    let calm = now - std::time::Duration::from_secs(actor.story.calm.as_secs() - 600);
    let mut slots = Vec::new();
    let step = if kind == BackupKind::Log {
        stage.log_minutes * 60
    } else {
        86_400
    };
    let first = if kind == BackupKind::Log {
        0
    } else {
        i64::from(stage.full_at) * 60
    };
    // With differentials, fulls are weekly, on Fridays: 2026-01-02 is the first.
    let (step, first) = match (kind, stage.differential_at) {
        (BackupKind::Full, Some(_)) => (7 * 86_400, first + 86_400),
        _ => (step, first),
    };
    let midnight = item.since.as_second().div_euclid(86_400) * 86_400;
    let mut at = midnight + first;
    while at + jitter + LATEST < now.as_second() {
        if at * 1_000_000 > item.since.as_microsecond() {
            slots.push(Timestamp::from_second(at).unwrap());
        }
        at += step;
    }
    let kept = |slot: &Timestamp| {
        jobs.iter().find(|(of, at, _)| {
            let late = at.as_second() - slot.as_second();
            *of == kind && (0..=jitter).contains(&late)
        })
    };
    for (number, slot) in slots.iter().enumerate() {
        findings.count("slots", 1);
        match kept(slot) {
            Some((_, at, job)) => {
                let late = job
                    .started
                    .map_or(0, |started| started.duration_since(*at).as_secs());
                findings.demand(*slot < calm || late <= LATEST, || {
                    format!(
                        "item {}: the {} of {slot} began {late} s late while all was well",
                        item.id,
                        kind.name()
                    )
                });
            }
            None => {
                findings.count("slots missed", 1);
                let unkept = slots[number..].iter().take_while(|slot| kept(slot).is_none());
                let last = unkept.last().copied().unwrap_or(*slot);
                let is_told = missed.iter().any(|(of, told, at)| {
                    *of == item.id.to_string() && *told == kind && (*slot..=last).contains(at)
                });
                findings.demand(is_told, || {
                    format!(
                        "item {}: no job for the {} of {slot}, and nobody says so",
                        item.id,
                        kind.name()
                    )
                });
            }
        }
    }
}

/// Whether the item takes backups of a kind all the time: its database was never under another recovery model.
fn takes(actor: &Actor, item: &Item, kind: BackupKind) -> bool {
    let unsupported = actor.cluster.history.of(Kind::Notice).into_iter().any(|write| {
        let body = write.body.unwrap_or_default();
        body.contains(&item.id.to_string()) && body.contains("unsupported/")
    });
    kind == BackupKind::Full || !unsupported
}

//! Every slot is kept by one job, or its miss is reported. Slots are counted here by plain arithmetic in UTC.

use std::collections::BTreeMap;
use std::time::Duration;

use catalog::Kind;
use catalog::record::{Database, Item, Job, Notice, Protection, Trigger, Work};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use schedule::BackupKind;
use schedule::calendar::Weekday;

use super::{Findings, Seen};
use crate::actor::{Actor, uptime};

/// How late a start may be while all is well, in seconds.
const LATEST: i64 = 60;

/// The most that a policy of these stories spreads starts over, in seconds.
const JITTER_MOST: i64 = 12 * 60;

/// As they follow on each other.
const DAYS: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

pub(super) fn judge(actor: &Actor, seen: &Seen, findings: &mut Findings) {
    let (missed, begun) = (missed(actor), begun(actor));
    for item in &seen.items {
        let jobs = jobs_of(item, seen);
        one_job_a_slot(item, &jobs, actor, findings);
        if item.protection != Protection::Protected {
            findings.count("items without slots at the end", 1);
            continue;
        }
        let case = Case {
            actor,
            item,
            database: seen.databases.iter().find(|one| one.id == item.database),
            jobs: &jobs,
            missed: &missed,
            begun: &begun,
        };
        for kind in [BackupKind::Full, BackupKind::Differential, BackupKind::Log] {
            case.of_kind(kind, findings);
        }
    }
}

/// When each job began first, by the vault's clock.
fn begun(actor: &Actor) -> BTreeMap<String, Timestamp> {
    let mut begun = BTreeMap::new();
    for write in actor.cluster.history.of(Kind::Job) {
        let Some(body) = write.body.as_ref().filter(|_| write.version > 0) else {
            continue;
        };
        let job: Job = serde_json::from_str(body).unwrap();
        if let Some(started) = job.started {
            begun.entry(write.id).or_insert(started);
        }
    }
    begun
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
    let mut seen: BTreeMap<(BackupKind, Timestamp), u32> = BTreeMap::new();
    for (kind, slot, _) in jobs.iter().filter(|(_, slot, _)| !is_clock_wrong(actor, *slot)) {
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

/// True time of what the vault's clock shows when it is right.
fn true_time(actor: &Actor, at: Timestamp) -> Duration {
    let ago = actor.cluster.now().duration_since(at);
    uptime(&actor.cluster).saturating_sub(ago.unsigned_abs())
}

/// Whether the clock of the vault may have shown this while it was wrong, or dealt with it by a clock that was.
fn is_clock_wrong(actor: &Actor, slot: Timestamp) -> bool {
    let truth = &actor.truth;
    let off = Duration::from_secs(truth.vault_clock_off);
    let at = true_time(actor, slot);
    truth
        .vault_clock_wrong
        .is_some_and(|from| at + off >= from && at <= truth.calm_since + off + Duration::from_secs(600))
}

/// The slots of an item.
struct Case<'c> {
    actor: &'c Actor,
    item: &'c Item,
    database: Option<&'c Database>,
    jobs: &'c [(BackupKind, Timestamp, &'c Job)],
    missed: &'c [(String, BackupKind, Timestamp)],
    begun: &'c BTreeMap<String, Timestamp>,
}

impl Case<'_> {
    fn of_kind(&self, kind: BackupKind, findings: &mut Findings) {
        let slots = self.slots(kind);
        for (number, slot) in slots.iter().enumerate() {
            if let Some(why) = self.unjudged(kind, *slot) {
                findings.count(why, 1);
                continue;
            }
            findings.count("slots", 1);
            let Some((at, job)) = self.kept(kind, *slot) else {
                findings.count("slots missed", 1);
                self.is_told(kind, &slots[number..], findings);
                continue;
            };
            if self.is_troubled(*slot) {
                findings.count("slots in trouble", 1);
                continue;
            }
            let begun = self.begun.get(&job.id.to_string());
            let late = begun.map_or(0, |begun| begun.duration_since(at).as_secs());
            findings.most("seconds late at most", u64::try_from(late).unwrap_or(0));
            findings.demand(late <= LATEST, || {
                let (item, kind) = (self.item.id, kind.name());
                format!("item {item}: the {kind} of {slot} began {late} s late while all was well")
            });
        }
    }

    /// The slots of a kind since the item's schedules run, by plain arithmetic: by what the policy said at that time.
    fn slots(&self, kind: BackupKind) -> Vec<Timestamp> {
        let stage = &self.actor.story.stage;
        let terms = &self.actor.truth.terms;
        let mut slots = Vec::new();
        for (place, (from, terms)) in terms.iter().enumerate() {
            let until = self
                .actor
                .truth
                .terms
                .get(place + 1)
                .map_or(Duration::MAX, |(at, _)| *at);
            let (minute, step) = match kind {
                BackupKind::Log => (0, terms.log_minutes * 60),
                BackupKind::Differential => match stage.differential_at {
                    Some(at) => (i64::from(at), 86_400),
                    None => return Vec::new(),
                },
                _ => (i64::from(terms.full_at), 86_400),
            };
            let now = self.actor.cluster.now().as_second();
            let midnight = self.item.since.as_second().div_euclid(86_400) * 86_400;
            let mut at = midnight + minute * 60;
            while at + JITTER_MOST + LATEST < now {
                let slot = Timestamp::from_second(at).unwrap();
                let is_in_force = (*from..until).contains(&true_time(self.actor, slot));
                if slot > self.item.since && is_in_force && self.runs_on(kind, slot) {
                    slots.push(slot);
                }
                at += step;
            }
        }
        slots
    }

    /// With differentials, fulls are weekly.
    fn runs_on(&self, kind: BackupKind, slot: Timestamp) -> bool {
        let stage = &self.actor.story.stage;
        let day = slot.to_zoned(TimeZone::UTC).weekday().to_monday_zero_offset();
        let is = |on: &Weekday| DAYS.iter().position(|one| one == on) == usize::try_from(day).ok();
        match kind {
            BackupKind::Full => stage.differential_at.is_none() || is(&stage.full_on),
            BackupKind::Differential => stage.differential_on.iter().any(is),
            _ => true,
        }
    }

    /// Why nobody can say what must become of a slot.
    fn unjudged(&self, kind: BackupKind, slot: Timestamp) -> Option<&'static str> {
        if is_clock_wrong(self.actor, slot) {
            return Some("slots skipped: the vault's clock was wrong");
        }
        let at = true_time(self.actor, slot).as_secs();
        let mut changes = self.actor.truth.terms.iter().skip(1);
        if changes.any(|(changed, _)| changed.as_secs().abs_diff(at) <= JITTER_MOST.unsigned_abs()) {
            return Some("slots skipped: the policy changed about then");
        }
        if kind != BackupKind::Log {
            return None;
        }
        // What is not there any more has no other recovery model than it was seen with last.
        if self
            .database
            .is_some_and(|one| one.gone.is_some() && one.state.recovery_model == "SIMPLE")
        {
            return Some("slots skipped: the database was SIMPLE, and is gone");
        }
        let truth = &self.actor.truth;
        let which = truth.rows.keys().find(|(server, number)| {
            self.database
                .is_some_and(|one| self.actor.name(*server, *number) == one.name)
        });
        let which = *which?;
        if !self.actor.is_full(which.0, which.1) {
            return Some("slots skipped: the database is SIMPLE");
        }
        // What it was is known until the next discovery, eight hours later.
        let at = true_time(self.actor, slot);
        let was_simple = truth.simple.iter().any(|(of, from, until)| {
            *of == which && (*from..=*until + Duration::from_secs(8 * 3600 + 900)).contains(&at)
        });
        was_simple.then_some("slots skipped: the database was SIMPLE")
    }

    fn kept(&self, kind: BackupKind, slot: Timestamp) -> Option<(Timestamp, &Job)> {
        let terms = self.actor.truth.terms.iter();
        let jitter = terms
            .map(|(_, terms)| terms.jitter_minutes * 60)
            .max()
            .unwrap_or(0);
        self.jobs
            .iter()
            .find(|(of, at, _)| *of == kind && (0..=jitter).contains(&(at.as_second() - slot.as_second())))
            .map(|(_, at, job)| (*at, *job))
    }

    /// Somebody says that a slot, the first of these, or of those that follow on it without a job, was missed.
    fn is_told(&self, kind: BackupKind, slots: &[Timestamp], findings: &mut Findings) {
        let slot = slots[0];
        let unkept = slots.iter().take_while(|slot| self.kept(kind, **slot).is_none());
        let last = unkept.last().copied().unwrap_or(slot);
        let is_told = self.missed.iter().any(|(of, told, at)| {
            *of == self.item.id.to_string() && *told == kind && (slot..=last).contains(at)
        });
        findings.demand(is_told, || {
            let (item, kind) = (self.item.id, kind.name());
            format!("item {item}: no job for the {kind} of {slot}, and nobody says so")
        });
    }

    /// Whether something was in trouble about a slot, its jitter included.
    fn is_troubled(&self, slot: Timestamp) -> bool {
        let (actor, truth) = (self.actor, &self.actor.truth);
        let jitter = Duration::from_secs(JITTER_MOST.unsigned_abs());
        let at = true_time(actor, slot);
        let about_calm = truth.calm_since..=truth.calm_since + Duration::from_secs(600);
        let mut troubled = actor.story.troubled.iter();
        about_calm.contains(&(at + jitter))
            || troubled.any(|(from, until)| truth.begun + *from <= at + jitter && at <= truth.begun + *until)
    }
}

//! After a clock went back: slots that were dealt with in what was the future must not hold up those of today.

use std::time::Duration;

use catalog::record::{Item, Job, JobState, Server, Work};
use catalog::{Range, Slot};
use faults::{Code, Fault};
use jiff::{SignedDuration, Timestamp};

use crate::notices::About;
use crate::vault::Vault;

/// The longest that a backup or a look waits for its next attempt on purpose, and a configuration for another day: what waits for
/// longer was put off by a clock that was ahead.
const WAIT_MAX: SignedDuration = SignedDuration::from_hours(1);
const WAIT_FOR_DAY_MAX: SignedDuration = SignedDuration::from_hours(25);

/// The longest that a healing waits on purpose: a window is on some day of each week.
const HEALING_WAIT_MAX: SignedDuration = SignedDuration::from_hours(24 * 8);

/// By how much a clock may be behind the time that passed before it counts as put back.
const TOLERANCE: Duration = Duration::from_secs(60);

/// Watches a clock that may jump by one that never does.
#[derive(Debug, Default)]
pub(super) struct Watch(Option<(Timestamp, Duration)>);

impl Watch {
    /// Whether the clock went back since items were last aligned; true at the start, since nobody knows what happened before.
    pub(super) fn went_back(&mut self, now: Timestamp, uptime: Duration) -> bool {
        let Some((then, then_up)) = self.0 else {
            self.0 = None;
            return true;
        };
        let passed = uptime.saturating_sub(then_up).as_micros();
        let shown = now.as_microsecond() - then.as_microsecond();
        let behind = i128::try_from(passed).unwrap_or(i128::MAX) - i128::from(shown);
        if behind > i128::try_from(TOLERANCE.as_micros()).unwrap_or(i128::MAX) {
            self.0 = None;
            return true;
        }
        self.0 = Some((now, uptime));
        false
    }

    /// Items are aligned with the clock as it is.
    pub(super) fn is_aligned(&mut self) {
        self.0 = Some((Timestamp::MIN, Duration::ZERO));
    }
}

impl Vault {
    /// Puts every item right whose slots were dealt with beyond now, and every job that waits for a time that was now when it was
    /// made.
    ///
    /// # Errors
    /// The catalog cannot be read or written.
    pub(super) async fn align(&self) -> Result<(), Fault> {
        let now = self.now();
        let mut changed = 0_u32;
        for item in self.list_readable::<Item>(Slot::B, Range::ALL).await? {
            let item = item.record;
            if !is_item_ahead(&item, now) {
                continue;
            }
            self.change::<Item, _>(item.id, |item| {
                align_item(item, now);
                Ok(())
            })
            .await?;
            changed += 1;
        }
        changed += self.align_discovery(now).await?;
        for job in self
            .list_readable::<Job>(Slot::A, Range::members(&[JobState::Queued.name()]))
            .await?
        {
            let is_ahead = |job: &Job| job.run_at > now && (job.created > now || waits_too_long(job, now));
            if !is_ahead(&job.record) {
                continue;
            }
            self.change::<Job, _>(job.record.id, |job| {
                if job.state == JobState::Queued && waits_too_long(job, now) {
                    job.run_at = now;
                } else if job.state == JobState::Queued && is_ahead(job) {
                    let wait = job.run_at.duration_since(job.created).max(SignedDuration::ZERO);
                    job.run_at = now.checked_add(wait).unwrap_or(now);
                }
                Ok(())
            })
            .await?;
            changed += 1;
        }
        if changed > 0 {
            let about = About {
                matter: "clock".to_owned(),
                ..About::default()
            };
            let why = format!("{changed} items and jobs were of a time beyond {now}");
            self.raise(about, Fault::new(Code::Bac2ClockJumped).because(&why))
                .await?;
            self.bell.ring();
        }
        Ok(())
    }
}

impl Vault {
    /// Instances that were looked at in what was the future are looked at again now. Gives how many.
    async fn align_discovery(&self, now: Timestamp) -> Result<u32, Fault> {
        let is_ahead = |server: &Server| server.discovered.is_some_and(|at| at > now);
        let mut changed = 0;
        for server in self.list_readable::<Server>(Slot::B, Range::ALL).await? {
            if !is_ahead(&server.record) {
                continue;
            }
            self.change::<Server, _>(server.record.id, |server| {
                if is_ahead(server) {
                    server.discovered = Some(now);
                    server.discovery_due = now;
                }
                Ok(())
            })
            .await?;
            changed += 1;
        }
        Ok(changed)
    }
}

/// Whether something of an item is of a time beyond now that ought not to be.
fn is_item_ahead(item: &Item, now: Timestamp) -> bool {
    let mut aligned = item.clone();
    align_item(&mut aligned, now);
    aligned != *item
}

fn align_item(item: &mut Item, now: Timestamp) {
    if item.since > now || item.scheduled.values().any(|at| *at > now) {
        let slots = item.slots.values_mut();
        for at in item
            .scheduled
            .values_mut()
            .chain(item.due.values_mut())
            .chain(slots)
        {
            *at = (*at).min(now);
        }
        item.since = item.since.min(now);
    }
    for last in item.last.values_mut() {
        last.at = last.at.min(now);
    }
    item.healed = item.healed.map(|healed| healed.min(now));
    if let Some(healing) = &mut item.healing
        && (healing.since > now || healing.not_before.duration_since(now) > HEALING_WAIT_MAX)
    {
        healing.since = healing.since.min(now);
        // When it may begin is asked again before it does.
        healing.not_before = now;
    }
}

/// Whether a job waits for a time that nobody would put it off to on purpose. A purge may.
fn waits_too_long(job: &Job, now: Timestamp) -> bool {
    let most = match job.work {
        Work::Backup(_) | Work::Discover | Work::Restore(_) => WAIT_MAX,
        Work::Configure { .. } => WAIT_FOR_DAY_MAX,
        Work::Purge => return false,
    };
    job.run_at.duration_since(now) > most
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use catalog::record::{Healing, HealingReason, Item, Job, JobId, LastBackup, PointId, Server};
    use jiff::{SignedDuration, Timestamp};
    use schedule::BackupKind;

    use super::Watch;
    use crate::staged::{Stage, nobody, policy};

    #[test]
    fn a_clock_that_is_put_back_is_noticed_once() {
        let at = |seconds: i64| Timestamp::from_second(1_800_000_000 + seconds).unwrap();
        let up = Duration::from_secs;
        let mut watch = Watch::default();
        assert!(watch.went_back(at(0), up(5)), "at the start nobody knows");
        watch.is_aligned();
        assert!(!watch.went_back(at(1), up(6)));
        assert!(!watch.went_back(at(31), up(36)));
        assert!(!watch.went_back(at(5_000), up(66)), "forward is not back");
        assert!(
            !watch.went_back(at(4_960), up(70)),
            "less than a minute is no jump"
        );
        assert!(watch.went_back(at(1_000), up(100)));
        watch.is_aligned();
        assert!(!watch.went_back(at(1_030), up(130)));
    }

    #[test]
    fn what_a_clock_left_that_was_a_year_ahead_is_put_right() {
        let stage = Stage::new();
        stage.run(async {
            let vault = stage.vault().await;
            let (id, _) = vault.add_item(policy("one")).await;
            let (now, year) = (vault.now(), SignedDuration::from_hours(24 * 365));
            let later = now + year;
            let server = vault.item(id).await.server;
            vault
                .change::<Item, _>(id, |item| {
                    item.healed = Some(later);
                    item.healing = Some(Healing {
                        kind: BackupKind::Full,
                        reason: HealingReason::LogLost,
                        since: now,
                        not_before: later,
                    });
                    let last = LastBackup {
                        job: JobId(nobody()),
                        point: PointId(nobody()),
                        at: later,
                    };
                    item.last.insert(BackupKind::Full, last);
                    Ok(())
                })
                .await
                .unwrap();
            vault
                .change::<Server, _>(server, |server| {
                    server.discovered = Some(later);
                    server.discovery_due = later;
                    Ok(())
                })
                .await
                .unwrap();
            // Made before the clock jumped, put off for half a minute while it was ahead.
            let job = vault.ask_for(id, BackupKind::Log).await.unwrap();
            vault
                .change::<Job, _>(job, |job| {
                    job.run_at = later;
                    Ok(())
                })
                .await
                .unwrap();
            vault.align().await.unwrap();
            let item = vault.item(id).await;
            assert_eq!((item.healed, item.last[&BackupKind::Full].at), (Some(now), now));
            assert_eq!(item.healing.map(|healing| healing.not_before), Some(now));
            let server = vault.get::<Server>(server).await.unwrap().record;
            assert_eq!((server.discovered, server.discovery_due), (Some(now), now));
            assert_eq!(vault.job(job).await.unwrap().run_at, now);
            // What waits on purpose goes on waiting.
            let before = vault.item(id).await;
            vault.align().await.unwrap();
            assert_eq!(vault.item(id).await, before);
        });
    }
}

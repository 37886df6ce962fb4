//! After a clock went back: slots that were dealt with in what was the future must not hold up those of today.

use std::time::Duration;

use catalog::record::{Item, Job, JobState, Server, Work};
use catalog::{Range, Record, Slot};
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
    /// Others write meanwhile: now is always looked up after what is compared with it was read, else their newest would seem to be
    /// of a time beyond it.
    ///
    /// # Errors
    /// The catalog cannot be read or written.
    pub(super) async fn align(&self) -> Result<(), Fault> {
        let waiting = Range::members(&[JobState::Queued.name()]);
        let changed = self.align_all::<Item>(Slot::B, Range::ALL, align_item).await?
            + self
                .align_all::<Server>(Slot::B, Range::ALL, align_server)
                .await?
            + self.align_all::<Job>(Slot::A, waiting, align_job).await?;
        if changed > 0 {
            let about = About {
                matter: "clock".to_owned(),
                ..About::default()
            };
            let why = format!(
                "{changed} items, instances and jobs were of a time beyond {}",
                self.now()
            );
            self.raise(about, Fault::new(Code::Bac2ClockJumped).because(&why))
                .await?;
            self.bell.ring();
        }
        Ok(())
    }

    /// Puts records right by `align`, which says whether it had anything to do. Gives how many it had.
    async fn align_all<R: Record>(
        &self,
        slot: Slot,
        range: Range,
        align: fn(&mut R, Timestamp) -> bool,
    ) -> Result<u32, Fault> {
        let found = self.list_readable::<R>(slot, range).await?;
        let now = self.now();
        let mut changed = 0;
        for mut one in found {
            let id = one.record.id();
            if align(&mut one.record, now) {
                let work = |record: &mut R| Ok(align(record, self.now()));
                changed += u32::from(self.change::<R, _>(id, work).await?.1);
            }
        }
        Ok(changed)
    }
}

/// Slots and last backups. Gives whether anything had to be put right.
fn align_item(item: &mut Item, now: Timestamp) -> bool {
    let before = item.clone();
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
    *item != before
}

/// An instance that was looked at in what was the future is looked at again now. Gives whether it was.
fn align_server(server: &mut Server, now: Timestamp) -> bool {
    let is_ahead = server.discovered.is_some_and(|at| at > now);
    if is_ahead {
        server.discovered = Some(now);
        server.discovery_due = now;
    }
    is_ahead
}

/// A job that waits and was made in what is the future, or waits for a time that nobody would put it off to on purpose. Gives whether
/// it is one.
fn align_job(job: &mut Job, now: Timestamp) -> bool {
    let waits = job.state == JobState::Queued && job.run_at > now;
    let is_ahead = waits && (job.created > now || waits_too_long(job, now));
    if is_ahead && waits_too_long(job, now) {
        job.run_at = now;
    } else if is_ahead {
        let wait = job.run_at.duration_since(job.created).max(SignedDuration::ZERO);
        job.run_at = now.checked_add(wait).unwrap_or(now);
    }
    is_ahead
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

    use catalog::memory::{Event, Step};
    use catalog::record::{Healing, HealingReason, Item, Job, JobId, LastBackup, PointId, Server};
    use jiff::{SignedDuration, Timestamp};
    use schedule::BackupKind;
    use simsql::world::Clock as _;

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
    fn what_others_write_meanwhile_is_of_no_time_beyond_now() {
        for slow in 0..3 {
            let stage = Stage::new();
            stage.run(async {
                let vault = stage.vault().await;
                let (id, _) = vault.add_item(policy("one")).await;
                let server = vault.item(id).await.server;
                // Items, instances, jobs: one of the three is slow to be read.
                let (mut step, time) = (0, std::sync::Arc::clone(&stage.time));
                stage.store.set_plan(Box::new(move |next: Step| {
                    step += u32::from(next == Step::Begin);
                    if next != Step::Begin || step != slow + 1 {
                        return Event::Go;
                    }
                    let time = std::sync::Arc::clone(&time);
                    Event::Wait(Box::pin(async move { time.sleep(Duration::from_secs(2)).await }))
                }));
                let others = async {
                    stage.pass(1).await;
                    let now = vault.now();
                    let heal = |item: &mut Item| {
                        item.healed = Some(now);
                        Ok(())
                    };
                    vault.change::<Item, _>(id, heal).await.unwrap();
                    let look = |server: &mut Server| {
                        server.discovered = Some(now);
                        Ok(())
                    };
                    vault.change::<Server, _>(server, look).await.unwrap();
                    let job = vault.ask_for(id, BackupKind::Log).await.unwrap();
                    let later = now + SignedDuration::from_secs(30);
                    let put_off = |job: &mut Job| {
                        job.run_at = later;
                        Ok(())
                    };
                    vault.change::<Job, _>(job, put_off).await.unwrap();
                    (now, job, later)
                };
                let (aligned, (now, job, later)) = futures::join!(vault.align(), others);
                aligned.unwrap();
                assert_eq!(vault.item(id).await.healed, Some(now));
                assert_eq!(vault.job(job).await.unwrap().run_at, later);
                let told = vault.open_notices().await;
                assert!(told.is_empty(), "{told:#?}");
            });
        }
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

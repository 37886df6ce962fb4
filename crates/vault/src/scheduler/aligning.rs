//! After a clock went back: slots that were dealt with in what was the future must not hold up those of today.

use std::time::Duration;

use catalog::record::{Item, Job, JobState};
use catalog::{Range, Slot};
use faults::{Code, Fault};
use jiff::{SignedDuration, Timestamp};

use crate::notices::About;
use crate::vault::Vault;

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
            if item.since <= now && item.scheduled.values().all(|at| *at <= now) {
                continue;
            }
            self.change::<Item, _>(item.id, |item| {
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
                Ok(())
            })
            .await?;
            changed += 1;
        }
        for job in self
            .list_readable::<Job>(Slot::A, Range::members(&[JobState::Queued.name()]))
            .await?
        {
            // Who waits for a later time on purpose was made earlier than that.
            let is_ahead = |job: &Job| job.created > now && job.run_at > now;
            if !is_ahead(&job.record) {
                continue;
            }
            self.change::<Job, _>(job.record.id, |job| {
                if job.state == JobState::Queued && is_ahead(job) {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::Watch;

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
}

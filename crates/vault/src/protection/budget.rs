//! How much may be configured in 24 hours: the limit that Azure Backup calls CloudDosAbsoluteLimit. A user who is beyond it is
//! refused; what the vault does at scale waits for the next day and is tried again by itself.
//!
//! What was done is counted by hour in the vault's record.

use catalog::record::{Job, Spent, Vault as VaultRecord};
use catalog::{Transaction, demand, update};
use faults::{Code, Fault};
use jiff::{SignedDuration, Timestamp};

use crate::jobs::DAY;
use crate::policies::days_later;
use crate::records::Trouble;
use crate::vault::Vault;

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// What of something wanted may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Granted {
    /// So many now.
    pub(crate) now: usize,
    /// So many later.
    pub(crate) put_off: usize,
    /// So many a day.
    pub(crate) a_day: u32,
}

impl Granted {
    /// When the one at this place among those put off is tried again.
    pub(crate) fn later(&self, now: Timestamp, place: usize) -> Timestamp {
        days_later(now, place, self.a_day)
    }
}

/// Notes what is wanted, as far as the limit allows; gives how much that is. Hours that are over, and those of a clock that was
/// put back, are forgotten.
fn spend(spent: &mut Vec<Spent>, limit: u32, wanted: u32, now: Timestamp) -> u32 {
    spent.retain(|one| {
        let ago = now.duration_since(one.hour);
        ago < DAY && ago > -HOUR
    });
    let done: u32 = spent
        .iter()
        .map(|one| one.configurations)
        .fold(0, u32::saturating_add);
    let granted = wanted.min(limit.saturating_sub(done));
    if granted > 0 {
        match spent
            .last_mut()
            .filter(|last| now.duration_since(last.hour) < HOUR)
        {
            Some(last) => last.configurations = last.configurations.saturating_add(granted),
            None => spent.push(Spent {
                hour: now,
                configurations: granted,
            }),
        }
    }
    granted
}

impl Vault {
    /// Takes what there is of so many configurations.
    ///
    /// # Errors
    /// The catalog cannot be read or written.
    pub(crate) async fn spend_in(&self, tx: &mut dyn Transaction, wanted: usize) -> Result<Granted, Trouble> {
        // The record of the vault itself does not hang under a vault's id but is found by it.
        let mut vault = demand::<VaultRecord>(tx, &self.key, &self.key).await?;
        let a_day = vault.record.daily.configurations;
        let asked = u32::try_from(wanted).unwrap_or(u32::MAX);
        let granted = spend(&mut vault.record.spent, a_day, asked, self.now());
        if granted > 0 {
            update(tx, vault).await?;
        }
        let now = usize::try_from(granted).unwrap_or(wanted);
        Ok(Granted {
            now,
            put_off: wanted - now,
            a_day,
        })
    }

    /// Counts a configuration that was put off to this day, on this day.
    ///
    /// # Errors
    /// The catalog cannot be read or written.
    pub(crate) async fn spend_late_in(&self, tx: &mut dyn Transaction, job: &Job) -> Result<(), Trouble> {
        if job.attempt == 1 && job.run_at.duration_since(job.created) >= DAY {
            self.spend_in(tx, 1).await?;
        }
        Ok(())
    }

    /// One configuration that a user wants.
    ///
    /// # Errors
    /// The limit is reached; the catalog cannot be read or written.
    pub(crate) async fn spend_or_refuse_in(
        &self,
        tx: &mut dyn Transaction,
        target: &str,
    ) -> Result<(), Trouble> {
        let granted = self.spend_in(tx, 1).await?;
        if granted.now == 1 {
            return Ok(());
        }
        let why = format!("{} configurations are allowed in 24 hours", granted.a_day);
        Err(Fault::new(Code::CloudDosAbsoluteLimitReached)
            .at(target)
            .because(&why)
            .into())
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::{Granted, spend};

    #[test]
    fn in_any_24_hours_no_more_than_the_limit() {
        let start = Timestamp::from_second(1_800_000_000).unwrap();
        let at = |minutes: i64| start + SignedDuration::from_mins(minutes);
        let mut spent = Vec::new();
        for (minutes, wanted, granted, why) in [
            (0, 40, 40, "there is room"),
            (30, 30, 30, "the same hour"),
            (90, 50, 30, "what is left of 100"),
            (24 * 60 - 1, 1, 0, "the first hour still counts"),
            (24 * 60, 200, 70, "the first hour is over"),
            (-10 * 24 * 60, 100, 100, "the clock was put back"),
        ] {
            assert_eq!(spend(&mut spent, 100, wanted, at(minutes)), granted, "{why}");
        }
    }

    #[test]
    fn what_is_put_off_keeps_the_limit_of_the_days_to_come() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let granted = Granted {
            now: 0,
            put_off: 250,
            a_day: 100,
        };
        for (place, days) in [(0, 1), (99, 1), (100, 2), (249, 3)] {
            assert_eq!(
                granted.later(now, place),
                now + SignedDuration::from_hours(24 * days)
            );
        }
    }
}

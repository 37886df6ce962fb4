//! Looking for items whose full is missing or too old, whether or not anything else met that.
//!
//! A database whose fulls fail, or whose policy takes them rarely, would otherwise be found broken by its next log only, and one
//! without log backups never.

use std::collections::BTreeMap;

use catalog::record::{Database, HealingReason, Item, Policy, PolicyId, Protection};
use catalog::{Query, Range, Scope, Slot};
use faults::Fault;
use jiff::{SignedDuration, Timestamp};
use schedule::BackupKind;
use schedule::policy::Mode;

use crate::records::{fault, readable};
use crate::vault::Vault;

impl Vault {
    /// Looks at all items, page by page.
    ///
    /// # Errors
    /// The catalog cannot be read or written.
    pub(super) async fn look_for_broken(&self) -> Result<(), Fault> {
        let now = self.now();
        let mut policies: BTreeMap<PolicyId, Policy> = BTreeMap::new();
        let mut query = Query::of(Scope::vault(&self.key), Slot::Id, Range::ALL);
        loop {
            let found = {
                let mut tx = self.world.catalog.read().await.map_err(fault)?;
                readable::<Item>(tx.as_mut(), &query).await.map_err(fault)?
            };
            for item in found.records.into_iter().map(|item| item.record) {
                let policy = match policies.get(&item.policy) {
                    Some(known) => known,
                    None => match self.find::<Policy>(item.policy).await {
                        Ok(Some(read)) => &*policies.entry(item.policy).or_insert(read.record),
                        // It holds up no other; the scheduler tells people of it.
                        _ => continue,
                    },
                };
                let Some(reason) = broken(&item, policy, now) else {
                    continue;
                };
                let Ok(Some(database)) = self.find::<Database>(item.database).await else {
                    continue;
                };
                let database = database.record;
                // What is gone or offline heals when it is back.
                if database.gone.is_none() && database.state.state == "ONLINE" {
                    self.want_healing(item.id, BackupKind::Full, reason).await?;
                }
            }
            match found.next {
                Some(next) => query = query.after(next),
                None => return Ok(()),
            }
        }
    }
}

/// Why an item needs a full, where nothing is under way about it yet. A full that was never due is not missing.
fn broken(item: &Item, policy: &Policy, now: Timestamp) -> Option<HealingReason> {
    let is_ours = item.foreign_owner.as_ref().is_none_or(|owner| !owner.owns_base);
    let is_idle = item.protection == Protection::Protected && item.healing.is_none();
    if !is_idle || !is_ours || policy.policy.mode == Mode::Shadow {
        return None;
    }
    let most = SignedDuration::from_hours(24 * i64::from(policy.policy.healing.full_age_max.0));
    match item.last.get(&BackupKind::Full) {
        Some(last) if now.duration_since(last.at) > most => Some(HealingReason::FullTooOld),
        Some(_) => None,
        None => {
            let failed = item
                .failures
                .get(&BackupKind::Full)
                .is_some_and(|count| *count > 0);
            failed.then_some(HealingReason::FullMissing)
        }
    }
}

#[cfg(test)]
mod tests {
    use catalog::record::{ForeignOwner, HealingReason, Item, Policy, PolicyId, Protection};
    use jiff::Timestamp;
    use schedule::policy::Mode;
    use schedule::{BackupKind, Days};
    use uuid::Uuid;

    use super::broken;
    use crate::healing::item_of_tests;

    fn policy(mode: Mode) -> Policy {
        let mut policy = schedule::Policy::daily("daily", "01:00".parse().unwrap(), Days(30));
        policy.mode = mode;
        Policy {
            id: PolicyId(Uuid::nil()),
            policy,
            created: Timestamp::UNIX_EPOCH,
            changed: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_full_is_missed_when_it_failed_or_is_older_than_fifteen_days() {
        let full_at = |text: &str| item_of_tests(Some(text.parse().unwrap()));
        let failed = |mut item: Item| {
            item.failures.insert(BackupKind::Full, 1);
            item
        };
        let owned = |owns_base: bool| {
            let mut item = full_at("2026-01-01T00:00:00Z");
            item.foreign_owner = Some(ForeignOwner {
                owns_log: true,
                owns_base,
                who: "another tool".to_owned(),
                is_log_shipping: false,
                is_unknown: false,
            });
            item
        };
        let stopped = {
            let mut item = full_at("2026-01-01T00:00:00Z");
            item.protection = Protection::Stopped {
                since: Timestamp::UNIX_EPOCH,
            };
            item
        };
        let old = Some(HealingReason::FullTooOld);
        let cases = [
            (full_at("2026-01-16T00:00:00Z"), Mode::Standard, None),
            (full_at("2026-01-15T23:59:59Z"), Mode::Standard, old),
            (full_at("2026-01-01T00:00:00Z"), Mode::Shadow, None),
            (owned(true), Mode::Standard, None),
            (owned(false), Mode::Standard, old),
            (stopped, Mode::Standard, None),
            // A full that was never due is not missing.
            (item_of_tests(None), Mode::Standard, None),
            (
                failed(item_of_tests(None)),
                Mode::Standard,
                Some(HealingReason::FullMissing),
            ),
            (failed(full_at("2026-01-16T00:00:00Z")), Mode::Standard, None),
        ];
        let now = "2026-01-31T00:00:00Z".parse().unwrap();
        for (item, mode, expected) in cases {
            assert_eq!(broken(&item, &policy(mode), now), expected, "{item:?}");
        }
    }
}

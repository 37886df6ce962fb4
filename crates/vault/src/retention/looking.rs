//! Which items are looked at, and when: once a day each, at once where its policy or its protection changed, where the vault's clock
//! went back, and where the time of something deleted is over. A point that comes makes nothing go, so it is no reason to look.
//!
//! What was looked at is known to this run alone: after a start all items are looked at again, so many with each sweep.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use catalog::record::{Item, ItemId, Point, Policy, PolicyId, moment};
use catalog::{Query, Range, Scope, Slot};
use faults::{Code, Fault};
use jiff::Timestamp;

use crate::notices::About;
use crate::records::{fault, readable};
use crate::vault::Vault;

/// How often each item is looked at.
const EVERY: Duration = Duration::from_secs(24 * 3_600);

/// Items that one sweep looks at by the way: 2,000 in less than seven hours.
const ITEMS_A_SWEEP: usize = 50;

/// Points whose time is over that one sweep takes up, so that those that must wait do not hold up the others.
const DUE_MAX: usize = 10_000;

/// What this run has looked at.
#[derive(Default)]
pub(crate) struct Looked {
    items: BTreeMap<ItemId, Look>,
}

/// How an item was when it was looked at.
#[derive(Clone, PartialEq, Eq)]
struct Look {
    policy: PolicyId,
    version: Option<i64>,
    protection: std::mem::Discriminant<catalog::record::Protection>,
    uptime: Duration,
    at: Timestamp,
}

impl Vault {
    /// Ages what is due, and removes what is gone for good.
    ///
    /// # Errors
    /// The catalog cannot be read or written; the store takes no changes.
    pub(crate) async fn retain(&self, looked: &mut Looked) -> Result<(), Fault> {
        let mut ended = self.items_with_ended().await?;
        let mut due = Vec::new();
        for (item, look) in self.looks().await? {
            match self.urgency(looked.items.get(&item), &look) {
                _ if ended.remove(&item) => due.push((Duration::ZERO, item, look)),
                Some(urgency) => due.push((urgency, item, look)),
                None => {}
            }
        }
        due.sort_by_key(|(urgency, item, _)| (*urgency, *item));
        for (place, (urgency, item, look)) in due.into_iter().enumerate() {
            if place >= ITEMS_A_SWEEP && urgency > Duration::ZERO {
                break;
            }
            self.look_at(item).await?;
            looked.items.insert(item, look);
            // Others run meanwhile.
            self.world.clock.sleep(Duration::ZERO).await;
        }
        self.remove_ended().await
    }

    /// One item whose points cannot be judged is told of, and holds up no other.
    async fn look_at(&self, item: ItemId) -> Result<(), Fault> {
        let matter = format!("retention/{item}");
        match self.age(item).await {
            Ok(()) => self.resolve(&matter).await,
            Err(fault) if fault.code() == Code::Bac2CatalogUnavailable => {
                let about = About {
                    matter,
                    item: Some(item),
                    ..About::default()
                };
                self.raise(about, fault).await
            }
            Err(fault) => Err(fault),
        }
    }

    /// How soon an item is due, nothing where it is not; none at all is at once.
    fn urgency(&self, before: Option<&Look>, now: &Look) -> Option<Duration> {
        let Some(before) = before else {
            return Some(Duration::from_secs(1));
        };
        let is_changed =
            (before.policy, before.version, before.protection) != (now.policy, now.version, now.protection);
        if is_changed || now.at < before.at {
            return Some(Duration::ZERO);
        }
        let age = now.uptime.saturating_sub(before.uptime);
        // The longest ago first, after what was never looked at.
        (age >= EVERY).then(|| Duration::MAX.saturating_sub(age))
    }

    /// All items as they are now.
    async fn looks(&self) -> Result<Vec<(ItemId, Look)>, Fault> {
        let policies = self.list_readable::<Policy>(Slot::Id, Range::ALL).await?;
        let versions: BTreeMap<PolicyId, i64> = policies
            .iter()
            .map(|policy| (policy.record.id, policy.version()))
            .collect();
        let items = self.list_readable::<Item>(Slot::Id, Range::ALL).await?;
        let (uptime, at) = (self.world.clock.uptime(), self.now());
        let looks = items.into_iter().map(|item| {
            let look = Look {
                policy: item.record.policy,
                version: versions.get(&item.record.policy).copied(),
                protection: std::mem::discriminant(&item.record.protection),
                uptime,
                at,
            };
            (item.record.id, look)
        });
        Ok(looks.collect())
    }

    /// Items with something deleted whose time is over.
    async fn items_with_ended(&self) -> Result<BTreeSet<ItemId>, Fault> {
        let range = Range::before(moment(self.now()));
        let mut query = Query::of(Scope::vault(&self.key), Slot::C, range);
        let (mut items, mut seen) = (BTreeSet::new(), 0);
        loop {
            let found = {
                let mut tx = self.world.catalog.read().await.map_err(fault)?;
                readable::<Point>(tx.as_mut(), &query).await.map_err(fault)?
            };
            seen += found.records.len();
            let open = found
                .records
                .into_iter()
                .map(|point| point.record)
                .filter(|point| {
                    let deletion = point.deletion.as_ref();
                    deletion.is_some_and(|deletion| !deletion.is_final)
                });
            items.extend(open.map(|point| point.item));
            match found.next {
                Some(next) if seen < DUE_MAX => query = query.after(next),
                _ => return Ok(items),
            }
        }
    }
}

//! Backups that other tools take, as `msdb` tells of them: who owns the log, who owns the differential base.
//!
//! `telling` tells the vault's own sets from others' and keeps those, `owner` is the rule by which they own a chain, `knowing` sees
//! that it is asked of a history of now.
//!
//! Invariants: a set is kept once, by instance and BackupSetGUID, so that reading a history again changes nothing; of each
//! database a bounded number of the newest is kept. The history confirms and warns; recovery points never come of it.

mod knowing;
mod owner;
mod telling;
#[cfg(test)]
mod tests;

use catalog::record::{Database, Foreign, ForeignOwner, HealingReason, Item, ItemId, Protection, Server};
use catalog::{Query, Range, Scope, Slot, Transaction, all, demand, scoped, update};
use faults::{Code, Fault, Operation};
use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};
use mssql::history::{self, Place};
use schedule::BackupKind;

use crate::records::{LIST_MAX, Trouble, edit};
use crate::registration::failed;
use crate::vault::Vault;

pub(crate) use knowing::Histories;

/// For how long a backup of another tool says that the tool is at work: two rounds of weekly fulls.
pub const OWNER_DAYS: u32 = 14;

/// Questions to `msdb` in one reading, [`history::BATCH`] rows each: an instance of 2,000 databases with logs every 15 minutes
/// writes 2.7 million rows in 14 days.
const BATCHES_MAX: u32 = 1_000;

impl Vault {
    /// Reads what is new in the `msdb` of an instance.
    ///
    /// # Errors
    /// It cannot be asked; the catalog cannot be written.
    pub(crate) async fn read_history(
        &self,
        server: &Server,
        session: &mut mssql::Session,
    ) -> Result<(), Fault> {
        let asked = |error| failed(Operation::Discovery, &server.name, error);
        let mut read = Place {
            id: i32::try_from(server.history_read).unwrap_or(0),
            set: server.history_set,
        };
        let mut after = history::start(session, read, OWNER_DAYS).await.map_err(asked)?;
        for _ in 0..BATCHES_MAX {
            let sets = history::after(session, after.id).await.map_err(asked)?;
            self.keep_foreign(server, &sets).await?;
            if let Some(last) = sets.last() {
                after = Place {
                    id: last.id,
                    set: Some(last.guid),
                };
            }
            if after != read {
                self.change::<Server, _>(server.id, |server| {
                    server.history_read = i64::from(after.id);
                    server.history_set = after.set;
                    Ok(())
                })
                .await?;
                read = after;
            }
            if sets.len() < history::BATCH as usize {
                self.histories.note(server.id, self.world.clock.uptime());
                return self.settle_owners(server).await;
            }
        }
        Ok(())
    }

    /// Takes log and differential base over from another tool, and wants a full, so that the chain is the vault's from there on.
    ///
    /// # Errors
    /// There is no such item, or it is deleted; the catalog cannot be written.
    pub async fn take_over_chain(&self, item: ItemId) -> Result<Item, Fault> {
        let now = self.now();
        let taken = self
            .transact(move |tx| {
                scoped(async move {
                    let mut found = demand::<Item>(tx, &self.key, &item.to_string()).await?;
                    if matches!(found.record.protection, Protection::SoftDeleted { .. }) {
                        return Err(Fault::new(Code::Bac2SoftDeleted).at(&item.to_string()).into());
                    }
                    edit(&mut found.record, None)?;
                    found.record.took_over = Some(now);
                    found.record.foreign_owner = None;
                    let reason = match found.record.last.contains_key(&BackupKind::Full) {
                        true => HealingReason::LsnValidation,
                        false => HealingReason::FullMissing,
                    };
                    update(tx, found).await?;
                    self.resolve_in(tx, &owner_matter(item)).await?;
                    self.want_healing_in(tx, item, BackupKind::Full, reason).await?;
                    Ok(demand::<Item>(tx, &self.key, &item.to_string()).await?.record)
                })
            })
            .await?;
        self.bell.ring();
        Ok(taken)
    }

    /// Who else owns the log or the differential base of a database, by the last 14 days of its instance's `msdb`.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub(crate) async fn owner_of_chain(
        &self,
        tx: &mut dyn Transaction,
        server: &Server,
        database: &Database,
    ) -> Result<Option<ForeignOwner>, Trouble> {
        let range = Range::members(&[&database.id.to_string()]);
        let query = Query::of(Scope::vault(&self.key), Slot::A, range);
        let seen = all::<Foreign>(tx, query, LIST_MAX).await?;
        let seen: Vec<Foreign> = seen.into_iter().map(|one| one.record).collect();
        let since = oldest(local(server, self.now()));
        Ok(owner::owner(&seen, database.state.is_log_shipped, since))
    }
}

/// The matter of a notice that another tool owns a chain.
pub(crate) fn owner_matter(item: ItemId) -> String {
    format!("foreignOwner/{item}")
}

/// What the clock of an instance shows at a moment.
fn local(server: &Server, at: Timestamp) -> DateTime {
    let (minutes, ahead) = server.facts.as_ref().map_or((0, 0), |facts| {
        (i64::from(facts.offset_minutes), facts.clock_ahead_seconds)
    });
    let shift = SignedDuration::from_secs((minutes * 60).saturating_add(ahead));
    let shown = at.checked_add(shift).unwrap_or(at);
    shown.to_zoned(jiff::tz::TimeZone::UTC).datetime()
}

/// What ended before this is too old to say anything.
fn oldest(now: DateTime) -> DateTime {
    now.checked_sub(SignedDuration::from_hours(24 * i64::from(OWNER_DAYS)))
        .unwrap_or(DateTime::MIN)
}

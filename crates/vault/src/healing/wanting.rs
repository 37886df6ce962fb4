//! Noting that an item needs a backup that heals, and when it may run.

use catalog::record::{
    Database, Healing, HealingReason, Item, ItemId, LastBackup, Policy, Protection, Server,
};
use catalog::{Transaction, Versioned, demand, scoped, update};
use faults::{Code, Fault};
use jiff::{SignedDuration, Timestamp};
use schedule::policy::Mode;
use schedule::{BackupKind, Size};

use crate::foreign::owner_matter;
use crate::notices::About;
use crate::records::Trouble;
use crate::vault::Vault;

/// So long after a healing full of a database begins the next at the earliest.
const ONE_A_DAY: SignedDuration = SignedDuration::from_hours(24);

/// So long after it was protected a database's first full begins at the earliest: whoever protects it and asks for a backup at once
/// is not refused for the vault's own.
const FIRST_AFTER: SignedDuration = SignedDuration::from_mins(5);

/// A first full is left to the schedule where that takes one within this time.
const SCHEDULE_SOON: SignedDuration = SignedDuration::from_hours(1);

/// What decides whether and when an item is healed.
pub(super) struct Case {
    pub(super) item: Versioned<Item>,
    pub(super) database: Database,
    pub(super) policy: Policy,
    pub(super) server: Server,
}

impl Vault {
    /// Notes that an item needs a backup that heals, and when it may run. Where healing is off, or the chain is another tool's,
    /// people are told instead.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub(crate) async fn want_healing(
        &self,
        item: ItemId,
        kind: BackupKind,
        reason: HealingReason,
    ) -> Result<(), Fault> {
        self.transact(move |tx| scoped(async move { self.want_healing_in(tx, item, kind, reason).await }))
            .await?;
        self.bell.ring();
        Ok(())
    }

    /// The same within a transaction; the bell must be rung after it.
    ///
    /// # Errors
    /// There is no such item; the catalog cannot be written.
    pub(crate) async fn want_healing_in(
        &self,
        tx: &mut dyn Transaction,
        item: ItemId,
        kind: BackupKind,
        reason: HealingReason,
    ) -> Result<(), Trouble> {
        let mut case = self.healing_case(tx, item).await?;
        if case.item.record.protection != Protection::Protected {
            return Ok(());
        }
        if let Some((about, fault)) = case.refusal(reason) {
            return self.raise_in(tx, &about, &fault).await;
        }
        for matter in [disabled_matter(item), owner_matter(item)] {
            self.resolve_in(tx, &matter).await?;
        }
        let now = self.now();
        let kind = strength(kind, &case.item.record, &case.database);
        let wanted = case.item.record.healing.as_ref();
        if wanted.is_some_and(|wanted| wanted.kind == kind || wanted.kind == BackupKind::Full) {
            return Ok(());
        }
        let since = wanted.map_or(now, |wanted| wanted.since);
        let not_before = case.not_before(kind, now);
        case.item.record.healing = Some(Healing {
            kind,
            reason,
            since,
            not_before,
        });
        update(tx, case.item).await?;
        Ok(())
    }

    /// Wants the first full of an item that begins to be protected and has none, without which neither its logs nor its
    /// differentials stand on anything: soon, and by the rules of every full that heals, so that 2,000 of them begin one by one on
    /// each instance. Where the vault may not heal, or the schedule takes one within the hour, it is the schedule's.
    ///
    /// # Errors
    /// There is no such item; the catalog cannot be written.
    pub(crate) async fn want_first_full_in(
        &self,
        tx: &mut dyn Transaction,
        item: ItemId,
    ) -> Result<(), Trouble> {
        let mut case = self.healing_case(tx, item).await?;
        let now = self.now();
        if !case.takes_first_full(now) {
            return Ok(());
        }
        let soon = now.checked_add(FIRST_AFTER).unwrap_or(now);
        case.item.record.healing = Some(Healing {
            kind: BackupKind::Full,
            reason: HealingReason::FullMissing,
            since: now,
            not_before: case.not_before(BackupKind::Full, soon),
        });
        update(tx, case.item).await?;
        Ok(())
    }

    /// What decides over an item.
    pub(super) async fn healing_case(&self, tx: &mut dyn Transaction, item: ItemId) -> Result<Case, Trouble> {
        let item = demand::<Item>(tx, &self.key, &item.to_string()).await?;
        let database = demand::<Database>(tx, &self.key, &item.record.database.to_string()).await?;
        let policy = demand::<Policy>(tx, &self.key, &item.record.policy.to_string()).await?;
        let server = demand::<Server>(tx, &self.key, &item.record.server.to_string()).await?;
        Ok(Case {
            item,
            database: database.record,
            policy: policy.record,
            server: server.record,
        })
    }
}

impl Case {
    /// Why the vault does not heal this item by itself, and the notice that says so.
    pub(super) fn refusal(&self, reason: HealingReason) -> Option<(About, Fault)> {
        let item = &self.item.record;
        let target = format!("{}/{}", self.server.name, self.database.name);
        let about = |matter: String| About {
            matter,
            server: Some(item.server),
            item: Some(item.id),
            ..About::default()
        };
        let policy = &self.policy.policy;
        let owner = item.foreign_owner.as_ref().filter(|owner| owner.owns_base);
        if owner.is_some() || policy.mode == Mode::Shadow {
            let who = owner.map_or(
                "its policy is in shadow mode, so the base is not the vault's",
                |owner| owner.who.as_str(),
            );
            let fault = Fault::new(Code::Bac2ForeignChainOwner)
                .at(&target)
                .because(&format!(
                    "a full that heals ({}) would take the base over: {who}",
                    describe(reason)
                ));
            return Some((about(owner_matter(item.id)), fault));
        }
        let by_whom = match (self.server.settings.auto_heal, policy.healing.enabled) {
            (false, _) => "the settings of the instance",
            (true, false) => "the policy",
            (true, true) => return None,
        };
        let fault = Fault::new(Code::Bac2HealingDisabled)
            .at(&target)
            .because(&format!("{}; switched off by {by_whom}", describe(reason)));
        Some((about(disabled_matter(item.id)), fault))
    }

    /// Whether the vault takes a first full of itself.
    fn takes_first_full(&self, now: Timestamp) -> bool {
        let item = &self.item.record;
        let is_protected = item.protection == Protection::Protected;
        let is_soon = |at: &Timestamp| at.duration_since(now) < SCHEDULE_SOON;
        is_protected
            && self.refusal(HealingReason::FullMissing).is_none()
            && self.database.state.state == "ONLINE"
            && item.healing.is_none()
            && !item.last.contains_key(&BackupKind::Full)
            && !item.due.get(&BackupKind::Full).is_some_and(is_soon)
    }

    /// When a healing backup may begin, at or after `now`.
    pub(super) fn not_before(&self, kind: BackupKind, now: Timestamp) -> Timestamp {
        if !kind.is_full() {
            return now;
        }
        let healed = self.item.record.healed;
        let day_over = healed.and_then(|healed| healed.checked_add(ONE_A_DAY).ok());
        let from = day_over.map_or(now, |day_over| day_over.max(now));
        let policy = &self.policy.policy;
        let estimate = Size::bytes(self.database.data_bytes);
        policy
            .healing
            .may_begin(&policy.time_zone, from, estimate)
            .unwrap_or(from)
    }
}

/// The matter of a notice that healing is off.
pub(crate) fn disabled_matter(item: ItemId) -> String {
    format!("healingDisabled/{item}")
}

/// What heals: a differential only where the database's differential base is a full of this vault, by the last look, or because the
/// vault took it after that; the job looks again.
pub(super) fn strength(kind: BackupKind, item: &Item, database: &Database) -> BackupKind {
    let is_newer = |last: &LastBackup| last.at > database.last_seen;
    let is_base_ours = item.base.is_some()
        && (item.base == database.state.differential_base
            || item.last.get(&BackupKind::Full).is_some_and(is_newer));
    match kind {
        BackupKind::Differential if is_base_ours => BackupKind::Differential,
        _ => BackupKind::Full,
    }
}

fn describe(reason: HealingReason) -> &'static str {
    match reason {
        HealingReason::LsnValidation => "LSNs do not meet",
        HealingReason::FullMissing => "there is no full",
        HealingReason::FullTooOld => "the newest full is too old",
        HealingReason::Interrupted => "the vault was interrupted",
        HealingReason::StoreFull => "the vault's disk was full",
        HealingReason::Overwritten => "the database was restored over",
        HealingReason::RecoveryModelChanged => "the recovery model changed",
        HealingReason::LogLost => "a log backup is lost",
        HealingReason::LogFull => "the log is full",
        HealingReason::SnapshotPutBack => "the database was put back to an earlier state",
    }
}

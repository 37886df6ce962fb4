//! What a backup job stands on: the records that it reads, and the database as it is at this moment.

use bak::Lsn;
use catalog::record::{
    BackupWork, Container, Database, Grade, Item, Point, Policy, PolicyId, Protection, Server, Trigger, Work,
};
use faults::{Code, Fault, Operation};
use mssql::databases;
use mssql::quoting::Identifier;
use mssql::{Build, Edition, Session};
use schedule::BackupKind;
use uuid::Uuid;

use super::facts::civil;
use super::preflight::{Chain, Wanted};
use crate::jobs::Doing;
use crate::registration::failed;
use crate::vault::Vault;

/// Records of a backup job.
pub(super) struct Ground {
    pub(super) item: Item,
    pub(super) database: Database,
    pub(super) policy_id: PolicyId,
    pub(super) policy: schedule::Policy,
    /// The instance that takes it.
    pub(super) server: Server,
    pub(super) container: Container,
    pub(super) wanted: Wanted,
}

impl Ground {
    /// For people: `SERVER/DATABASE`.
    pub(super) fn target(&self) -> String {
        format!("{}/{}", self.server.name, self.database.name)
    }
}

/// What a backup job is to do.
///
/// # Errors
/// It is another kind of job.
pub(super) fn work_of(doing: &Doing<'_>) -> Result<BackupWork, Fault> {
    match &doing.job.work {
        Work::Backup(work) => Ok(work.clone()),
        _ => Err(Fault::new(Code::Bac2InternalError).because("a job that is no backup")),
    }
}

impl Vault {
    /// Reads the records.
    ///
    /// # Errors
    /// One is not there; the item is protected no more.
    pub(super) async fn ground(&self, doing: &Doing<'_>) -> Result<Ground, Fault> {
        let id = doing
            .job
            .item
            .ok_or_else(|| Fault::new(Code::Bac2InternalError).because("a backup of no database"))?;
        let item = self.get::<Item>(id).await?.record;
        let database = self.get::<Database>(item.database).await?.record;
        let policy = self.get::<Policy>(item.policy).await?.record;
        let server = doing.job.server.unwrap_or(item.server);
        let server = self.get::<Server>(server).await?.record;
        let container = self.get::<Container>(item.container).await?.record;
        Ok(Ground {
            wanted: match doing.job.trigger {
                Trigger::Scheduled { .. } => Wanted::Scheduled,
                Trigger::OnDemand => Wanted::OnDemand,
                Trigger::Healing { .. } => Wanted::Healing,
            },
            policy_id: policy.id,
            policy: policy.policy,
            item,
            database,
            server,
            container,
        })
    }

    /// Up to where a log may begin that is the first after a full: the LastLSN of the full that is the base, or of the newest
    /// differential of it. What stands on another line of history, or is disputed, anchors nothing, however great its LSNs are.
    ///
    /// # Errors
    /// The catalog does not answer.
    pub(super) async fn anchor(&self, item: &Item) -> Result<Option<Lsn>, Fault> {
        let mut anchor = None;
        for kind in [BackupKind::Full, BackupKind::Differential] {
            let Some(last) = item.last.get(&kind) else {
                continue;
            };
            if let Some(point) = self.find::<Point>(last.point).await?
                && anchors(item, &point.record)
            {
                anchor = anchor.max(lsn(&point.record.set.last_lsn));
            }
        }
        Ok(anchor)
    }

    /// Whether the host was put back to a time before the newest full: the server knows another base, and its history, which goes
    /// further back, has never had that full. LSNs alone do not tell where no log was taken since. Who may not read the history
    /// cannot tell either.
    pub(super) async fn is_put_back(
        &self,
        session: &mut Session,
        ground: &Ground,
        seen: &databases::Database,
    ) -> Result<bool, Fault> {
        let item = &ground.item;
        let server_base = seen
            .files
            .iter()
            .find(|file| file.id == 1)
            .and_then(|file| file.differential_base_guid);
        let (Some(base), Some(last)) = (item.base, item.last.get(&BackupKind::Full)) else {
            return Ok(false);
        };
        if seen.chain.is_none() || server_base == Some(base) {
            return Ok(false);
        }
        let Some(full) = self
            .find::<Point>(last.point)
            .await?
            .filter(|full| full.record.set.guid == base)
        else {
            return Ok(false);
        };
        let began = full.record.set.started.strftime("%Y-%m-%dT%H:%M:%S");
        let text = format!(
            "SELECT CASE WHEN EXISTS (SELECT 1 FROM msdb.dbo.backupset WHERE backup_set_uuid = '{base}') THEN 0
 WHEN EXISTS (SELECT 1 FROM msdb.dbo.backupset WHERE backup_finish_date < '{began}') THEN 1 ELSE 0 END AS is_put_back;"
        );
        let Ok(rows) = session.query(&text).await else {
            return Ok(false);
        };
        let value = rows.first().map(|row| row.get::<i64>("is_put_back"));
        Ok(matches!(value, Some(Ok(1))))
    }

    /// Where the chain of an item stands, by the vault's records and what the server says.
    ///
    /// # Errors
    /// The catalog does not answer.
    pub(super) async fn chain(
        &self,
        ground: &Ground,
        seen: &databases::Database,
        is_put_back: bool,
    ) -> Result<Chain, Fault> {
        let item = &ground.item;
        let known = seen.chain.as_ref();
        let base_file = seen.files.iter().find(|file| file.id == 1);
        let is_other = |before: Option<Uuid>, now: Option<Uuid>| matches!((before, now), (Some(before), Some(now)) if before != now);
        let is_restored = |known: &databases::Chain| {
            let is_of_group = ground.database.group.is_some();
            is_other(ground.database.recovery_fork, known.recovery_fork)
                || !is_of_group && is_other(ground.database.database_guid, known.database_guid)
        };
        Ok(Chain {
            full_age: item
                .last
                .get(&BackupKind::Full)
                .map(|last| self.now().duration_since(last.at)),
            full_age_max: ground.policy.healing.full_age_max,
            log_end: item.log_end.as_deref().and_then(lsn),
            anchor: self.anchor(item).await?,
            base: item.base,
            is_known: known.is_some(),
            next_log: known.and_then(|chain| chain.last_log_backup_lsn),
            server_base: base_file.and_then(|file| file.differential_base_guid),
            is_overwritten: known.is_some_and(is_restored),
            is_put_back,
        })
    }
}

/// Whether logs stand on a point.
fn anchors(item: &Item, point: &Point) -> bool {
    let base = match point.kind {
        BackupKind::Full => Some(point.set.guid),
        _ => point.set.base_guid,
    };
    point.grade != Grade::Disputed && base.is_some() && base == item.base
}

/// An LSN of a record; none for zero.
pub(super) fn lsn(decimal: &str) -> Option<Lsn> {
    decimal.parse::<Lsn>().ok().and_then(Lsn::non_zero)
}

/// Whether backups may be asked for.
///
/// # Errors
/// The database is protected no more.
pub(super) fn is_protected(item: &Item) -> Result<(), Fault> {
    match item.protection {
        Protection::Protected | Protection::Suspended { .. } => Ok(()),
        Protection::Stopped { .. } => Err(Fault::new(Code::Bac2NotProtected)),
        Protection::SoftDeleted { .. } => Err(Fault::new(Code::Bac2SoftDeleted)),
    }
}

/// Build and edition of an instance.
///
/// # Errors
/// It never said them.
pub(super) fn release(server: &Server) -> Result<(Build, Edition), Fault> {
    let unknown = || {
        Fault::new(Code::Bac2NotReady)
            .at(&server.name)
            .because("its version is not known")
    };
    let facts = server.facts.as_ref().ok_or_else(unknown)?;
    let build = facts.version.parse().map_err(|_| unknown())?;
    Ok((build, Edition::new(facts.engine_edition, &facts.edition)))
}

/// The database of the item, as the instance has it now; under another name where it was renamed.
///
/// # Errors
/// It is gone, or another one has its name.
pub(super) async fn look(session: &mut Session, ground: &Ground) -> Result<databases::Database, Fault> {
    let target = ground.target();
    let fault = |error| failed(Operation::Backup, &target, error);
    let name = Identifier::new(&ground.database.name)
        .map_err(|error| Fault::new(Code::Bac2InternalError).because(&error.to_string()))?;
    let by_name = databases::ask_named(session, &name).await.map_err(fault)?;
    if let Some(found) = &by_name
        && likeness(ground, found) == Likeness::Same
    {
        return Ok(found.clone());
    }
    let all = databases::ask(session).await.map_err(fault)?;
    let renamed = all.into_iter().find(|found| {
        let guid = found.chain.as_ref().and_then(|chain| chain.database_guid);
        guid.is_some() && guid == ground.database.database_guid
    });
    match (renamed, by_name) {
        (Some(found), _) => Ok(found),
        (None, Some(found)) if likeness(ground, &found) == Likeness::RestoredOver => Ok(found),
        (None, Some(_)) => Err(Fault::new(Code::Bac2DatabaseRecreated).at(&target)),
        (None, None) => Err(Fault::new(Code::UserErrorSQLPODoesNotExist).at(&target)),
    }
}

/// What a database of the right name is to the item's.
#[derive(PartialEq, Eq)]
enum Likeness {
    Same,
    /// Of its family, and made by a restore: RESTORE gives a database a GUID of its own.
    RestoredOver,
    Another,
}

/// On replicas of a group each has a GUID of its own, and the name is the group's; its family is one on all of them, where it can be
/// read. Where the GUID cannot be read, because nobody has opened the database, the moment of its creation decides.
fn likeness(ground: &Ground, found: &databases::Database) -> Likeness {
    let known = &ground.database;
    let family = found.chain.as_ref().and_then(|chain| chain.family_guid);
    if known.group.is_some() {
        let is_another = matches!((known.family_guid, family), (Some(before), Some(now)) if before != now);
        return match is_another {
            true => Likeness::Another,
            false => Likeness::Same,
        };
    }
    match (
        known.database_guid,
        found.chain.as_ref().and_then(|chain| chain.database_guid),
    ) {
        (Some(before), Some(now)) if before == now => Likeness::Same,
        (Some(_), Some(_)) if family.is_some() && family == known.family_guid => Likeness::RestoredOver,
        (Some(_), Some(_)) => Likeness::Another,
        _ if civil(found.created) == Some(known.created) => Likeness::Same,
        // It was never looked at while it was open.
        (None, Some(_)) if known.family_guid.is_none() || known.family_guid == family => Likeness::Same,
        _ => Likeness::Another,
    }
}

/// A database as policies judge it, by what was just seen.
pub(super) fn facts_of(seen: &databases::Database, item: &Database) -> schedule::database::Facts {
    use schedule::database::{Facts, RecoveryModel, State};
    Facts {
        role: super::role(&seen.name, seen.id <= 4, seen.snapshot_of.is_some()),
        recovery_model: match seen.recovery_model {
            databases::RecoveryModel::Simple => RecoveryModel::Simple,
            databases::RecoveryModel::BulkLogged => RecoveryModel::BulkLogged,
            databases::RecoveryModel::Full => RecoveryModel::Full,
            // It is not open, which its state says; its model is what it was.
            databases::RecoveryModel::Unknown => super::schedule_facts(item).recovery_model,
        },
        state: match seen.state {
            databases::State::Online => State::Online,
            databases::State::Restoring => State::Restoring,
            databases::State::Recovering => State::Recovering,
            databases::State::RecoveryPending => State::RecoveryPending,
            databases::State::Suspect => State::Suspect,
            databases::State::Emergency => State::Emergency,
            databases::State::Offline | databases::State::Other(_) => State::Offline,
        },
        read_only: seen.is_read_only,
        standby: seen.is_in_standby,
        mirrored: seen.mirroring.is_some(),
    }
}

//! Logs that go into a folder on the server while the vault's disk has next to no room, so that production does not stop with a full
//! log because the vault is full.
//!
//! The statement is noted in its job before it is sent, like every other; what became of it `msdb` alone tells, since no door sees the
//! file. When SQL Server has the set, the record of it, the end of the item's chain and the notice are written in one transaction: the
//! next log goes on from there, wherever it goes. Such a log is no recovery point: nothing of it is proved, and no moment in it can be
//! restored before it is in the vault (`bringing`).
//!
//! There is no hysteresis: where a log goes is decided by the room at its time, and a chain does not care where its parts lie. It is
//! the way back that waits for more room, since it takes some.
//!
//! Deliberately absent: fulls and differentials (they wait), tails before a restore (they must be in the vault), and the deletion of
//! anything on a server. A catalog that is lost forgets what lies there; the next log then does not meet the vault's newest, and the
//! chain is healed.

use catalog::record::{BackupWork, Item, ItemId, Job, ServerId, ServerLog, ServerLogEnd, ServerLogId, Work};
use catalog::{
    Kind, Query, Range, Scope, Slot, Transaction, Versioned, all, demand, get, insert, page, scoped, update,
};
use faults::{Code, Fault, Operation, Said};
use mssql::history::Set;
use schedule::BackupKind;
use uuid::Uuid;

use super::ground::{Ground, work_of};
use super::keeping::anchor_kind;
use super::taking::warn;
use crate::jobs::{Doing, Ending};
use crate::notices::About;
use crate::records::{LIST_MAX, Trouble};
use crate::scheduler::about;
use crate::shelf::Space;
use crate::vault::Vault;

/// Per cent of the vault's disk that are free, below which a log goes to its server's disk.
const OVERFLOWS_BELOW: u128 = 3;

/// What SQL Server says where a file cannot be opened or written: 3201, 3202, 3203, 3257, 3271, 18204, 18210.
const OF_THE_FILE: [i32; 7] = [3201, 3202, 3203, 3257, 3271, 18_204, 18_210];

/// Files that a notice names.
const NAMED_MAX: u32 = 20;

/// Whether the vault's disk has next to no room.
pub(super) fn is_overflowing(space: &Space) -> bool {
    u128::from(space.free) * 100 < u128::from(space.total) * OVERFLOWS_BELOW
}

/// Why SQL Server did not write a log into a folder of its own.
pub(super) fn refused(said: &[Said]) -> Fault {
    match said.iter().any(|one| OF_THE_FILE.contains(&one.number())) {
        true => Fault::new(Code::Bac2LogOverflowRefused).with_said(Operation::Backup, said),
        false => Fault::of(Operation::Backup, said),
    }
}

/// The matter of the notice of what lies on the disk of an instance.
fn matter(server: ServerId) -> String {
    format!("serverLogs/{server}")
}

/// The matter of the notice of a log that cannot be brought into the vault.
fn lost_matter(log: &ServerLog) -> String {
    format!("serverLogLost/{}", log.item)
}

impl Vault {
    /// Writes down that SQL Server has a log in a file of its own.
    ///
    /// # Errors
    /// Catalog or instance do not answer; the job is taken up again.
    pub(super) async fn keep_on_server(
        &self,
        doing: &mut Doing<'_>,
        ground: &Ground,
        path: &str,
        row: Option<Box<Set>>,
    ) -> Result<Ending, Fault> {
        let work = work_of(doing)?;
        if work.set.is_some() {
            // Written down already; by now the log may even be in the vault.
            return Ok(Ending::Done(Vec::new()));
        }
        doing.begin("Note what lies on the server's disk").await?;
        let marker = work.marker.clone().unwrap_or_default();
        let row = match row {
            Some(row) => Some(*row),
            None => self.row_of(ground, None, &marker).await?,
        };
        let Some(log) = row.and_then(|row| self.server_log(doing, ground, &work, path, &row)) else {
            return self.nobody_knows(doing, ground, path).await;
        };
        let (first, last) = (&log.first_lsn, &log.last_lsn);
        let warning = Fault::new(Code::Bac2LogOnServerDisk)
            .at(&ground.target())
            .because(&format!("{path} has the log from LSN {first} to {last}"));
        warn(doing, [Some(warning.clone()), None]).await?;
        // What was given up and is found later may have been passed by the chain since.
        let goes_on = work.adopts.is_none() || ground.item.log_end == work.log_end_before;
        let (id, log, told) = (doing.job.id, &log, &warning);
        let job = self
            .transact(move |tx| {
                scoped(async move {
                    self.note_server_log_in(tx, ground, log, goes_on, told).await?;
                    let mut job = demand::<Job>(tx, &self.key, &id.to_string()).await?;
                    if let Work::Backup(work) = &mut job.record.work {
                        work.set = Some(log.set);
                    }
                    Ok(update(tx, job).await?.record)
                })
            })
            .await?;
        doing.job = job;
        self.clean_left(doing).await;
        self.bell.ring();
        Ok(Ending::Done(Vec::new()))
    }

    fn server_log(
        &self,
        doing: &Doing<'_>,
        ground: &Ground,
        work: &BackupWork,
        path: &str,
        row: &Set,
    ) -> Option<ServerLog> {
        let now = self.now();
        Some(ServerLog {
            id: ServerLogId(self.world.chance.uuid()),
            item: ground.item.id,
            server: ground.server.id,
            job: doing.job.id,
            path: path.to_owned(),
            set: row.guid,
            first_lsn: row.first_lsn?.to_string(),
            last_lsn: row.last_lsn?.to_string(),
            log_end_before: work.log_end_before.clone(),
            marker: work.marker.clone()?,
            sent: work.sent.unwrap_or(now),
            written: now,
            keep_days: work.keep_days,
            refused: 0,
            not_before: now,
            end: None,
        })
    }

    /// Record, item and notices, all or nothing; nothing where it was done before.
    async fn note_server_log_in(
        &self,
        tx: &mut dyn Transaction,
        ground: &Ground,
        log: &ServerLog,
        goes_on: bool,
        told: &Fault,
    ) -> Result<(), Trouble> {
        if self.is_of_server_log(tx, log.server, log.set).await? {
            return Ok(());
        }
        insert(tx, &self.key, log.clone()).await?;
        let mut item = demand::<Item>(tx, &self.key, &log.item.to_string()).await?;
        if goes_on {
            // SQL Server has cut its log off there.
            item.record.log_end = Some(log.last_lsn.clone());
        }
        item.record.failures.remove(&BackupKind::Log);
        for matter in ["missed", "failed"] {
            self.resolve_in(tx, &about(matter, &item.record, BackupKind::Log).matter)
                .await?;
        }
        update(tx, item).await?;
        let waiting = self.count_waiting_in(tx, log.server).await?;
        let why = format!(
            "{waiting} log backups wait there for room in the vault, the newest is {}: {}",
            log.path,
            told.detail()
        );
        let fault = Fault::new(Code::Bac2LogOnServerDisk)
            .at(&ground.server.name)
            .because(&why);
        self.raise_in(tx, &about_server(log.server), &fault).await
    }

    /// SQL Server took a log, and its history does not say which: the file may be there, and nobody can tell where it belongs.
    async fn nobody_knows(&self, doing: &Doing<'_>, ground: &Ground, path: &str) -> Result<Ending, Fault> {
        let reason = catalog::record::HealingReason::LogLost;
        self.want_healing(ground.item.id, anchor_kind(ground), reason)
            .await?;
        let fault = Fault::new(Code::Bac2LogReanchored)
            .at(&ground.target())
            .because(&format!(
                "SQL Server succeeded, and msdb has no row of what it wrote to {path}"
            ));
        Ok(self.give_up(doing, fault, BackupKind::Log).await)
    }

    /// Whether a set is one that lies, or lay, on a server's disk.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub(crate) async fn is_of_server_log(
        &self,
        tx: &mut dyn Transaction,
        server: ServerId,
        set: Uuid,
    ) -> Result<bool, Trouble> {
        let key = catalog::keys::tuple(&[&server.to_string(), &set.to_string()]);
        let query = Query::of(Scope::vault(&self.key), Slot::B, Range::exactly(key)).limit(1);
        Ok(!page::<ServerLog>(tx, &query).await?.records.is_empty())
    }

    /// Logs of an item that lie, or lay, on a server's disk.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub(crate) async fn server_logs_in(
        &self,
        tx: &mut dyn Transaction,
        item: ItemId,
    ) -> Result<Vec<Versioned<ServerLog>>, Trouble> {
        let range = Range::exactly(item.to_string());
        let query = Query::of(Scope::vault(&self.key), Slot::D, range);
        Ok(all::<ServerLog>(tx, query, LIST_MAX).await?)
    }

    /// Adds to the reason why there is no way to a moment that logs of the database are not in the vault yet, where that is so.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub(crate) async fn naming_server_logs(&self, item: ItemId, fault: Fault) -> Result<Fault, Fault> {
        let range = Range::members(&[&item.to_string()]);
        let waiting = self.list_readable::<ServerLog>(Slot::A, range).await?;
        let Some(first) = waiting.first().map(|log| &log.record) else {
            return Ok(fault);
        };
        let why = format!(
            "{}; {} log backups from LSN {} on lie on the server's disk until the vault has room for them, the first is {}",
            fault.detail(),
            waiting.len(),
            first.first_lsn,
            first.path
        );
        Ok(fault.because(&why))
    }

    async fn count_waiting_in(&self, tx: &mut dyn Transaction, server: ServerId) -> Result<i64, Trouble> {
        let range = Range::members(&[&server.to_string(), "waiting"]);
        let scope = Scope::vault(&self.key);
        Ok(tx.count(Kind::ServerLog, &scope, Slot::C, &range).await?)
    }

    /// Writes how a log on a server's disk ended; the notice ends with the last of its server, and names the files that nobody needs.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub(super) async fn end_server_log(
        &self,
        ground: &Ground,
        id: ServerLogId,
        end: ServerLogEnd,
    ) -> Result<(), Fault> {
        let (end, name, anchor) = (&end, &ground.server.name, anchor_kind(ground));
        self.transact(move |tx| {
            scoped(async move {
                let Some(mut found) = get::<ServerLog>(tx, &self.key, &id.to_string()).await? else {
                    return Ok(());
                };
                if !found.record.is_waiting() {
                    return Ok(());
                }
                found.record.end = Some(end.clone());
                let log = update(tx, found).await?.record;
                if let ServerLogEnd::Lost { fault, .. } = end {
                    self.tell_lost_in(tx, &log, fault).await?;
                    if let Some(item) = get::<Item>(tx, &self.key, &log.item.to_string()).await?
                        && !is_anchored_since(&item.record, &log)
                    {
                        let reason = catalog::record::HealingReason::LogLost;
                        self.want_healing_in(tx, log.item, anchor, reason).await?;
                    }
                }
                self.tell_over_in(tx, log.server, name).await
            })
        })
        .await?;
        self.bell.ring();
        Ok(())
    }

    async fn tell_lost_in(
        &self,
        tx: &mut dyn Transaction,
        log: &ServerLog,
        fault: &Fault,
    ) -> Result<(), Trouble> {
        let about = About {
            matter: lost_matter(log),
            server: Some(log.server),
            item: Some(log.item),
            job: Some(log.job),
            missed: None,
        };
        self.raise_in(tx, &about, fault).await
    }

    /// The end of the notice, where nothing waits on an instance any more.
    async fn tell_over_in(
        &self,
        tx: &mut dyn Transaction,
        server: ServerId,
        name: &str,
    ) -> Result<(), Trouble> {
        if self.count_waiting_in(tx, server).await? > 0 {
            return Ok(());
        }
        let range = Range::members(&[&server.to_string(), "ended"]);
        let count = tx
            .count(Kind::ServerLog, &Scope::vault(&self.key), Slot::C, &range)
            .await?;
        let query = Query::of(Scope::vault(&self.key), Slot::C, range).limit(NAMED_MAX);
        let some = page::<ServerLog>(tx, &query).await?.records;
        let files: Vec<&str> = some.iter().map(|log| log.record.path.as_str()).collect();
        let why = format!(
            "nothing waits there any more: {count} files may be deleted, as soon as nobody else needs them: {}",
            files.join(", ")
        );
        let fault = Fault::new(Code::Bac2LogOnServerDisk).at(name).because(&why);
        self.raise_in(tx, &about_server(server), &fault).await?;
        self.resolve_in(tx, &matter(server)).await
    }
}

fn about_server(server: ServerId) -> About {
    About {
        matter: matter(server),
        server: Some(server),
        ..About::default()
    }
}

/// Whether logs stand on a backup that was taken after a log.
fn is_anchored_since(item: &Item, log: &ServerLog) -> bool {
    [BackupKind::Full, BackupKind::Differential]
        .iter()
        .any(|kind| item.last.get(kind).is_some_and(|last| last.at > log.written))
}

#[cfg(test)]
mod tests {
    use faults::{Code, Said};

    use super::{is_overflowing, refused};
    use crate::shelf::Space;

    #[test]
    fn a_disk_overflows_below_three_per_cent() {
        for (free, total, expected) in [
            (3_000, 100_000, false),
            (2_999, 100_000, true),
            (0, 100_000, true),
            (u64::MAX / 33, u64::MAX, false),
            (u64::MAX / 34, u64::MAX, true),
        ] {
            assert_eq!(
                is_overflowing(&Space { total, free }),
                expected,
                "{free} of {total}"
            );
        }
    }

    #[test]
    fn what_the_folder_is_at_fault_for() {
        let said = |number| {
            vec![Said::new(
                number,
                1,
                16,
                1,
                "Operating system error 5(Access is denied.).",
            )]
        };
        assert_eq!(refused(&said(3201)).code(), Code::Bac2LogOverflowRefused);
        assert_ne!(refused(&said(4214)).code(), Code::Bac2LogOverflowRefused);
    }
}

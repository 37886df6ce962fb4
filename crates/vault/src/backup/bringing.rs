//! Logs from a server's disk into the vault, as soon as it has room again: the oldest of each database first, one job each.
//!
//! The instance itself reads the file, by `OPENROWSET(BULK .., SINGLE_BLOB)`, since the vault has no other way to its disk. The value
//! comes in pieces (`server_file`), so that neither side's answer holds a whole file. Written into the store it is verified like every
//! backup that arrives, and the very steps that keep those make a recovery point of it (`keeping`).
//!
//! Invariants: nothing counts as sent before the blob is whole, so that a crash, a cancellation or a full disk only means another try;
//! a file that is another set than `msdb` had written down becomes no point. The file stays where it is.
//!
//! Deliberately absent: files of 2 GB and more, which SQL Server hands to nobody.

use azblob::names::{BlobName, ContainerName};
use catalog::record::{
    BackupWork, Grade, HealingReason, Item, ItemId, OnServer, Outcome, Protection, ServerLog, ServerLogEnd,
    ServerLogId, Trigger, Work,
};
use catalog::{Range, Slot, delete, scoped};
use faults::{Code, Fault};
use jiff::{SignedDuration, Timestamp};
use mssql::Session;
use mssql::quoting::Literal;
use schedule::BackupKind;

use super::grade::Judged;
use super::ground::{Ground, work_of};
use super::keeping::blob_names;
use super::names::Attempt;
use super::server_file::{NotBrought, PIECE_WITHIN, Source, refusal};
use super::taking::{cancelled, container_of};
use crate::jobs::{Doing, Ending, NewJob};
use crate::records::Trouble;
use crate::registration::Purpose;
use crate::shelf::Space;
use crate::vault::Vault;

/// The pause where it was not SQL Server that refused: no room, no connection.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_mins(10);
/// The pauses after SQL Server refused to hand a file out; after the third refusal it is lost.
const PAUSES: [SignedDuration; 2] = [SignedDuration::from_hours(1), SignedDuration::from_hours(6)];
/// Records of what is over that one transaction removes.
const AT_ONCE: usize = 200;

/// Whether there is room for so many bytes more, and a tenth of the disk is free then: below that fulls would wait again.
fn has_room(space: &Space, bytes: u64) -> bool {
    space
        .free
        .checked_sub(bytes)
        .is_some_and(|left| left >= space.total / 10)
}

/// When a job is looked at again that could not even find out why it does not go on.
pub(super) fn again(now: Timestamp, fault: Fault) -> Ending {
    Ending::Again(fault, later(now, LOOK_AGAIN))
}

impl Vault {
    /// Makes a job for the oldest log of each database that waits on a server's disk, where the vault has room.
    ///
    /// # Errors
    /// Catalog or store do not answer.
    pub(crate) async fn bring_server_logs(&self) -> Result<(), Fault> {
        self.forget_server_logs().await?;
        let waiting = self.list_readable::<ServerLog>(Slot::A, Range::ALL).await?;
        if waiting.is_empty() {
            return Ok(());
        }
        let space = self.world.shelf.space().await.map_err(super::shelf_fault)?;
        if !has_room(&space, 0) {
            return Ok(());
        }
        let mut before = None;
        for log in waiting.iter().map(|log| &log.record) {
            // In order of item and LSN: the first of each item is its oldest.
            if before.replace(log.item) != Some(log.item) {
                self.want_server_log(log).await?;
            }
        }
        Ok(())
    }

    /// The next log of a database, after a job that brought one.
    ///
    /// # Errors
    /// The catalog does not answer.
    pub(crate) async fn bring_next(&self, item: ItemId) -> Result<(), Fault> {
        let range = Range::members(&[&item.to_string()]);
        let waiting = self.list_readable::<ServerLog>(Slot::A, range).await?;
        match waiting.first() {
            Some(log) => self.want_server_log(&log.record).await,
            None => Ok(()),
        }
    }

    async fn want_server_log(&self, log: &ServerLog) -> Result<(), Fault> {
        let item = self.find::<Item>(log.item).await?;
        let is_wanted =
            item.is_some_and(|item| !matches!(item.record.protection, Protection::SoftDeleted { .. }));
        if !is_wanted {
            return Ok(());
        }
        let new = NewJob {
            work: Work::Backup(BackupWork {
                marker: Some(log.marker.clone()),
                log_end_before: log.log_end_before.clone(),
                adopts: Some(log.job),
                keep_days: log.keep_days,
                on_server: Some(Box::new(OnServer::Brings { log: log.id })),
                ..BackupWork::of(BackupKind::Log)
            }),
            trigger: Trigger::Healing {
                reason: HealingReason::StoreFull,
            },
            server: Some(log.server),
            item: Some(log.item),
            run_at: log.not_before.max(self.now()),
        };
        // One that is open already is that one.
        self.enqueue(new).await.map(drop)
    }

    /// Removes the records of logs that are over, of instances on whose disk nothing waits any more.
    async fn forget_server_logs(&self) -> Result<(), Fault> {
        let all = self.list_readable::<ServerLog>(Slot::C, Range::ALL).await?;
        let waits: std::collections::BTreeSet<_> = all
            .iter()
            .filter(|log| log.record.is_waiting())
            .map(|log| log.record.server)
            .collect();
        let over: Vec<_> = all
            .into_iter()
            .filter(|log| !waits.contains(&log.record.server))
            .collect();
        for some in over.chunks(AT_ONCE) {
            self.transact(move |tx| {
                scoped(async move {
                    for log in some {
                        delete(tx, log).await?;
                    }
                    Ok::<(), Trouble>(())
                })
            })
            .await?;
        }
        Ok(())
    }

    /// Does a job that brings a log from the server's disk.
    ///
    /// # Errors
    /// Catalog, store or instance do not answer; the job is taken up again.
    pub(super) async fn bring_and_keep(
        &self,
        doing: &mut Doing<'_>,
        ground: &Ground,
        id: ServerLogId,
    ) -> Result<Ending, Fault> {
        let found = self.find::<ServerLog>(id).await?.map(|log| log.record);
        let Some(log) = found.filter(ServerLog::is_waiting) else {
            return Ok(Ending::Done(Vec::new()));
        };
        if work_of(doing)?.outcome != Some(Outcome::Succeeded) {
            match self.bring_bytes(doing, ground, &log).await {
                Ok(()) => {}
                Err(why) => return self.not_brought(doing, ground, &log, why).await,
            }
        }
        if doing.job.point.is_none() {
            let (container, blobs) = (container_of(ground)?, blob_names(&work_of(doing)?)?);
            let judged = self.wait_for_proof(&container, &blobs).await?;
            if let Some(why) = is_another(&log, &judged) {
                for blob in &blobs {
                    self.remove_complete(&container, blob).await?;
                }
                return self.lose(ground, &log, refusal(ground, &log).because(&why)).await;
            }
        }
        let ending = self.prove_and_keep(doing, ground, None).await?;
        let at = self.now();
        let end = match &ending {
            Ending::Failed(fault) => ServerLogEnd::Lost {
                at,
                fault: Box::new(fault.clone()),
            },
            _ => ServerLogEnd::Adopted { at },
        };
        self.end_server_log(ground, log.id, end).await?;
        Ok(ending)
    }

    /// Writes the file's bytes into a blob of the item's container.
    async fn bring_bytes(
        &self,
        doing: &mut Doing<'_>,
        ground: &Ground,
        log: &ServerLog,
    ) -> Result<(), NotBrought> {
        if doing.is_cancelled() {
            return Err(NotBrought::Cancelled);
        }
        doing.begin("Bring it from the server's disk").await?;
        let container = container_of(ground)?;
        let blob = self.blob_for(doing, ground, log).await?;
        let mut session = self.session(&ground.server, Purpose::Backup).await?;
        session.within = Some(PIECE_WITHIN);
        let source = Source {
            ground,
            log,
            path: Literal::new(&log.path)
                .map_err(|error| refusal(ground, log).because(&error.to_string()))?,
        };
        let brought = self
            .bring_pieces(doing, &mut session, &source, (&container, &blob))
            .await;
        session.close().await;
        let bytes = brought?;
        let sent = log.sent;
        doing
            .write(|job| {
                job.bytes = bytes;
                if let Work::Backup(work) = &mut job.work {
                    (work.sent, work.outcome) = (Some(sent), Some(Outcome::Succeeded));
                }
            })
            .await?;
        Ok(())
    }

    /// The blob's name: noted before anything is written, and the same for all attempts of a job.
    async fn blob_for(
        &self,
        doing: &mut Doing<'_>,
        ground: &Ground,
        log: &ServerLog,
    ) -> Result<BlobName, Fault> {
        if let Some(blob) = blob_names(&work_of(doing)?)?.pop() {
            return Ok(blob);
        }
        let attempt = Attempt {
            database: &ground.database.name,
            item: ground.item.id,
            job: &doing.job,
            kind: BackupKind::Log,
            at: log.sent,
        };
        let blob = attempt
            .blobs(1)
            .pop()
            .ok_or_else(|| Fault::new(Code::Bac2InternalError).because("a backup without stripes"))?;
        let name = blob.to_string();
        doing
            .write(|job| {
                if let Work::Backup(work) = &mut job.work {
                    work.blobs = vec![name.clone()];
                }
            })
            .await?;
        Ok(blob)
    }

    async fn bring_pieces(
        &self,
        doing: &mut Doing<'_>,
        session: &mut Session,
        source: &Source<'_>,
        (container, blob): (&ContainerName, &BlobName),
    ) -> Result<u64, NotBrought> {
        let size = source.size(session).await?;
        let space = self.world.shelf.space().await.map_err(super::shelf_fault)?;
        if !has_room(&space, size) {
            let why = format!(
                "{size} bytes wait on the server, {} of {} are free here",
                space.free, space.total
            );
            return Err(Fault::new(Code::Bac2StoreDiskFilling).because(&why).into());
        }
        let (mut number, mut at) = (0_u32, 0_u64);
        while at < size {
            if doing.is_cancelled() {
                return Err(NotBrought::Cancelled);
            }
            let piece = source.piece(session, at, size).await?;
            at += u64::try_from(piece.len()).unwrap_or(u64::MAX);
            self.world
                .shelf
                .put_piece(container, blob, number, piece)
                .await
                .map_err(super::shelf_fault)?;
            number += 1;
            doing.write(|job| job.bytes = at).await?;
        }
        self.world
            .shelf
            .join(container, blob, number)
            .await
            .map_err(super::shelf_fault)?;
        Ok(size)
    }

    async fn not_brought(
        &self,
        doing: &mut Doing<'_>,
        ground: &Ground,
        log: &ServerLog,
        why: NotBrought,
    ) -> Result<Ending, Fault> {
        if let Some(blob) = blob_names(&work_of(doing)?)?.pop() {
            // What came of it takes room; what cannot be removed now is the sweep's, or replaced by the next attempt.
            self.is_cleaned(&container_of(ground)?, &blob).await;
        }
        let fault = match why {
            NotBrought::Passes(fault) => {
                let again = later(self.now(), LOOK_AGAIN);
                return Ok(Ending::Again(fault.at(&ground.target()), again));
            }
            NotBrought::Cancelled => return Ok(cancelled(doing)),
            NotBrought::Refused(fault) => fault,
        };
        let now = self.now();
        let (changed, ()) = self
            .change::<ServerLog, _>(log.id, |log| {
                log.refused = log.refused.saturating_add(1);
                let pause = PAUSES.get(log.refused as usize - 1);
                log.not_before = pause.map_or(now, |pause| later(now, *pause));
                Ok(())
            })
            .await?;
        let log = changed.record;
        if log.refused as usize <= PAUSES.len() {
            return Ok(Ending::Again(fault, log.not_before));
        }
        self.lose(ground, &log, fault).await
    }

    async fn lose(&self, ground: &Ground, log: &ServerLog, fault: Fault) -> Result<Ending, Fault> {
        let end = ServerLogEnd::Lost {
            at: self.now(),
            fault: Box::new(fault.clone()),
        };
        self.end_server_log(ground, log.id, end).await?;
        Ok(Ending::Failed(fault))
    }

    /// Removes a blob that is complete and of no use: nobody but this job wrote it, and it is not sealed.
    async fn remove_complete(&self, container: &ContainerName, blob: &BlobName) -> Result<(), Fault> {
        let seen = self
            .world
            .shelf
            .look(container, blob)
            .await
            .map_err(super::shelf_fault)?;
        match seen {
            Some(seen) => self
                .world
                .shelf
                .clean(container, blob, &seen)
                .await
                .map_err(super::shelf_fault),
            None => Ok(()),
        }
    }
}

fn later(now: Timestamp, pause: SignedDuration) -> Timestamp {
    now.checked_add(pause).unwrap_or(Timestamp::MAX)
}

/// Why the bytes are not the log that `msdb` had when it was written; none where nothing speaks against it. What cannot be read
/// (it is encrypted) says nothing.
fn is_another(log: &ServerLog, judged: &Judged) -> Option<String> {
    let Some(set) = &judged.set else {
        return (judged.grade == Grade::Disputed).then(|| {
            format!(
                "{}: its file holds no backup set: {}",
                log.path,
                judged.reasons.join("; ")
            )
        });
    };
    let differs = |what: &str| Some(format!("{}: its file holds another {what}", log.path));
    if set.backup_set_guid.is_some_and(|guid| guid != log.set) {
        return differs("backup set");
    }
    let is_other = |of_stream: Option<bak::Lsn>, noted: &str| matches!((of_stream, noted.parse::<bak::Lsn>()), (Some(of_stream), Ok(noted)) if of_stream != noted);
    if is_other(set.first_lsn, &log.first_lsn) || set.complete && is_other(set.last_lsn, &log.last_lsn) {
        return differs("part of the log");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::has_room;
    use crate::shelf::Space;

    #[test]
    fn what_is_brought_leaves_a_tenth_free() {
        let space = Space {
            total: 1_000,
            free: 150,
        };
        for (bytes, expected) in [
            (0, true),
            (50, true),
            (51, false),
            (151, false),
            (u64::MAX, false),
        ] {
            assert_eq!(has_room(&space, bytes), expected, "{bytes}");
        }
    }
}

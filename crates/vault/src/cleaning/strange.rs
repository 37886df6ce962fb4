//! Complete blobs that no recovery point names: what SQL Server says of them, and what becomes of them.
//!
//! A block list may arrive of which SQL Server never hears: it calls that backup failed and takes another, though all bytes are
//! there. Whether they are a set is its word alone, a row of `msdb` with their BackupSetGUID. With one, a log is a link of the chain
//! that later ones go on from: another job takes up where the one that had it written ended, and keeps it. Without one, where the job
//! remembers a failure, it is no set: nothing stands on it, and it is removed after [`KEPT`]. What the vault did not have written, and
//! what nobody can be asked about, stays as it is. People are told of what is there, each time that it changes.
//!
//! Invariants: a lease is broken only where nothing has used it for long, and then at once, whatever the blob is; nothing goes whose
//! job does not know how its statement ended.

use std::collections::{BTreeMap, BTreeSet};

use azblob::names::{BlobName, ContainerName};
use catalog::keys::tuple;
use catalog::record::{
    BackupWork, Container, ContainerId, HealingReason, Item, Job, JobId, Outcome, Point, Server, ServerId,
    Trigger, VaultId, Work,
};
use catalog::{Range, Slot};
use faults::{Code, Fault, Operation};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use mssql::history::{self, Set};
use schedule::BackupKind;
use uuid::Uuid;

use super::blobs::Seen;
use crate::backup::job_of_marker;
use crate::jobs::{Entered, NewJob};
use crate::notices::About;
use crate::registration::{Purpose, failed};
use crate::shelf::{Blob, Proof};
use crate::vault::Vault;

/// For how long the blobs of a backup stay that SQL Server calls failed, though they are complete: long enough for people to look
/// at them, and shorter than any job is remembered.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 7);

/// Blobs of a container that a notice names.
const NAMED_MAX: usize = 5;

/// The most blobs of a container that are looked at in one sweep; more are told of as they are.
const LOOKED_AT_MAX: usize = 1_000;

/// Whose a complete blob is, by what its stream says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Claim {
    job: JobId,
    marker: String,
    guid: Uuid,
}

/// What is known of the blobs of one set.
enum Known {
    /// SQL Server has it in its history.
    Set(Box<Job>, Box<Server>, Box<Set>),
    /// SQL Server calls it failed, and has it not.
    Failed,
    /// Its job is not over: it may say more.
    Open,
    /// Not the vault's, or nobody can say.
    Strange,
}

/// Names of what is told.
#[derive(Default)]
struct Told {
    strange: Vec<String>,
    failed: Vec<String>,
}

impl Vault {
    /// Deals with the complete blobs of a container that nobody uses and no open job names. `is_all` is false where there may be
    /// more that have not been quiet for long enough.
    pub(super) async fn settle_strange(
        &self,
        container: &Container,
        name: &ContainerName,
        strange: Vec<Blob>,
        is_all: bool,
        seen: &mut Seen,
    ) -> Result<(), Fault> {
        let mut told = Told::default();
        let mut strange = self.of_no_point(container.id, strange).await?;
        let too_many = strange.split_off(strange.len().min(LOOKED_AT_MAX));
        told.strange
            .extend(too_many.iter().map(|blob| blob.name.to_string()));
        for blob in &mut strange {
            self.free_strange(container.id, name, blob, seen).await;
        }
        let mut silent = BTreeSet::new();
        for (claim, blobs) in by_set(strange, self.id) {
            let names = || blobs.iter().map(|blob| blob.name.to_string());
            let known = match &claim {
                Some(claim) => self.known(container, claim, seen, &mut silent).await?,
                None => Known::Strange,
            };
            match (known, &claim) {
                // A job that did not keep it will not be able to in ten minutes either: one for each start.
                (Known::Set(job, server, row), Some(claim)) if !seen.taken_up.contains(&claim.guid) => {
                    let is_taken_up = self.take_up_set(container, &blobs, &job, &server, &row).await?;
                    if is_taken_up {
                        seen.taken_up.insert(claim.guid);
                    } else {
                        told.strange.extend(names());
                    }
                }
                (Known::Failed, _) if blobs.iter().all(|blob| is_old(&blob.name, self.now())) => {
                    for blob in &blobs {
                        drop(self.remove(name, blob).await);
                    }
                }
                (Known::Failed, _) => told.failed.extend(names()),
                (Known::Open, _) => {}
                (Known::Strange | Known::Set(..), _) => told.strange.extend(names()),
            }
        }
        self.tell_strange(container, &told, is_all, seen).await
    }

    /// Breaks a lease that nobody holds any more: the bytes are complete, so whoever held it has nothing left to write.
    async fn free_strange(&self, id: ContainerId, name: &ContainerName, blob: &mut Blob, seen: &mut Seen) {
        if blob.lease.is_none() || self.world.shelf.free(name, &blob.name, blob).await.is_err() {
            return;
        }
        if let Ok(Some(freed)) = self.world.shelf.look(name, &blob.name).await {
            seen.stays_quiet(id, &freed, self.world.clock.uptime());
            *blob = freed;
        }
    }

    /// `silent` are instances that did not answer in this sweep: nobody waits for one twice.
    async fn known(
        &self,
        container: &Container,
        claim: &Claim,
        seen: &mut Seen,
        silent: &mut BTreeSet<ServerId>,
    ) -> Result<Known, Fault> {
        let job = self.find::<Job>(claim.job).await?.map(|job| job.record);
        if job.as_ref().is_some_and(|job| !job.state.is_ended()) {
            return Ok(Known::Open);
        }
        if seen.failed.contains(&claim.guid) {
            return Ok(Known::Failed);
        }
        let server = job.as_ref().and_then(|job| job.server).or(container.server);
        let server = match server {
            Some(server) => self.find::<Server>(server).await?,
            None => None,
        };
        let server = server.map(|server| server.record);
        let Some(server) = server.filter(|server| !silent.contains(&server.id)) else {
            return Ok(Known::Strange);
        };
        let row = match self.history_of_set(&server, claim.guid).await {
            Ok(row) => row,
            Err(_) => {
                silent.insert(server.id);
                return Ok(Known::Strange);
            }
        };
        Ok(match (row, job) {
            (Some(row), Some(job)) if row.description.as_ref() == Some(&claim.marker) => {
                Known::Set(Box::new(job), Box::new(server), Box::new(row))
            }
            (None, Some(job)) if matches!(&job.work, Work::Backup(work) if has_failed(work, &claim.marker)) =>
            {
                seen.failed.insert(claim.guid);
                Known::Failed
            }
            // A job that nobody remembers said nothing, and histories are pruned: a lost catalog must not make a backup a failed one.
            _ => Known::Strange,
        })
    }

    /// The row of a set in an instance's history.
    async fn history_of_set(&self, server: &Server, guid: Uuid) -> Result<Option<Set>, Fault> {
        let mut session = self.session(server, Purpose::Backup).await?;
        let sets = history::by_guid(&mut session, guid).await;
        session.close().await;
        let fault = |error| failed(Operation::Connect, &server.name, error);
        Ok(sets.map_err(fault)?.into_iter().next())
    }

    /// Has another job keep a set that SQL Server has, though the one that had it written ended without it; false where that cannot
    /// be.
    async fn take_up_set(
        &self,
        container: &Container,
        blobs: &[Blob],
        job: &Job,
        server: &Server,
        row: &Set,
    ) -> Result<bool, Fault> {
        let item = match job.item {
            Some(item) => self.find::<Item>(item).await?.map(|item| item.record),
            None => None,
        };
        let item = item.filter(|item| item.container == container.id);
        let (Some(item), Some(kind)) = (item, kind_of(row)) else {
            return Ok(false);
        };
        let stripes = in_order(blobs);
        let names = stripes.iter().flatten().map(|blob| blob.name.to_string());
        let sent = blobs.first().and_then(|blob| named_at(&blob.name));
        let new = NewJob {
            work: Work::Backup(BackupWork {
                blobs: names.collect(),
                marker: row.description.clone(),
                sent: Some(sent.unwrap_or(job.created)),
                outcome: Some(Outcome::Succeeded),
                adopts: Some(job.id),
                // It meets what SQL Server had taken before it.
                log_end_before: row.first_lsn.map(|first| first.to_string()),
                ..BackupWork::of(kind)
            }),
            trigger: Trigger::Healing {
                reason: HealingReason::Interrupted,
            },
            server: Some(server.id),
            item: Some(item.id),
            run_at: self.now(),
        };
        Ok(matches!(self.enqueue(new).await?, Entered::Queued(_)))
    }

    /// Tells people of complete blobs that no point names, where that is not what they were told last.
    async fn tell_strange(
        &self,
        container: &Container,
        told: &Told,
        is_all: bool,
        seen: &mut Seen,
    ) -> Result<(), Fault> {
        let matter = format!("strangeBlobs/{}", container.id);
        let sentences: Vec<String> = [
            (&told.strange, "complete blobs belong to no recovery point and stay as they are"),
            (
                &told.failed,
                "complete blobs are of backups that SQL Server calls failed and has no history of: nothing needs them, and they are \
                 removed when they are 7 days old",
            ),
        ]
        .into_iter()
        .filter(|(names, _)| !names.is_empty())
        .map(|(names, what)| format!("{} {what}: {}", names.len(), named(names)))
        .collect();
        if sentences.is_empty() {
            // What is not quiet for long enough may be told of already.
            if is_all {
                seen.told.remove(&container.id);
                self.resolve(&matter).await?;
            }
            return Ok(());
        }
        let why = sentences.join("; ");
        if seen.told.get(&container.id) == Some(&why) {
            return Ok(());
        }
        let about = About {
            matter,
            server: container.server,
            ..About::default()
        };
        let fault = Fault::new(Code::Bac2CatalogDisagrees)
            .at(&container.name)
            .because(&why);
        self.raise(about, fault).await?;
        seen.told.insert(container.id, why);
        Ok(())
    }

    /// Those that no recovery point names. Each is asked for by its set: of all points there may be hundreds of thousands.
    async fn of_no_point(&self, container: ContainerId, blobs: Vec<Blob>) -> Result<Vec<Blob>, Fault> {
        let mut left = Vec::new();
        for blob in blobs {
            if !self.is_of_point(container, &blob).await? {
                left.push(blob);
            }
        }
        Ok(left)
    }

    /// Whether a recovery point of one of the sets that are in a blob names it.
    async fn is_of_point(&self, container: ContainerId, blob: &Blob) -> Result<bool, Fault> {
        let Proof::Judged { sets, .. } = &blob.proof else {
            return Ok(false);
        };
        for guid in sets.iter().filter_map(|set| set.backup_set_guid) {
            let key = tuple(&[&container.to_string(), &guid.to_string()]);
            let points = self.list::<Point>(Slot::B, Range::exactly(key)).await?;
            let mut names = points.iter().flat_map(|point| &point.record.blobs);
            if names.any(|name| name == blob.name.as_str()) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn named(names: &[String]) -> String {
    let mut named = names[..names.len().min(NAMED_MAX)].join(", ");
    if names.len() > NAMED_MAX {
        named.push_str(", ...");
    }
    named
}

/// Whose a blob is; none where its stream names no job of this vault.
fn claim(blob: &Blob, vault: VaultId) -> Option<Claim> {
    let Proof::Judged { sets, .. } = &blob.proof else {
        return None;
    };
    let [set] = sets.as_slice() else { return None };
    let marker = set.backup_description.clone();
    Some(Claim {
        job: job_of_marker(&marker, vault)?,
        guid: set.backup_set_guid?,
        marker,
    })
}

/// Blobs by the set that they are of; what names none, each alone.
fn by_set(blobs: Vec<Blob>, vault: VaultId) -> Vec<(Option<Claim>, Vec<Blob>)> {
    let mut sets: BTreeMap<(Uuid, String), (Option<Claim>, Vec<Blob>)> = BTreeMap::new();
    for blob in blobs {
        let claim = claim(&blob, vault);
        let key = match &claim {
            Some(claim) => (claim.guid, claim.marker.clone()),
            None => (Uuid::nil(), blob.name.to_string()),
        };
        sets.entry(key).or_insert((claim, Vec::new())).1.push(blob);
    }
    sets.into_values().collect()
}

/// The stripes of a set in their order, as many as its media have.
fn in_order(blobs: &[Blob]) -> Vec<Option<Blob>> {
    let media = |blob: &Blob| match &blob.proof {
        Proof::Judged { media, .. } => media
            .as_ref()
            .map(|media| (media.family_number, media.family_count)),
        Proof::Pending => None,
    };
    let count = blobs.iter().filter_map(media).map(|(_, count)| count).max();
    let Some(count) = count.filter(|count| *count > 1) else {
        return blobs.iter().cloned().map(Some).collect();
    };
    let of_number = |number| {
        blobs
            .iter()
            .find(|blob| media(blob).is_some_and(|(of, _)| of == number))
    };
    (1..=count).map(|number| of_number(number).cloned()).collect()
}

fn kind_of(row: &Set) -> Option<BackupKind> {
    match (row.kind, row.is_copy_only) {
        ('D', false) => Some(BackupKind::Full),
        ('D', true) => Some(BackupKind::CopyOnlyFull),
        ('I', _) => Some(BackupKind::Differential),
        ('L', false) => Some(BackupKind::Log),
        _ => None,
    }
}

/// Whether a job knows that its statement under this mark failed. Those of earlier attempts did, or there were no later ones.
fn has_failed(work: &BackupWork, marker: &str) -> bool {
    let is_last = work.marker.as_deref() == Some(marker);
    !is_last || !matches!(work.outcome, Some(Outcome::Succeeded | Outcome::Unknown))
}

/// Whether a blob was named more than [`KEPT`] ago; one whose name has no time is never old.
fn is_old(name: &BlobName, now: Timestamp) -> bool {
    named_at(name).is_some_and(|at| now.duration_since(at) > KEPT)
}

/// When the vault named a blob: `<folder>/<yyyymmddThhmmssZ>-...`.
fn named_at(name: &BlobName) -> Option<Timestamp> {
    let (_, file) = name.as_str().rsplit_once('/')?;
    let (at, _) = file.split_once("Z-")?;
    let at = DateTime::strptime("%Y%m%dT%H%M%S", at).ok()?;
    Some(at.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use azblob::names::BlobName;
    use bak::Media;
    use uuid::Uuid;

    use super::{in_order, is_old, named_at};
    use crate::shelf::{Blob, Proof};

    #[test]
    fn names_tell_how_old_they_are() {
        let name = BlobName::new("shop-1234/20260101T020000Z-log-505319c4a2-1.trn").unwrap();
        let at = "2026-01-01T02:00:00Z".parse().unwrap();
        assert_eq!(named_at(&name), Some(at));
        let days = |days: i64| at + jiff::SignedDuration::from_hours(24 * days);
        assert!(!is_old(&name, days(7)) && is_old(&name, days(8)));
        for other in ["nightly.bak", "shop/full.bak", "shop/20261301T020000Z-log-1.trn"] {
            let other = BlobName::new(other).unwrap();
            assert!(
                named_at(&other).is_none() && !is_old(&other, days(10_000)),
                "{other}"
            );
        }
    }

    fn stripe(name: &str, number: u16, count: u16) -> Blob {
        let media = Media {
            media_set_id: Uuid::from_u128(5),
            family_number: number,
            family_count: count,
            physical_block_size: 65_536,
            software_name: "Microsoft SQL Server".to_owned(),
        };
        Blob {
            name: BlobName::new(name).unwrap(),
            size: 10,
            arrived: 10,
            is_committed: true,
            is_sealed: false,
            lease: None,
            tag: String::new(),
            proof: Proof::Judged {
                verdict: None,
                reasons: Vec::new(),
                sets: Vec::new(),
                logs: Vec::new(),
                media: Some(media),
            },
        }
    }

    #[test]
    fn stripes_come_by_their_numbers_and_one_that_is_missing_is_none() {
        let names = |blobs: &[Blob]| -> Vec<Option<String>> {
            let ordered = in_order(blobs).into_iter();
            ordered.map(|one| one.map(|blob| blob.name.to_string())).collect()
        };
        let all = [stripe("a", 3, 3), stripe("b", 1, 3), stripe("c", 2, 3)];
        let some = |name: &str| Some(name.to_owned());
        assert_eq!(names(&all), [some("b"), some("c"), some("a")]);
        assert_eq!(names(&all[..2]), [some("b"), None, some("a")]);
        assert_eq!(names(&[stripe("a", 1, 1)]), [some("a")]);
    }
}

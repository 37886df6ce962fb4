//! Blobs that interrupted backups left: their leases are broken, and they are removed.
//!
//! A backup that is killed, or whose connection is lost, leaves an infinite lease and what had arrived, and the next backup to
//! that URL fails with 412 or 409. Here a lease is over when no connection uses the blob, none has for [`QUIET`], and no job that
//! is not over names it; that the blob has not changed since is checked by the store in the same step. What is complete is
//! somebody's backup, and none of this (`strange`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use azblob::names::{BlobName, ContainerName};
use catalog::record::{Container, ContainerId, Job, JobState, Work};
use catalog::{Range, Slot};
use faults::{Code, Fault};
use uuid::Uuid;

use super::agreeing::store_fault;
use super::{PAGE, name_of};
use crate::shelf::{Blob, ShelfError};
use crate::vault::Vault;

/// So long nobody must have used a blob: SQL Server gives a request up after minutes at most, and its connections are seen besides.
pub(super) const QUIET: Duration = Duration::from_secs(15 * 60);

/// After so many unsealed blobs open jobs are read, and the blobs decided over, before more containers are listed.
const SWEPT_AT_ONCE: usize = 10_000;

/// The most blobs without a lease that are remembered from sweep to sweep.
const REMEMBERED_MAX: usize = 10_000;

/// What sweeps remember; they may forget all of it.
#[derive(Default)]
pub(super) struct Seen {
    /// Blobs that are not sealed, as they were when they were first seen so: the quiet of those without a lease is measured here.
    since: BTreeMap<(ContainerId, String), (String, Duration)>,
    /// Sets that SQL Server calls failed and has no history of: it is not asked again.
    pub(super) failed: BTreeSet<Uuid>,
    /// Sets that a job was made for which keeps them.
    pub(super) taken_up: BTreeSet<Uuid>,
    /// What people were told last of the complete blobs of a container.
    pub(super) told: BTreeMap<ContainerId, String>,
}

impl Seen {
    /// For how long a blob has been as it is; remembered from the first look on.
    fn quiet(&mut self, container: ContainerId, blob: &Blob, now: Duration) -> Duration {
        let key = (container, blob.name.to_string());
        if self.since.len() >= REMEMBERED_MAX && !self.since.contains_key(&key) {
            return Duration::ZERO;
        }
        let entry = self.since.entry(key).or_insert_with(|| (blob.tag.clone(), now));
        if entry.0 != blob.tag {
            *entry = (blob.tag.clone(), now);
        }
        now.saturating_sub(entry.1)
    }

    /// Notes that a blob changed by the sweep itself, whose quiet goes on.
    pub(super) fn stays_quiet(&mut self, container: ContainerId, blob: &Blob, now: Duration) {
        let key = (container, blob.name.to_string());
        self.since
            .insert(key, (blob.tag.clone(), now.saturating_sub(QUIET)));
    }

    /// Forgets what a sweep did not meet.
    fn keep_only(&mut self, met: &BTreeSet<(ContainerId, String)>) {
        self.since.retain(|key, _| met.contains(key));
        if self.failed.len() > REMEMBERED_MAX {
            self.failed.clear();
        }
    }
}

/// What is done with a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is in order, or in use.
    Stays,
    /// Its backup was interrupted.
    Goes,
    /// It is complete, and nobody uses it: it ought to be a recovery point's and sealed.
    IsStrange,
}

impl Vault {
    /// Removes the blob of an interrupted backup, so that another can be written there.
    ///
    /// # Errors
    /// `Bac2UrlLeased` while something uses it, or for 15 minutes after that; `Bac2UrlTaken` where it is complete or sealed; the
    /// store fails.
    pub async fn clean_blob(&self, container: &ContainerName, blob: &BlobName) -> Result<(), Fault> {
        let at = |code: Code, why: &str| Err(Fault::new(code).at(blob.as_str()).because(why));
        let seen = match self.world.shelf.look(container, blob).await {
            Ok(Some(seen)) => seen,
            Ok(None) | Err(ShelfError::Missing(_)) => return Ok(()),
            Err(error) => return Err(store_fault(&error).at(blob.as_str())),
        };
        if seen.is_sealed || seen.is_committed {
            return at(Code::Bac2UrlTaken, "it holds a complete backup");
        }
        if self.blobs_of_open_jobs().await?.contains(blob.as_str()) {
            return at(Code::Bac2UrlLeased, "a job that is not over writes it");
        }
        if let Some(lease) = seen.lease
            && (lease.connections > 0 || lease.quiet < QUIET)
        {
            let why = format!(
                "{} connections use it; quiet for {} s of {} s",
                lease.connections,
                lease.quiet.as_secs(),
                QUIET.as_secs()
            );
            return at(Code::Bac2UrlLeased, &why);
        }
        self.remove(container, &seen).await
    }

    pub(super) async fn remove(&self, container: &ContainerName, seen: &Blob) -> Result<(), Fault> {
        match self.world.shelf.clean(container, &seen.name, seen).await {
            Ok(()) | Err(ShelfError::Missing(_)) => Ok(()),
            Err(error) => Err(store_fault(&error).at(seen.name.as_str())),
        }
    }

    /// Sweeps all containers.
    ///
    /// # Errors
    /// The catalog or the store does not answer.
    pub(super) async fn sweep(&self, seen: &mut Seen) -> Result<(), Fault> {
        let mut met = BTreeSet::new();
        let mut containers = self
            .list::<Container>(Slot::Id, Range::ALL)
            .await?
            .into_iter()
            .peekable();
        while containers.peek().is_some() {
            let (mut unsealed, mut count) = (Vec::new(), 0);
            for container in containers.by_ref().map(|found| found.record) {
                let name = name_of(&container)?;
                if let Some(blobs) = self.unsealed_of(&container, &name).await? {
                    count += blobs.len();
                    unsealed.push((container, name, blobs));
                }
                if count >= SWEPT_AT_ONCE {
                    break;
                }
            }
            // Read after the lists: a blob that is in one was in its job's record before it was made.
            let open = match count {
                0 => BTreeSet::new(),
                _ => self.blobs_of_open_jobs().await?,
            };
            for (container, name, blobs) in unsealed {
                let own = blobs
                    .into_iter()
                    .filter(|blob| !open.contains(blob.name.as_str()));
                self.sweep_container(&container, &name, own.collect(), seen, &mut met)
                    .await?;
            }
        }
        seen.keep_only(&met);
        Ok(())
    }

    /// The blobs of a container that are not sealed; none where the store has no such container.
    async fn unsealed_of(
        &self,
        container: &Container,
        name: &ContainerName,
    ) -> Result<Option<Vec<Blob>>, Fault> {
        let mut found: Vec<Blob> = Vec::new();
        loop {
            let after = found.last().map(|blob| blob.name.clone());
            let blobs = match self.world.shelf.unsealed(name, after.as_ref(), PAGE).await {
                Ok(blobs) => blobs,
                Err(ShelfError::Missing(_)) => return Ok(None),
                Err(error) => return Err(store_fault(&error).at(&container.name)),
            };
            let is_last = blobs.len() < PAGE;
            found.extend(blobs);
            if is_last {
                return Ok(Some(found));
            }
        }
    }

    /// Decides over the unsealed blobs of a container that no open job names.
    async fn sweep_container(
        &self,
        container: &Container,
        name: &ContainerName,
        blobs: Vec<Blob>,
        seen: &mut Seen,
        met: &mut BTreeSet<(ContainerId, String)>,
    ) -> Result<(), Fault> {
        let (mut strange, mut is_all) = (Vec::new(), true);
        for blob in blobs {
            let key = (container.id, blob.name.to_string());
            let quiet = seen.quiet(container.id, &blob, self.world.clock.uptime());
            match fate(&blob, quiet) {
                Fate::Stays => {
                    met.insert(key);
                    is_all &= !blob.is_committed;
                }
                // One that was used or changed meanwhile is refused, and looked at again by the next sweep.
                Fate::Goes => drop(self.remove(name, &blob).await),
                // It stays in mind, or the next sweep would take it for new and its notice for settled.
                Fate::IsStrange => {
                    met.insert(key);
                    strange.push(blob);
                }
            }
        }
        self.settle_strange(container, name, strange, is_all, seen).await
    }

    /// Names of blobs that jobs write that are not over.
    async fn blobs_of_open_jobs(&self) -> Result<BTreeSet<String>, Fault> {
        let mut blobs = BTreeSet::new();
        for state in [JobState::Queued, JobState::InProgress, JobState::Cancelling] {
            for job in self.list::<Job>(Slot::A, Range::members(&[state.name()])).await? {
                if let Work::Backup(work) = job.record.work {
                    blobs.extend(work.blobs);
                }
            }
        }
        Ok(blobs)
    }
}

/// What is done with a blob that no open job names, and that has been as it is for `quiet`.
fn fate(blob: &Blob, quiet: Duration) -> Fate {
    if blob.is_sealed {
        return Fate::Stays;
    }
    let is_unused = match blob.lease {
        Some(lease) => lease.connections == 0 && lease.quiet >= QUIET,
        None => quiet >= QUIET,
    };
    match (blob.is_committed, is_unused) {
        (_, false) => Fate::Stays,
        (true, true) => Fate::IsStrange,
        (false, true) => Fate::Goes,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use azblob::names::BlobName;
    use catalog::record::ContainerId;

    use super::{Blob, Fate, QUIET, Seen, fate};
    use crate::shelf::{Lease, Proof};

    fn blob(is_committed: bool, is_sealed: bool, lease: Option<(u32, u64)>) -> Blob {
        Blob {
            name: BlobName::new("shop/one.bak").unwrap(),
            size: 0,
            arrived: 4096,
            is_committed,
            is_sealed,
            lease: lease.map(|(connections, quiet)| Lease {
                connections,
                quiet: Duration::from_secs(quiet),
                watched: Duration::from_secs(1_000_000),
            }),
            tag: "1".to_owned(),
            proof: Proof::Pending,
        }
    }

    #[test]
    fn only_what_is_incomplete_and_quiet_goes() {
        let hour = 3_600;
        // Committed, sealed, lease with connections and quiet seconds, quiet of the look; then its fate.
        let cases = [
            (false, false, Some((0, hour)), 0, Fate::Goes),
            (false, false, Some((0, 60)), hour, Fate::Stays),
            (false, false, Some((1, hour)), hour, Fate::Stays),
            (false, false, None, hour, Fate::Goes),
            (false, false, None, 60, Fate::Stays),
            (true, false, Some((0, hour)), 0, Fate::IsStrange),
            (true, false, None, hour, Fate::IsStrange),
            (true, false, None, 60, Fate::Stays),
            (true, true, None, hour, Fate::Stays),
            (true, true, Some((0, hour)), hour, Fate::Stays),
        ];
        for (is_committed, is_sealed, lease, quiet, expected) in cases {
            let one = blob(is_committed, is_sealed, lease);
            assert_eq!(
                fate(&one, Duration::from_secs(quiet)),
                expected,
                "{one:?} {quiet}"
            );
        }
    }

    #[test]
    fn a_change_begins_the_quiet_again() {
        let (mut seen, container) = (Seen::default(), ContainerId(uuid::Uuid::from_u128(1)));
        let at = Duration::from_secs;
        let mut one = blob(false, false, None);
        assert_eq!(seen.quiet(container, &one, at(0)), at(0));
        assert_eq!(seen.quiet(container, &one, at(600)), at(600));
        one.tag = "2".to_owned();
        assert_eq!(seen.quiet(container, &one, at(800)), at(0));
        assert!(seen.quiet(container, &one, at(800) + QUIET) >= QUIET);
        seen.keep_only(&std::collections::BTreeSet::new());
        assert_eq!(seen.quiet(container, &one, at(9_000)), at(0));
    }
}

//! Blobs that interrupted backups left: their leases are broken, and they are removed.
//!
//! A backup that is killed, or whose connection is lost, leaves an infinite lease and what had arrived, and the next backup to
//! that URL fails with 412 or 409. Here a lease is over when no connection uses the blob, none has for [`QUIET`], and no job that
//! is not over names it; that the blob has not changed since is checked by the store in the same step. What is complete is
//! somebody's backup, and stays.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use azblob::names::{BlobName, ContainerName};
use catalog::record::{Container, ContainerId, Job, JobState, Point, Work};
use catalog::{Query, Range, Scope, Slot, page};
use faults::{Code, Fault};

use super::agreeing::store_fault;
use super::{PAGE, name_of};
use crate::notices::About;
use crate::records::fault;
use crate::shelf::{Blob, ShelfError};
use crate::vault::Vault;

/// So long nobody must have used a blob: SQL Server gives a request up after minutes at most, and its connections are seen besides.
pub(super) const QUIET: Duration = Duration::from_secs(15 * 60);

/// The most blobs without a lease that are remembered from sweep to sweep.
const REMEMBERED_MAX: usize = 10_000;

/// Blobs of a container that a notice names.
const NAMED_MAX: usize = 5;

/// Incomplete blobs without a lease, as they were when they were first seen so: their quiet is measured here.
#[derive(Default)]
pub(super) struct Seen(BTreeMap<(ContainerId, String), (String, Duration)>);

impl Seen {
    /// For how long a blob has been as it is; remembered from the first look on.
    fn quiet(&mut self, container: ContainerId, blob: &Blob, now: Duration) -> Duration {
        let key = (container, blob.name.to_string());
        if self.0.len() >= REMEMBERED_MAX && !self.0.contains_key(&key) {
            return Duration::ZERO;
        }
        let entry = self.0.entry(key).or_insert_with(|| (blob.tag.clone(), now));
        if entry.0 != blob.tag {
            *entry = (blob.tag.clone(), now);
        }
        now.saturating_sub(entry.1)
    }

    /// Forgets what a sweep that began at `since` did not meet.
    fn keep_only(&mut self, met: &BTreeSet<(ContainerId, String)>) {
        self.0.retain(|key, _| met.contains(key));
    }
}

/// What is done with a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is in order, or in use.
    Stays,
    /// Its backup was interrupted.
    Goes,
    /// It is complete, and belongs to no recovery point.
    IsReported,
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

    async fn remove(&self, container: &ContainerName, seen: &Blob) -> Result<(), Fault> {
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
        for container in self.list::<Container>(Slot::Id, Range::ALL).await? {
            self.sweep_container(&container.record, seen, &mut met).await?;
        }
        seen.keep_only(&met);
        Ok(())
    }

    async fn sweep_container(
        &self,
        container: &Container,
        seen: &mut Seen,
        met: &mut BTreeSet<(ContainerId, String)>,
    ) -> Result<(), Fault> {
        let name = name_of(container)?;
        let mut after: Option<BlobName> = None;
        let mut strange = Vec::new();
        loop {
            let blobs = match self.world.shelf.list(&name, after.as_ref(), PAGE).await {
                Ok(blobs) => blobs,
                Err(ShelfError::Missing(_)) => return Ok(()),
                Err(error) => return Err(store_fault(&error).at(&container.name)),
            };
            if blobs.iter().any(|blob| !blob.is_sealed) {
                // Read after the list: a blob that is in it was in its job's record before it was made.
                let open = self.blobs_of_open_jobs().await?;
                for blob in blobs.iter().filter(|blob| !open.contains(blob.name.as_str())) {
                    let key = (container.id, blob.name.to_string());
                    let quiet = seen.quiet(container.id, blob, self.world.clock.uptime());
                    match fate(blob, quiet) {
                        Fate::Stays => drop(met.insert(key)),
                        // One that was used or changed meanwhile is refused, and looked at again by the next sweep.
                        Fate::Goes => drop(self.remove(&name, blob).await),
                        // It stays in mind, or the next sweep would take it for new and its notice for settled.
                        Fate::IsReported => {
                            met.insert(key);
                            strange.push(blob.name.to_string());
                        }
                    }
                }
            }
            match blobs.last() {
                Some(last) if blobs.len() == PAGE => after = Some(last.name.clone()),
                _ => break,
            }
        }
        self.report_strange(container, strange).await
    }

    /// Tells people of complete blobs that no point names.
    async fn report_strange(&self, container: &Container, mut strange: Vec<String>) -> Result<(), Fault> {
        let matter = format!("strangeBlobs/{}", container.id);
        if !strange.is_empty() {
            let named = self.blobs_of_points(container.id).await?;
            strange.retain(|blob| !named.contains(blob));
        }
        if strange.is_empty() {
            return self.resolve(&matter).await;
        }
        let about = About {
            matter,
            server: container.server,
            ..About::default()
        };
        let count = strange.len();
        strange.truncate(NAMED_MAX);
        let why = format!(
            "{count} complete blobs belong to no recovery point and stay as they are: {}{}",
            strange.join(", "),
            if count > NAMED_MAX { ", ..." } else { "" }
        );
        let fault = Fault::new(Code::Bac2CatalogDisagrees)
            .at(&container.name)
            .because(&why);
        self.raise(about, fault).await
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

    async fn blobs_of_points(&self, container: ContainerId) -> Result<BTreeSet<String>, Fault> {
        let range = Range::members(&[&container.to_string()]);
        let mut query = Query::of(Scope::vault(&self.key), Slot::B, range);
        let mut blobs = BTreeSet::new();
        let mut tx = self.world.catalog.read().await.map_err(fault)?;
        loop {
            let found = page::<Point>(tx.as_mut(), &query).await.map_err(fault)?;
            blobs.extend(found.records.into_iter().flat_map(|point| point.record.blobs));
            match found.next {
                Some(next) => query = query.after(next),
                None => return Ok(blobs),
            }
        }
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
        (true, true) => Fate::IsReported,
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
            (true, false, Some((0, hour)), 0, Fate::IsReported),
            (true, false, None, hour, Fate::IsReported),
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

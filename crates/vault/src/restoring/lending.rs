//! The credential by which the target reads the sets.
//!
//! Where backups are written from the target into the same container, it has one already. Elsewhere it gets one of its own for as
//! long as restores go on there: it is noted in the job before it is made, and dropped after the last of them, whatever came of it.
//! A credential that somebody else made is used as it is, if it opens the blobs; it is never altered and never dropped.
//!
//! The signature in it stands under a stored access policy that all restores from a container share. It is taken away when the last of
//! them is over, so that what was lent is void even where it could not be dropped.
//!
//! Invariant: of one instance one restore at a time makes or drops credentials, so that none is dropped which another has just begun
//! to use; of one container one restore at a time makes its policy, or takes it away, after it noted that it uses it. What could not be
//! dropped or taken away, since the instance or the store was away, is the sweep's; so is what somebody may be using by hand, as long as
//! any RESTORE runs on the instance.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use catalog::record::{
    Container, ContainerId, CredentialMade, Job, JobId, JobState, RestoreWork, Server, ServerId, Work,
};
use catalog::{Range, Slot};
use faults::{Code, Fault, Operation};
use mssql::{Session, activity};

use super::running::note;
use super::work_of;
use crate::backup::{Entry, drop_made};
use crate::jobs::Doing;
use crate::registration::{Purpose, failed};
use crate::vault::Vault;

/// What became of credentials that were to be dropped.
enum Dropped {
    /// They are gone.
    Done,
    /// They are there: somebody restores on the instance, and may be reading with them.
    Busy,
}

/// A turn that one at a time has.
type Turn = Arc<futures::lock::Mutex<()>>;

/// Who lends on which instance now, and from which container. Whoever has both turns took the instance's first.
#[derive(Debug, Default)]
pub(crate) struct Lending {
    servers: Mutex<BTreeMap<ServerId, Turn>>,
    containers: Mutex<BTreeMap<ContainerId, Turn>>,
}

impl Lending {
    fn of(&self, server: ServerId) -> Turn {
        let mut turns = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(server).or_default())
    }

    /// The turn to make or take away the policy of restores.
    pub(crate) fn of_container(&self, container: ContainerId) -> Turn {
        let mut turns = self.containers.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(container).or_default())
    }
}

/// The way to a container.
pub(super) struct Lent {
    pub(super) entry: Entry,
    /// The credential there is somebody else's: what it does not open is his matter.
    pub(super) is_foreign: bool,
}

/// The ways to the containers of a plan.
pub(super) type Entries = BTreeMap<ContainerId, Lent>;

/// Whether the instance writes backups into the container by a credential of the vault's.
fn is_noted(container: &Container, server: &Server) -> bool {
    let mut notes = container.credentials.iter();
    notes.any(|made| made.server == server.id && !made.is_lent)
}

impl Vault {
    /// Sees to it that the target can read from a container.
    ///
    /// # Errors
    /// The store or the instance refuses; the instance is too old to read from a URL.
    pub(super) async fn lend(
        &self,
        doing: &mut Doing<'_>,
        container: ContainerId,
        server: &Server,
        session: &mut Session,
        is_refused: bool,
    ) -> Result<Lent, Fault> {
        let turn = self.lending.of(server.id);
        let _turn = turn.lock().await;
        let container = self.get::<Container>(container).await?.record;
        let made = if is_noted(&container, server) {
            self.prepare_credential(&container, server, session, is_refused)
                .await
        } else {
            let id = container.id;
            note(doing, |work| {
                if !work.lent.contains(&id) {
                    work.lent.push(id);
                }
            })
            .await?;
            self.lend_credential(&container, server, session, is_refused)
                .await
        };
        match made {
            Ok(entry) => Ok(Lent {
                entry,
                is_foreign: false,
            }),
            Err(fault) if fault.code() == Code::Bac2ForeignCredential => Ok(Lent {
                entry: self.entry_as_it_is(&container, server)?,
                is_foreign: true,
            }),
            Err(fault) => Err(fault),
        }
    }

    /// Drops what was lent for this job, where no other restore uses it.
    ///
    /// # Errors
    /// The instance cannot be reached, or refuses; the catalog cannot be written.
    pub(super) async fn take_back(&self, doing: &mut Doing<'_>, server: &Server) -> Result<(), Fault> {
        let lent = work_of(doing)?.lent;
        if lent.is_empty() {
            return Ok(());
        }
        let turn = self.lending.of(server.id);
        let _turn = turn.lock().await;
        let in_use = self.lent_to_others(doing.job.id, server.id).await?;
        let free: Vec<ContainerId> = lent.iter().copied().filter(|id| !in_use.contains(id)).collect();
        let dropped = self.drop_lent(server, &free).await;
        if matches!(dropped, Ok(Dropped::Busy)) {
            return Ok(());
        }
        for id in lent {
            self.end_policy(id, Some(doing.job.id)).await?;
        }
        dropped?;
        note(doing, |work| work.lent.clear()).await
    }

    /// Takes the policy of restores off a container, unless a restore other than `own` uses it.
    async fn end_policy(&self, id: ContainerId, own: Option<JobId>) -> Result<(), Fault> {
        let turn = self.lending.of_container(id);
        let _turn = turn.lock().await;
        let container = self.get::<Container>(id).await?.record;
        if !container.has_lent_policy {
            return Ok(());
        }
        for state in [JobState::Queued, JobState::InProgress, JobState::Cancelling] {
            let range = Range::members(&[state.name()]);
            for job in self.list_readable::<Job>(Slot::A, range).await? {
                let uses = |work: &RestoreWork| work.lent.contains(&id) && Some(job.record.id) != own;
                if matches!(&job.record.work, Work::Restore(work) if uses(work)) {
                    return Ok(());
                }
            }
        }
        self.revoke_lent(&container).await
    }

    /// Drops what was lent on instances where no restore is under way any more, and takes away the policies that none uses: a vault that
    /// ended in the middle, or an instance or a store that was away when the restore was over.
    ///
    /// # Errors
    /// The catalog cannot be read or written. What an instance refuses is tried again by the next sweep.
    pub(crate) async fn take_back_left(&self) -> Result<(), Fault> {
        let mut left: BTreeMap<ServerId, Vec<ContainerId>> = BTreeMap::new();
        let mut policies = Vec::new();
        for container in self.list_readable::<Container>(Slot::Id, Range::ALL).await? {
            if container.record.has_lent_policy {
                policies.push(container.record.id);
            }
            for made in container.record.credentials.iter().filter(|made| made.is_lent) {
                left.entry(made.server).or_default().push(container.record.id);
            }
        }
        for (server, containers) in left {
            let Some(server) = self.find::<Server>(server).await? else {
                continue;
            };
            let server = server.record;
            let turn = self.lending.of(server.id);
            let _turn = turn.lock().await;
            let in_use = self.open_restores(server.id).await?;
            let is_free = |id: &ContainerId| !in_use.iter().any(|(_, work)| work.lent.contains(id));
            let free: Vec<ContainerId> = containers.into_iter().filter(is_free).collect();
            // An instance that is away is asked again.
            if matches!(self.drop_lent(&server, &free).await, Ok(Dropped::Busy)) {
                policies.retain(|id| !free.contains(id));
            }
        }
        for id in policies {
            self.end_policy(id, None).await?;
        }
        Ok(())
    }

    /// What other restores that are not over yet were lent on the same instance.
    async fn lent_to_others(&self, own: JobId, server: ServerId) -> Result<Vec<ContainerId>, Fault> {
        let open = self.open_restores(server).await?;
        let others = open.into_iter().filter(|(id, _)| *id != own);
        Ok(others.flat_map(|(_, work)| work.lent).collect())
    }

    /// Restores into an instance that are not over yet.
    ///
    /// # Errors
    /// The catalog cannot be read.
    pub(super) async fn open_restores(&self, server: ServerId) -> Result<Vec<(JobId, RestoreWork)>, Fault> {
        let range = Range::members(&[&server.to_string(), "open"]);
        let open = self.list_readable::<Job>(Slot::D, range).await?;
        let restore = |job: Job| match job.work {
            Work::Restore(work) => Some((job.id, *work)),
            _ => None,
        };
        Ok(open.into_iter().filter_map(|job| restore(job.record)).collect())
    }

    async fn drop_lent(&self, server: &Server, containers: &[ContainerId]) -> Result<Dropped, Fault> {
        let mut session = None;
        for id in containers {
            let container = self.get::<Container>(*id).await?.record;
            let is_it = |made: &CredentialMade| made.server == server.id && made.is_lent;
            let Some(made) = container.credentials.iter().find(|made| is_it(made)) else {
                continue;
            };
            let session = match &mut session {
                Some(session) => session,
                none => {
                    let mut opened = self.session(server, Purpose::Restore).await?;
                    if is_restoring(&mut opened, server).await? {
                        opened.close().await;
                        return Ok(Dropped::Busy);
                    }
                    none.insert(opened)
                }
            };
            drop_made(session, server, made).await?;
            self.change::<Container, _>(*id, |container| {
                container.credentials.retain(|made| !is_it(made));
                Ok(())
            })
            .await?;
        }
        if let Some(session) = session {
            session.close().await;
        }
        Ok(Dropped::Done)
    }
}

/// Whether some RESTORE runs on an instance, as far as the login sees: by hand, with what was lent, perhaps.
async fn is_restoring(session: &mut Session, server: &Server) -> Result<bool, Fault> {
    let fault = |error| failed(Operation::Restore, &server.name, error);
    if !activity::sees_all(session).await.map_err(fault)? {
        return Ok(false);
    }
    let running = activity::running(session).await.map_err(fault)?;
    Ok(running.iter().any(|one| one.command.starts_with("RESTORE")))
}

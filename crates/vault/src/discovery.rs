//! Discovery: which databases an instance holds, and what became of those that were known.
//!
//! `seen` is what an instance answers, as records keep it; `compare` finds out what changed, and is pure; `applying` writes it
//! down with all that follows; `looking` asks; `groups` looks after replicas; `due` says when; `forgetting` removes what is
//! gone for long.
//!
//! Invariants: an instance that is faulty is asked again by itself, ever more seldom; its state clears by itself; no other
//! instance waits for it. A database that cannot be asked keeps what was known of it.

mod applying;
mod compare;
mod due;
mod forgetting;
mod groups;
mod looking;
pub(crate) mod seen;

use catalog::record::{Job, JobId, Server, ServerId, ServerState, Trigger, Work};
use catalog::{Range, Slot};
use faults::{Code, Fault};
use jiff::{SignedDuration, Timestamp};

use crate::jobs::{Doing, Ending, Entered, NewJob};
use crate::notices::About;
use crate::registration::{Identity, Purpose};
use crate::vault::Vault;

pub use applying::TEST_COPY_PREFIX;
pub(crate) use due::{first, next};

/// After so long an instance that cannot be reached is told of as one: three of the usual rounds of discovery.
const UNREACHED_LONG: SignedDuration = SignedDuration::from_hours(24);

impl Vault {
    /// Lists the databases of an instance now, by a job; where one is open already, that is the one.
    ///
    /// # Errors
    /// There is no such instance; the catalog cannot be written.
    pub async fn rediscover(&self, server: ServerId) -> Result<JobId, Fault> {
        let found = self.get::<Server>(server).await?.record;
        if !found.is_registered() {
            return Err(Fault::new(Code::Bac2NotFound)
                .at(&found.name)
                .because("it is not registered any more"));
        }
        if let Some(open) = self.open_discovery(server).await? {
            return Ok(open);
        }
        let new = NewJob {
            work: Work::Discover,
            trigger: Trigger::OnDemand,
            server: Some(server),
            item: None,
            run_at: self.now(),
        };
        match self.enqueue(new).await? {
            Entered::Queued(id) | Entered::InTheWay { other: id, .. } => Ok(id),
        }
    }

    /// The discovery of an instance that waits or runs.
    async fn open_discovery(&self, server: ServerId) -> Result<Option<JobId>, Fault> {
        let open = self
            .list::<Job>(Slot::D, Range::members(&[&server.to_string(), "open"]))
            .await?;
        let mut discoveries = open.into_iter().filter(|job| job.record.work == Work::Discover);
        Ok(discoveries.next().map(|job| job.record.id))
    }

    /// Does a discovery job.
    pub(crate) async fn discover(&self, doing: &mut Doing<'_>) -> Ending {
        let Some(id) = doing.job.server else {
            return Ending::Failed(
                Fault::new(Code::Bac2InternalError).because("a discovery without an instance"),
            );
        };
        match self.discover_server(id, Some(doing)).await {
            Ok(warnings) => Ending::Done(warnings),
            Err(fault) => Ending::Failed(fault),
        }
    }

    /// Asks an instance for everything, and writes down what became of it; gives what people should know.
    ///
    /// # Errors
    /// Why it could not be done; the instance is faulty then.
    pub(crate) async fn discover_server(
        &self,
        id: ServerId,
        doing: Option<&mut Doing<'_>>,
    ) -> Result<Vec<Fault>, Fault> {
        let server = self.get::<Server>(id).await?.record;
        if !server.is_registered() {
            return Err(Fault::new(Code::Bac2NotFound)
                .at(&server.name)
                .because("it is not registered any more"));
        }
        match self.discover_at(&server, doing).await {
            Ok(warnings) => Ok(warnings),
            Err(fault) => {
                self.is_faulty(&server, &fault).await?;
                Err(fault)
            }
        }
    }

    async fn discover_at(
        &self,
        server: &Server,
        mut doing: Option<&mut Doing<'_>>,
    ) -> Result<Vec<Fault>, Fault> {
        begin(doing.as_deref_mut(), "connect").await?;
        let mut session = self.session(server, Purpose::Backup).await?;
        begin(doing.as_deref_mut(), "ask").await?;
        let mut looked = self.look(server, &mut session).await?;
        if let Ok(Identity::Unmarked) = looked.identity {
            looked.identity = self.mark(server, &mut session).await.map(Identity::Adopt);
        }
        let mut probes = looked.probes(&server.name);
        let is_another = matches!(
            &looked.identity,
            Err(fault) if fault.code() != Code::UserErrorSQLNoSysadminMembership
        );
        if is_another {
            // Whatever answers, its databases are not those of this registration.
            let fault = looked.identity.expect_err("it was just looked at");
            self.keep_probes(server.id, probes).await?;
            return Err(fault);
        }
        begin(doing.as_deref_mut(), "compare").await?;
        self.take_in(server, &looked).await?;
        begin(doing.as_deref_mut(), "way to the store").await?;
        let seen = Server {
            facts: Some(looked.facts.clone()),
            groups: looked.groups.clone().unwrap_or_else(|| server.groups.clone()),
            ..server.clone()
        };
        probes.extend(self.probe_store(&seen, &mut session).await?);
        probes.extend(self.probe_restore_login(&seen).await);
        begin(doing.as_deref_mut(), "error log").await?;
        probes.push(self.probe_error_log(&seen, &mut session).await?);
        let prevented = crate::readiness::prevents(&probes);
        let before = &server.groups;
        let server = self
            .keep_look(server, &looked, probes, prevented.as_ref())
            .await?;
        let mut warnings = self.look_after_groups(&server, before).await?;
        // Where they cannot be seen, nothing is said of those that were.
        if let Some(certificates) = &looked.certificates {
            warnings.extend(self.look_after_certificates(&server, certificates).await?);
        }
        warnings.extend(self.look_after_host(&server).await?);
        if looked.rights.sysadmin || looked.rights.read_history {
            begin(doing.as_deref_mut(), "history").await?;
            // Before anything is protected: who owns a chain is read from what this writes.
            if let Err(fault) = self.read_history(&server, &mut session).await {
                warnings.push(fault);
            }
            if let Err(fault) = self.look_for_unknown(&server, &mut session).await {
                warnings.push(fault);
            }
        }
        begin(doing, "protect").await?;
        self.apply_intents(server.id).await?;
        session.close().await;
        match prevented {
            Some(fault) => Err(fault),
            None => Ok(warnings),
        }
    }

    /// Writes that an instance is faulty, and when it is asked again.
    async fn is_faulty(&self, server: &Server, fault: &Fault) -> Result<(), Fault> {
        let now = self.now();
        let (changed, ()) = self
            .change::<Server, _>(server.id, |server| {
                if !server.is_registered() {
                    return Ok(());
                }
                let since = match &server.state {
                    ServerState::Faulty { since, .. } => *since,
                    _ => now,
                };
                server.discovery_due = due::again(now, since);
                server.state = ServerState::Faulty {
                    fault: fault.clone(),
                    since,
                };
                Ok(())
            })
            .await?;
        let about = About {
            matter: format!("faulty/{}", server.id),
            server: Some(server.id),
            ..About::default()
        };
        self.raise(about, as_told(fault, &changed.record, now)).await?;
        self.look_after_host(&changed.record).await?;
        Ok(())
    }
}

/// What people are told: an instance that is not reached for so long is no trouble of the moment.
fn as_told(fault: &Fault, server: &Server, now: Timestamp) -> Fault {
    match &server.state {
        ServerState::Faulty { since, .. }
            if fault.code() == Code::UserErrorOpeningSQLConnection
                && now.duration_since(*since) >= UNREACHED_LONG =>
        {
            Fault::new(Code::WorkloadExtensionNotReachable)
                .at(&server.name)
                .because(&format!("not since {since}: {}", fault.happened()))
        }
        _ => fault.clone(),
    }
}

async fn begin(doing: Option<&mut Doing<'_>>, task: &str) -> Result<(), Fault> {
    match doing {
        Some(doing) => doing.begin(task).await,
        None => Ok(()),
    }
}

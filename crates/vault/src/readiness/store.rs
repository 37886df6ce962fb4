//! The way from an instance to the vault's store: nobody but SQL Server can tell whether SQL Server gets there.
//!
//! It is asked to read a blob that is not there, with the credential that its backups show. That is the one of each container that
//! it writes to, which is made where it is missing, so that a replica of an availability group has it before it is needed. An
//! instance without any container gets a credential for a moment, to an empty container that all such instances share, under a
//! signature of its own that is void afterwards. Nothing is ever written there.

use azblob::names::{BlobName, ContainerName};
use catalog::record::{Container, Probe, Server};
use catalog::{Range, Slot};
use faults::{Code, Fault, Operation};
use mssql::facts::Platform;
use mssql::readiness::{Door, Standing, judged, knock};
use mssql::statement::Devices;
use mssql::statement::credential::{self, Wanted};
use mssql::{Build, Session};

use super::{missed, passed};
use crate::discovery::seen::build;
use crate::registration::failed;
use crate::vault::Vault;

/// For how long the signature of a probe is good, should the vault crash before it is void.
const SIGNATURE_LIFE: std::time::Duration = std::time::Duration::from_secs(3_600);

/// What SQL Server says where a login may not read backups: CREATE DATABASE is needed for that, and not for backups.
const NO_RIGHT: [i32; 3] = [229, 262, 300];

/// What the probes of the store are called, before the container's name.
pub(crate) const STORE: &str = "store";

impl Vault {
    /// Tries the way to the store: one probe for each container of the instance, or one for none.
    ///
    /// # Errors
    /// The instance or the catalog cannot be asked.
    pub(crate) async fn probe_store(
        &self,
        server: &Server,
        session: &mut Session,
    ) -> Result<Vec<Probe>, Fault> {
        let containers = self.containers_of(server).await?;
        let mut probes = Vec::new();
        for container in &containers {
            let name = format!("{STORE} {}", container.name);
            let probe = match self.knock_at(server, container, session).await {
                Ok(door) => told(&name, server, &door),
                Err(fault) if is_of_the_way(fault.code()) => missed(&name, &fault.happened(), None, fault),
                Err(fault) => return Err(fault),
            };
            probes.push(probe);
        }
        if probes.is_empty() {
            probes.push(self.knock_for_a_moment(server, session).await?);
        }
        Ok(probes)
    }

    /// The containers that an instance's backups go to, its own and those of its groups.
    ///
    /// # Errors
    /// The catalog does not answer.
    pub(crate) async fn containers_of(&self, server: &Server) -> Result<Vec<Container>, Fault> {
        let groups = server.groups.iter().map(|group| group.id.to_string());
        let mut found = Vec::new();
        for owner in std::iter::once(server.id.to_string()).chain(groups) {
            let containers = self.list::<Container>(Slot::B, Range::exactly(owner)).await?;
            found.extend(containers.into_iter().map(|one| one.record));
        }
        Ok(found)
    }

    async fn knock_at(
        &self,
        server: &Server,
        container: &Container,
        session: &mut Session,
    ) -> Result<Door, Fault> {
        // A knock writes nothing, and a store that takes no writes opens as well.
        self.world
            .shelf
            .space()
            .await
            .map_err(crate::backup::shelf_fault)?;
        let mut is_refused = false;
        loop {
            let entry = self
                .prepare_credential(container, server, session, is_refused)
                .await?;
            let door = self.ask_for_nothing(server, session, |blob| {
                let urls = entry.urls(std::slice::from_ref(blob));
                entry.devices(&urls)
            });
            let door = door.await?;
            if is_refused || !matches!(door, Door::Refused | Door::NoCredential) {
                return Ok(door);
            }
            // As a backup would: the grant is made anew, once.
            is_refused = true;
        }
    }

    async fn ask_for_nothing(
        &self,
        server: &Server,
        session: &mut Session,
        devices: impl FnOnce(&BlobName) -> Result<Devices, Fault>,
    ) -> Result<Door, Fault> {
        let blob = BlobName::new(format!("bac2-readiness-{}", self.world.chance.uuid().simple()))
            .expect("letters and digits are a name");
        knock(session, devices(&blob)?)
            .await
            .map_err(|error| failed(Operation::Discovery, &server.name, error))
    }

    /// The same for an instance without a container, by a credential that is gone afterwards.
    async fn knock_for_a_moment(&self, server: &Server, session: &mut Session) -> Result<Probe, Fault> {
        let is_old = server
            .facts
            .as_ref()
            .is_none_or(|facts| build(facts).major < Build::V2016);
        if is_old {
            return Ok(passed(
                STORE,
                "tried by the first backup: a signature needs SQL Server 2016",
            ));
        }
        let container = ContainerName::new(format!(
            "bac2-readiness-{}",
            &self.id.0.simple().to_string()[..12]
        ))
        .expect("letters, digits and hyphens are a name");
        // Of this instance alone: what others try at the same time stays good.
        let policy = format!("ready-{}", &server.id.0.simple().to_string()[..12]);
        let shelf = self.world.shelf.as_ref();
        let granted = async {
            shelf.make_container(&container).await?;
            let until = self.now() + SIGNATURE_LIFE;
            shelf.grant(&container, &policy, until).await
        };
        let signature = match granted.await {
            Ok(signature) => signature,
            Err(error) => {
                let fault = crate::backup::shelf_fault(error).at(&server.name);
                return Ok(missed(STORE, &fault.happened(), None, fault));
            }
        };
        let url = shelf.url(&container);
        let wanted = Wanted::for_container(&url, &signature)
            .map_err(|error| Fault::new(Code::Bac2InternalError).because(&error.to_string()))?;
        let door = self.knock_with(server, session, &wanted, &url).await;
        // What is left behind would be void in an hour.
        let _ = shelf.revoke(&container, &policy).await;
        match door? {
            Some(door) => Ok(told(STORE, server, &door)),
            None => Ok(passed(
                STORE,
                "tried by the first backup: the login makes no credentials",
            )),
        }
    }

    /// Makes the credential, asks, and removes it; nothing where the login may not.
    async fn knock_with(
        &self,
        server: &Server,
        session: &mut Session,
        wanted: &Wanted,
        url: &str,
    ) -> Result<Option<Door>, Fault> {
        let failed = |error| failed(Operation::Discovery, &server.name, error);
        let rows = session.query(&wanted.query()).await.map_err(failed)?;
        // The name is this vault's own: what is there was left behind by a probe that a crash cut off.
        let statement = match credential::found(&rows).map_err(failed)? {
            Some(_) => wanted.alter(),
            None => wanted.create(),
        };
        match session.execute(statement.reveal()).await {
            Ok(_) => {}
            Err(mssql::session::Error::Refused { .. }) => return Ok(None),
            Err(error) => return Err(failed(error)),
        }
        let door = self
            .ask_for_nothing(server, session, |blob| {
                Devices::urls(&[format!("{url}/{blob}")])
                    .map_err(|error| Fault::new(Code::Bac2InternalError).because(&error.to_string()))
            })
            .await;
        let dropped = session.execute(&wanted.drop()).await;
        let door = door?;
        dropped.map_err(failed)?;
        Ok(Some(door))
    }
}

/// What keeps a credential from being made says something of the way, not of the instance as a whole.
fn is_of_the_way(code: Code) -> bool {
    matches!(
        code,
        Code::Bac2ForeignCredential
            | Code::Bac2UnsupportedVersionOrEdition
            | Code::UserErrorSQLNoSysadminMembership
            | Code::Bac2StoreReadOnly
            | Code::Bac2StoreDiskFull
            | Code::Bac2InternalError
    )
}

/// A door as a probe.
fn told(name: &str, server: &Server, door: &Door) -> Probe {
    let is_linux = server.facts.as_ref().is_some_and(|facts| facts.is_linux);
    let platform = if is_linux {
        Platform::Linux
    } else {
        Platform::Windows
    };
    let finding = judged(door, platform);
    if finding.standing == Standing::Ready {
        return passed(name, &finding.sentence);
    }
    let code = match door {
        Door::Unclear(messages) if messages.iter().any(|one| NO_RIGHT.contains(&one.number)) => {
            return passed(name, "tried by each backup: the login may not read backups");
        }
        Door::Refused | Door::NoCredential => Code::Bac2CredentialRefused,
        Door::NoName | Door::NoAnswer => Code::UserErrorVMInternetConnectivityIssue,
        Door::Reached | Door::NoContainer | Door::NotTrusted | Door::Unclear(_) => Code::Bac2NotReady,
    };
    let fault = Fault::new(code).at(&server.name).because(&finding.sentence);
    // What mends it is done on the machine: as a comment it does no harm among the T-SQL of other probes.
    let repair = format!("-- {}", finding.sentence);
    missed(name, &finding.sentence, Some(repair), fault)
}

/// Why an instance does not get to the store, by its probes; nothing where it does.
pub(crate) fn no_way(probes: &[Probe]) -> Option<&str> {
    let failed = probes
        .iter()
        .find(|probe| probe.name.starts_with(STORE) && !probe.passed);
    failed.map(|probe| probe.found.as_str())
}

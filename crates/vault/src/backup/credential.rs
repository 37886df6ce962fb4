//! The container that backups go to, its SAS, and the credential by which an instance shows it.
//!
//! What exists under the credential's name and was not made by the vault is never altered.

use std::time::Duration;

use azblob::names::ContainerName;
use catalog::record::{Container, CredentialMade, Server};
use faults::{Code, Fault, Operation};
use mssql::statement::credential::{self, Found, Standing, Wanted};
use mssql::{Secret, Session};

use crate::registration::failed;
use crate::vault::Vault;

/// For how long a SAS is good.
const SAS_LIFE: Duration = Duration::from_secs(90 * 86_400);
/// It is renewed when it is good for less than this: weeks in which a vault may be down.
const SAS_LEFT: Duration = Duration::from_secs(30 * 86_400);
/// Number of a credential that is about to be made; those of SQL Server begin at 65,536.
const INTENDED: i32 = 0;

/// The name of a container by its record.
///
/// # Errors
/// It is none.
pub(super) fn name_of(container: &Container) -> Result<ContainerName, Fault> {
    ContainerName::new(container.name.clone()).map_err(|_| {
        Fault::new(Code::Bac2InternalError).because(&format!("{} is no name of a container", container.name))
    })
}

impl Vault {
    /// Sees to it that the container is there, its SAS is good, and the instance has a credential with it. `is_refused`: the door
    /// refused what the instance showed, so the grant is made again.
    ///
    /// # Errors
    /// The store or the instance refuses; the credential belongs to somebody else.
    pub(super) async fn prepare_credential(
        &self,
        container: &Container,
        server: &Server,
        session: &mut Session,
        is_refused: bool,
    ) -> Result<(), Fault> {
        let container = self.with_sas(container, is_refused).await?;
        let name = name_of(&container)?;
        let sas_id = container
            .sas
            .ok_or_else(|| Fault::new(Code::Bac2InternalError).because("a container without a SAS"))?;
        let url = self.world.shelf.url(&name);
        let made = container
            .credentials
            .iter()
            .find(|made| made.server == server.id && made.name == url);
        let sas = self.reveal(sas_id).await?;
        let wanted = Wanted::for_container(&url, &sas)
            .map_err(|error| Fault::new(Code::Bac2InternalError).because(&error.to_string()))?;
        let found = ask(session, &wanted, server).await?;
        // The record keeps the number alone, so that is what is compared; without one, the vault crashed between making and noting.
        let remembered = found
            .as_ref()
            .filter(|found| made.is_some_and(|made| [found.id, INTENDED].contains(&made.number)));
        let is_current = made.is_some_and(|made| made.sas == sas_id && made.number != INTENDED);
        let statement = match wanted.standing(found.as_ref(), remembered) {
            Standing::Ours if is_current && !is_refused => return Ok(()),
            Standing::Ours => wanted.alter(),
            Standing::Absent => {
                self.note_credential(&container, server, &url, INTENDED).await?;
                wanted.create()
            }
            Standing::Foreign => {
                return Err(Fault::new(Code::Bac2ForeignCredential)
                    .at(&server.name)
                    .because(&url));
            }
        };
        // Another job of the same instance may be faster with the first credential; then it is there, by the vault's own note.
        let made = execute(session, &statement, server).await;
        let Some(number) = ask(session, &wanted, server).await?.map(|found| found.id) else {
            made?;
            return Err(Fault::new(Code::Bac2UnexpectedSqlError)
                .at(&server.name)
                .because("the credential is not there after it was made"));
        };
        if found.is_some() {
            made?;
        }
        self.note_credential(&container, server, &url, number).await
    }

    /// Remembers a credential; what is [`INTENDED`] before it is made.
    async fn note_credential(
        &self,
        container: &Container,
        server: &Server,
        url: &str,
        number: i32,
    ) -> Result<(), Fault> {
        let (now, sas) = (self.now(), container.sas);
        self.change::<Container, _>(container.id, |container| {
            container.credentials.retain(|made| made.server != server.id);
            container.credentials.extend(sas.map(|sas| CredentialMade {
                server: server.id,
                name: url.to_owned(),
                number,
                sas,
                set: now,
            }));
            Ok(())
        })
        .await
        .map(|_| ())
    }

    /// The container, made in the store, with a SAS that is good for some time.
    async fn with_sas(&self, container: &Container, is_refused: bool) -> Result<Container, Fault> {
        let now = self.now();
        let is_good = container
            .sas_until
            .is_some_and(|until| until > now + SAS_LEFT && container.sas.is_some());
        if is_good && !is_refused {
            return Ok(container.clone());
        }
        let name = name_of(container)?;
        let shelf = self.world.shelf.as_ref();
        shelf.make_container(&name).await.map_err(super::shelf_fault)?;
        let until = now + SAS_LIFE;
        let granted = shelf
            .grant(&name, &container.access_policy, until)
            .await
            .map_err(super::shelf_fault)?;
        // Of one policy the signature may stay what it was: then the instances have it already.
        let is_same = match container.sas {
            Some(id) => self.reveal(id).await.is_ok_and(|old| old == granted),
            None => false,
        };
        let sas = match (is_same, container.sas) {
            (true, Some(id)) => id,
            _ => self.keep_secret(&granted).await?,
        };
        let (changed, ()) = self
            .change::<Container, _>(container.id, |container| {
                container.sas = Some(sas);
                container.sas_until = Some(until);
                Ok(())
            })
            .await?;
        Ok(changed.record)
    }
}

async fn ask(session: &mut Session, wanted: &Wanted, server: &Server) -> Result<Option<Found>, Fault> {
    let fault = |error| failed(Operation::Backup, &server.name, error);
    let rows = session.query(&wanted.query()).await.map_err(fault)?;
    credential::found(&rows).map_err(fault)
}

async fn execute(session: &mut Session, statement: &Secret, server: &Server) -> Result<(), Fault> {
    session
        .execute(statement.reveal())
        .await
        .map(|_| ())
        .map_err(|error| failed(Operation::Backup, &server.name, error))
}

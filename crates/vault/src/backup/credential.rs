//! The container that backups go to, what opens it, and the credential by which an instance shows that: a SAS, or before SQL
//! Server 2016 the key of the account.
//!
//! What exists under the credential's name and was not made by the vault is never altered. A vault that crashed between making one
//! and noting it finds its own intention, and takes the credential for its own.

use std::time::Duration;

use azblob::names::ContainerName;
use catalog::record::{Container, CredentialMade, SecretId, Server};
use faults::{Code, Fault, Operation};
use mssql::statement::choice::Mode;
use mssql::statement::credential::{self, CredentialError, Found, Standing, Wanted};
use mssql::{Secret, Session};

use super::entry::Entry;
use super::facts::civil;
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

/// What an instance shows to the door, as the vault has it.
struct Shown {
    /// The container's record as it is now.
    container: Container,
    /// The signature, or the account's key.
    secret: SecretId,
    /// The credential that holds it.
    wanted: Wanted,
}

impl Vault {
    /// Sees to it that the container is there, what opens it is good, and the instance has a credential with it. `is_refused`: the
    /// door refused what the instance showed, so the grant is made again.
    ///
    /// # Errors
    /// The store or the instance refuses; the credential belongs to somebody else; the instance cannot back up to a URL.
    pub(crate) async fn prepare_credential(
        &self,
        container: &Container,
        server: &Server,
        session: &mut Session,
        is_refused: bool,
    ) -> Result<Entry, Fault> {
        let entry = self.entry(&name_of(container)?, server)?;
        let shown = match entry.mode {
            Mode::Block => self.signature(container, &entry, is_refused).await?,
            Mode::Page => self.key_of_account(container, server, &entry).await?,
        };
        let container = &shown.container;
        let of_server = |made: &&CredentialMade| made.server == server.id;
        let made = container
            .credentials
            .iter()
            .filter(of_server)
            .find(|made| made.name == entry.credential);
        let found = ask(session, &shown.wanted, server).await?;
        let remembered = found
            .as_ref()
            .filter(|found| made.is_some_and(|made| is_made(made, found)));
        let is_current = made.is_some_and(|made| made.sas == shown.secret && made.number != INTENDED);
        let statement = match shown.wanted.standing(found.as_ref(), remembered) {
            Standing::Ours if is_current && !is_refused => None,
            Standing::Ours => Some(shown.wanted.alter()),
            Standing::Absent => {
                self.note_credential(&shown, server, &entry, None).await?;
                Some(shown.wanted.create())
            }
            Standing::Foreign => {
                return Err(Fault::new(Code::Bac2ForeignCredential)
                    .at(&server.name)
                    .because(&entry.credential));
            }
        };
        if let Some(statement) = statement {
            // Another job of the same instance may be faster with the first credential; then it is there, by the vault's own note.
            let made = execute(session, &statement, server).await;
            let Some(now) = ask(session, &shown.wanted, server).await? else {
                made?;
                return Err(Fault::new(Code::Bac2UnexpectedSqlError)
                    .at(&server.name)
                    .because("the credential is not there after it was made"));
            };
            if found.is_some() {
                made?;
            }
            self.note_credential(&shown, server, &entry, Some(&now)).await?;
        }
        self.drop_former(container, server, session, &entry).await?;
        Ok(entry)
    }

    /// Removes the credential that the instance reached the container by before it was updated: the key of an account is not left
    /// where a signature does.
    async fn drop_former(
        &self,
        container: &Container,
        server: &Server,
        session: &mut Session,
        entry: &Entry,
    ) -> Result<(), Fault> {
        let is_former = |made: &CredentialMade| made.server == server.id && made.name != entry.credential;
        let Some(former) = container.credentials.iter().find(|made| is_former(made)) else {
            return Ok(());
        };
        let secret = self.reveal(former.sas).await?;
        let wanted = Wanted::for_account(&former.name, "", &secret).map_err(unusable)?;
        let found = ask(session, &wanted, server).await?;
        if found.is_some_and(|found| is_made(former, &found)) {
            execute(session, &Secret::new(wanted.drop()), server).await?;
        }
        self.change::<Container, _>(container.id, |container| {
            container.credentials.retain(|made| !is_former(made));
            Ok(())
        })
        .await
        .map(drop)
    }

    /// Remembers a credential; `None` before it is made.
    async fn note_credential(
        &self,
        shown: &Shown,
        server: &Server,
        entry: &Entry,
        found: Option<&Found>,
    ) -> Result<(), Fault> {
        let (now, secret) = (self.now(), shown.secret);
        let note = &CredentialMade {
            server: server.id,
            name: entry.credential.clone(),
            number: found.map_or(INTENDED, |found| found.id),
            created: found.and_then(|found| civil(found.created)),
            sas: secret,
            set: now,
        };
        self.change::<Container, _>(shown.container.id, |container| {
            container
                .credentials
                .retain(|made| (made.server, &made.name) != (note.server, &note.name));
            container.credentials.push(note.clone());
            Ok(())
        })
        .await
        .map(drop)
    }

    /// The signature for the container, good for some time.
    async fn signature(
        &self,
        container: &Container,
        entry: &Entry,
        is_refused: bool,
    ) -> Result<Shown, Fault> {
        let container = self.with_sas(container, is_refused).await?;
        let secret = container
            .sas
            .ok_or_else(|| Fault::new(Code::Bac2InternalError).because("a container without a SAS"))?;
        let sas = self.reveal(secret).await?;
        Ok(Shown {
            wanted: Wanted::for_container(&entry.url, &sas).map_err(unusable)?,
            container,
            secret,
        })
    }

    /// The key of the container's account, which does not run out.
    async fn key_of_account(
        &self,
        container: &Container,
        server: &Server,
        entry: &Entry,
    ) -> Result<Shown, Fault> {
        let name = name_of(container)?;
        let shelf = self.world.shelf.as_ref();
        shelf.make_container(&name).await.map_err(super::shelf_fault)?;
        let account = shelf.account(&name).await.map_err(super::shelf_fault)?;
        let Some(account) = account else {
            let why = "before SQL Server 2016 a backup to a URL needs an account's key, which this vault gives to no instance";
            return Err(Fault::new(Code::Bac2UnsupportedVersionOrEdition)
                .at(&server.name)
                .because(why));
        };
        // Another key by now: the credential is altered.
        let made = container
            .credentials
            .iter()
            .find(|made| made.server == server.id && made.name == entry.credential);
        let secret = match made {
            Some(made) if self.reveal(made.sas).await.is_ok_and(|old| old == account.key) => made.sas,
            _ => self.keep_secret(&account.key).await?,
        };
        Ok(Shown {
            container: container.clone(),
            secret,
            wanted: Wanted::for_account(&entry.credential, &account.name, &account.key).map_err(unusable)?,
        })
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

/// Whether a credential is the one that the vault made, by number and date of creation. Where it was about to be made, the vault
/// crashed between making and noting.
fn is_made(made: &CredentialMade, found: &Found) -> bool {
    let is_same_date = made
        .created
        .is_none_or(|created| Some(created) == civil(found.created));
    made.number == INTENDED || (made.number == found.id && is_same_date)
}

#[allow(clippy::needless_pass_by_value)] // It is what `map_err` gives.
fn unusable(error: CredentialError) -> Fault {
    Fault::new(Code::Bac2InternalError).because(&error.to_string())
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

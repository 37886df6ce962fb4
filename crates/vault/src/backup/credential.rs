//! The container that backups go to, what opens it, and the credential by which an instance shows that: a SAS, or before SQL
//! Server 2016 the key of the account.
//!
//! What exists under the credential's name and was not made by the vault is never altered. A vault that crashed between making one
//! and noting it finds its own intention, with the instance's time at which there was none: what was made right after that is
//! its own, and what was made later is somebody else's.

use std::time::Duration;

use azblob::names::ContainerName;
use catalog::record::{Container, CredentialMade, SecretId, Server};
use faults::{Code, Fault, Operation};
use jiff::SignedDuration;
use jiff::civil::DateTime;
use mssql::statement::choice::Mode;
use mssql::statement::credential::{self, CredentialError, Found, Standing, Wanted};
use mssql::{Secret, Session};

use super::entry::Entry;
use super::facts::civil;
use crate::registration::failed;
use crate::shelf::ShelfError;
use crate::vault::Vault;

/// For how long a SAS is good.
const SAS_LIFE: Duration = Duration::from_secs(90 * 86_400);
/// It is renewed when it is good for less than this: weeks in which a vault may be down.
const SAS_LEFT: Duration = Duration::from_secs(30 * 86_400);
/// The stored access policy of restores: one for all of a container, since Azure allows five.
const LENT_POLICY: &str = "restores";
/// For how long what restores show is good at most; each that begins or goes on extends it, and the end of the last ends it.
const LENT_LIFE: Duration = Duration::from_secs(7 * 86_400);
/// Number of a credential that is about to be made; those of SQL Server begin at 65,536.
const INTENDED: i32 = 0;
/// For so long after it was intended a credential is the vault's that stands there without a note of its number: the statement
/// follows the note at once, or is never sent.
const MADE_WITHIN: SignedDuration = SignedDuration::from_mins(1);

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
    /// It is for restores alone.
    is_lent: bool,
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
        self.show(shown, entry, server, session, is_refused).await
    }

    /// The same for restores alone, under a stored access policy of their own, good for [`LENT_LIFE`] from now on.
    ///
    /// # Errors
    /// As for [`Vault::prepare_credential`].
    pub(crate) async fn lend_credential(
        &self,
        container: &Container,
        server: &Server,
        session: &mut Session,
        is_refused: bool,
    ) -> Result<Entry, Fault> {
        let entry = self.entry(&name_of(container)?, server)?;
        let mut shown = match entry.mode {
            Mode::Block => self.lent_signature(container, &entry).await?,
            Mode::Page => self.key_of_account(container, server, &entry).await?,
        };
        shown.is_lent = true;
        self.show(shown, entry, server, session, is_refused).await
    }

    /// How an instance reaches a container by a credential that is there already, whoever made it.
    ///
    /// # Errors
    /// The instance is too old to read from a URL.
    pub(crate) fn entry_as_it_is(&self, container: &Container, server: &Server) -> Result<Entry, Fault> {
        self.entry(&name_of(container)?, server)
    }

    /// Sees to it that the instance has a credential with what is to be shown.
    async fn show(
        &self,
        shown: Shown,
        entry: Entry,
        server: &Server,
        session: &mut Session,
        is_refused: bool,
    ) -> Result<Entry, Fault> {
        let container = &shown.container;
        let made = noted(container, server, &entry);
        // Before the look: what is made between the two is not older than this.
        let none_at = match made {
            Some(made) if made.number != INTENDED => None,
            _ => Some(now_there(session, server).await?),
        };
        let found = ask(session, &shown.wanted, server).await?;
        let made = &self
            .noted_by_now(container, server, &entry, found.as_ref())
            .await?;
        let remembered = found
            .as_ref()
            .filter(|found| made.as_ref().is_some_and(|made| is_made(made, found)));
        let is_current = made
            .as_ref()
            .is_some_and(|made| made.sas == shown.secret && made.number != INTENDED);
        let statement = match shown.wanted.standing(found.as_ref(), remembered) {
            Standing::Ours if is_current && !is_refused => None,
            Standing::Ours => Some(shown.wanted.alter()),
            Standing::Absent => {
                let none_at = match none_at {
                    Some(at) => at,
                    None => now_there(session, server).await?,
                };
                let intended = (INTENDED, civil(none_at));
                self.note_credential(&shown, server, &entry, intended).await?;
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
            let noted = (now.id, civil(now.created));
            self.note_credential(&shown, server, &entry, noted).await?;
        }
        self.drop_former(container, server, session, &entry).await?;
        Ok(entry)
    }

    /// The note of the credential that the instance has. Where the note that was read is not of this one, another job of the instance
    /// may have made it since: it wrote that down before it did.
    async fn noted_by_now(
        &self,
        container: &Container,
        server: &Server,
        entry: &Entry,
        found: Option<&Found>,
    ) -> Result<Option<CredentialMade>, Fault> {
        let made = noted(container, server, entry);
        match found {
            Some(found) if !made.is_some_and(|made| is_made(made, found)) => {
                let container = self.get::<Container>(container.id).await?.record;
                Ok(noted(&container, server, entry).cloned())
            }
            _ => Ok(made.cloned()),
        }
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
        drop_made(session, server, former).await?;
        self.change::<Container, _>(container.id, |container| {
            container.credentials.retain(|made| !is_former(made));
            Ok(())
        })
        .await
        .map(drop)
    }

    /// Remembers a credential by its number and the time of its making; before it is made, [`INTENDED`] and the time at which there
    /// was none, both by the instance's clock.
    async fn note_credential(
        &self,
        shown: &Shown,
        server: &Server,
        entry: &Entry,
        (number, created): (i32, Option<DateTime>),
    ) -> Result<(), Fault> {
        let (now, secret) = (self.now(), shown.secret);
        let note = &CredentialMade {
            server: server.id,
            name: entry.credential.clone(),
            number,
            created,
            sas: secret,
            set: now,
            is_lent: shown.is_lent,
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
            is_lent: false,
        })
    }

    /// A signature that restores show where no backup is written from.
    async fn lent_signature(&self, container: &Container, entry: &Entry) -> Result<Shown, Fault> {
        let granted = self.grant_lent(container).await?;
        let mut known = None;
        for made in container.credentials.iter().filter(|made| made.is_lent) {
            if self.reveal(made.sas).await.is_ok_and(|old| old == granted) {
                known = Some(made.sas);
            }
        }
        let secret = match known {
            Some(secret) => secret,
            None => self.keep_secret(&granted).await?,
        };
        Ok(Shown {
            wanted: Wanted::for_container(&entry.url, &granted).map_err(unusable)?,
            container: container.clone(),
            secret,
            is_lent: true,
        })
    }

    /// The signature itself, under the policy that it brings into being or extends.
    async fn grant_lent(&self, container: &Container) -> Result<Secret, Fault> {
        let name = name_of(container)?;
        let shelf = self.world.shelf.as_ref();
        shelf.make_container(&name).await.map_err(super::shelf_fault)?;
        // Who takes it away looks for restores that use it under the same lock: this one is noted by now.
        let turn = self.lending.of_container(container.id);
        let _turn = turn.lock().await;
        if !self.get::<Container>(container.id).await?.record.has_lent_policy {
            self.change::<Container, _>(container.id, |container| {
                container.has_lent_policy = true;
                Ok(())
            })
            .await?;
        }
        let granted = shelf.grant(&name, LENT_POLICY, self.now() + LENT_LIFE).await;
        granted.map_err(super::shelf_fault)
    }

    /// Takes the policy of restores away: whatever was signed under it is void. The caller holds the container's turn and knows that no
    /// restore uses it.
    ///
    /// # Errors
    /// The store or the catalog cannot be written.
    pub(crate) async fn revoke_lent(&self, container: &Container) -> Result<(), Fault> {
        match self.world.shelf.revoke(&name_of(container)?, LENT_POLICY).await {
            Ok(()) | Err(ShelfError::Missing(_)) => {}
            Err(error) => return Err(super::shelf_fault(error)),
        }
        self.change::<Container, _>(container.id, |container| {
            container.has_lent_policy = false;
            Ok(())
        })
        .await
        .map(drop)
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
            is_lent: false,
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

/// What is noted of an instance's credential.
fn noted<'c>(container: &'c Container, server: &Server, entry: &Entry) -> Option<&'c CredentialMade> {
    let mut notes = container.credentials.iter();
    notes.find(|made| made.server == server.id && made.name == entry.credential)
}

/// Whether a credential is the one that the vault made, by number and date of creation. Where it was about to be made, the vault
/// crashed between making and noting, and the date decides alone.
fn is_made(made: &CredentialMade, found: &Found) -> bool {
    let created = civil(found.created);
    if made.number == INTENDED {
        let after = |from: DateTime| created.map(|created| created.duration_since(from));
        let after = made.created.and_then(after);
        return after.is_some_and(|after| !after.is_negative() && after <= MADE_WITHIN);
    }
    let is_same_date = made.created.is_none_or(|noted| Some(noted) == created);
    made.number == found.id && is_same_date
}

/// Removes a credential that the vault made. One that is gone, or another one under its name, is left as it is.
///
/// # Errors
/// The instance refuses or cannot be asked.
pub(crate) async fn drop_made(
    session: &mut Session,
    server: &Server,
    made: &CredentialMade,
) -> Result<(), Fault> {
    let wanted = Wanted::for_account(&made.name, "", &Secret::new(String::new())).map_err(unusable)?;
    let found = ask(session, &wanted, server).await?;
    if found.is_some_and(|found| is_made(made, &found)) {
        execute(session, &Secret::new(wanted.drop()), server).await?;
    }
    Ok(())
}

/// What the instance's clock says, as `sys.credentials` writes times down.
async fn now_there(session: &mut Session, server: &Server) -> Result<mssql::value::DateTime, Fault> {
    let fault = |error| failed(Operation::Backup, &server.name, error);
    let rows = session.query("SELECT GETDATE() AS now;").await.map_err(fault)?;
    let now = rows
        .first()
        .map(|row| row.get("now"))
        .transpose()
        .map_err(fault)?;
    now.ok_or_else(|| {
        Fault::new(Code::Bac2UnexpectedSqlError)
            .at(&server.name)
            .because("it does not tell its time")
    })
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

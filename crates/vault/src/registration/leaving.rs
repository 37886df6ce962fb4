//! Letting an instance go.

use azblob::names::ContainerName;
use catalog::record::{Container, Database, Host, Intent, Item, Job, Login, Server, ServerId, ServerState};
use catalog::{Query, Range, Scope, Slot, Transaction, Versioned, all, delete, demand, get, scoped, update};
use faults::{Code, Fault};
use mssql::quoting::Identifier;

use super::marker::{self, MARKER_NAME, Marked};
use super::{Purpose, marked};
use crate::backup::drop_made;
use crate::records::{LIST_MAX, Trouble};
use crate::secrets::Grants;
use crate::shelf::ShelfError;
use crate::vault::Vault;

/// The most databases that a refusal names.
const NAMED_MOST: usize = 10;

impl Vault {
    /// Lets an instance go: its auto-protection ends, its jobs that wait are cancelled, its logins are forgotten, and its marker and
    /// the credentials that the vault made are removed where the instance answers. The record stays, for recovery points may name
    /// it. Gives what people should know: what of these is still there, and the statement that removes it.
    ///
    /// # Errors
    /// Databases of it are protected, stopped with their data kept, or softly deleted, and which; it is not registered.
    pub async fn unregister(&self, id: ServerId) -> Result<Vec<Fault>, Fault> {
        let before = self.get::<Server>(id).await?.record;
        // While its secret is there. Nothing is written in the instance before the catalog says that it goes.
        let session = self.session(&before, Purpose::Backup).await;
        let at = self.now();
        let grants = self
            .transact(move |tx| scoped(async move { self.unregister_in(tx, id, at).await }))
            .await?;
        self.cancel_waiting(id).await?;
        self.look_after_host(&before).await?;
        let mut warnings = self.revoke(&grants.containers).await;
        let mut session = session.map_err(Box::new);
        for made in &grants.credentials {
            let dropped = match &mut session {
                Ok(session) => drop_made(session, &before, made).await,
                Err(fault) => Err((**fault).clone()),
            };
            warnings.extend(dropped.err().map(|fault| left(fault, &made.name)));
        }
        // Last: while it is there no other vault has the instance.
        let removed = match &mut session {
            Ok(session) => self.remove_marker(&before, session).await,
            Err(fault) => Err((**fault).clone()),
        };
        warnings.extend(removed.err().map(|fault| left(fault, MARKER_NAME)));
        if let Ok(session) = session {
            session.close().await;
        }
        self.bell.ring();
        Ok(warnings)
    }

    async fn unregister_in(
        &self,
        tx: &mut dyn Transaction,
        id: ServerId,
        at: jiff::Timestamp,
    ) -> Result<Grants, Trouble> {
        let mut server = demand::<Server>(tx, &self.key, &id.to_string()).await?;
        if !server.record.is_registered() {
            return Err(Fault::new(Code::Bac2NotFound)
                .at(&server.record.name)
                .because("it is not registered any more")
                .into());
        }
        let of_server = |slot| Query::of(Scope::vault(&self.key), slot, Range::exactly(id.to_string()));
        let mut items = all::<Item>(tx, of_server(Slot::D), LIST_MAX).await?;
        items.extend(self.items_of_groups_in(tx, &server.record).await?);
        if !items.is_empty() {
            let mut names = Vec::new();
            for item in items.iter().take(NAMED_MOST) {
                let database = get::<Database>(tx, &self.key, &item.record.database.to_string()).await?;
                names.extend(database.map(|one| one.record.name));
            }
            let beyond = items.len().saturating_sub(NAMED_MOST);
            let mut why = names.join(", ");
            if beyond > 0 {
                why = format!("{why} and {beyond} more");
            }
            return Err(Fault::new(Code::Bac2UnregisterRefused)
                .at(&server.record.name)
                .because(&why)
                .into());
        }
        for intent in all::<Intent>(tx, of_server(Slot::A), LIST_MAX).await? {
            delete(tx, &intent).await?;
        }
        server.record.state = ServerState::Unregistered { at };
        server.record.marker = None;
        let logins: Vec<Login> = std::iter::once(server.record.login.clone())
            .chain(server.record.restore_login.clone())
            .collect();
        self.forget_logins_in(tx, &logins).await?;
        self.resolve_server_in(tx, id).await?;
        update(tx, server).await?;
        self.forget_grants_in(tx, id).await
    }

    /// Takes back in the store what its credentials showed. Gives what people should know: where that did not go, they are good
    /// until their signatures run out.
    async fn revoke(&self, containers: &[Container]) -> Vec<Fault> {
        let mut warnings = Vec::new();
        for container in containers {
            let Ok(name) = ContainerName::new(container.name.clone()) else {
                continue;
            };
            match self.world.shelf.revoke(&name, &container.access_policy).await {
                // It is made in the store by its first backup.
                Ok(()) | Err(ShelfError::Missing(_)) => {}
                Err(error) => {
                    let why = format!("its signature could not be revoked: {error}");
                    warnings.push(
                        Fault::new(Code::Bac2InternalError)
                            .at(&container.name)
                            .because(&why),
                    );
                }
            }
        }
        warnings
    }

    /// Items of the instance's availability groups that are at home on other replicas: their next backup may be this one's.
    async fn items_of_groups_in(
        &self,
        tx: &mut dyn Transaction,
        server: &Server,
    ) -> Result<Vec<Versioned<Item>>, Trouble> {
        let query = |slot, key: String| Query::of(Scope::vault(&self.key), slot, Range::exactly(key));
        let all_servers = Query::of(Scope::vault(&self.key), Slot::A, Range::ALL);
        let mut found = Vec::new();
        for other in all::<Server>(tx, all_servers, LIST_MAX).await? {
            let shares = |id: uuid::Uuid| server.groups.iter().any(|group| group.id == id);
            if other.record.id == server.id || !other.record.groups.iter().any(|group| shares(group.id)) {
                continue;
            }
            for item in all::<Item>(tx, query(Slot::D, other.record.id.to_string()), LIST_MAX).await? {
                let database = get::<Database>(tx, &self.key, &item.record.database.to_string()).await?;
                if database.is_some_and(|one| one.record.group.is_some_and(shares)) {
                    found.push(item);
                }
            }
        }
        Ok(found)
    }

    /// Cancels the jobs of an instance that are open.
    async fn cancel_waiting(&self, id: ServerId) -> Result<(), Fault> {
        for job in self
            .list::<Job>(Slot::D, Range::members(&[&id.to_string(), "open"]))
            .await?
        {
            match self.cancel_job(job.record.id).await {
                // It ended meanwhile.
                Err(fault) if fault.code() != Code::Bac2JobNotCancellable => return Err(fault),
                _ => {}
            }
        }
        Ok(())
    }

    /// Removes the marker, where it is still this registration's.
    async fn remove_marker(&self, server: &Server, session: &mut mssql::Session) -> Result<(), Fault> {
        let said = mssql::facts::ask(session)
            .await
            .map_err(|error| super::failed(faults::Operation::Discovery, &server.name, error))?;
        match marked(session, &server.name, &said.rights).await? {
            Marked::By(one) if one.vault == self.id && one.server == server.id => {
                marker::remove(session, &server.name).await
            }
            _ => Ok(()),
        }
    }

    /// The machines of a vault's instances.
    ///
    /// # Errors
    /// The catalog does not answer.
    pub async fn hosts(&self) -> Result<Vec<Host>, Fault> {
        let found = self.list::<Host>(Slot::A, Range::ALL).await?;
        Ok(found.into_iter().map(|one| one.record).collect())
    }
}

/// What could not be removed from the instance, and how a human removes it.
fn left(fault: Fault, credential: &str) -> Fault {
    let statement = match Identifier::new(credential) {
        Ok(name) => format!("DROP CREDENTIAL {name};"),
        Err(_) => "drop it".to_owned(),
    };
    let why = match fault.detail() {
        "" => String::new(),
        detail => format!(" ({detail})"),
    };
    fault.because(&format!("what the vault made there is left{why}: {statement}"))
}

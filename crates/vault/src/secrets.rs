//! How long secrets at rest live: as long as a record names them.
//!
//! What a login or an unregistered instance named goes in the transaction that changes the record. A SAS that another replaced
//! goes when it has been named by nothing for a while: a job that began with it may still be about to show it. The same sweep
//! finds what a crash between a secret and its record left.

use std::collections::BTreeSet;

use catalog::record::{Container, CredentialMade, Login, Secret, SecretId, Server, ServerId};
use catalog::{Query, Range, Scope, Slot, Transaction, all, delete, get, scoped, update};
use faults::Fault;

use crate::records::{LIST_MAX, Trouble};
use crate::vault::Vault;

/// What an instance was given.
#[derive(Default)]
pub(crate) struct Grants {
    /// Its own containers, as they were.
    pub(crate) containers: Vec<Container>,
    /// What the vault made on it.
    pub(crate) credentials: Vec<CredentialMade>,
}

impl Vault {
    /// Removes the secrets of logins that nothing uses any more.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub(crate) async fn forget_logins_in(
        &self,
        tx: &mut dyn Transaction,
        logins: &[Login],
    ) -> Result<(), Trouble> {
        for id in logins.iter().filter_map(secret_of) {
            self.forget_in(tx, id).await?;
        }
        Ok(())
    }

    /// Forgets what an instance that goes was given: the SAS of its own container, and every credential that was made on it. Gives
    /// its containers, whose grants are to be revoked in the store, and those credentials, which are there still.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub(crate) async fn forget_grants_in(
        &self,
        tx: &mut dyn Transaction,
        server: ServerId,
    ) -> Result<Grants, Trouble> {
        let query = Query::of(Scope::vault(&self.key), Slot::Id, Range::ALL);
        let containers = all::<Container>(tx, query, LIST_MAX).await?;
        let mut grants = Grants::default();
        let (mut before, mut after) = (BTreeSet::new(), BTreeSet::new());
        for mut found in containers {
            before.extend(secrets_of(&found.record));
            let (is_own, known) = (found.record.server == Some(server), found.record.clone());
            if is_own {
                found.record.sas = None;
                found.record.sas_until = None;
            }
            let is_there = |made: &CredentialMade| made.server == server;
            grants
                .credentials
                .extend(found.record.credentials.extract_if(.., |made| is_there(made)));
            after.extend(secrets_of(&found.record));
            if found.record != known {
                update(tx, found).await?;
            }
            grants.containers.extend(is_own.then_some(known));
        }
        for id in before.difference(&after) {
            self.forget_in(tx, *id).await?;
        }
        Ok(grants)
    }

    async fn forget_in(&self, tx: &mut dyn Transaction, id: SecretId) -> Result<(), Trouble> {
        if let Some(found) = get::<Secret>(tx, &self.key, &id.to_string()).await? {
            delete(tx, &found).await?;
        }
        Ok(())
    }

    /// Removes secrets that nothing names, now and at the last sweep, which gave `unnamed`.
    ///
    /// # Errors
    /// The catalog cannot be read or written.
    pub(crate) async fn forget_unnamed(&self, unnamed: &mut BTreeSet<SecretId>) -> Result<(), Fault> {
        let before = &*unnamed;
        let now = self
            .transact(move |tx| {
                scoped(async move {
                    let of = |slot| Query::of(Scope::vault(&self.key), slot, Range::ALL);
                    let mut named = BTreeSet::new();
                    for server in all::<Server>(tx, of(Slot::Id), LIST_MAX).await? {
                        let logins =
                            std::iter::once(&server.record.login).chain(&server.record.restore_login);
                        named.extend(logins.filter_map(secret_of));
                    }
                    for container in all::<Container>(tx, of(Slot::Id), LIST_MAX).await? {
                        named.extend(secrets_of(&container.record));
                    }
                    let mut left = BTreeSet::new();
                    for secret in all::<Secret>(tx, of(Slot::Id), LIST_MAX).await? {
                        let id = secret.record.id;
                        if named.contains(&id) {
                            continue;
                        }
                        if before.contains(&id) {
                            delete(tx, &secret).await?;
                        } else {
                            left.insert(id);
                        }
                    }
                    Ok(left)
                })
            })
            .await?;
        *unnamed = now;
        Ok(())
    }
}

fn secret_of(login: &Login) -> Option<SecretId> {
    match login {
        Login::Sql { password: id, .. } | Login::Entra { secret: id, .. } => Some(*id),
        Login::Windows => None,
    }
}

/// The SAS in force, and those that instances have.
fn secrets_of(container: &Container) -> impl Iterator<Item = SecretId> {
    let given = container.credentials.iter().map(|made| made.sas);
    container.sas.into_iter().chain(given)
}

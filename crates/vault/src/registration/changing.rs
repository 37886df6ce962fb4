//! Changing a registration: another login, trust or address, and the marker written anew. Recovery points stay as they are.

use catalog::record::{Server, ServerId, ServerSettings, Trust};
use catalog::{demand, scoped, update};
use faults::{Code, Fault, Operation};
use mssql::{Authentication, Session};

use super::adding::{authentication, check_settings};
use super::marker::Marked;
use super::{NewLogin, connecting, failed, marked};
use crate::discovery::seen;
use crate::vault::Vault;

/// What is to change of a registration; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct ServerChange {
    /// `HOST`, `HOST,PORT` or `HOST\INSTANCE`.
    pub address: Option<String>,
    /// How to log in.
    pub login: Option<NewLogin>,
    /// How to log in for restores; `Some(None)`: as for backups.
    pub restore_login: Option<Option<NewLogin>>,
    /// Which certificate to take.
    pub trust: Option<Trust>,
    /// Replace the marker of another vault, which is dead.
    pub take_over: bool,
}

impl Vault {
    /// Registers an instance again: connects with what changed, sees that it is the instance that it was, writes its marker anew,
    /// and lists its databases. Doing it twice is doing it once. Nothing changes where it fails.
    ///
    /// # Errors
    /// It is not registered; it cannot be reached, refuses the login, is another instance (by its marker and by what it says of
    /// itself), or belongs to another vault.
    pub async fn reregister(&self, id: ServerId, change: ServerChange) -> Result<Server, Fault> {
        let before = self.get::<Server>(id).await?.record;
        if !before.is_registered() {
            return Err(Fault::new(Code::Bac2NotFound)
                .at(&before.name)
                .because("it is not registered any more"));
        }
        let mut session = self.session_with(&before, &change).await?;
        let said = mssql::facts::ask(&mut session)
            .await
            .map_err(|error| failed(Operation::Connect, &before.name, error))?;
        let facts = seen::server_facts(&said, self.now());
        let mark = marked(&mut session, &before.name, &said.rights).await?;
        let is_marked = matches!(&mark, Marked::By(one) if one.vault == self.id && one.server == id);
        // A machine that was set up anew under its old name is what people register again; one of another name is another instance.
        let is_named = before
            .facts
            .as_ref()
            .is_none_or(|known| known.server_name.eq_ignore_ascii_case(&facts.server_name));
        if !is_marked && !is_named {
            let now = format!("{} on {}", facts.server_name, facts.machine_name);
            return Err(Fault::new(Code::Bac2InstanceChanged)
                .at(&before.name)
                .because(&format!("{now} answers, without the marker of this registration")));
        }
        if let Marked::By(one) = &mark
            && one.vault == self.id
            && one.server != id
            && self
                .find::<Server>(one.server)
                .await?
                .is_some_and(|other| other.record.is_registered())
        {
            return Err(Fault::new(Code::Bac2NameTaken)
                .at(&before.name)
                .because("the instance is registered in this vault under another name"));
        }
        self.refuse_others(&before.name, &mark, change.take_over)?;
        let is_there = matches!(mark, Marked::By(_) | Marked::Strange(_));
        let changed = self.keep_change(&before, change).await?;
        match self.write_marker(&changed, &mut session, is_there).await {
            Ok(_) => {}
            // The probes say which right is missing.
            Err(fault) if fault.code() == Code::UserErrorSQLNoSysadminMembership => {}
            Err(fault) => return Err(fault),
        }
        self.change::<Server, _>(id, |server| {
            server.facts = Some(facts.clone());
            Ok(())
        })
        .await?;
        session.close().await;
        // What is wrong with it is in its record.
        let _ = self.discover_server(id, None).await;
        self.bell.ring();
        Ok(self.get::<Server>(id).await?.record)
    }

    /// Changes what is set for an instance; it is not asked.
    ///
    /// # Errors
    /// It is not registered; a setting is out of range, and which; the catalog cannot be written.
    pub async fn set_server(&self, id: ServerId, settings: ServerSettings) -> Result<Server, Fault> {
        check_settings(&settings)?;
        let (changed, ()) = self
            .change::<Server, _>(id, |server| {
                if !server.is_registered() {
                    return Err(Fault::new(Code::Bac2NotFound).at(&server.name));
                }
                server.settings = settings.clone();
                Ok(())
            })
            .await?;
        self.bell.ring();
        Ok(changed.record)
    }

    /// A session by the record with its changes.
    async fn session_with(&self, before: &Server, change: &ServerChange) -> Result<Session, Fault> {
        let login: Authentication = match &change.login {
            Some(login) => authentication(&before.name, login)?,
            None => self.target(before, super::Purpose::Backup).await?.authentication,
        };
        if let Some(Some(login)) = &change.restore_login {
            authentication(&before.name, login)?;
        }
        let address = change.address.as_deref().unwrap_or(&before.address);
        let trust = change.trust.as_ref().unwrap_or(&before.trust);
        let target = self.target_of(&before.name, address, login, trust)?;
        Session::open(self.world.connector.as_ref(), &target)
            .await
            .map_err(|error| connecting(&before.name, error))
    }

    /// Writes changes into the record, and forgets the secrets that they replace.
    async fn keep_change(&self, before: &Server, change: ServerChange) -> Result<Server, Fault> {
        let mut old = Vec::new();
        let login = match change.login {
            Some(login) => {
                old.push(before.login.clone());
                Some(self.keep_login(login).await?)
            }
            None => None,
        };
        let restore_login = match change.restore_login {
            Some(wanted) => {
                old.extend(before.restore_login.clone());
                Some(match wanted {
                    Some(login) => Some(self.keep_login(login).await?),
                    None => None,
                })
            }
            None => None,
        };
        let (old, login, restore_login, change) =
            (&old, &login, &restore_login, (&change.address, &change.trust));
        self.transact(move |tx| {
            scoped(async move {
                let mut found = demand::<Server>(tx, &self.key, &before.id.to_string()).await?;
                let server = &mut found.record;
                if let Some(login) = login {
                    server.login = login.clone();
                }
                if let Some(login) = restore_login {
                    server.restore_login.clone_from(login);
                }
                if let Some(address) = change.0 {
                    server.address.clone_from(address);
                }
                if let Some(trust) = change.1 {
                    server.trust = trust.clone();
                }
                self.forget_logins_in(tx, old).await?;
                Ok(update(tx, found).await?.record)
            })
        })
        .await
    }
}

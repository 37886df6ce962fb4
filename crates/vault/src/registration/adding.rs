//! Registering an instance.

use catalog::record::{Facts, Server, ServerId, ServerSettings, ServerState, name_key};
use catalog::{Query, Range, Scope, Slot, Transaction, insert, page, scoped, update};
use faults::{Code, Fault, Operation};
use mssql::{Authentication, Session};

use super::identity::is_same_instance;
use super::marker::{self, Marked, Marker};
use super::{NewLogin, NewServer, connecting, failed, marked};
use crate::discovery::seen;
use crate::records::Trouble;
use crate::vault::Vault;

/// The longest name of a server, in characters.
const NAME_MAX: usize = 128;

/// The least memory for buffers of an instance, in bytes.
const BUFFER_MIN: u64 = 64 << 20;

/// The most directories that are mapped for restores.
const PATHS_MAX: usize = 1_000;

/// Backups of an instance that may run at the same time.
const JOBS_AT_ONCE: std::ops::RangeInclusive<u32> = 1..=1_000;

impl Vault {
    /// Registers an instance: connects, reads its facts, marks it, probes what the vault needs. It is registered, and its
    /// databases are listed, even where probes fail; it is not where it cannot be reached or belongs to another vault.
    ///
    /// # Errors
    /// The name is taken or wrong, the instance cannot be reached, refuses the login, or belongs to another vault.
    pub async fn add_server(&self, new: NewServer) -> Result<ServerId, Fault> {
        check(&new)?;
        let (mut session, facts, rights) = self.first_look(&new).await?;
        let mark = marked(&mut session, &new.name, &rights).await?;
        let before = self.registered_as(&facts, &mark).await?;
        if let Some(other) = before.iter().find(|one| one.is_registered()) {
            return Err(Fault::new(Code::Bac2NameTaken)
                .at(&new.name)
                .because(&format!("the instance is registered already, as {}", other.name)));
        }
        self.refuse_others(&new.name, &mark, new.take_over)?;
        let id = before.first().map(|one| one.id);
        let (take_over, name) = (new.take_over, new.name.clone());
        let server = self.keep_server(id, new, facts).await?;
        let replaced = match mark {
            Marked::By(_) => true,
            Marked::Strange(_) => take_over,
            Marked::No | Marked::Unseen => false,
        };
        match self.write_marker(&server, &mut session, replaced).await {
            Ok(_) => {}
            // Registered all the same: the probes say which right is missing, and a discovery marks it when it is there.
            Err(fault) if fault.code() == Code::UserErrorSQLNoSysadminMembership => {}
            Err(fault) => {
                self.forget(server.id).await?;
                return Err(fault.at(&name));
            }
        }
        session.close().await;
        // What is wrong with it is in its record.
        let _ = self.discover_server(server.id, None).await;
        self.bell.ring();
        Ok(server.id)
    }

    /// Connects with what is not in the catalog yet.
    async fn first_look(&self, new: &NewServer) -> Result<(Session, Facts, mssql::facts::Rights), Fault> {
        let target = self.target_of(
            &new.name,
            &new.address,
            authentication(&new.name, &new.login)?,
            &new.trust,
        )?;
        if let Some(login) = &new.restore_login {
            authentication(&new.name, login)?;
        }
        let mut session = Session::open(self.world.connector.as_ref(), &target)
            .await
            .map_err(|error| connecting(&new.name, error))?;
        let said = mssql::facts::ask(&mut session)
            .await
            .map_err(|error| failed(Operation::Connect, &new.name, error))?;
        Ok((session, seen::server_facts(&said, self.now()), said.rights))
    }

    /// The registrations of this vault that are of this instance, by its marker, and by what it says of itself where that is not
    /// to be seen. Those that were unregistered count too.
    async fn registered_as(&self, facts: &Facts, mark: &Marked) -> Result<Vec<Server>, Fault> {
        let all = self.list::<Server>(Slot::A, Range::ALL).await?;
        let is_it = |server: &Server| {
            let by_mark = matches!(mark, Marked::By(one) if one.vault == self.id && one.server == server.id);
            by_mark
                || server
                    .facts
                    .as_ref()
                    .is_some_and(|known| is_same_instance(known, facts))
        };
        Ok(all
            .into_iter()
            .map(|one| one.record)
            .filter(|one| is_it(one))
            .collect())
    }

    /// Refuses an instance of another vault.
    pub(super) fn refuse_others(&self, name: &str, mark: &Marked, take_over: bool) -> Result<(), Fault> {
        let whose = match mark {
            Marked::By(marker) if marker.vault != self.id => {
                format!("its marker names the vault {}", marker.vault)
            }
            Marked::Strange(identity) => {
                format!("its marker says {identity:?}, which this program did not write")
            }
            _ => return Ok(()),
        };
        if take_over {
            return Ok(());
        }
        Err(Fault::new(Code::Bac2InstanceOfAnotherVault)
            .at(name)
            .because(&whose))
    }

    /// Writes the record: a new one, or over that of the same instance when it was unregistered.
    async fn keep_server(
        &self,
        again: Option<ServerId>,
        new: NewServer,
        facts: Facts,
    ) -> Result<Server, Fault> {
        let host = self.host_of(&facts.machine_name).await?;
        let login = self.keep_login(new.login).await?;
        let restore_login = match new.restore_login {
            Some(login) => Some(self.keep_login(login).await?),
            None => None,
        };
        let now = self.now();
        let server = &Server {
            id: again.unwrap_or_else(|| ServerId(self.world.chance.uuid())),
            name: new.name,
            address: new.address,
            login,
            restore_login,
            trust: new.trust,
            state: ServerState::Ready,
            host: Some(host),
            facts: Some(facts),
            marker: None,
            readiness: Vec::new(),
            registered: now,
            discovered: None,
            discovery_due: crate::discovery::first(now),
            history_read: 0,
            history_set: None,
            error_log_read: None,
            settings: new.settings,
            groups: Vec::new(),
        };
        let kept = self.transact(move |tx| {
            scoped(async move {
                self.free_name(tx, server).await?;
                match catalog::get::<Server>(tx, &self.key, &server.id.to_string()).await? {
                    Some(mut found) => {
                        found.record = Server {
                            history_read: found.record.history_read,
                            history_set: found.record.history_set,
                            error_log_read: found.record.error_log_read,
                            ..server.clone()
                        };
                        Ok(update(tx, found).await?.record)
                    }
                    None => Ok(insert(tx, &self.key, server.clone()).await?.record),
                }
            })
        });
        let kept = kept.await;
        if kept.is_err() {
            self.forget_logins(server).await?;
        }
        kept
    }

    /// Removes the secrets of a registration that did not come to its end.
    async fn forget_logins(&self, server: &Server) -> Result<(), Fault> {
        let logins = std::iter::once(server.login.clone()).chain(server.restore_login.clone());
        let logins = &logins.collect::<Vec<_>>();
        self.transact(move |tx| scoped(async move { self.forget_logins_in(tx, logins).await }))
            .await
    }

    /// Makes the name free where an unregistered instance still has it: that one's record is kept under a name with a part of its
    /// id.
    async fn free_name(&self, tx: &mut dyn Transaction, server: &Server) -> Result<(), Trouble> {
        let query = Query::of(
            Scope::vault(&self.key),
            Slot::A,
            Range::exactly(name_key(&server.name)),
        );
        let Some(mut found) = page::<Server>(tx, &query).await?.records.pop() else {
            return Ok(());
        };
        if found.record.id == server.id {
            return Ok(());
        }
        if found.record.is_registered() {
            return Err(Fault::new(Code::Bac2NameTaken)
                .at(&server.name)
                .because("another instance has this name in the vault")
                .into());
        }
        let part = &found.record.id.0.simple().to_string()[..8];
        found.record.name = format!("{} ({part})", found.record.name);
        update(tx, found).await?;
        Ok(())
    }

    /// Takes back a registration that did not come to its end.
    async fn forget(&self, id: ServerId) -> Result<(), Fault> {
        let at = self.now();
        let (server, ()) = self
            .change::<Server, _>(id, |server| {
                server.state = ServerState::Unregistered { at };
                Ok(())
            })
            .await?;
        self.forget_logins(&server.record).await
    }

    /// Writes the marker of a registration, and that it is written. A crash in between is found by the next discovery: the marker
    /// in the instance names the registration.
    ///
    /// # Errors
    /// The login may not; another vault was faster.
    pub(super) async fn write_marker(
        &self,
        server: &Server,
        session: &mut Session,
        replace: bool,
    ) -> Result<uuid::Uuid, Fault> {
        // Until it is known which one is there, none is wanted: a discovery after a crash takes the one it finds.
        self.change::<Server, _>(server.id, |server| {
            server.marker = None;
            Ok(())
        })
        .await?;
        let mark = self.world.chance.uuid();
        let marker = Marker {
            vault: self.id,
            server: server.id,
            mark,
        };
        if let Err(fault) = marker::write(session, &server.name, marker, replace).await {
            // Somebody was faster, perhaps.
            if let Ok(Marked::By(other)) = marked(session, &server.name, &all_rights()).await {
                self.refuse_others(&server.name, &Marked::By(other), false)?;
            }
            return Err(fault);
        }
        self.change::<Server, _>(server.id, |server| {
            server.marker = Some(mark);
            Ok(())
        })
        .await?;
        Ok(mark)
    }

    /// Marks an instance that is registered and carries no marker yet.
    ///
    /// # Errors
    /// Those of [`Self::write_marker`].
    pub(crate) async fn mark(&self, server: &Server, session: &mut Session) -> Result<uuid::Uuid, Fault> {
        self.write_marker(server, session, false).await
    }
}

/// Who asks for a marker that somebody else just wrote may see it.
fn all_rights() -> mssql::facts::Rights {
    mssql::facts::Rights {
        sysadmin: true,
        ..mssql::facts::Rights::default()
    }
}

/// Refuses what cannot be a registration, before anything is asked.
pub(super) fn check(new: &NewServer) -> Result<(), Fault> {
    let wrong = |field: &str, why: &str| Err(Fault::new(Code::Bac2InputInvalid).at(field).because(why));
    let name = &new.name;
    if name.trim() != name || !(1..=NAME_MAX).contains(&name.chars().count()) {
        return wrong("name", "1 to 128 characters, without a space at either end");
    }
    if name.contains('/') || name.chars().any(char::is_control) {
        return wrong(
            "name",
            "a slash parts server and database, so no name of a server has one, nor a control character",
        );
    }
    check_settings(&new.settings)
}

/// Refuses settings out of range.
pub(super) fn check_settings(settings: &ServerSettings) -> Result<(), Fault> {
    let wrong = |field: &str, why: &str| Err(Fault::new(Code::Bac2InputInvalid).at(field).because(why));
    if !JOBS_AT_ONCE.contains(&settings.jobs_at_once) {
        return wrong("jobsAtOnce", "1 to 1000");
    }
    if settings.buffer_bytes < BUFFER_MIN {
        return wrong(
            "bufferBytes",
            "at least 64 MiB, the buffers of one backup with a few stripes",
        );
    }
    if settings.path_map.len() > PATHS_MAX {
        return wrong("pathMap", "at most 1000 directories");
    }
    Ok(())
}

/// How to log in, from what is not in the catalog yet.
pub(super) fn authentication(name: &str, login: &NewLogin) -> Result<Authentication, Fault> {
    match login {
        NewLogin::Sql { user, password } => {
            if user.is_empty() || user.encode_utf16().count() > mssql::authentication::USER_MAX {
                return Err(Fault::new(Code::Bac2InputInvalid)
                    .at("user")
                    .because("a login has 1 to 128 characters"));
            }
            Ok(Authentication::Password {
                user: user.clone(),
                password: password.clone(),
            })
        }
        NewLogin::Windows => Ok(Authentication::Windows { service: None }),
        NewLogin::Entra {
            client,
            tenant,
            secret,
        } => {
            if client.is_empty() || tenant.is_empty() {
                return Err(Fault::new(Code::Bac2InputInvalid)
                    .at(name)
                    .because("a service principal has a client id and a tenant"));
            }
            Ok(Authentication::ServicePrincipal {
                tenant: tenant.clone(),
                client: client.clone(),
                secret: secret.clone(),
            })
        }
    }
}

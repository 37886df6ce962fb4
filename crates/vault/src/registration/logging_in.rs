//! Logging in to an instance as its record says, and what goes wrong there in the catalogue's codes.

use std::sync::Arc;

use catalog::record::{Login, Secret as SecretRecord, SecretId, Server, Trust};
use catalog::{insert, scoped};
use faults::{Code, Fault, Operation, Said};
use mssql::{Address, Authentication, ConnectError, Message, Secret, Session, Target};

use super::{NewLogin, Purpose};
use crate::vault::Vault;
use crate::world::Clock;

/// The vault's name in `sys.dm_exec_sessions`.
const PROGRAM: &str = "bac2 vault";

impl Vault {
    /// A session on an instance, logged in as its record says.
    ///
    /// # Errors
    /// It cannot be reached, refuses the login, or is not trusted; its secret cannot be opened.
    pub(crate) async fn session(&self, server: &Server, purpose: Purpose) -> Result<Session, Fault> {
        let target = self.target(server, purpose).await?;
        Session::open(self.world.connector.as_ref(), &target)
            .await
            .map_err(|error| connecting(&server.name, error))
    }

    /// Where and as whom to log in.
    ///
    /// # Errors
    /// The record's secret cannot be opened, or its address is none.
    pub(crate) async fn target(&self, server: &Server, purpose: Purpose) -> Result<Target, Fault> {
        let login = match (purpose, &server.restore_login) {
            (Purpose::Restore, Some(login)) => login,
            _ => &server.login,
        };
        let authentication = match login {
            Login::Sql { user, password } => Authentication::Password {
                user: user.clone(),
                password: self.reveal(*password).await?,
            },
            Login::Windows => Authentication::Windows { service: None },
            Login::Entra {
                client,
                tenant,
                secret,
            } => Authentication::ServicePrincipal {
                tenant: tenant.clone(),
                client: client.clone(),
                secret: self.reveal(*secret).await?,
            },
        };
        self.target_of(&server.name, &server.address, authentication, &server.trust)
    }

    /// The same of what is not in a record yet.
    ///
    /// # Errors
    /// The address or the fingerprint is none.
    pub(crate) fn target_of(
        &self,
        name: &str,
        address: &str,
        authentication: Authentication,
        trust: &Trust,
    ) -> Result<Target, Fault> {
        let wrong = |why: String| Fault::new(Code::Bac2InputInvalid).at(name).because(&why);
        let address: Address = address.parse().map_err(|error| wrong(format!("{error}")))?;
        let trust = match trust {
            Trust::Verify => mssql::Trust::verified(),
            Trust::Pin { sha256 } => {
                mssql::Trust::Pin(sha256.parse().map_err(|error| wrong(format!("{error}")))?)
            }
            Trust::Any => mssql::Trust::Anyone,
        };
        let mut target = Target::new(address, authentication, trust);
        PROGRAM.clone_into(&mut target.program);
        Ok(target)
    }

    /// A login as the catalog keeps it, its secret encrypted.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub(crate) async fn keep_login(&self, login: NewLogin) -> Result<Login, Fault> {
        Ok(match login {
            NewLogin::Sql { user, password } => Login::Sql {
                user,
                password: self.keep_secret(&password).await?,
            },
            NewLogin::Windows => Login::Windows,
            NewLogin::Entra {
                client,
                tenant,
                secret,
            } => Login::Entra {
                client,
                tenant,
                secret: self.keep_secret(&secret).await?,
            },
        })
    }

    /// A secret as the catalog keeps it.
    ///
    /// # Errors
    /// The catalog cannot be written.
    pub(crate) async fn keep_secret(&self, secret: &Secret) -> Result<SecretId, Fault> {
        let id = SecretId(self.world.chance.uuid());
        let record = &self.world.keyring.seal(id, secret, self.world.chance.as_ref())?;
        self.transact(move |tx| {
            scoped(async move {
                insert(tx, &self.key, record.clone()).await?;
                Ok(())
            })
        })
        .await?;
        Ok(id)
    }

    /// A secret in the open.
    ///
    /// # Errors
    /// There is none of this id, or the key is another one.
    pub(crate) async fn reveal(&self, id: SecretId) -> Result<Secret, Fault> {
        let record = self.get::<SecretRecord>(id).await?;
        self.world.keyring.open(&record.record)
    }
}

/// What SQL Server said, as the catalogue of faults takes it.
#[must_use]
pub(crate) fn said(messages: &[Message]) -> Vec<Said> {
    messages
        .iter()
        .map(|one| Said::new(one.number, one.state, one.class, one.line, &one.text))
        .collect()
}

/// Why there is no session.
#[must_use]
pub(crate) fn connecting(name: &str, error: ConnectError) -> Fault {
    match error {
        ConnectError::Refused { messages, .. } => Fault::of(Operation::Connect, &said(&messages)).at(name),
        ConnectError::Untrusted {
            reason, fingerprint, ..
        } => {
            let seen =
                fingerprint.map_or_else(String::new, |seen| format!("; it showed the certificate {seen}"));
            Fault::new(Code::Bac2ServerCertificateNotTrusted)
                .at(name)
                .because(&format!("{reason}{seen}"))
        }
        ConnectError::Unsupported { reason } => Fault::new(Code::Bac2AuthenticationUnavailable)
            .at(name)
            .because(&reason),
        other => {
            let code = faults::classify(Operation::Connect, &[Said::client(&other.to_string())]);
            let code = if code == Code::Bac2UnexpectedSqlError {
                Code::UserErrorOpeningSQLConnection
            } else {
                code
            };
            Fault::new(code).at(name).because(&other.to_string())
        }
    }
}

/// Why a statement of the vault failed.
#[must_use]
pub(crate) fn failed(operation: Operation, target: &str, error: mssql::session::Error) -> Fault {
    match error {
        mssql::session::Error::Refused { messages } => Fault::of(operation, &said(&messages)).at(target),
        mssql::session::Error::Interrupted { fault, messages } => {
            let code = match fault {
                mssql::Fault::Lost { .. } => Code::Bac2SessionLost,
                mssql::Fault::Cancelled => Code::Bac2JobCancelled,
                mssql::Fault::TimedOut => Code::Bac2JobTimedOut,
                mssql::Fault::TooMuch => Code::Bac2LimitReached,
                mssql::Fault::Unusable { .. } => Code::Bac2UnexpectedSqlError,
            };
            Fault::new(code)
                .with_said(operation, &said(&messages))
                .at(target)
                .because(&fault.to_string())
        }
        mssql::session::Error::Shape { reason } => Fault::new(Code::Bac2UnexpectedSqlError)
            .at(target)
            .because(&reason),
    }
}

/// The vault's clock, as `mssql` wants one.
pub(crate) struct Stopwatch(pub(crate) Arc<dyn Clock>);

#[async_trait::async_trait]
impl mssql::Clock for Stopwatch {
    fn elapsed(&self) -> std::time::Duration {
        self.0.uptime()
    }

    async fn sleep(&self, time: std::time::Duration) {
        self.0.sleep(time).await;
    }
}

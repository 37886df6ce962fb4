//! From a target to a connection.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use mssql_tds::connection::client_context::{ClientContext, TdsAuthenticationMethod};
use mssql_tds::connection::tds_client::TdsClient;
use mssql_tds::connection_provider::tds_connection_provider::TdsConnectionProvider;
use mssql_tds::core::{EncryptionOptions, EncryptionSetting};
use mssql_tds::error::Error;
use tempfile::NamedTempFile;
use tokio::time::Instant;
use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;

use super::certificate::{self, Seen, Unseen, Voucher};
use super::talking::Talking;
use super::{Tds, browser, convert, token};
use crate::authentication::{Authentication, USER_MAX};
use crate::connection::{ConnectError, Connection, Target};
use crate::trust::Trust;

/// Longest program name that LOGIN7 carries, in UTF-16 units.
const PROGRAM_MAX: usize = 128;
/// Nobody waits longer than a day for a connection, and clocks can count that far.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

pub(super) async fn connect(tds: &Tds, target: &Target) -> Result<Box<dyn Connection>, ConnectError> {
    let deadline = Instant::now() + target.within.min(LONGEST);
    let attempt = attempt(tds, target, deadline).with_subscriber(NoSubscriber::new());
    match tokio::time::timeout_at(deadline, attempt).await {
        Ok(Ok(client)) => Ok(Box::new(Talking::new(client))),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(ConnectError::TimedOut {
            address: target.address.to_string(),
            seconds: target.within.as_secs(),
        }),
    }
}

async fn attempt(tds: &Tds, target: &Target, deadline: Instant) -> Result<TdsClient, ConnectError> {
    let port = match target.address.port() {
        Some(port) => port,
        None => ask_browser(tds, target, deadline).await?,
    };
    let judged = judge(target, port, deadline).await?;
    let mut context = context(target, &judged)?;
    if let Authentication::ServicePrincipal {
        tenant,
        client,
        secret,
    } = &target.authentication
    {
        let token = token::of_principal(tenant, client, secret).await?;
        context.access_token = Some(token.reveal().to_owned());
    }
    let host = target.address.host();
    let place = if host.contains(':') {
        // An IPv6 address; the client takes a protocol before it for a part of it.
        format!("{host},{port}")
    } else {
        format!("tcp:{host},{port}")
    };
    match TdsConnectionProvider::new()
        .create_client(context, &place, None)
        .await
    {
        Ok(client) => Ok(client),
        Err(error) => Err(refused(error, target, port, deadline).await),
    }
}

async fn ask_browser(tds: &Tds, target: &Target, deadline: Instant) -> Result<u16, ConnectError> {
    let host = target.address.host();
    let instance = target.address.instance().unwrap_or_default();
    let unknown = |reason: String| ConnectError::InstanceUnknown {
        host: host.to_owned(),
        instance: instance.to_owned(),
        reason,
    };
    let places: Vec<SocketAddr> = match tds.browser {
        Some(place) => vec![place],
        None => tokio::net::lookup_host((host, browser::PORT))
            .await
            .map_err(|error| unreachable(target, &error))?
            .collect(),
    };
    // A third of the time is for the Browser: what it says must still be tried.
    let until = Instant::now() + deadline.saturating_duration_since(Instant::now()) / 3;
    let mut why = "the SQL Server Browser did not answer (UDP port 1434); HOST,PORT needs none".to_owned();
    for (asked, place) in places.iter().enumerate() {
        let left = until.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(places.len() - asked).unwrap_or(u32::MAX);
        match browser::port(*place, instance, Instant::now() + share).await {
            Ok(Some(port)) => return Ok(port),
            Ok(None) => {}
            Err(error) => {
                why = format!("the SQL Server Browser cannot be asked: {error}; HOST,PORT needs none");
            }
        }
    }
    Err(unknown(why))
}

fn unreachable(target: &Target, reason: &dyn std::fmt::Display) -> ConnectError {
    ConnectError::Unreachable {
        address: target.address.to_string(),
        reason: reason.to_string(),
    }
}

/// What the client is told of encryption. The file lives as long as it is needed.
struct Judged {
    options: EncryptionOptions,
    _file: Option<NamedTempFile>,
}

async fn judge(target: &Target, port: u16, deadline: Instant) -> Result<Judged, ConnectError> {
    let mut options = EncryptionOptions::new();
    options.mode = EncryptionSetting::Required;
    let mut file = None;
    match &target.trust {
        Trust::Verify {
            authorities: None,
            host,
        } => options.host_name_in_cert.clone_from(host),
        Trust::Verify {
            authorities: Some(authorities),
            host,
        } => {
            let host = host.as_deref().unwrap_or(target.address.host());
            let voucher = (authorities.as_str(), host);
            file = Some(hold(&look(target, port, Some(voucher), deadline).await?)?);
        }
        Trust::Pin(wanted) => {
            let seen = look(target, port, None, deadline).await?;
            if seen.fingerprint != *wanted {
                return Err(ConnectError::Untrusted {
                    address: target.address.to_string(),
                    reason: format!(
                        "its certificate has the fingerprint {}, and {wanted} is pinned",
                        seen.fingerprint
                    ),
                    fingerprint: Some(seen.fingerprint.to_string()),
                });
            }
            file = Some(hold(&seen)?);
        }
        Trust::Anyone => options.trust_server_certificate = true,
        Trust::Unencrypted => {
            if !target.address.is_loopback() {
                return Err(ConnectError::Unsupported {
                    reason: format!(
                        "{} is another machine, and connections to it are encrypted",
                        target.address.host()
                    ),
                });
            }
            options.mode = EncryptionSetting::PreferOff;
            options.trust_server_certificate = true;
        }
    }
    options.server_certificate = file.as_ref().map(|file| file.path().to_path_buf());
    Ok(Judged { options, _file: file })
}

/// A file with the one certificate that the client shall accept.
fn hold(seen: &Seen) -> Result<NamedTempFile, ConnectError> {
    let made = NamedTempFile::new().and_then(|mut file| {
        file.write_all(&seen.certificate)?;
        file.flush()?;
        Ok(file)
    });
    made.map_err(|error| ConnectError::Unsupported {
        reason: format!("no temporary file for the server's certificate can be made: {error}"),
    })
}

async fn look(
    target: &Target,
    port: u16,
    voucher: Option<(&str, &str)>,
    deadline: Instant,
) -> Result<Seen, ConnectError> {
    let host = target.address.host().to_owned();
    let voucher = voucher.map(|(authorities, host)| (authorities.to_owned(), host.to_owned()));
    // The thread cannot be stopped; its socket's own deadline lets it go by then.
    let patience = deadline
        .saturating_duration_since(Instant::now())
        .max(Duration::from_millis(1));
    let looked = tokio::task::spawn_blocking(move || {
        let voucher = voucher
            .as_ref()
            .map(|(authorities, host)| Voucher { authorities, host });
        certificate::look(&host, port, voucher.as_ref(), patience)
    });
    let address = target.address.to_string();
    match looked.await {
        Ok(Ok(seen)) => Ok(seen),
        Ok(Err(Unseen::Unreachable(error))) => Err(unreachable(target, &error)),
        Ok(Err(Unseen::Protocol(reason))) => Err(ConnectError::Protocol {
            address,
            reason: reason.to_owned(),
        }),
        Ok(Err(why)) => Err(ConnectError::Untrusted {
            address,
            reason: why.to_string(),
            fingerprint: None,
        }),
        Err(error) => Err(unreachable(target, &error)),
    }
}

fn context(target: &Target, judged: &Judged) -> Result<ClientContext, ConnectError> {
    let mut context = ClientContext::default();
    context.encryption_options = judged.options.clone();
    context.database.clone_from(&target.database);
    context.application_name = target.program.chars().take(PROGRAM_MAX / 2).collect();
    context.library_name = "bac2".to_owned();
    context.connect_timeout = super::talking::whole_seconds(target.within);
    // A session that comes back by itself is another session: what ran in it is not known. The caller decides.
    context.connect_retry_count = 0;
    match &target.authentication {
        Authentication::Password { user, password } => {
            if user.encode_utf16().count() > USER_MAX || password.reveal().encode_utf16().count() > USER_MAX {
                return Err(ConnectError::Unsupported {
                    reason: format!("a login and a password have {USER_MAX} characters at most"),
                });
            }
            context.tds_authentication_method = TdsAuthenticationMethod::Password;
            context.user_name.clone_from(user);
            password.reveal().clone_into(&mut context.password);
        }
        Authentication::Windows { service } => {
            context.tds_authentication_method = TdsAuthenticationMethod::SSPI;
            context.server_spn.clone_from(service);
        }
        Authentication::EntraToken(token) => {
            context.tds_authentication_method = TdsAuthenticationMethod::AccessToken;
            context.access_token = Some(token.reveal().to_owned());
        }
        // Its token is acquired when all that can be refused without it was looked at.
        Authentication::ServicePrincipal { .. } => {
            context.tds_authentication_method = TdsAuthenticationMethod::AccessToken;
        }
    }
    Ok(context)
}

/// What the client's refusal means.
async fn refused(error: Error, target: &Target, port: u16, deadline: Instant) -> ConnectError {
    let address = target.address.to_string();
    match error {
        Error::SqlServerError { diagnostics } => ConnectError::Refused {
            address,
            messages: diagnostics
                .info_messages
                .into_iter()
                .map(convert::information)
                .chain(diagnostics.errors.into_iter().map(convert::error))
                .collect(),
        },
        Error::TimeoutError(_) | Error::OperationCancelledError(_) => ConnectError::TimedOut {
            address,
            seconds: target.within.as_secs(),
        },
        Error::TlsError(_)
        | Error::TlsHandshakeError { .. }
        | Error::CertificateExpired
        | Error::CertificateMismatch
        | Error::NoServerCertificate => {
            // So that who knows the server can compare and pin; without it the refusal stands as well.
            let seen = look(target, port, None, deadline).await.ok();
            ConnectError::Untrusted {
                address,
                reason: error.to_string(),
                fingerprint: seen.map(|seen| seen.fingerprint.to_string()),
            }
        }
        Error::Security(_) | Error::UnimplementedFeature { .. } => ConnectError::Unsupported {
            reason: error.to_string(),
        },
        Error::Io(_) | Error::ConnectionError(_) | Error::ConnectionClosed(_) => unreachable(target, &error),
        error => ConnectError::Protocol {
            address,
            reason: error.to_string(),
        },
    }
}

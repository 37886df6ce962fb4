//! Who logs in.
//!
//! A [`Secret`] is never printed: not by Debug, not in an error, not in a log. It is overwritten in no special way when it is
//! dropped; a machine whose memory others can read is lost anyway.

use std::fmt;

/// Something that must not be seen.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps it.
    #[must_use]
    pub fn new(secret: String) -> Self {
        Self(secret)
    }

    /// The secret itself, for the one place that sends it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// Longest login name that LOGIN7 carries, in UTF-16 units.
pub const USER_MAX: usize = 128;

/// How to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// SQL Server's own logins.
    Password {
        /// The login.
        user: String,
        /// Its password.
        password: Secret,
    },
    /// The account that this process runs under: SSPI on Windows; on Linux Kerberos, with a ticket in the cache and the machine's
    /// GSSAPI library. Neither has been tried against a real domain.
    Windows {
        /// The service's name (`MSSQLSvc/host:port`) where it is not made of the address.
        service: Option<String>,
    },
    /// Microsoft Entra, with a token that somebody else acquired. Has not been tried against a real server.
    EntraToken(Secret),
    /// Microsoft Entra, as a service principal: a token is acquired by its secret. Has not been tried against a real tenant.
    ServicePrincipal {
        /// Tenant: its id or a name of its domain.
        tenant: String,
        /// Application (client) id.
        client: String,
        /// Its secret.
        secret: Secret,
    },
}

//! CREATE, ALTER and DROP CREDENTIAL, by which SQL Server shows itself to the vault's door.
//!
//! For block blobs the credential's name is the container's URL, so no two of them can stand side by side, and none has room for
//! a mark of who made it. What the vault knows of its own is what it remembers: number and date of creation, as sys.credentials
//! gave them right after. A credential that is not remembered so was made by somebody else, and is never altered or dropped; the
//! vault says what stands in the way and leaves it to a human.

use crate::authentication::Secret;
use crate::outcome::Rows;
use crate::quoting::{Identifier, Literal, QuotingError};
use crate::session::Error;
use crate::value::DateTime;

/// The identity of a credential that holds a shared access signature.
pub const SAS_IDENTITY: &str = "SHARED ACCESS SIGNATURE";
/// Longest signature that 2019 and earlier take.
pub const SAS_MAX: usize = 256;

/// What a credential must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its name: the container's URL for block blobs, anything for page blobs.
    pub name: Identifier,
    /// [`SAS_IDENTITY`], or the account for page blobs.
    pub identity: Literal,
    /// The signature, or the account's key.
    pub secret: Secret,
}

/// A credential that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// Name or identity.
    #[error(transparent)]
    Name(#[from] QuotingError),
    /// The URL must be the container's, with nothing behind it.
    #[error("{0:?} is no container: https://HOST/CONTAINER, without a slash at its end")]
    Container(String),
    /// A signature of no use.
    #[error(
        "the signature is empty, has a line break, or is longer than the {SAS_MAX} characters that SQL Server 2019 and earlier take"
    )]
    Signature,
}

impl Wanted {
    /// For a container of block blobs. A question mark before the signature is left out.
    ///
    /// # Errors
    /// [`CredentialError`].
    pub fn for_container(url: &str, signature: &Secret) -> Result<Self, CredentialError> {
        let parts: Vec<&str> = url.split('/').collect();
        let plain = matches!(parts[..], [scheme, "", host, container]
            if scheme.eq_ignore_ascii_case("https:") && !host.is_empty() && !container.is_empty());
        if !plain || url.contains(['?', '#']) {
            return Err(CredentialError::Container(url.chars().take(300).collect()));
        }
        let signature = signature.reveal();
        let signature = signature.strip_prefix('?').unwrap_or(signature);
        if signature.is_empty() || signature.len() > SAS_MAX || signature.contains(['\n', '\r', '\0']) {
            return Err(CredentialError::Signature);
        }
        Ok(Self {
            name: Identifier::new(url)?,
            identity: Literal::new(SAS_IDENTITY)?,
            secret: Secret::new(signature.to_owned()),
        })
    }

    /// For page blobs: the account and its key.
    ///
    /// # Errors
    /// [`CredentialError`].
    pub fn for_account(name: &str, account: &str, key: &Secret) -> Result<Self, CredentialError> {
        Ok(Self {
            name: Identifier::new(name)?,
            identity: Literal::new(account)?,
            secret: key.clone(),
        })
    }

    /// CREATE CREDENTIAL.
    #[must_use]
    pub fn create(&self) -> Secret {
        self.statement("CREATE")
    }

    /// ALTER CREDENTIAL, to change the secret of one that is [`Standing::Ours`].
    #[must_use]
    pub fn alter(&self) -> Secret {
        self.statement("ALTER")
    }

    fn statement(&self, verb: &str) -> Secret {
        let secret = self.secret.reveal().replace('\'', "''");
        let Self { name, identity, .. } = self;
        Secret::new(format!(
            "{verb} CREDENTIAL {name} WITH IDENTITY = {identity}, SECRET = N'{secret}';"
        ))
    }

    /// DROP CREDENTIAL, for one that is [`Standing::Ours`].
    #[must_use]
    pub fn drop(&self) -> String {
        format!("DROP CREDENTIAL {};", self.name)
    }

    /// Asks how it stands; [`found`] reads the answer.
    #[must_use]
    pub fn query(&self) -> String {
        format!(
            "SELECT credential_id, credential_identity, create_date, modify_date FROM sys.credentials WHERE name = {};",
            self.name.literal()
        )
    }

    /// How it stands, by what was found and what is remembered of making one.
    #[must_use]
    pub fn standing(&self, found: Option<&Found>, made: Option<&Found>) -> Standing {
        let Some(found) = found else {
            return Standing::Absent;
        };
        let same = made.is_some_and(|made| (made.id, made.created) == (found.id, found.created));
        if same && found.identity.eq_ignore_ascii_case(self.identity.text()) {
            Standing::Ours
        } else {
            Standing::Foreign
        }
    }
}

/// A credential as sys.credentials shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// `credential_id`.
    pub id: i32,
    /// `credential_identity`.
    pub identity: String,
    /// `create_date`, on the server's clock.
    pub created: DateTime,
    /// `modify_date`.
    pub modified: DateTime,
}

/// How a credential stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is none: it may be made.
    Absent,
    /// The vault made it: it may be altered and dropped.
    Ours,
    /// Somebody else made it: it is left alone.
    Foreign,
}

/// Reads the answer to [`Wanted::query`].
///
/// # Errors
/// [`Error::Shape`].
pub fn found(rows: &Rows) -> Result<Option<Found>, Error> {
    let read = |row: crate::outcome::Row<'_>| {
        Ok(Found {
            id: row.get("credential_id")?,
            identity: row.optional("credential_identity")?.unwrap_or_default(),
            created: row.get("create_date")?,
            modified: row.get("modify_date")?,
        })
    };
    rows.first().map(read).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Wanted {
        let signature = Secret::new("?sv=2020&sig=a'b%3D".to_owned());
        Wanted::for_container("https://vault.example/c1", &signature).unwrap()
    }

    #[test]
    fn the_signature_has_no_question_mark_and_is_never_shown() {
        let wanted = wanted();
        assert_eq!(
            wanted.create().reveal(),
            "CREATE CREDENTIAL [https://vault.example/c1] WITH IDENTITY = N'SHARED ACCESS SIGNATURE', SECRET = N'sv=2020&sig=a''b%3D';"
        );
        assert!(wanted.alter().reveal().starts_with("ALTER CREDENTIAL ["));
        let shown = format!("{wanted:?} {:?}", wanted.create());
        assert!(!shown.contains("sig="), "{shown}");
    }

    #[test]
    fn a_container_is_a_host_and_one_segment() {
        let signature = Secret::new("x".to_owned());
        for wrong in [
            "https://v/c/",
            "https://v/c/d",
            "https://v",
            "http://v/c",
            "https://v/c?x",
            "https:///c",
        ] {
            assert!(Wanted::for_container(wrong, &signature).is_err(), "{wrong}");
        }
        for wrong in [String::new(), "?".to_owned(), "x".repeat(257), "a\nb".to_owned()] {
            let refused = Wanted::for_container("https://v/c", &Secret::new(wrong));
            assert_eq!(refused.err(), Some(CredentialError::Signature));
        }
    }

    #[test]
    fn only_what_is_remembered_is_ours() {
        let moment = |ticks| DateTime { days: 1, ticks };
        let found = |id, ticks, identity: &str| Found {
            id,
            identity: identity.to_owned(),
            created: moment(ticks),
            modified: moment(9),
        };
        let made = found(7, 5, "Shared Access Signature");
        let wanted = wanted();
        assert_eq!(wanted.standing(None, Some(&made)), Standing::Absent);
        assert_eq!(wanted.standing(Some(&made), Some(&made)), Standing::Ours);
        assert_eq!(wanted.standing(Some(&made), None), Standing::Foreign);
        // Dropped and made again by somebody, or with another number or identity.
        for other in [
            found(7, 6, SAS_IDENTITY),
            found(8, 5, SAS_IDENTITY),
            found(7, 5, "account"),
        ] {
            assert_eq!(wanted.standing(Some(&other), Some(&made)), Standing::Foreign);
        }
    }
}

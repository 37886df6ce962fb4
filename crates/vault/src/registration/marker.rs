//! The marker: what one vault writes into an instance so that every other vault sees whose it is.
//!
//! It is a credential without a secret, under one name for all vaults, whose identity says vault, registration and a number of
//! its own. `ALTER ANY CREDENTIAL`, which backups to URLs need anyway, is enough to write and to read it; it belongs to the
//! instance and not to a database, goes back with the instance when its machine is put back, and two vaults that write at the
//! same time meet: CREATE CREDENTIAL succeeds for one of them. The engine never uses it.

use std::fmt;

use catalog::record::{ServerId, VaultId};
use faults::{Fault, Operation};
use mssql::Session;
use mssql::facts::Rights;
use mssql::quoting::{Identifier, Literal};
use uuid::Uuid;

use super::failed;

/// Name of the credential.
pub const MARKER_NAME: &str = "bac2 vault";

/// What the identity begins with.
const WORDS: [&str; 3] = ["vault", "server", "mark"];

/// Whose an instance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marker {
    /// The vault.
    pub(crate) vault: VaultId,
    /// The registration in it.
    pub(crate) server: ServerId,
    /// New with each writing: an instance that was put back to a time before shows an older one.
    pub(crate) mark: Uuid,
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "vault {} server {} mark {}",
            self.vault, self.server, self.mark
        )
    }
}

/// What an instance says of whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Marked {
    /// The login may not see credentials.
    Unseen,
    /// There is no marker.
    No,
    /// There is one.
    By(Marker),
    /// There is a credential of that name that no vault of this kind wrote; its identity, cut to 100 characters.
    Strange(String),
}

impl Marked {
    fn read(identity: &str) -> Self {
        let words: Vec<&str> = identity.split(' ').collect();
        let uuid = |at: usize| words.get(at).and_then(|word| word.parse::<Uuid>().ok());
        let is_ours = words.len() == 6 && [0, 2, 4].map(|at| words[at]) == WORDS;
        match (is_ours, uuid(1), uuid(3), uuid(5)) {
            (true, Some(vault), Some(server), Some(mark)) => Self::By(Marker {
                vault: VaultId(vault),
                server: ServerId(server),
                mark,
            }),
            _ => Self::Strange(identity.chars().take(100).collect()),
        }
    }
}

fn name() -> Identifier {
    Identifier::new(MARKER_NAME).expect("ten letters are a name")
}

/// Looks whose an instance is.
///
/// # Errors
/// The instance cannot be asked.
pub(crate) async fn marked(session: &mut Session, target: &str, rights: &Rights) -> Result<Marked, Fault> {
    let may_see = rights.sysadmin || rights.alter_credentials || rights.view_definition;
    let text = format!(
        "SELECT credential_identity FROM sys.credentials WHERE name = {};",
        name().literal()
    );
    let rows = session
        .query(&text)
        .await
        .map_err(|error| failed(Operation::Discovery, target, error))?;
    let Some(row) = rows.first() else {
        return Ok(if may_see { Marked::No } else { Marked::Unseen });
    };
    let identity: Option<String> = row
        .optional("credential_identity")
        .map_err(|error| failed(Operation::Discovery, target, error))?;
    Ok(Marked::read(&identity.unwrap_or_default()))
}

/// Writes the marker; over the one that is there, where `replace`.
///
/// # Errors
/// The login may not; another vault was faster.
pub(crate) async fn write(
    session: &mut Session,
    target: &str,
    marker: Marker,
    replace: bool,
) -> Result<(), Fault> {
    let verb = if replace { "ALTER" } else { "CREATE" };
    let identity = Literal::new(&marker.to_string()).expect("three ids are a short text");
    let text = format!("{verb} CREDENTIAL {} WITH IDENTITY = {identity};", name());
    session
        .execute(&text)
        .await
        .map(|_| ())
        .map_err(|error| failed(Operation::Discovery, target, error))
}

/// Removes the marker.
///
/// # Errors
/// The login may not, or the instance cannot be asked.
pub(crate) async fn remove(session: &mut Session, target: &str) -> Result<(), Fault> {
    session
        .execute(&format!("DROP CREDENTIAL {};", name()))
        .await
        .map(|_| ())
        .map_err(|error| failed(Operation::Discovery, target, error))
}

#[cfg(test)]
mod tests {
    use catalog::record::{ServerId, VaultId};
    use uuid::Uuid;

    use super::{Marked, Marker};

    #[test]
    fn what_is_written_is_read_back_and_nothing_else_is_a_marker() {
        let marker = Marker {
            vault: VaultId(Uuid::from_u128(1)),
            server: ServerId(Uuid::from_u128(2)),
            mark: Uuid::from_u128(3),
        };
        assert_eq!(Marked::read(&marker.to_string()), Marked::By(marker));
        for other in [
            "",
            "SHARED ACCESS SIGNATURE",
            "vault 1 server 2 mark 3",
            &format!("{marker} more"),
            &marker.to_string().replace("mark", "sign"),
        ] {
            let cut = other.chars().take(100).collect();
            assert_eq!(Marked::read(other), Marked::Strange(cut));
        }
    }
}

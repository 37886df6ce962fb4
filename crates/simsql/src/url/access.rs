//! Which credential a URL is reached with, and so by which of the two clients.

use std::collections::BTreeMap;

use super::Direction;
use super::address::Address;
use crate::instance::Version;
use crate::instance::server::StoredCredential;
use crate::media::Credential;
use crate::message::Failure;

/// How a statement reaches a URL.
#[derive(Clone, PartialEq, Eq)]
pub enum Access {
    /// No WITH CREDENTIAL: a SAS, the credential named by the container's URL. Block blobs.
    Container(Credential),
    /// WITH CREDENTIAL: an account and its key. Page blobs, by the client that this version has beside it.
    Account(Credential, Version),
}

/// The identity of a credential that holds a SAS.
const SAS: &str = "SHARED ACCESS SIGNATURE";
/// Characters of a SAS at most up to 2019, as documented; that a longer one reads as a SAS in bad form does is inferred.
const SAS_LONGEST: usize = 256;

/// Finds the credential for a URL: the one that WITH CREDENTIAL names, else the one whose name is the longest prefix of the URL
/// by whole segments.
///
/// # Errors
/// 3078, 3297, 3057 the URL; 3289 no WITH CREDENTIAL before 2016; 3288 the named credential is not there; 3225 it holds a SAS;
/// 3201 with error 50 where no credential fits the URL, as DBAs see it. That there is no page blob client on Linux (3292) is left
/// out: a simulation has both clients wherever it runs.
pub fn access(
    url: &str,
    named: Option<&str>,
    credentials: &BTreeMap<String, StoredCredential>,
    version: Version,
    direction: Direction,
) -> Result<Access, Failure> {
    let address = Address::parse(url)?;
    if let Some(named) = named {
        let found = credentials
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(named));
        let (name, stored) = found.ok_or_else(|| Failure::new(3288, &[&named]))?;
        if stored.identity.eq_ignore_ascii_case(SAS) {
            return Err(Failure::new(3225, &[]));
        }
        return Ok(Access::Account(credential(name, stored), version));
    }
    if version < Version::V2016 {
        return Err(Failure::new(3289, &[]));
    }
    let fits = |name: &str| {
        let start = address.text.get(..name.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(name))
            && address.text[name.len()..].starts_with('/')
            && name.len() >= address.container().len()
    };
    let best = credentials
        .iter()
        .filter(|(name, stored)| fits(name) && stored.identity.eq_ignore_ascii_case(SAS))
        .max_by_key(|(name, _)| name.len());
    match best {
        Some((_, stored)) if version <= Version::V2019 && stored.secret.len() > SAS_LONGEST => {
            Err(super::failure::cannot_open(url, 50))
        }
        Some((name, stored)) => Ok(Access::Container(credential(name, stored))),
        None => {
            // Which statement it was makes no difference: the device cannot be opened.
            let (Direction::Backup | Direction::Restore) = direction;
            Err(super::failure::cannot_open(url, 50))
        }
    }
}

fn credential(name: &str, stored: &StoredCredential) -> Credential {
    Credential {
        name: name.to_owned(),
        identity: stored.identity.clone(),
        secret: stored.secret.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Access, SAS, access};
    use crate::instance::Version;
    use crate::instance::server::StoredCredential;
    use crate::moment::Moment;
    use crate::url::Direction;

    fn stored(identity: &str) -> StoredCredential {
        StoredCredential {
            id: 1,
            identity: identity.to_owned(),
            secret: "secret".to_owned(),
            created: Moment(0),
            modified: Moment(0),
        }
    }

    #[test]
    fn the_credential_decides_the_client() {
        let mut long = stored(SAS);
        long.secret = "x".repeat(257);
        let credentials = BTreeMap::from([
            (
                "https://vault.example/c".to_owned(),
                stored("Shared Access Signature"),
            ),
            (
                "https://vault.example/c/deep".to_owned(),
                stored("SHARED ACCESS SIGNATURE"),
            ),
            ("key".to_owned(), stored("vault01")),
            ("https://vault.example/slash/".to_owned(), stored(SAS)),
            ("https://vault.example/long".to_owned(), long),
            ("https://vault.example/d".to_owned(), stored("vault01")),
        ]);
        let find =
            |url: &str, named, version| match access(url, named, &credentials, version, Direction::Backup) {
                Ok(Access::Container(credential)) => Ok(format!("container {}", credential.name)),
                Ok(Access::Account(credential, _)) => Ok(format!("account {}", credential.name)),
                Err(failure) => Err(failure.messages[0].number),
            };
        let (new, old) = (Version::V2022, Version::V2014);
        assert_eq!(
            find("https://vault.example/c/a.bak", None, new).unwrap(),
            "container https://vault.example/c"
        );
        assert_eq!(
            find("https://vault.example/c/deep/a.bak", None, new).unwrap(),
            "container https://vault.example/c/deep"
        );
        assert_eq!(find("https://vault.example/cc/a.bak", None, new), Err(3201));
        // The name is that of the container exactly, without a slash behind it.
        assert_eq!(find("https://vault.example/slash/a.bak", None, new), Err(3201));
        // 257 characters: more than 2019 takes.
        assert_eq!(
            find("https://vault.example/long/a.bak", None, Version::V2019),
            Err(3201)
        );
        assert!(find("https://vault.example/long/a.bak", None, new).is_ok());
        // An account's key is no SAS, whatever the credential is called.
        assert_eq!(find("https://vault.example/d/a.bak", None, new), Err(3201));
        assert_eq!(find("https://vault.example/c/a.bak", None, old), Err(3289));
        assert_eq!(
            find("https://vault.example/x/a.bak", Some("KEY"), old).unwrap(),
            "account key"
        );
        assert_eq!(
            find("https://vault.example/x/a.bak", Some("none"), new),
            Err(3288)
        );
        assert_eq!(
            find(
                "https://vault.example/x/a.bak",
                Some("https://vault.example/c"),
                new
            ),
            Err(3225)
        );
    }
}

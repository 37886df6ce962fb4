//! What a request is signed with.
//!
//! Account keys are not sent and sign no requests: they make a short-lived SAS with bac2's own signing code, the same
//! that its door verifies with. So there are two ways in all: a SAS in the query, or a bearer token. The client library
//! never sees a SAS: it is put onto the request where it leaves ([`super::transport`]).

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use azblob::grant::ResourceTypes;
use azblob::names::AccountName;
use azblob::permission::Permissions;
use azblob::sas::AccountSas;
use azblob::shared_key::Secret;
use azblob::time::UnixMillis;
use azblob::version::ApiVersion;
use azure_core::credentials::TokenCredential;
use serde::Deserialize;
use url::form_urlencoded;

use super::OpenError;

/// Longest text of a SAS or a key; real ones have a few hundred characters.
const TEXT_MAX: u64 = 16 << 10;

/// How long a SAS made from a key lasts: long enough for the clocks of two machines and every retry, short enough that
/// a leaked one is soon worth nothing.
const LIFE_MILLIS: i64 = 60 * 60 * 1000;
/// A SAS made from a key begins so long before now, since clocks differ (Azure's own advice: 15 minutes).
const SKEW_MILLIS: i64 = 15 * 60 * 1000;
/// Clocks that differ by more are not believed: nobody shall get a SAS for the far future by telling a wrong time.
const AHEAD_MAX_MILLIS: i64 = 24 * 60 * 60 * 1000;
/// It is made anew so long before it ends.
const MARGIN_MILLIS: i64 = 20 * 60 * 1000;

/// What the account is entered with.
#[derive(Clone, Debug)]
pub enum Credential {
    /// The account's key.
    AccountKey {
        /// The account, where its address does not say it.
        name: Option<AccountName>,
        /// The key.
        key: Box<Secret>,
    },
    /// A shared access signature, of the account or of one container.
    Sas(Sas),
    /// The same in a file, which may be replaced while a run goes on.
    SasFile(PathBuf),
    /// Microsoft Entra ID: the identity of the environment.
    Entra,
    /// Bearer tokens from elsewhere.
    Identity(Arc<dyn TokenCredential>),
}

impl Credential {
    /// Reads an account key: the key alone, or a connection string (`...;AccountName=...;AccountKey=...;...`).
    ///
    /// # Errors
    /// It is neither. The text is not repeated.
    pub fn from_key_text(text: &str) -> Result<Self, OpenError> {
        let field = |name: &str| {
            let mut fields = text.trim().split(';').filter_map(|field| field.split_once('='));
            fields.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let name = match field("AccountName") {
            None => None,
            Some(name) => Some(AccountName::new(name).map_err(|_| OpenError::AccountName)?),
        };
        let key = field("AccountKey").unwrap_or(text.trim());
        let key = Secret::from_base64(key).map_err(|_| OpenError::Key)?;
        Ok(Self::AccountKey {
            name,
            key: Box::new(key),
        })
    }
}

/// The text of a shared access signature, checked. Printing it shows that there is one, never what it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Sas {
    query: String,
    expiry: Option<UnixMillis>,
    /// Good for the account as a whole, so that its containers can be listed.
    service: bool,
}

/// A SAS as tools print it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Printed {
    /// Quoted.
    Text(String),
    /// With what it is good for.
    Created { token: String },
}

impl Sas {
    /// Reads the query of a SAS, with or without its question mark, or a whole URL that ends with one; also as tools
    /// print it into a file: the JSON of `bac2 sas create`, or the quoted text of `az storage ... generate-sas`.
    ///
    /// # Errors
    /// It is none, or holds more than a signature. The text is not repeated.
    pub fn parse(text: &str) -> Result<Self, OpenError> {
        // Windows's editors put a byte order mark in front.
        let text = text.trim_start_matches('\u{feff}').trim();
        let printed = text.starts_with(['"', '{']).then(|| serde_json::from_str(text));
        let text = match &printed {
            Some(Ok(Printed::Text(token) | Printed::Created { token })) => token.as_str(),
            Some(Err(_)) | None => text,
        };
        let query = match text.split_once('?') {
            Some((before, query)) if before.is_empty() || before.contains("://") => query,
            Some(_) => return Err(OpenError::Sas("it is no SAS: a question mark stands inside it")),
            None => text,
        };
        if query.len() as u64 > TEXT_MAX
            || !query
                .bytes()
                .all(|b| b.is_ascii_graphic() && !b"#\"<>\\".contains(&b))
        {
            return Err(OpenError::Sas(
                "it must be one line of ASCII characters, as it was handed out",
            ));
        }
        let mut sas = Self {
            query: query.to_owned(),
            expiry: None,
            service: false,
        };
        let mut signed = false;
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "sig" => signed = !value.is_empty(),
                "se" => sas.expiry = UnixMillis::parse_iso(&value.replace(' ', "+")),
                "srt" => sas.service = value.contains('s'),
                "sr" if value != "c" => {
                    return Err(OpenError::Sas(
                        "it is good for one blob or folder: take one for the container or the account",
                    ));
                }
                // All parameters of a SAS begin so; anything else would change what is asked for.
                "snapshot" => return Err(OpenError::Sas("it is good for one snapshot")),
                name if name.starts_with('s') || name.starts_with("rsc") => {}
                _ => return Err(OpenError::Sas("it holds more than a SAS")),
            }
        }
        signed
            .then_some(sas)
            .ok_or(OpenError::Sas("it has no signature (sig=)"))
    }

    /// Reads it from a file.
    ///
    /// # Errors
    /// The file cannot be read, or holds no SAS.
    pub fn read(path: &Path) -> Result<Self, OpenError> {
        let failed = |error: std::io::Error| OpenError::File {
            path: path.to_owned(),
            why: error.to_string(),
        };
        let mut text = String::new();
        // A pipe would be waited for, in the middle of a run too.
        if !std::fs::metadata(path).map_err(failed)?.is_file() {
            return Err(OpenError::File {
                path: path.to_owned(),
                why: "it is not a plain file".to_owned(),
            });
        }
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(TEXT_MAX).read_to_string(&mut text).map_err(failed)?;
        Self::parse(&text)
    }

    /// The query, a secret.
    pub(super) fn query(&self) -> &str {
        &self.query
    }

    /// Until when it is good, where it says so itself.
    pub(super) fn expiry(&self) -> Option<UnixMillis> {
        self.expiry
    }

    /// Whether the account's containers can be listed with it.
    pub(super) fn is_for_the_account(&self) -> bool {
        self.service
    }
}

impl fmt::Debug for Sas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sas(***)")
    }
}

/// The present moment, from outside.
#[derive(Clone)]
pub struct Now(pub Arc<dyn Fn() -> UnixMillis + Send + Sync>);

impl fmt::Debug for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Now")
    }
}

/// A clock that stands still.
impl From<UnixMillis> for Now {
    fn from(at: UnixMillis) -> Self {
        Self(Arc::new(move || at))
    }
}

/// Keeps a SAS that is good at this moment.
#[derive(Debug)]
pub(super) struct Signer {
    source: Source,
    now: Now,
    current: Mutex<Current>,
}

#[derive(Debug)]
enum Source {
    /// None is needed.
    Bearer,
    /// It cannot be renewed.
    Text,
    File(PathBuf),
    Key {
        account: AccountName,
        key: Box<Secret>,
        permissions: Permissions,
        https_only: bool,
    },
}

#[derive(Debug)]
struct Current {
    sas: Option<Arc<Sas>>,
    /// How far the service's clock is ahead of ours, as far as it matters: learned from a refusal.
    ahead: i64,
}

impl Signer {
    pub(super) fn bearer(now: Now) -> Self {
        Self::with(Source::Bearer, None, now)
    }

    pub(super) fn text(sas: Sas, now: Now) -> Self {
        Self::with(Source::Text, Some(sas), now)
    }

    pub(super) fn file(path: PathBuf, now: Now) -> Result<Self, OpenError> {
        let sas = Sas::read(&path)?;
        Ok(Self::with(Source::File(path), Some(sas), now))
    }

    /// `acting` asks for the letters to break and delete as well.
    pub(super) fn key(
        account: AccountName,
        key: Box<Secret>,
        acting: bool,
        https_only: bool,
        now: Now,
    ) -> Self {
        let reading = Permissions::READ | Permissions::LIST;
        let permissions = match acting {
            true => reading | Permissions::WRITE | Permissions::DELETE,
            false => reading,
        };
        let source = Source::Key {
            account,
            key,
            permissions,
            https_only,
        };
        Self::with(source, None, now)
    }

    fn with(source: Source, sas: Option<Sas>, now: Now) -> Self {
        let current = Current {
            sas: sas.map(Arc::new),
            ahead: 0,
        };
        Self {
            source,
            now,
            current: Mutex::new(current),
        }
    }

    /// The SAS for the next request; `None` where a bearer token is used.
    pub(super) fn sas(&self) -> Option<Arc<Sas>> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(self.source, Source::Key { .. }) {
            let now = UnixMillis((self.now.0)().0.saturating_add(current.ahead));
            let good = |sas: &Sas| {
                sas.expiry().is_some_and(|at| {
                    let left = at.0.saturating_sub(now.0);
                    (MARGIN_MILLIS..=LIFE_MILLIS).contains(&left)
                })
            };
            if !current.sas.as_deref().is_some_and(good) {
                current.sas = self.mint(now).map(Arc::new);
            }
        }
        current.sas.clone()
    }

    /// After a refusal of `used`, answered at `at` by the service's clock: whether there is another one to try. A file is
    /// read again; a SAS of ours whose times do not fit the service's clock is made by that clock.
    pub(super) fn renew(&self, used: &Sas, at: Option<UnixMillis>) -> bool {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.sas.as_deref().is_some_and(|sas| sas != used) {
            return true; // Another request has found it already.
        }
        match &self.source {
            Source::Bearer | Source::Text => false,
            Source::File(path) => match Sas::read(path) {
                Ok(sas) if sas != *used => {
                    current.sas = Some(Arc::new(sas));
                    true
                }
                _ => false,
            },
            Source::Key { .. } => {
                let (Some(at), Some(end)) = (at, used.expiry()) else {
                    return false;
                };
                let start = end.0 - LIFE_MILLIS - SKEW_MILLIS;
                let ahead = at.0.saturating_sub((self.now.0)().0);
                if (start..end.0).contains(&at.0) || ahead.unsigned_abs() > AHEAD_MAX_MILLIS.unsigned_abs() {
                    return false;
                }
                current.ahead = ahead;
                current.sas = self.mint(at).map(Arc::new);
                true
            }
        }
    }

    fn mint(&self, now: UnixMillis) -> Option<Sas> {
        let Source::Key {
            account,
            key,
            permissions,
            https_only,
        } = &self.source
        else {
            return None;
        };
        let now = now.truncated_to_second();
        let query = AccountSas {
            version: ApiVersion::CURRENT,
            types: ResourceTypes {
                service: true,
                container: true,
                object: true,
            },
            permissions: *permissions,
            start: Some(UnixMillis(now.0.saturating_sub(SKEW_MILLIS))),
            expiry: UnixMillis(now.0.saturating_add(LIFE_MILLIS)),
            https_only: *https_only,
            source: None,
        }
        .sign(account, key);
        Some(Sas {
            query,
            expiry: Some(UnixMillis(now.0.saturating_add(LIFE_MILLIS))),
            service: true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sas_is_read_as_people_have_it() {
        let query = "sv=2021-12-02&ss=b&srt=sco&sp=rl&se=2026-11-21T15:00:00Z&sig=abc%3D";
        let ways = [
            query.to_owned(),
            format!("?{query}"),
            format!("  {query}\r\n"),
            format!("https://acme.blob.core.windows.net/backups?{query}"),
        ];
        for text in ways {
            let sas = Sas::parse(&text).unwrap();
            assert_eq!(sas.query(), query);
            assert_eq!(sas.expiry(), UnixMillis::parse_iso("2026-11-21T15:00:00Z"));
            assert!(sas.is_for_the_account());
            assert_eq!(format!("{sas:?}"), "Sas(***)");
        }
        for printed in [
            "{\n  \"account\": \"shop\",\n  \"token\": \"sv=1&sr=c&sig=a\",\n  \"url\": null\n}\n",
            "\"sv=1&sr=c&sig=a\"\n",
        ] {
            assert_eq!(Sas::parse(printed).unwrap().query(), "sv=1&sr=c&sig=a");
        }
        assert!(!Sas::parse("sv=1&ss=b&srt=co&sig=a").unwrap().is_for_the_account());
        let policy = Sas::parse("sv=1&sr=c&si=policy&sig=a").unwrap();
        assert!(!policy.is_for_the_account() && policy.expiry().is_none());
    }

    #[test]
    fn what_is_no_sas_is_refused_without_repeating_it() {
        for text in [
            "",
            "SECRET",
            "sv=1&sig=",
            "sv=1&sp=SECRET",
            "sv=1&sig=SECRET&comp=lease",
            "sv=1&sig=SECRET&snapshot=2026",
            "sv=1&sig=SECRET&versionid=2026",
            "sv=1&sr=b&sig=SECRET",
            "sv=1&sig=SECRET\nsv=2&sig=SECRET",
            "sv=1&sig=SECRET#x",
            "name?sv=1&sig=SECRET",
            "{\"token\": \"SECRET\"}",
            "{\"sas\": \"sv=1&sig=SECRET\"}",
            "\"sv=1&sig=SECRET",
        ] {
            let error = Sas::parse(text).unwrap_err();
            assert!(
                !format!("{error} {error:?}").contains("SECRET"),
                "{text}: {error}"
            );
        }
        assert!(Sas::parse(&format!("sig={}", "a".repeat(20_000))).is_err());
    }

    #[test]
    fn a_key_is_read_alone_or_from_a_connection_string() {
        let key = "S2V5T2ZUaGVUZXN0c0tleU9mVGhlVGVzdHM=";
        let Credential::AccountKey { name: None, .. } =
            Credential::from_key_text(&format!(" {key}\n")).unwrap()
        else {
            panic!("a key alone has no name");
        };
        let text =
            format!("DefaultEndpointsProtocol=https;AccountName=acme;AccountKey={key};EndpointSuffix=x");
        let credential = Credential::from_key_text(&text).unwrap();
        let Credential::AccountKey { name: Some(name), .. } = &credential else {
            panic!("the name stands in it");
        };
        assert_eq!(name.as_str(), "acme");
        assert!(!format!("{credential:?}").contains("S2V5"));
        for text in ["", "no key", "AccountName=A_B;AccountKey=x", "c2hvcnQ="] {
            let error = Credential::from_key_text(text).unwrap_err();
            assert!(!error.to_string().contains("A_B"), "{error}");
        }
    }
}

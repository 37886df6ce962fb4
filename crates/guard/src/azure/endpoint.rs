//! The address of an account, and of the blobs in it.
//!
//! Two styles: the host names the account (`https://NAME.blob.core.windows.net`), or the path does
//! (`http://127.0.0.1:10000/devstoreaccount1`, Azurite and bac2's own door). The address never holds a secret.
//!
//! The client library's own addresses are not used: it leaves tabs out of a name and takes a blob named `..` for its
//! container, so that a deletion could meet something that nobody judged. A name is written here so that every byte of
//! it arrives, or not at all.

use azblob::names::AccountName;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::{Host, Url};

use super::OpenError;
use crate::place::Place;

/// Hosts whose first label is always the account: Azure's clouds, partitioned DNS zones included.
const AZURE: [&str; 4] = [
    ".core.windows.net",
    ".core.chinacloudapi.cn",
    ".core.usgovcloudapi.net",
    ".storage.azure.net",
];

/// What stays as it is in a path's segment: the unreserved characters of RFC 3986. All else is percent-encoded, so that
/// nothing of a name is taken for a delimiter.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// An account's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    url: Url,
    text: String,
}

impl Endpoint {
    /// Reads it.
    ///
    /// # Errors
    /// What is wrong with it; never the query, which may be a signature.
    pub(super) fn parse(text: &str) -> Result<Self, OpenError> {
        let bad = |why: &str| OpenError::Url(why.to_owned());
        let mut url = Url::parse(text.trim()).map_err(|error| bad(&error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad("it must begin with https:// or http://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("it must not hold a user name or a password"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(bad(
                "a SAS does not belong into the address: put it into a file and name that with --sas-file",
            ));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        if path.matches('/').count() > 1 || (!path.is_empty() && is_azure(&url)) {
            return Err(bad(
                "it names more than the account: name the container with --container",
            ));
        }
        url.set_path(&path);
        let text = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { url, text })
    }

    /// For people: no slash at its end.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    pub(super) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Whether it is on this machine; such requests never go through a proxy.
    pub(super) fn is_loopback(&self) -> bool {
        match self.url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            None => false,
        }
    }

    /// The account's name: the path where there is one, else the first label of a host name.
    pub(super) fn account(&self) -> Option<AccountName> {
        let path = self.url.path().trim_matches('/');
        if !path.is_empty() {
            return AccountName::new(path).ok();
        }
        match self.url.host()? {
            Host::Domain(name) => AccountName::new(name.split_once('.')?.0).ok(),
            Host::Ipv4(_) | Host::Ipv6(_) => None,
        }
    }

    /// The URL of a container; `None` for a name that no URL can hold.
    pub(super) fn container(&self, name: &str) -> Option<Url> {
        self.join(&encode(name, true)?)
    }

    /// The URL of a blob; `None` for a name that no URL can hold (`.` and `..`, which every URL reader takes for a way
    /// up).
    pub(super) fn blob(&self, place: &Place) -> Option<Url> {
        let dots = |segment: &str| matches!(segment, "." | "..");
        let whole = place.blob.split('/').any(dots);
        let path = format!(
            "{}/{}",
            encode(&place.container, true)?,
            encode(&place.blob, whole)?
        );
        self.join(&path)
    }

    /// The address with `path` after it, byte for byte.
    fn join(&self, path: &str) -> Option<Url> {
        let url = Url::parse(&format!("{}/{path}", self.text)).ok()?;
        let kept = url.path().len() == self.url.path().trim_end_matches('/').len() + 1 + path.len();
        (kept && url.path().ends_with(path) && url.query().is_none()).then_some(url)
    }
}

/// One path of a name: slashes stay slashes, unless the name is `whole`, one segment with its slashes encoded.
fn encode(name: &str, whole: bool) -> Option<String> {
    if name.is_empty() || matches!(name, "." | "..") {
        return None;
    }
    let segment = |text: &str| utf8_percent_encode(text, SEGMENT).to_string();
    Some(if whole {
        segment(name)
    } else {
        name.split('/').map(segment).collect::<Vec<_>>().join("/")
    })
}

fn is_azure(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    AZURE.iter().any(|suffix| host.ends_with(suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(text: &str) -> Endpoint {
        Endpoint::parse(text).unwrap()
    }

    #[test]
    fn the_account_is_in_the_host_or_in_the_path() {
        for (text, address, account) in [
            (
                "https://acme.blob.core.windows.net",
                "https://acme.blob.core.windows.net",
                "acme",
            ),
            (
                "https://acme.blob.core.windows.net/",
                "https://acme.blob.core.windows.net",
                "acme",
            ),
            (
                " https://acme.z01.blob.storage.azure.net ",
                "https://acme.z01.blob.storage.azure.net",
                "acme",
            ),
            (
                "http://127.0.0.1:10000/devstoreaccount1",
                "http://127.0.0.1:10000/devstoreaccount1",
                "devstoreaccount1",
            ),
            (
                "http://127.0.0.1:10000/devstoreaccount1/",
                "http://127.0.0.1:10000/devstoreaccount1",
                "devstoreaccount1",
            ),
            (
                "http://localhost:10000/acme",
                "http://localhost:10000/acme",
                "acme",
            ),
            (
                "https://vault.example.org/acme",
                "https://vault.example.org/acme",
                "acme",
            ),
            (
                "https://acme.vault.example.org:8443",
                "https://acme.vault.example.org:8443",
                "acme",
            ),
            ("https://[::1]:443/acme", "https://[::1]/acme", "acme"),
        ] {
            let endpoint = endpoint(text);
            assert_eq!(endpoint.text(), address);
            assert_eq!(
                endpoint.account().map(String::from).as_deref(),
                Some(account),
                "{text}"
            );
        }
        for nameless in [
            "http://127.0.0.1:10000",
            "http://localhost:10000",
            "https://[::1]",
        ] {
            assert_eq!(endpoint(nameless).account(), None, "{nameless}");
        }
    }

    #[test]
    fn what_is_no_address_of_an_account_is_refused_without_repeating_it() {
        for text in [
            "",
            "acme",
            "ftp://acme.example.org",
            "file:///etc/passwd",
            "https://user:SECRET@acme.example.org",
            "https://SECRET@acme.example.org",
            "https://acme.blob.core.windows.net/?sv=1&sig=SECRET",
            "https://acme.blob.core.windows.net?sig=SECRET",
            "https://acme.blob.core.windows.net/#SECRET",
            "https://acme.blob.core.windows.net/container",
            "http://127.0.0.1:10000/devstoreaccount1/container",
        ] {
            let error = Endpoint::parse(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("SECRET"), "{error}");
        }
    }

    #[test]
    fn names_keep_every_byte() {
        let endpoint = endpoint("http://127.0.0.1:1/acme");
        let path = |blob: &str| {
            let url = endpoint.blob(&Place::new("c", blob))?;
            assert!(url.query().is_none() && url.fragment().is_none());
            Some(url.path().strip_prefix("/acme/c/")?.to_owned())
        };
        for (blob, want) in [
            ("a b/c", "a%20b/c"),
            ("50%?#&+", "50%25%3F%23%26%2B"),
            ("/x//y/", "/x//y/"),
            ("a/../b", "a%2F..%2Fb"),
            ("./a", ".%2Fa"),
            ("%2e%2e", "%252e%252e"),
            ("a\\b\tc", "a%5Cb%09c"),
            ("ü", "%C3%BC"),
            ("...", "..."),
        ] {
            assert_eq!(path(blob).as_deref(), Some(want), "{blob:?}");
        }
        for blob in ["", ".", ".."] {
            assert_eq!(path(blob), None, "{blob:?}");
        }
        assert_eq!(endpoint.container("$logs").unwrap().path(), "/acme/%24logs");
        assert_eq!(endpoint.container(".."), None);
    }
}

//! The address of an account, and of the blobs in it.
//!
//! Two styles: the host names the account (`https://NAME.blob.core.windows.net`), or the path does
//! (`http://127.0.0.1:10000/devstoreaccount1`, Azurite and bac2's own door). The address never holds a secret.

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

//! Whose storage a request is for: the account, from the path or from the host.
//!
//! Path style, `http://host:port/ACCOUNT/container/blob`: a first segment equal to the name of an account is
//! always the account. Otherwise host style: the first label of the host names it, or there is only one
//! account and the first segment is the container (how SQL Server with a shared access signature writes). Which hosts a
//! server was configured with does not matter here: whose request it is, its signature decides.

use http::header::HOST;
use http::{HeaderMap, Uri};

use crate::error::{ErrorCode, Refusal};
use crate::names::AccountName;

/// Where the account was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressStyle {
    /// First segment of the path.
    Path,
    /// Host name, or the only account there is.
    Host,
}

/// The account of a request and the rest of its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Whose storage.
    pub account: AccountName,
    /// Where that stood.
    pub style: AddressStyle,
    /// The path below the account, without a leading slash, as encoded on the wire.
    pub path: String,
}

impl Address {
    /// Finds the account among those the server has.
    ///
    /// # Errors
    /// 400 `InvalidUri` when none is named and there is not exactly one.
    pub fn locate(uri: &Uri, headers: &HeaderMap, accounts: &[AccountName]) -> Result<Self, Refusal> {
        let path = uri.path().strip_prefix('/').unwrap_or(uri.path());
        let (first, rest) = path.split_once('/').unwrap_or((path, ""));
        if let Some(account) = accounts.iter().find(|a| a.as_str() == first) {
            return Ok(Self {
                account: account.clone(),
                style: AddressStyle::Path,
                path: rest.to_owned(),
            });
        }
        let host = uri
            .host()
            .or_else(|| headers.get(HOST)?.to_str().ok())
            .unwrap_or_default();
        let label = host.split(['.', ':']).next().unwrap_or_default();
        // The first number of an address is no name, although an account may be called 127.
        let is_address = (host.bytes()).all(|b| b.is_ascii_digit() || matches!(b, b'.' | b':'));
        let named = accounts
            .iter()
            .find(|a| !is_address && a.as_str().eq_ignore_ascii_case(label));
        let account = match (named, accounts) {
            (Some(account), _) | (None, [account]) => account.clone(),
            _ => {
                return Err(Refusal::with_message(
                    ErrorCode::InvalidUri,
                    "The requested URI names no storage account of this server; it should begin with \
                     /ACCOUNT/CONTAINER.",
                ));
            }
        };
        Ok(Self {
            account,
            style: AddressStyle::Host,
            path: path.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locate(uri: &str, host: &str, accounts: &[&str]) -> Option<(String, AddressStyle, String)> {
        let accounts: Vec<AccountName> = accounts.iter().map(|a| AccountName::new(*a).unwrap()).collect();
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        let found = Address::locate(&uri.parse().unwrap(), &headers, &accounts).ok()?;
        Some((found.account.to_string(), found.style, found.path))
    }

    #[test]
    fn path_then_host_then_the_only_one() {
        let two = ["alpha", "beta"];
        let found = |account: &str, style, path: &str| Some((account.to_owned(), style, path.to_owned()));
        let (path, host) = (AddressStyle::Path, AddressStyle::Host);
        assert_eq!(
            locate("/alpha/c/b/d%2F?x", "127.0.0.1:10000", &two),
            found("alpha", path, "c/b/d%2F")
        );
        assert_eq!(locate("/alpha", "127.0.0.1", &two), found("alpha", path, ""));
        assert_eq!(
            locate("/c/b", "beta.blob.example:443", &two),
            found("beta", host, "c/b")
        );
        assert_eq!(
            locate("http://beta.example/c", "ignored", &two),
            found("beta", host, "c")
        );
        assert_eq!(
            locate("/alpha/c", "beta.example", &two),
            found("alpha", path, "c")
        );
        assert_eq!(
            locate("/c/b", "backup.local", &["alpha"]),
            found("alpha", host, "c/b")
        );
        assert_eq!(locate("/c/b", "backup.local", &two), None);
        assert_eq!(locate("/", "backup.local", &two), None);
        assert_eq!(locate("/c/b", "127.0.0.1:10000", &["127", "beta"]), None);
        assert_eq!(
            locate("/c/b", "127.example", &["127", "beta"]),
            found("127", host, "c/b")
        );
    }
}

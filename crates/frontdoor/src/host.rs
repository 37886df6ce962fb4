//! Names and addresses under which clients find this server, as configured with `--host`.
//!
//! A host is a DNS name, kept in lower case without a final dot, or an IP address. Wildcards are not hosts: what a
//! certificate of ours covers is listed name by name.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use azblob::names::AccountName;

/// Octets of a DNS name and of one label (RFC 1035 2.3.4).
const NAME_MAX: usize = 253;
const LABEL_MAX: usize = 63;

/// A DNS name or an IP address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// A DNS name: letters in lower case, digits, hyphens and dots.
    Name(String),
    /// An address.
    Address(IpAddr),
}

/// The text is no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no DNS name of letters, digits, hyphens and dots, and no IP address")]
pub struct NotAHost(String);

impl FromStr for Host {
    type Err = NotAHost;

    fn from_str(text: &str) -> Result<Self, NotAHost> {
        let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
        if let Ok(address) = bare.unwrap_or(text).parse() {
            return Ok(Host::Address(address));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let legal = |label: &str| {
            (1..=LABEL_MAX).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        // A name whose last label is a number would be read as a broken address by every client.
        let last_is_number = |name: &str| {
            name.rsplit('.')
                .next()
                .is_some_and(|label| label.bytes().all(|b| b.is_ascii_digit()))
        };
        if name.len() > NAME_MAX || !name.split('.').all(legal) || last_is_number(&name) {
            return Err(NotAHost(text.to_owned()));
        }
        Ok(Host::Name(name))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Address(address) => address.fmt(f),
        }
    }
}

impl Host {
    /// The names and addresses by which a machine always finds itself.
    pub fn always() -> [Host; 3] {
        [
            Host::Name("localhost".to_owned()),
            Host::Address(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            Host::Address(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        ]
    }

    /// Everything a certificate for these hosts covers, in a stable order and without repetition: the hosts, below
    /// each DNS name one name an account (`ACCOUNT.HOST`, the host style of Azure), and [`Host::always`].
    pub fn covered(hosts: &[Host], accounts: &[AccountName]) -> Vec<Host> {
        let mut all = hosts.to_vec();
        for host in hosts {
            if let Host::Name(name) = host {
                let below = accounts.iter().map(|account| format!("{account}.{name}"));
                all.extend(below.filter(|name| name.len() <= NAME_MAX).map(Host::Name));
            }
        }
        all.extend(Host::always());
        let mut seen = std::collections::BTreeSet::new();
        all.retain(|host| seen.insert(host.clone()));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_in_one_spelling() {
        let host: Host = "Backup.Example.".parse().unwrap();
        assert_eq!(host, Host::Name("backup.example".to_owned()));
        assert_eq!(
            "[::1]".parse(),
            Ok(Host::Address(IpAddr::V6(Ipv6Addr::LOCALHOST)))
        );
        assert_eq!(
            "10.0.0.7".parse(),
            Ok(Host::Address(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7))))
        );
        let label = "a".repeat(63);
        assert!(label.parse::<Host>().is_ok());
        for wrong in [
            "",
            ".",
            "a..b",
            "*.example",
            "-a.example",
            "a-.example",
            "a b",
            "host:443",
            "https://host",
            "bäckup.example",
            "under_score",
            "10.0.0.256",
            "1.2.3",
            &format!("{label}a"),
            &format!("{label}.{label}.{label}.{label}"),
        ] {
            assert!(wrong.parse::<Host>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn accounts_get_names_below_every_host() {
        let hosts = ["backup.example", "10.0.0.7", "localhost"].map(|h| h.parse().unwrap());
        let accounts = ["vault01", "vault02"].map(|a| AccountName::new(a).unwrap());
        let covered: Vec<String> = Host::covered(&hosts, &accounts)
            .iter()
            .map(Host::to_string)
            .collect();
        assert_eq!(
            covered,
            [
                "backup.example",
                "10.0.0.7",
                "localhost",
                "vault01.backup.example",
                "vault02.backup.example",
                "vault01.localhost",
                "vault02.localhost",
                "127.0.0.1",
                "::1",
            ]
        );
    }
}

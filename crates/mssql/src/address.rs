//! Where an instance is, in the words that SQL Server's own tools use: `HOST`, `HOST,PORT`, `HOST\INSTANCE`.
//!
//! A port says where to connect; an instance without a port must be asked for at the SQL Server Browser of its host. Hosts are
//! names or addresses of IPv4 or IPv6 (brackets may stand around the latter); `.` and `(local)` are this machine. Named pipes and
//! shared memory are deliberately absent: a vault reaches its servers over the network.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// The port of a default instance.
pub const DEFAULT_PORT: u16 = 1433;
/// Longest name of a host, as DNS allows it.
const HOST_MAX: usize = 253;
/// Longest label of a host's name.
const LABEL_MAX: usize = 63;
/// Longest name of an instance, as SQL Server's setup allows it.
const INSTANCE_MAX: usize = 16;
/// What the default instance is called; who writes it means no named one.
const DEFAULT_INSTANCE: &str = "MSSQLSERVER";

/// Where an instance is. Prints as it is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    host: String,
    instance: Option<String>,
    port: Option<u16>,
}

/// Text that is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// There is no host.
    #[error("the address has no host; write HOST, HOST,PORT or HOST\\INSTANCE")]
    NoHost,
    /// The host is no name and no number.
    #[error("{0:?} is no host name and no IP address")]
    Host(String),
    /// `HOST:PORT`.
    #[error("SQL Server's addresses have a comma before the port: write {0}")]
    Colon(String),
    /// The port.
    #[error("{0:?} is no port; 1 to 65535")]
    Port(String),
    /// The instance.
    #[error(
        "{0:?} is no name of an instance: up to 16 letters, digits, _, $ and #, the first no digit; others are reached by their port"
    )]
    Instance(String),
    /// A named pipe, or another protocol.
    #[error("only TCP is spoken here: write HOST, HOST,PORT or HOST\\INSTANCE")]
    Protocol,
}

impl Address {
    /// The host: a name, or an IP address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The named instance; `None` for the default one.
    #[must_use]
    pub fn instance(&self) -> Option<&str> {
        self.instance.as_deref()
    }

    /// The port, where it is known without asking the Browser.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        match (self.port, &self.instance) {
            (Some(port), _) => Some(port),
            (None, None) => Some(DEFAULT_PORT),
            (None, Some(_)) => None,
        }
    }

    /// Whether the host is this machine by its very name or number.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let text = match text.get(..4) {
            Some(prefix) if prefix.eq_ignore_ascii_case("tcp:") => text[4..].trim_start(),
            _ => text,
        };
        let lower = text.to_ascii_lowercase();
        if text.starts_with(r"\\") || ["np:", "lpc:", "admin:"].iter().any(|one| lower.starts_with(one)) {
            return Err(AddressError::Protocol);
        }
        let (rest, port) = match text.rsplit_once(',') {
            Some((rest, port)) => (rest, Some(parse_port(port.trim())?)),
            None => (text, None),
        };
        let (host, instance) = match rest.split_once('\\') {
            Some((host, instance)) => (host, parse_instance(instance.trim())?),
            None => (rest, None),
        };
        Ok(Self {
            host: parse_host(host.trim())?,
            instance,
            port,
        })
    }
}

fn parse_port(text: &str) -> Result<u16, AddressError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u16>() {
        Ok(port) if digits && port != 0 => Ok(port),
        _ => Err(AddressError::Port(text.to_owned())),
    }
}

fn parse_instance(text: &str) -> Result<Option<String>, AddressError> {
    let mut bytes = text.bytes();
    let first = bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    let rest = bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_$#".contains(&byte));
    if !first || !rest || text.len() > INSTANCE_MAX {
        return Err(AddressError::Instance(text.to_owned()));
    }
    Ok((!text.eq_ignore_ascii_case(DEFAULT_INSTANCE)).then(|| text.to_owned()))
}

fn parse_host(text: &str) -> Result<String, AddressError> {
    if text.is_empty() {
        return Err(AddressError::NoHost);
    }
    if text == "." || text.eq_ignore_ascii_case("(local)") {
        return Ok("localhost".to_owned());
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    if let Ok(ip) = bare.unwrap_or(text).parse::<Ipv6Addr>() {
        return Ok(ip.to_string());
    }
    if let Some((host, port)) = text.rsplit_once(':')
        && parse_port(port).is_ok()
        && parse_host(host).is_ok()
    {
        return Err(AddressError::Colon(format!("{host},{port}")));
    }
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= LABEL_MAX
            && !label.starts_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let name = text.strip_suffix('.').unwrap_or(text);
    if name.len() > HOST_MAX || !name.split('.').all(label) {
        return Err(AddressError::Host(text.to_owned()));
    }
    Ok(text.to_owned())
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        if let Some(instance) = &self.instance {
            write!(f, "\\{instance}")?;
        }
        match self.port {
            Some(port) => write!(f, ",{port}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (String, Option<String>, Option<u16>) {
        let address: Address = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        (
            address.host().to_owned(),
            address.instance().map(str::to_owned),
            address.port(),
        )
    }

    #[test]
    fn addresses_as_sql_servers_own_tools_take_them() {
        let plain = |host: &str, port| (host.to_owned(), None, Some(port));
        assert_eq!(read("sql1"), plain("sql1", 1433));
        assert_eq!(
            read(" sql1.corp.example , 14330 "),
            plain("sql1.corp.example", 14_330)
        );
        assert_eq!(read("TCP:sql1,5"), plain("sql1", 5));
        assert_eq!(read("."), plain("localhost", 1433));
        assert_eq!(read(r"(LOCAL)\MSSQLSERVER"), plain("localhost", 1433));
        assert_eq!(read("10.0.0.7"), plain("10.0.0.7", 1433));
        assert_eq!(read("::1"), plain("::1", 1433));
        assert_eq!(read("[2001:DB8::1],1444"), plain("2001:db8::1", 1444));
        let named = Some("SQL$2_19".to_owned());
        assert_eq!(read(r"sql1\SQL$2_19"), ("sql1".to_owned(), named.clone(), None));
        assert_eq!(
            read(r"sql1\SQL$2_19,1500"),
            ("sql1".to_owned(), named, Some(1500))
        );
    }

    #[test]
    fn what_is_no_address_is_refused_with_a_reason() {
        let refused = |text: &str| text.parse::<Address>().unwrap_err();
        assert_eq!(refused(""), AddressError::NoHost);
        assert_eq!(refused(",1433"), AddressError::NoHost);
        assert_eq!(refused(r"\INST"), AddressError::NoHost);
        assert_eq!(refused("sql1:1433"), AddressError::Colon("sql1,1433".to_owned()));
        assert!(matches!(refused("sql1,0"), AddressError::Port(_)));
        assert!(matches!(refused("sql1,+5"), AddressError::Port(_)));
        assert!(matches!(refused("sql1,65536"), AddressError::Port(_)));
        assert!(matches!(refused(r"sql1\"), AddressError::Instance(_)));
        assert!(matches!(refused(r"sql1\1A"), AddressError::Instance(_)));
        assert!(matches!(refused(r"sql1\a;b"), AddressError::Instance(_)));
        assert!(matches!(
            refused(r"sql1\abcdefghijklmnopq"),
            AddressError::Instance(_)
        ));
        assert!(matches!(refused("sql 1"), AddressError::Host(_)));
        assert!(matches!(refused("a..b"), AddressError::Host(_)));
        assert!(matches!(refused(&"a".repeat(64)), AddressError::Host(_)));
        assert_eq!(refused(r"\\sql1\pipe\sql\query"), AddressError::Protocol);
        assert_eq!(refused("np:sql1"), AddressError::Protocol);
    }

    #[test]
    fn what_is_printed_is_read_back() {
        for text in ["sql1", "sql1,1500", r"sql1\A", r"sql1\A,1500", "::1,1433"] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
            assert_eq!(address.to_string().parse(), Ok(address));
        }
    }
}

//! The URL of a backup device: what SQL Server accepts, and its parts.

use crate::message::Failure;

/// Characters of a device name at most.
const LONGEST: usize = 259;

/// A URL that a backup device can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// As the statement has it.
    pub(super) text: String,
    /// The same as a URI.
    pub(super) uri: http::Uri,
}

impl Address {
    /// Checks a URL: https, a host by its DNS name, port 443, no query, a container and a blob.
    ///
    /// # Errors
    /// 3057 too long, 3297 no absolute URI or with a query, 3078 for the rest.
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        let length = text.encode_utf16().count();
        if length > LONGEST {
            return Err(Failure::new(3057, &[&LONGEST]));
        }
        let has_scheme = text
            .get(..8)
            .is_some_and(|start| start.eq_ignore_ascii_case("https://"));
        if !has_scheme || text.contains(['?', '#']) {
            return Err(Failure::new(3297, &[]));
        }
        let refused = || Failure::new(3078, &[&text]);
        if text.contains('\\') {
            return Err(refused());
        }
        let rest = &text[8..];
        let (authority, path) = rest.split_once('/').ok_or_else(refused)?;
        let host = authority.strip_suffix(":443").unwrap_or(authority);
        let is_name = !host.is_empty()
            && host.parse::<std::net::IpAddr>().is_err()
            && host
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.');
        let has_blob = path
            .split_once('/')
            .is_some_and(|(container, blob)| !container.is_empty() && !blob.is_empty());
        if !is_name || !has_blob {
            return Err(refused());
        }
        let encoded = format!("https://{}/{}", host.to_ascii_lowercase(), encode(path));
        let uri = encoded.parse().map_err(|_| refused())?;
        Ok(Self {
            text: text.to_owned(),
            uri,
        })
    }

    /// `https://host/container`, the name that a SAS credential has.
    pub(super) fn container(&self) -> &str {
        let end = self.text[8..]
            .match_indices('/')
            .nth(1)
            .map_or(self.text.len(), |(at, _)| at + 8);
        &self.text[..end]
    }
}

/// A path as WinHTTP sends it: what a URI cannot hold is encoded, and what is encoded already stays.
fn encode(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~/%!$&'()*+,;=:@".contains(&byte);
        if plain {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::Address;

    fn refusal(text: &str) -> Option<i32> {
        Address::parse(text)
            .err()
            .map(|failure| failure.messages[0].number)
    }

    #[test]
    fn only_https_by_name_on_port_443_with_container_and_blob() {
        let address = Address::parse("https://Vault.example/c/dir/my db.bak").unwrap();
        assert_eq!(address.uri.to_string(), "https://vault.example/c/dir/my%20db.bak");
        assert_eq!(address.container(), "https://Vault.example/c");
        assert_eq!(refusal("https://vault.example:443/c/b.bak"), None);
        // Ports, addresses and http are refused, as tools for Azurite found out.
        assert_eq!(
            refusal("http://127.0.0.1:20000/devstoreaccount1/c/b.bak"),
            Some(3297)
        );
        assert_eq!(refusal("https://127.0.0.1/c/b.bak"), Some(3078));
        assert_eq!(refusal("https://vault.example:8443/c/b.bak"), Some(3078));
        assert_eq!(refusal("https://vault.example/c/b.bak?sv=1"), Some(3297));
        assert_eq!(refusal(r"https://vault.example/c\b.bak"), Some(3078));
        assert_eq!(refusal("https://vault.example/b.bak"), Some(3078));
        assert_eq!(
            refusal(&format!("https://vault.example/c/{}", "x".repeat(240))),
            Some(3057)
        );
    }
}

//! Request heads signed with SharedKey, built before the clock starts.
//!
//! Written for the bench alone and from the documents, so that neither the product's parser nor its signer is
//! asked whether it agrees with itself. Only what the bench sends is covered: `x-ms-*` headers in the order
//! given by the caller (sorted), no conditions, no MD5.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::{Timestamp, fmt::rfc2822::DateTimePrinter};

/// The API version of 2021 that both Azurite 3.35.0 and the product know.
const VERSION: &str = "2021-12-02";

/// An account of one server, and how it signs.
#[derive(Clone)]
pub(crate) struct Account {
    /// Name, the first path segment.
    pub(crate) name: String,
    /// Key as servers take it: base64 of 64 bytes.
    pub(crate) key: String,
}

/// What a request says; the rest is the same for all.
pub(crate) struct Head<'a> {
    /// PUT, GET, HEAD or DELETE.
    pub(crate) method: &'a str,
    /// `/container` or `/container/blob`, nothing in it that needs escaping.
    pub(crate) path: &'a str,
    /// Query pairs sorted by name, decoded; of what needs escaping only the signs of Base64 are taken.
    pub(crate) query: &'a [(&'a str, &'a str)],
    /// `x-ms-*` headers besides date and version, lower-case.
    pub(crate) headers: &'a [(&'a str, &'a str)],
    /// Bytes of the body.
    pub(crate) length: usize,
}

impl Account {
    /// The bench's own account: a fixed key, for servers that live for one run on a loopback address.
    pub(crate) fn bench() -> Self {
        Self {
            name: "bench".to_owned(),
            key: STANDARD.encode([0x42u8; 64]),
        }
    }

    /// The bytes of a request's head, signed for now (a server accepts them for 15 minutes).
    pub(crate) fn sign(&self, host: &str, head: &Head<'_>) -> Vec<u8> {
        let date = DateTimePrinter::new()
            .timestamp_to_rfc9110_string(&Timestamp::now())
            .expect("the present has four digits of year");
        let mut headers: Vec<(&str, &str)> = head.headers.to_vec();
        headers.extend([("x-ms-date", date.as_str()), ("x-ms-version", VERSION)]);
        headers.sort_unstable();
        let canonical: String = headers
            .iter()
            .map(|(name, value)| format!("{name}:{value}\n"))
            .collect();
        let length = if head.length == 0 {
            String::new()
        } else {
            head.length.to_string()
        };
        let name = &self.name;
        // Path style names the account twice: once as the account, once as the first segment of the path.
        let mut to_sign = format!(
            "{}\n\n\n{length}\n\n\n\n\n\n\n\n\n{canonical}/{name}/{name}{}",
            head.method, head.path
        );
        for (key, value) in head.query {
            to_sign.push_str(&format!("\n{key}:{value}"));
        }
        let key = STANDARD.decode(&self.key).expect("keys of the bench are base64");
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), to_sign.as_bytes());
        let signature = STANDARD.encode(tag.as_ref());
        let query: Vec<String> = head
            .query
            .iter()
            .map(|(key, value)| {
                let value = value.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
                format!("{key}={value}")
            })
            .collect();
        let mark = if query.is_empty() { "" } else { "?" };
        let mut wire = format!(
            "{} /{name}{}{mark}{} HTTP/1.1\r\n",
            head.method,
            head.path,
            query.join("&")
        );
        wire.push_str(&format!("Host: {host}\r\nContent-Length: {}\r\n", head.length));
        for (name, value) in headers {
            wire.push_str(&format!("{name}: {value}\r\n"));
        }
        wire.push_str(&format!("Authorization: SharedKey {name}:{signature}\r\n\r\n"));
        wire.into_bytes()
    }
}

/// The id of a block as it goes into a query: base64 of `BLOCKIDnnnnn`, 12 bytes, so without padding and
/// without a character that a query escapes.
pub(crate) fn block_id(index: usize) -> String {
    STANDARD.encode(format!("BLOCKID{index:05}"))
}

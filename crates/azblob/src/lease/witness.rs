//! What a server that serves the blobs itself can tell of a lease's holder: bac2's own addition to the protocol.
//!
//! Azure tells nobody whether the holder of a lease is alive. bac2's door sees the holder's connections, so it says on
//! Get Blob Properties of a locked blob what it saw, in one header of its own. Clients that do not know it ignore it.

use http::{HeaderMap, HeaderName, HeaderValue};

/// The answer's header that carries a [`LeaseWitness`].
pub const WITNESS_HEADER: HeaderName = HeaderName::from_static("x-bac2-lease-witness");

/// The request header by which an onlooker says that it only looks: such reads are no use of the blob, whatever its value.
/// A request that changes something (lease operations too) is a use all the same: who changes does more than look, and
/// a lease that was taken in passing must not seem to have been left alone ever since.
pub const LOOK_HEADER: HeaderName = HeaderName::from_static("x-bac2-look");

/// What the server saw of those who use a locked blob. Reads with [`LOOK_HEADER`] and requests that were refused
/// count nowhere; those that the server failed, or that broke off in the middle, count. While a request is served, the
/// time since it is 0; when the connection ends whose latest request was about this blob, or moves on to another blob,
/// that moment counts as the end of that request: until then its owner was there. Times are lengths by the server's
/// monotonic clock, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeaseWitness {
    /// Open connections whose latest request about any blob was about this one, or which serve such a request now.
    pub connections: u32,
    /// Jobs of the vault that use the blob at this moment.
    pub jobs: u32,
    /// Since the last change of content, properties or lease, or the end of such a request. `None`: there was none that
    /// the server remembers; see `watched`.
    pub since_write: Option<u64>,
    /// Since the last read, or the end of such a request; likewise.
    pub since_read: Option<u64>,
    /// For how long the server has been watching this blob while it was locked; what was before, it does not know. Uses
    /// from before the lock began may be forgotten.
    pub watched: u64,
}

impl LeaseWitness {
    /// For how long nobody used the blob, as far as the server watched; milliseconds.
    pub fn quiet(&self) -> u64 {
        if self.connections > 0 || self.jobs > 0 {
            return 0;
        }
        let used = [self.since_write, self.since_read];
        used.into_iter().flatten().fold(self.watched, u64::min)
    }

    /// Adds the header.
    pub fn write_headers(&self, headers: &mut HeaderMap) {
        let length = |time: Option<u64>| time.map(|time| time.to_string()).unwrap_or_default();
        let text = format!(
            "connections={};jobs={};write={};read={};watched={}",
            self.connections,
            self.jobs,
            length(self.since_write),
            length(self.since_read),
            self.watched
        );
        let value = HeaderValue::from_str(&text).expect("digits and letters");
        headers.insert(WITNESS_HEADER, value);
    }

    /// Reads the header's value. `None` where a field is missing or no number: then nobody testifies.
    pub fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| {
            let mut fields = text.split(';').filter_map(|field| field.trim().split_once('='));
            fields.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let optional = |name: &str| match field(name)? {
            "" => Some(None),
            digits => digits.parse().ok().map(Some),
        };
        Some(Self {
            connections: field("connections")?.parse().ok()?,
            jobs: field("jobs")?.parse().ok()?,
            since_write: optional("write")?,
            since_read: optional("read")?,
            watched: field("watched")?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(witness: LeaseWitness) -> String {
        let mut headers = HeaderMap::new();
        witness.write_headers(&mut headers);
        headers[WITNESS_HEADER].to_str().expect("ASCII").to_owned()
    }

    #[test]
    fn what_is_written_is_read() {
        for witness in [
            LeaseWitness::default(),
            LeaseWitness {
                connections: 3,
                jobs: 1,
                since_write: Some(0),
                since_read: Some(u64::MAX),
                watched: 86_400_000,
            },
        ] {
            assert_eq!(LeaseWitness::parse(&written(witness)), Some(witness));
        }
        assert_eq!(
            written(LeaseWitness::default()),
            "connections=0;jobs=0;write=;read=;watched=0"
        );
    }

    #[test]
    fn half_a_testimony_is_none() {
        for text in [
            "",
            "connections=1",
            "connections=0;jobs=0;write=;read=",
            "connections=;jobs=0;write=;read=;watched=5",
            "connections=0;jobs=0;write=x;read=;watched=5",
            "connections=-1;jobs=0;write=;read=;watched=5",
        ] {
            assert_eq!(LeaseWitness::parse(text), None, "{text}");
        }
    }

    #[test]
    fn quiet_is_never_longer_than_what_was_watched() {
        let nobody = LeaseWitness {
            watched: 5_000,
            ..LeaseWitness::default()
        };
        assert_eq!(nobody.quiet(), 5_000);
        assert_eq!(
            LeaseWitness {
                since_write: Some(9_000),
                ..nobody
            }
            .quiet(),
            5_000
        );
        assert_eq!(
            LeaseWitness {
                since_read: Some(40),
                ..nobody
            }
            .quiet(),
            40
        );
        assert_eq!(
            LeaseWitness {
                connections: 1,
                ..nobody
            }
            .quiet(),
            0
        );
        assert_eq!(LeaseWitness { jobs: 1, ..nobody }.quiet(), 0);
    }
}

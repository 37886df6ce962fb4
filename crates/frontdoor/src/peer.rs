//! Who is at the other end of a connection, as far as the transport knows.

use std::fmt;
use std::net::SocketAddr;

/// The other end of one connection. A shared access signature may bind a request to both facts (`sip`, `spr`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer {
    /// The client's address as this machine saw it; behind a proxy, the proxy's. An IPv4 client of a listener on `[::]`
    /// has its IPv4 address here.
    pub(crate) addr: SocketAddr,
    /// Whether the connection is TLS, ended by this server: https.
    pub(crate) secure: bool,
}

impl Peer {
    /// A client that `accept` named.
    pub(crate) fn new(addr: SocketAddr, secure: bool) -> Self {
        Peer {
            addr: SocketAddr::new(addr.ip().to_canonical(), addr.port()),
            secure,
        }
    }

    /// The scheme of the client's URLs.
    pub(crate) fn scheme(self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.addr.fmt(f)
    }
}

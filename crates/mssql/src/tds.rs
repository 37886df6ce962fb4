//! The adapter: real connections over TDS, by Microsoft's client `mssql-tds`. The only module that names it, tokio's time, or a
//! socket.
//!
//! What the client does not offer is done here:
//! - It can compare the server's certificate with one in a file, byte by byte, but knows neither fingerprints nor authorities of
//!   one's own. So the certificate is fetched in a handshake of our own first (`certificate.rs`), judged by the rule, and then
//!   the client is held to exactly that one: the password goes to nobody else, also where two handshakes meet two servers.
//! - It asks the Browser at its usual port only, and waits a second for it; `browser.rs` asks with the caller's patience and
//!   believes nothing it gets back.
//! - It puts statements into the spans of its log, secrets of credentials among them. Nothing that it logs reaches any subscriber.
//!
//! What cannot be had: the order of information and errors within one statement (it keeps two lists; information comes first
//! here), and messages while a statement runs.
//!
//! A token of a service principal is acquired by Microsoft's identity library (`token.rs`).
//!
//! Not proved against anything real: logins by Kerberos, SSPI and Entra. TDS 8 (`Strict`) is not used, since it is of 2022 and
//! later alone.

mod browser;
mod certificate;
mod clock;
mod connecting;
mod convert;
mod talking;
mod token;

use std::net::SocketAddr;

use async_trait::async_trait;

use crate::connection::{ConnectError, Connection, Connector, Target};

pub use clock::SystemClock;

/// Connects over the network.
#[derive(Clone, Debug, Default)]
pub struct Tds {
    /// Where the SQL Server Browser is asked, in place of port 1434 of the target's host: for tests.
    pub browser: Option<SocketAddr>,
}

#[async_trait]
impl Connector for Tds {
    async fn connect(&self, target: &Target) -> Result<Box<dyn Connection>, ConnectError> {
        connecting::connect(self, target).await
    }
}

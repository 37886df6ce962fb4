//! From a socket to a TLS connection, within [`limits::HANDSHAKE_TIME`].
//!
//! Who speaks plain http to the TLS port is told so, in http: it is the commonest mistake there is, and a connection
//! that is simply closed explains nothing. The handshake runs in the connection's own task, so that a client which
//! dawdles holds up nobody but itself.

use std::io;
use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::limits;
use crate::metrics::Traffic;
use crate::stall::StallGuard;

/// The first byte of a TLS connection: a record of type handshake (RFC 8446 5.1).
const HANDSHAKE_RECORD: u8 = 22;

/// What a client that speaks plain http reads.
const SPEAK_TLS: &str = "This port speaks https only. Begin the URL with https://";

/// A connection that came about.
pub(crate) type Shaken = TlsStream<StallGuard<TcpStream>>;

/// Shakes hands.
///
/// # Errors
/// The client speaks something else, trusts us not, or is too slow.
pub(crate) async fn shake(tls: &TlsAcceptor, stream: TcpStream, traffic: Arc<Traffic>) -> io::Result<Shaken> {
    timeout(limits::HANDSHAKE_TIME, greet(tls, stream, traffic))
        .await
        .unwrap_or_else(|_| {
            Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the handshake takes too long",
            ))
        })
}

async fn greet(tls: &TlsAcceptor, mut stream: TcpStream, traffic: Arc<Traffic>) -> io::Result<Shaken> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 0 {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the client left"));
    }
    if first[0].is_ascii_uppercase() {
        let (length, text) = (SPEAK_TLS.len(), SPEAK_TLS);
        let answer = format!(
            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}"
        );
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the client speaks plain http",
        ));
    }
    if first[0] != HANDSHAKE_RECORD {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the client does not speak TLS",
        ));
    }
    tls.accept(StallGuard::new(stream, limits::ANSWER_STALL, traffic))
        .await
}

//! The server's certificate, seen in a handshake of our own before the client's.
//!
//! The client can hold the server to a certificate in a file and to nothing finer, so the judgement happens here: PRELOGIN, then
//! TLS within PRELOGIN packets as [MS-TDS] has it, by the same TLS library that the client uses; then the connection is dropped,
//! with nothing said in it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use native_tls::{Certificate, HandshakeError, TlsConnector};
use tokio::time::Instant;

use crate::trust::Fingerprint;

/// PRELOGIN, in both directions of the handshake.
const PRELOGIN: u8 = 0x12;
/// What the server's answer to PRELOGIN comes as.
const TABULAR: u8 = 0x04;
/// The last packet of a message.
const END: u8 = 0x01;
const HEADER: usize = 8;
/// Most of TLS in one packet: before the login packets have 4,096 bytes at most.
const PAYLOAD_MAX: usize = 4096 - HEADER;
/// The option ENCRYPTION of PRELOGIN, the end of the options, and three of its values.
const ENCRYPTION: u8 = 0x01;
const TERMINATOR: u8 = 0xff;
const ENCRYPT_ON: u8 = 0x01;
const ENCRYPT_NOT_SUPPORTED: u8 = 0x02;
/// More bytes than this have no certificate and no answer to PRELOGIN in them.
const HANDSHAKE_MAX: usize = 256 * 1024;

/// What a server showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// The certificate, in DER.
    pub(super) certificate: Vec<u8>,
    /// Its SHA-256.
    pub(super) fingerprint: Fingerprint,
}

/// Why none was seen, or the one that was seen is not vouched for.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unseen {
    #[error("{0}")]
    Unreachable(#[from] io::Error),
    #[error("it does not encrypt")]
    NotEncrypted,
    #[error("{0}")]
    NotVouchedFor(String),
    #[error("{0}")]
    Protocol(&'static str),
}

/// By whom the certificate must be vouched for, and for which name.
pub(super) struct Voucher<'a> {
    /// PEM, one or several.
    pub(super) authorities: &'a str,
    /// The name.
    pub(super) host: &'a str,
}

/// A socket that is given up at a moment, however slowly bytes come on it.
struct Hurried {
    socket: TcpStream,
    deadline: Instant,
}

impl Hurried {
    fn left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(left)
    }
}

impl Read for Hurried {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(self.left()?))?;
        self.socket.read(bytes)
    }
}

impl Write for Hurried {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(self.left()?))?;
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

/// Connects and looks. Blocks for `patience`, and again so long for each address of the host that does not answer.
pub(super) fn look(
    host: &str,
    port: u16,
    voucher: Option<&Voucher<'_>>,
    patience: Duration,
) -> Result<Seen, Unseen> {
    let mut builder = TlsConnector::builder();
    // A handshake of TLS 1.3 goes on after its end, which packets of PRELOGIN have no room for.
    builder.max_protocol_version(Some(native_tls::Protocol::Tlsv12));
    match voucher {
        Some(voucher) => {
            builder.disable_built_in_roots(true);
            for authority in authorities(voucher.authorities)? {
                builder.add_root_certificate(authority);
            }
        }
        None => {
            builder
                .danger_accept_invalid_certs(true)
                .danger_accept_invalid_hostnames(true);
        }
    }
    let connector = builder
        .build()
        .map_err(|error| Unseen::NotVouchedFor(error.to_string()))?;
    let socket = dial(host, port, patience)?;
    let wrapped = greet(Hurried {
        socket,
        deadline: Instant::now() + patience,
    })?;
    let name = voucher.map_or(host, |voucher| voucher.host);
    let stream = connector.connect(name, wrapped).map_err(|error| match error {
        HandshakeError::Failure(error) => Unseen::NotVouchedFor(error.to_string()),
        HandshakeError::WouldBlock(_) => Unseen::Unreachable(io::ErrorKind::TimedOut.into()),
    })?;
    let certificate = stream
        .peer_certificate()
        .ok()
        .flatten()
        .and_then(|certificate| certificate.to_der().ok())
        .ok_or(Unseen::Protocol("it showed no certificate"))?;
    Ok(Seen {
        fingerprint: fingerprint(&certificate),
        certificate,
    })
}

/// SHA-256.
pub(super) fn fingerprint(certificate: &[u8]) -> Fingerprint {
    let digest = digest(&SHA256, certificate);
    Fingerprint(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
}

/// The certificates of a PEM file.
fn authorities(pem: &str) -> Result<Vec<Certificate>, Unseen> {
    const FOOT: &str = "-----END CERTIFICATE-----";
    let mut found = Vec::new();
    for block in pem.split_inclusive(FOOT).filter(|block| block.contains(FOOT)) {
        let begin = block.find("-----BEGIN CERTIFICATE-----").unwrap_or(0);
        let certificate = Certificate::from_pem(&block.as_bytes()[begin..]).map_err(|error| {
            Unseen::NotVouchedFor(format!("the authorities' file cannot be read: {error}"))
        })?;
        found.push(certificate);
    }
    if found.is_empty() {
        return Err(Unseen::NotVouchedFor(
            "the authorities' file holds no certificate in PEM".to_owned(),
        ));
    }
    Ok(found)
}

fn dial(host: &str, port: u16, patience: Duration) -> io::Result<TcpStream> {
    let addresses: Vec<SocketAddr> = (host, port).to_socket_addrs()?.collect();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, patience) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// PRELOGIN: asks for encryption. The socket comes back ready for the handshake.
fn greet(mut socket: Hurried) -> Result<Wrapped<Hurried>, Unseen> {
    // VERSION and ENCRYPTION, each with place and length of its value, then the values: six bytes of a version that means
    // nothing, and the wish.
    const QUESTION: [u8; 18] = [
        0x00, 0, 11, 0, 6, ENCRYPTION, 0, 17, 0, 1, TERMINATOR, 0, 0, 0, 0, 0, 0, ENCRYPT_ON,
    ];
    let length = u16::try_from(HEADER + QUESTION.len()).expect("26");
    let [high, low] = length.to_be_bytes();
    let header = [PRELOGIN, END, high, low, 0, 0, 1, 0];
    socket.write_all(&[&header[..], &QUESTION].concat())?;
    let mut wrapped = Wrapped::new(socket);
    let answer = wrapped.message(TABULAR)?;
    match encryption(&answer) {
        None => Err(Unseen::Protocol("its answer to PRELOGIN cannot be read")),
        Some(ENCRYPT_NOT_SUPPORTED) => Err(Unseen::NotEncrypted),
        Some(_) => Ok(wrapped),
    }
}

/// The option ENCRYPTION of an answer.
fn encryption(answer: &[u8]) -> Option<u8> {
    let mut options = answer.chunks(5);
    loop {
        match options.next()? {
            [ENCRYPTION, high, low, _, length] if *length != 0 => {
                return answer
                    .get(usize::from(u16::from_be_bytes([*high, *low])))
                    .copied();
            }
            [TERMINATOR, ..] => return None,
            option if option.len() == 5 => {}
            _ => return None,
        }
    }
}

/// TLS within packets.
#[derive(Debug)]
struct Wrapped<S> {
    inner: S,
    /// Of the packet that came last and is not read yet.
    received: Vec<u8>,
    /// Written, and not sent yet: a flight of the handshake is one message.
    waiting: Vec<u8>,
    /// Bytes that came so far.
    total: usize,
    packet: u8,
}

impl<S: Read + Write> Wrapped<S> {
    fn new(inner: S) -> Self {
        Self {
            inner,
            received: Vec::new(),
            waiting: Vec::new(),
            total: 0,
            packet: 1,
        }
    }

    /// The payload of one packet, and whether it is the last of its message.
    fn packet(&mut self) -> io::Result<(u8, bool, Vec<u8>)> {
        let mut header = [0; HEADER];
        self.inner.read_exact(&mut header)?;
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let Some(length) = length.checked_sub(HEADER) else {
            return Err(invalid("a packet shorter than its header"));
        };
        self.total += length;
        if self.total > HANDSHAKE_MAX {
            return Err(invalid("a handshake that does not end"));
        }
        let mut payload = vec![0; length];
        self.inner.read_exact(&mut payload)?;
        Ok((header[0], header[1] & END != 0, payload))
    }

    fn message(&mut self, kind: u8) -> io::Result<Vec<u8>> {
        let mut whole = Vec::new();
        loop {
            let (got, last, payload) = self.packet()?;
            if got != kind {
                return Err(invalid("a packet of another kind"));
            }
            whole.extend(payload);
            if last {
                return Ok(whole);
            }
        }
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl<S: Read + Write> Read for Wrapped<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.flush()?;
        while self.received.is_empty() {
            let (_, _, payload) = self.packet()?;
            self.received = payload;
        }
        let count = buffer.len().min(self.received.len());
        buffer[..count].copy_from_slice(&self.received[..count]);
        self.received.drain(..count);
        Ok(count)
    }
}

impl<S: Read + Write> Write for Wrapped<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        let packets = waiting.chunks(PAYLOAD_MAX).count();
        for (place, payload) in waiting.chunks(PAYLOAD_MAX).enumerate() {
            let [high, low] = u16::try_from(HEADER + payload.len())
                .expect("a packet has 4,096 bytes at most")
                .to_be_bytes();
            let status = if place + 1 == packets { END } else { 0 };
            let header = [PRELOGIN, status, high, low, 0, 0, self.packet, 0];
            self.packet = self.packet.wrapping_add(1);
            self.inner.write_all(&[&header[..], payload].concat())?;
        }
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wish_for_encryption_is_found_in_any_answer() {
        // VERSION, ENCRYPTION (at 11), terminator, six bytes, then the value; as the example of [MS-TDS] 4.2 has it.
        let answer = [&[0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff][..], &[0; 6], &[3]].concat();
        assert_eq!(encryption(&answer), Some(3));
        for cut in 0..answer.len() {
            assert_eq!(encryption(&answer[..cut]), None, "{cut}");
        }
        assert_eq!(encryption(&[0xff]), None);
        assert_eq!(encryption(&[1, 255, 255, 0, 1, 0xff]), None);
    }

    #[test]
    fn what_is_no_pem_is_refused() {
        assert!(authorities("").is_err());
        assert!(authorities("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----").is_err());
    }
}

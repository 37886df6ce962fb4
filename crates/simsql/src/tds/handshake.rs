//! The TLS handshake inside of PRELOGIN packets, as TDS 7.x has it; afterwards TLS lies on the socket itself.
//!
//! TLS 1.2 and nothing newer: TLS 1.3 sends session tickets after the handshake, when the client no longer unwraps packets; several
//! real clients then lose step. Where only the login is encrypted, the socket is given back after it and goes on in clear text.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

use crate::tds::packet::{HEADER, SIZE_DEFAULT, SIZES};

/// Type of the packets that the handshake travels in.
const PRELOGIN: u8 = 0x12;
/// What a flight of a handshake may have, in bytes; certificates are the bulk of it.
const FLIGHT_LONGEST: usize = 256 * 1024;

/// A socket whose bytes travel in packets until [`Wrapped::unwrap`].
pub(super) struct Wrapped<S> {
    socket: S,
    is_wrapped: bool,
    /// The header of the packet being read.
    header: [u8; HEADER],
    header_read: usize,
    /// Bytes of it that are still to come.
    left: usize,
    /// What was written and waits to be flushed as one message.
    written: BytesMut,
    /// Packets on their way.
    packets: BytesMut,
}

impl<S> Wrapped<S> {
    pub(super) fn new(socket: S) -> Self {
        Self {
            socket,
            is_wrapped: true,
            header: [0; HEADER],
            header_read: 0,
            left: 0,
            written: BytesMut::new(),
            packets: BytesMut::new(),
        }
    }

    /// From now on bytes travel as they are.
    fn unwrap(&mut self) {
        self.is_wrapped = false;
    }

    pub(super) fn into_socket(self) -> S {
        self.socket
    }
}

/// Runs the server's side of the handshake.
///
/// # Errors
/// Where the client breaks it off or breaks the rules.
pub(super) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    socket: S,
    identity: Arc<ServerConfig>,
) -> io::Result<TlsStream<Wrapped<S>>> {
    let mut stream = TlsAcceptor::from(identity).accept(Wrapped::new(socket)).await?;
    stream.get_mut().0.unwrap();
    Ok(stream)
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl<S: AsyncRead + Unpin> Wrapped<S> {
    /// Reads until a packet with something in it has begun; false at the end of the socket.
    fn poll_header(&mut self, context: &mut Context) -> Poll<io::Result<bool>> {
        while self.left == 0 {
            let mut buffer = ReadBuf::new(&mut self.header[self.header_read..]);
            ready!(Pin::new(&mut self.socket).poll_read(context, &mut buffer))?;
            let read = buffer.filled().len();
            if read == 0 {
                return Poll::Ready(Ok(false));
            }
            self.header_read += read;
            if self.header_read == HEADER {
                self.header_read = 0;
                let length = usize::from(u16::from_be_bytes([self.header[2], self.header[3]]));
                if self.header[0] != PRELOGIN || !(HEADER..=*SIZES.end()).contains(&length) {
                    return Poll::Ready(Err(invalid("a packet of the handshake has a wrong header")));
                }
                self.left = length - HEADER;
            }
        }
        Poll::Ready(Ok(true))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wrapped<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context,
        buffer: &mut ReadBuf,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.is_wrapped {
            return Pin::new(&mut this.socket).poll_read(context, buffer);
        }
        if !ready!(this.poll_header(context))? {
            return Poll::Ready(Ok(()));
        }
        let mut part = buffer.take(this.left);
        ready!(Pin::new(&mut this.socket).poll_read(context, &mut part))?;
        let read = part.filled().len();
        let initialized = part.initialized().len();
        debug_assert!(initialized >= read, "what was filled is initialized");
        this.left -= read;
        buffer.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> Wrapped<S> {
    /// Cuts what was written into the packets of one message.
    fn wrap(&mut self) {
        while !self.written.is_empty() {
            let part = self.written.len().min(SIZE_DEFAULT - HEADER);
            let is_last = part == self.written.len();
            let length = u16::try_from(part + HEADER).expect("a packet's size fits");
            self.packets.extend_from_slice(&[PRELOGIN, u8::from(is_last)]);
            self.packets.extend_from_slice(&length.to_be_bytes());
            self.packets.extend_from_slice(&[0, 0, 1, 0]);
            let bytes = self.written.split_to(part);
            self.packets.extend_from_slice(&bytes);
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wrapped<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if !this.is_wrapped {
            return Pin::new(&mut this.socket).poll_write(context, bytes);
        }
        if this.written.len() + bytes.len() > FLIGHT_LONGEST {
            return Poll::Ready(Err(invalid("a flight of the handshake is too long")));
        }
        this.written.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.packets.is_empty() {
            this.wrap();
        }
        while !this.packets.is_empty() {
            let sent = ready!(Pin::new(&mut this.socket).poll_write(context, &this.packets))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            this.packets.advance(sent);
        }
        Pin::new(&mut this.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(context))?;
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

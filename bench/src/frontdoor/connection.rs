//! A keep-alive HTTP/1.1 connection that costs as little as one can: blocking socket, one buffer, no allocation
//! for bodies. The client shares two cores with the server it measures; what it burns, the server lacks.
//!
//! Knows exactly what the two servers and the sink answer: `Content-Length` or chunked bodies. No redirects, no
//! `100 Continue`.

use std::io::{BufRead, BufReader, ErrorKind, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio_rustls::rustls::{ClientConnection, StreamOwned};

use super::secured::Trust;

/// Bytes taken from the socket by one read: small enough for the second-level cache.
const BUFFER: usize = 256 << 10;
/// A server that says nothing for so long is given up.
const PATIENCE: Duration = Duration::from_secs(120);

/// One connection, used by one thread.
pub(crate) struct Connection {
    stream: BufReader<Wire>,
}

/// The bytes as they are, or through TLS.
enum Wire {
    Plain(TcpStream),
    Secured(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Wire::Plain(socket) => socket.read(into),
            Wire::Secured(secured) => secured.read(into),
        }
    }
}

/// How a body is framed.
#[derive(Clone, Copy)]
enum Framing {
    Length(u64),
    Chunked,
}

impl Connection {
    /// Connects; with `trust` over TLS.
    pub(crate) fn open(addr: SocketAddr, trust: Option<&Trust>) -> Result<Self> {
        let stream = TcpStream::connect(addr).with_context(|| format!("cannot connect to {addr}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let wire = match trust {
            None => Wire::Plain(stream),
            Some(trust) => Wire::Secured(Box::new(StreamOwned::new(trust.connection()?, stream))),
        };
        Ok(Self {
            stream: BufReader::with_capacity(BUFFER, wire),
        })
    }

    /// Sends a request and drops the body of its answer; an answer outside 2xx is an error that carries the body.
    pub(crate) fn call(&mut self, head: &[u8], body: &[u8]) -> Result<()> {
        self.fetch(head, body, |_| ()).map(|_| ())
    }

    /// Sends a request and shows the body of its answer to `see`, piece by piece. Returns the body's length.
    pub(crate) fn fetch(&mut self, head: &[u8], body: &[u8], mut see: impl FnMut(&[u8])) -> Result<u64> {
        self.send(head, body)?;
        let (status, framing) = self.head(head.starts_with(b"HEAD "))?;
        if (200..300).contains(&status) {
            return self.body(framing, &mut see);
        }
        let mut text = Vec::new();
        self.body(framing, &mut |bytes| text.extend_from_slice(bytes))?;
        let request = String::from_utf8_lossy(head);
        let line = request.lines().next().unwrap_or_default();
        bail!("{line} was answered {status}: {}", String::from_utf8_lossy(&text))
    }

    /// Sends a HEAD request, for which a refusal is an answer like any other. Returns the status.
    pub(crate) fn ask(&mut self, head: &[u8]) -> Result<u16> {
        self.send(head, b"")?;
        self.head(true).map(|(status, _)| status)
    }

    /// Head and body in one system call when the socket takes both.
    fn send(&mut self, head: &[u8], body: &[u8]) -> Result<()> {
        let socket = match self.stream.get_mut() {
            Wire::Plain(socket) => socket,
            Wire::Secured(secured) => {
                secured.write_all(head)?;
                return secured.write_all(body).context("cannot send the body");
            }
        };
        let sent = loop {
            match socket.write_vectored(&[IoSlice::new(head), IoSlice::new(body)]) {
                Ok(sent) => break sent,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("cannot send"),
            }
        };
        if sent < head.len() {
            socket.write_all(&head[sent..])?;
        }
        socket
            .write_all(&body[sent.saturating_sub(head.len())..])
            .context("cannot send the body")
    }

    fn head(&mut self, bodiless: bool) -> Result<(u16, Framing)> {
        let line = self.line()?;
        let status = line.split(' ').nth(1).and_then(|code| code.parse::<u16>().ok());
        let status = status.with_context(|| format!("no status line: {line:?}"))?;
        let mut framing = Framing::Length(0);
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let Some((name, value)) = line.split_once(':') else {
                bail!("no header: {line:?}")
            };
            if name.eq_ignore_ascii_case("content-length") {
                framing = Framing::Length(value.trim().parse().context("bad Content-Length")?);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                framing = Framing::Chunked;
            }
        }
        Ok((
            status,
            if bodiless || status == 204 {
                Framing::Length(0)
            } else {
                framing
            },
        ))
    }

    fn body(&mut self, framing: Framing, see: &mut impl FnMut(&[u8])) -> Result<u64> {
        let Framing::Length(length) = framing else {
            return self.chunks(see);
        };
        self.piece(length, see)?;
        Ok(length)
    }

    fn chunks(&mut self, see: &mut impl FnMut(&[u8])) -> Result<u64> {
        let mut total = 0;
        loop {
            let line = self.line()?;
            let length = u64::from_str_radix(&line, 16).with_context(|| format!("bad chunk: {line:?}"))?;
            self.piece(length, see)?;
            self.line()?;
            if length == 0 {
                return Ok(total);
            }
            total += length;
        }
    }

    fn piece(&mut self, mut left: u64, see: &mut impl FnMut(&[u8])) -> Result<()> {
        while left > 0 {
            let bytes = self.stream.fill_buf().context("cannot read the body")?;
            if bytes.is_empty() {
                bail!("the server hung up {left} bytes before the end of the body");
            }
            let taken = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            see(&bytes[..taken]);
            self.stream.consume(taken);
            left -= taken as u64;
        }
        Ok(())
    }

    fn line(&mut self) -> Result<String> {
        let mut line = Vec::new();
        self.stream
            .by_ref()
            .take(16 << 10)
            .read_until(b'\n', &mut line)
            .context("cannot read the head")?;
        if line.pop() != Some(b'\n') {
            bail!("the server hung up before it answered");
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        String::from_utf8(line).context("a head that is not text")
    }
}

//! The limit of reads: a server that does nothing but serve ranges of one file from page cache.
//!
//! Same HTTP library as the product, no names, no signatures, no checksums, no locks. Reads happen on the
//! async worker, which a real store must not do: here every page is in memory by construction. Buffers are
//! reused, because page faults of fresh ones would cost more than the copy.

use std::convert::Infallible;
use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Poll};

use anyhow::Result;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::secured::Certificate;

/// Bytes of one frame; between 64 KiB and 1 MiB it makes no difference that stands out of the noise here.
const FRAME: usize = 256 << 10;

/// Arguments of the hidden child process.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// File whose ranges are served, whatever the path of the request.
    #[arg(long)]
    file: PathBuf,
    /// Address to listen on.
    #[arg(long)]
    listen: SocketAddr,
    /// Certificate for TLS, PEM; plain http without it.
    #[arg(long, requires = "key")]
    cert: Option<PathBuf>,
    /// Its key, PEM.
    #[arg(long)]
    key: Option<PathBuf>,
}

/// Serves until it is killed.
pub(crate) fn run(args: &Args) -> Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_io()
        .build()?
        .block_on(serve(args))
}

async fn serve(args: &Args) -> Result<()> {
    let file = Arc::new(File::open(&args.file)?);
    let pool = Arc::new(Pool::default());
    let tls = match (&args.cert, &args.key) {
        (Some(cert), Some(key)) => Some(TlsAcceptor::from(Arc::new(Certificate::server(cert, key)?))),
        _ => None,
    };
    let listener = TcpListener::bind(args.listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (file, pool, tls) = (file.clone(), pool.clone(), tls.clone());
        tokio::spawn(async move {
            // A client that hangs up is no event here.
            match tls {
                None => connection(stream, &file, &pool).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        connection(stream, &file, &pool).await;
                    }
                }
            }
        });
    }
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin, file: &Arc<File>, pool: &Arc<Pool>) {
    let answer = service_fn(|request| {
        let answer = answer(&request, file, pool);
        async move { Ok::<_, Infallible>(answer) }
    });
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), answer)
        .await;
}

fn answer(request: &Request<Incoming>, file: &Arc<File>, pool: &Arc<Pool>) -> Response<Slice> {
    let range = request
        .headers()
        .get("x-ms-range")
        .and_then(|value| parse_range(value.as_bytes()));
    let (offset, end) = range.unwrap_or((0, 0));
    let body = Slice {
        file: file.clone(),
        pool: pool.clone(),
        offset,
        left: end - offset,
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, HeaderValue::from(end - offset));
    response
}

/// `bytes=A-B` as offset and end.
fn parse_range(value: &[u8]) -> Option<(u64, u64)> {
    let (first, last) = std::str::from_utf8(value)
        .ok()?
        .strip_prefix("bytes=")?
        .split_once('-')?;
    let (first, last) = (first.parse::<u64>().ok()?, last.parse::<u64>().ok()?);
    (first <= last).then_some((first, last + 1))
}

/// Buffers that came back.
#[derive(Default)]
struct Pool(Mutex<Vec<Vec<u8>>>);

/// A buffer on its way to the socket, back in the pool when hyper drops it.
struct Pooled {
    bytes: Vec<u8>,
    filled: usize,
    pool: Arc<Pool>,
}

impl AsRef<[u8]> for Pooled {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        self.pool
            .0
            .lock()
            .expect("no holder of the pool panics")
            .push(bytes);
    }
}

/// A body: a range of the file, read frame by frame as the socket takes it.
struct Slice {
    file: Arc<File>,
    pool: Arc<Pool>,
    offset: u64,
    left: u64,
}

impl Body for Slice {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let free = self.pool.0.lock().expect("no holder of the pool panics").pop();
        let mut bytes = free.unwrap_or_else(|| vec![0; FRAME]);
        let filled = FRAME.min(usize::try_from(self.left).unwrap_or(FRAME));
        if let Err(error) = self.file.read_exact_at(&mut bytes[..filled], self.offset) {
            return Poll::Ready(Some(Err(error)));
        }
        self.offset += filled as u64;
        self.left -= filled as u64;
        let pool = self.pool.clone();
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(Pooled {
            bytes,
            filled,
            pool,
        })))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::parse_range;

    #[test]
    fn ranges_are_closed_on_the_wire_and_half_open_inside() {
        assert_eq!(parse_range(b"bytes=0-65535"), Some((0, 65_536)));
        assert_eq!(parse_range(b"bytes=5-5"), Some((5, 6)));
        assert_eq!(parse_range(b"bytes=6-5"), None);
        assert_eq!(parse_range(b"bytes=6-"), None);
    }
}

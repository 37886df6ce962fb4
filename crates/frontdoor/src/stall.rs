//! A connection that gives up on a client that takes no bytes.
//!
//! hyper bounds the time a request head may take and the door bounds the pauses inside a request body; what is left is a
//! client that asks for a blob and then stops reading. This wrapper starts a timer when a write cannot go on and ends the
//! connection when the timer runs out first. Reads pass through untouched.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use crate::metrics::Traffic;

/// A byte stream whose writes fail with [`io::ErrorKind::TimedOut`] after `limit` without progress.
pub(crate) struct StallGuard<T> {
    stream: T,
    limit: Duration,
    traffic: Arc<Traffic>,
    timer: Pin<Box<Sleep>>,
    stalled: bool,
}

impl<T> StallGuard<T> {
    /// Watches `stream`, and counts its bytes in `traffic`. Must be called inside a tokio runtime.
    pub(crate) fn new(stream: T, limit: Duration, traffic: Arc<Traffic>) -> Self {
        StallGuard {
            stream,
            limit,
            traffic,
            timer: Box::pin(sleep(limit)),
            stalled: false,
        }
    }

    fn count(&self, outcome: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = outcome {
            self.traffic.sent(*bytes);
        }
    }

    /// Turns `outcome` of a write into an error when the write has been pending for too long.
    fn watch<R>(&mut self, outcome: Poll<io::Result<R>>, cx: &mut Context<'_>) -> Poll<io::Result<R>> {
        if outcome.is_ready() {
            self.stalled = false;
            return outcome;
        }
        if !self.stalled {
            self.stalled = true;
            let deadline = Instant::now() + self.limit;
            self.timer.as_mut().reset(deadline);
        }
        ready!(self.timer.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the client takes no bytes",
        )))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for StallGuard<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.traffic.received(buf.filled().len() - before);
        outcome
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for StallGuard<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.count(&outcome);
        self.watch(outcome, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.count(&outcome);
        self.watch(outcome, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        self.watch(outcome, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.watch(outcome, cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn a_reader_that_stops_ends_the_connection() {
        let (near, far) = tokio::io::duplex(1024);
        let mut guarded = StallGuard::new(near, Duration::from_millis(50), Arc::default());
        let error = guarded.write_all(&[7; 64 * 1024]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(far);
    }

    #[tokio::test]
    async fn a_slow_reader_is_left_alone() {
        let (near, mut far) = tokio::io::duplex(1024);
        let reader = tokio::spawn(async move {
            let mut total = 0;
            let mut buffer = [0; 1024];
            while let Ok(n @ 1..) = far.read(&mut buffer).await {
                total += n;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            total
        });
        let mut guarded = StallGuard::new(near, Duration::from_secs(5), Arc::default());
        guarded.write_all(&[7; 64 * 1024]).await.unwrap();
        drop(guarded);
        assert_eq!(reader.await.unwrap(), 64 * 1024);
    }
}

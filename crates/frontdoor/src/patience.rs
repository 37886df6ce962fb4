//! How long a connection may be silent between two requests.
//!
//! hyper counts one time for both, waiting for a request head and receiving it ([`limits::HEAD_TIME`]). That is right for
//! everybody but the holder of a lease who pauses: SQL Server sends nothing for hours while its own disk is slow, and an
//! open connection is what tells it from a dead one. So hyper is given a timer that, when the time is up, looks first
//! whether the connection is with a locked blob ([`Guest`]) and still silent; it may then stay, up to
//! [`limits::HOLDER_IDLE`], as long as the blob is locked. From the first byte of a head on, the usual time counts again.
//! Such connections have seats of their own number ([`limits::HOLDERS_IDLE`]), so that they never take all.
//!
//! That the other side still lives, the kernel finds out: [`keep_alive`].
//!
//! A head whose first bytes came in one read with the request before it has not begun for this module before its next
//! byte. Clients of blobs do not send requests ahead.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time;

use hyper::rt::{Sleep, Timer};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

use crate::limits;
use crate::uses::Guest;

/// Has the kernel ask a silent other side whether it is there, and end the connection when nobody answers. Without it the
/// connection of a machine that lost its power would stay open for ever. Where bytes to it are under way, the kernel gives
/// up only when its retransmissions do, a quarter of an hour on Linux.
///
/// # Errors
/// The system's.
pub(crate) fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    let ask = TcpKeepalive::new()
        .with_time(limits::PEER_SILENT)
        .with_interval(limits::PEER_ASKED)
        .with_retries(limits::PEER_PROBES);
    SockRef::from(stream).set_tcp_keepalive(&ask)
}

/// hyper's clock for one connection, used for nothing but the time of its heads.
pub(crate) struct HeadTimer {
    guest: Arc<Guest>,
    seats: Arc<Semaphore>,
}

impl HeadTimer {
    /// For this connection. `seats` are those of all connections that are silent for long.
    pub(crate) fn new(guest: Arc<Guest>, seats: Arc<Semaphore>) -> Self {
        HeadTimer { guest, seats }
    }

    fn wait(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.guest.awaits_head();
        Box::pin(HeadWait {
            guest: Arc::clone(&self.guest),
            seats: Arc::clone(&self.seats),
            began: Instant::now(),
            timer: Box::pin(sleep_until(deadline)),
            seat: None,
        })
    }
}

impl Timer for HeadTimer {
    fn sleep(&self, time: time::Duration) -> Pin<Box<dyn Sleep>> {
        self.wait(Instant::now() + time)
    }

    fn sleep_until(&self, deadline: time::Instant) -> Pin<Box<dyn Sleep>> {
        self.wait(deadline.into())
    }

    fn now(&self) -> time::Instant {
        Instant::now().into()
    }
}

/// The wait for one head; ends when the connection is to be closed.
struct HeadWait {
    guest: Arc<Guest>,
    seats: Arc<Semaphore>,
    began: Instant,
    timer: Pin<Box<tokio::time::Sleep>>,
    /// The seat of a connection that stays beyond the usual time.
    seat: Option<OwnedSemaphorePermit>,
}

impl HeadWait {
    /// Until when the connection may stay at least, now that its time is up. None: no longer.
    fn longer(&mut self) -> Option<Instant> {
        let now = Instant::now();
        if let Some(began) = self.guest.head_began() {
            let end = began + limits::HEAD_TIME;
            return (self.seat.is_some() && now < end).then_some(end);
        }
        let end = self.began + limits::HOLDER_IDLE;
        if now >= end || !self.guest.is_with_locked() {
            return None;
        }
        if self.seat.is_none() {
            self.seat = Some(Arc::clone(&self.seats).try_acquire_owned().ok()?);
        }
        Some(end.min(now + limits::HEAD_TIME))
    }
}

impl Future for HeadWait {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            match self.longer() {
                Some(until) => self.timer.as_mut().reset(until),
                None => return Poll::Ready(()),
            }
        }
    }
}

impl Sleep for HeadWait {}

/// A byte stream that tells its [`Guest`] when bytes arrive. Above TLS, whose own records are no part of a head.
pub(crate) struct Heard<T> {
    stream: T,
    guest: Arc<Guest>,
}

impl<T> Heard<T> {
    /// Listens to `stream`.
    pub(crate) fn new(stream: T, guest: Arc<Guest>) -> Self {
        Heard { stream, guest }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Heard<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.guest.heard();
        }
        outcome
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Heard<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use tokio::net::TcpListener;

    #[tokio::test]
    async fn the_kernel_is_told_to_ask() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        assert!(!SockRef::from(&stream).keepalive().unwrap());
        keep_alive(&stream).unwrap();
        assert!(SockRef::from(&stream).keepalive().unwrap());
        let given_up = limits::PEER_SILENT + limits::PEER_PROBES * limits::PEER_ASKED;
        assert!(given_up <= limits::HEAD_TIME, "as soon as anybody who is silent");
    }
}

//! The life of a connection: it reads the socket all the time, so that an attention is seen while a batch runs on its own
//! thread and its answers go out through a third hand.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, timeout, timeout_at};

use crate::session::Canceller;
use crate::tds::answering::{Answering, Manner};
use crate::tds::arrivals::Ticket;
use crate::tds::backend::Backend;
use crate::tds::greeting::{Arrival, Duplex, receive};
use crate::tds::packet::{Incoming, Kind, Reader, Room};
use crate::tds::request::{self, Seat};
use crate::tds::token::{self, Done, done};
use crate::tds::{Encryption, Limits};

/// Groups of packets on their way at the same time.
const UNDER_WAY: usize = 4;
/// How often an idle connection looks whether it was killed.
const GLANCE: Duration = Duration::from_secs(1);
/// How long the last words of a connection may take.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Cancels the batch of a connection that is dropped.
struct CancelOnDrop(Canceller);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// What all connections share.
pub(super) struct Hall {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) encryption: Encryption,
    pub(super) limits: Arc<Limits>,
    pub(super) room: Room,
}

/// Serves one client from its first message to its last; until it has logged in it may have to leave for another.
pub(super) async fn serve(socket: TcpStream, hall: Hall, ticket: Ticket) {
    if socket.set_nodelay(true).is_err() {
        return;
    }
    let limits = hall.limits;
    let received = receive(socket, &hall.backend, &hall.encryption, &limits);
    let arrival = match ticket.unless_displaced(timeout(limits.login, received)).await {
        Some(Ok(Ok(arrival))) => arrival,
        Some(Ok(Err(refusal))) => {
            tracing::debug!(%refusal, "no login");
            return;
        }
        Some(Err(_)) => {
            tracing::debug!("no login in time");
            return;
        }
        None => {
            tracing::debug!("no login before another needed the seat");
            return;
        }
    };
    let Arrival {
        socket,
        received,
        seat,
        manner,
    } = arrival;
    let (reading, writing) = split(socket);
    let (packets, outgoing) = mpsc::channel(UNDER_WAY);
    let mut writer = JoinSet::new();
    writer.spawn(write(outgoing, writing, limits.stall));
    let mut connection = Connection {
        reader: Reader::after(reading, received, limits.message).within(hall.room),
        packets,
        manner,
        limits,
        early: None,
    };
    let seat = connection.converse(seat).await;
    drop(connection);
    // Its transaction is rolled back where blocking hurts nobody.
    spawn_blocking(move || drop(seat));
    if timeout(LAST_WORDS, writer.join_next()).await.is_err() {
        tracing::debug!("the last words of a connection did not get through");
    }
}

/// Writes what batches hand over, until nobody has anything to hand over any more.
async fn write(
    mut outgoing: mpsc::Receiver<Vec<u8>>,
    mut socket: WriteHalf<Box<dyn Duplex>>,
    stall: Duration,
) {
    while let Some(packets) = outgoing.recv().await {
        let sent = async {
            socket.write_all(&packets).await?;
            socket.flush().await
        };
        if !matches!(timeout(stall, sent).await, Ok(Ok(()))) {
            return;
        }
    }
    if socket.shutdown().await.is_err() {
        tracing::trace!("a connection was closed by its client first");
    }
}

struct Connection {
    reader: Reader<ReadHalf<Box<dyn Duplex>>>,
    packets: mpsc::Sender<Vec<u8>>,
    manner: Manner,
    limits: Arc<Limits>,
    /// The next request, where it came while the last one was still being put away.
    early: Option<Incoming>,
}

impl Connection {
    /// Takes requests until there are no more. `None` where a batch took the session with it.
    async fn converse(&mut self, mut seat: Seat) -> Option<Seat> {
        loop {
            let (back, incoming) = self.wait(seat).await?;
            seat = back;
            let Some(incoming) = incoming else {
                return Some(seat);
            };
            if incoming.kind == Kind::Attention {
                if !self.acknowledge().await {
                    return Some(seat);
                }
                continue;
            }
            let (back, goes_on) = self.run(seat, incoming).await?;
            if !goes_on {
                return Some(back);
            }
            seat = back;
        }
    }

    /// Waits for the next request; `None` in its place where the client left, was killed, or kept silent for too long.
    async fn wait(&mut self, mut seat: Seat) -> Option<(Seat, Option<Incoming>)> {
        if let Some(early) = self.early.take() {
            return Some((seat, Some(early)));
        }
        let end = Instant::now() + self.limits.idle;
        loop {
            let glance = (Instant::now() + GLANCE).min(end);
            match timeout_at(glance, self.reader.next()).await {
                Ok(Ok(incoming)) => return Some((seat, incoming)),
                Ok(Err(error)) => {
                    tracing::debug!(%error, "a connection is over");
                    return Some((seat, None));
                }
                Err(_) if glance == end || self.packets.is_closed() => return Some((seat, None)),
                Err(_) => {
                    let looked = spawn_blocking(move || {
                        let is_over = seat.guest.is_over();
                        (seat, is_over)
                    });
                    let (back, is_over) = looked.await.ok()?;
                    if is_over {
                        return Some((back, None));
                    }
                    seat = back;
                }
            }
        }
    }

    /// Runs a request to its end; whether the connection goes on.
    async fn run(&mut self, mut seat: Seat, incoming: Incoming) -> Option<(Seat, bool)> {
        let canceller = seat.guest.canceller();
        canceller.reset();
        let guard = CancelOnDrop(canceller.clone());
        let answering = Answering::new(self.manner.clone(), self.packets.clone(), canceller.clone());
        let mut job = spawn_blocking(move || {
            let is_over = request::run(&mut seat, &incoming, answering);
            (seat, is_over)
        });
        let (mut attention, mut is_gone) = (false, false);
        let ended = loop {
            tokio::select! {
                biased;
                ended = &mut job => break ended,
                message = self.reader.next(), if !is_gone && self.early.is_none() => {
                    match message {
                        Ok(Some(message)) if message.kind != Kind::Attention => {
                            // The client has read the whole answer before this task saw its end.
                            self.early = Some(message);
                            continue;
                        }
                        Ok(Some(_)) => attention = true,
                        Ok(None) | Err(_) => is_gone = true,
                    }
                    canceller.cancel();
                }
            }
        };
        drop(guard);
        let (seat, is_over) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                tracing::error!(%error, "a batch failed by a fault of the simulation; its connection is closed");
                return None;
            }
        };
        let is_told = !attention || self.acknowledge().await;
        Some((seat, is_told && !is_gone && !is_over))
    }

    /// Acknowledges an attention.
    async fn acknowledge(&mut self) -> bool {
        let mut token = Vec::new();
        let dialect = self.manner.speech.dialect;
        token::done(Done::Statement, done::ATTENTION, 0, 0, dialect, &mut token);
        let message = self.manner.framing.message(&token);
        self.packets.send(message).await.is_ok()
    }
}

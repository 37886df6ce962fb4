//! From the socket to the store: the body of a request, frame by frame, without a disk access on an async worker.
//!
//! Frames are gathered into batches and a batch is handed to a blocking thread while the next frames arrive. At any
//! moment one batch is being written and at most one is being gathered; when the disk is behind, the socket is not
//! read, and TCP slows the client down. Bytes that are in memory because of this are counted over all connections
//! ([`Gate`]); a request that finds no room left writes what it has before it waits, so waiting never blocks itself.
//!
//! What is written goes to a [`Sink`] that is consumed by its own last act: only a body that arrived whole, byte for
//! byte as long as announced, is ever finished. A client that goes away drops the sink unfinished.

use std::future::Future;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use crate::limits;

/// Room for body bytes in memory, over all connections.
#[derive(Debug, Clone)]
pub(crate) struct Gate(Arc<Semaphore>);

impl Gate {
    /// Room for `bytes`.
    pub(crate) fn new(bytes: usize) -> Self {
        Gate(Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))))
    }

    /// Bytes that are in memory at this moment, and the most there may be.
    pub(crate) fn taken(&self, room: usize) -> (u64, u64) {
        let free = self.0.available_permits();
        (room.saturating_sub(free) as u64, room as u64)
    }

    fn try_enter(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0)
            .try_acquire_many_owned(u32::try_from(bytes).ok()?)
            .ok()
    }

    async fn enter(&self, bytes: usize) -> OwnedSemaphorePermit {
        let bytes = u32::try_from(bytes).expect("a frame is smaller than 4 GiB");
        Arc::clone(&self.0)
            .acquire_many_owned(bytes)
            .await
            .expect("the gate is never closed")
    }
}

/// What takes the bytes of a body, on blocking threads, in order.
pub(crate) trait Sink: Send + 'static {
    /// Why it could not.
    type Error: Send + 'static;

    /// Takes the next frame.
    fn write(&mut self, frame: Bytes) -> Result<(), Self::Error>;
}

/// Why a body did not become what it should.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum IntakeError<E> {
    /// The client went away, stalled, or sent fewer or more bytes than it announced.
    Client(&'static str),
    /// The sink refused.
    Sink(E),
    /// A blocking call panicked or the server is stopping.
    Lost,
}

struct Batch {
    frames: Vec<Bytes>,
    bytes: usize,
    permit: Option<OwnedSemaphorePermit>,
}

impl Batch {
    fn empty() -> Self {
        Batch {
            frames: Vec::new(),
            bytes: 0,
            permit: None,
        }
    }

    fn push(&mut self, frame: Bytes, permit: OwnedSemaphorePermit) {
        self.bytes += frame.len();
        self.frames.push(frame);
        match &mut self.permit {
            Some(held) => held.merge(permit),
            None => self.permit = Some(permit),
        }
    }

    fn write_to<S: Sink>(self, sink: &mut S) -> Result<(), S::Error> {
        self.frames.into_iter().try_for_each(|frame| sink.write(frame))
    }
}

/// A sink that is dropped on a blocking thread, because giving up what it has written takes the disk.
struct Careful<S: Sink>(Option<S>);

impl<S: Sink> Careful<S> {
    fn into_inner(mut self) -> S {
        self.0.take().expect("it is there until it is taken or dropped")
    }
}

impl<S: Sink> Drop for Careful<S> {
    fn drop(&mut self) {
        if let (Some(sink), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn_blocking(move || drop(sink));
        }
    }
}

/// The sink, at home or away on a blocking thread.
enum Hand<S: Sink> {
    Here(Careful<S>),
    Writing(JoinHandle<Result<Careful<S>, S::Error>>),
}

impl<S: Sink> Hand<S> {
    async fn back(self) -> Result<Careful<S>, IntakeError<S::Error>> {
        match self {
            Hand::Here(sink) => Ok(sink),
            Hand::Writing(call) => call
                .await
                .map_err(|_| IntakeError::Lost)?
                .map_err(IntakeError::Sink),
        }
    }

    async fn give(self, batch: Batch) -> Result<Self, IntakeError<S::Error>> {
        let mut sink = self.back().await?.into_inner();
        Ok(Hand::Writing(spawn_blocking(move || {
            batch.write_to(&mut sink)?;
            Ok(Careful(Some(sink)))
        })))
    }
}

/// Pumps a body of exactly `length` bytes into `sink` and then runs `finish` on a blocking thread, in the same call as
/// the last bytes. Once `finish` has begun it runs to its end even when the client goes away meanwhile.
///
/// # Errors
/// [`IntakeError`]; `finish` has not run unless the error is its own.
pub(crate) async fn pump<B, S, R, F>(
    body: &mut B,
    length: u64,
    sink: S,
    gate: &Gate,
    finish: F,
) -> Result<R, IntakeError<S::Error>>
where
    B: Body<Data = Bytes> + Unpin,
    S: Sink,
    R: Send + 'static,
    F: FnOnce(S) -> Result<R, S::Error> + Send + 'static,
{
    let mut hand = Hand::Here(Careful(Some(sink)));
    let mut batch = Batch::empty();
    let mut missing = length;
    while missing > 0 {
        let frame = match next_frame(body, batch.bytes > 0).await? {
            Next::Frame(frame) => frame,
            Next::Pause => {
                hand = hand.give(std::mem::replace(&mut batch, Batch::empty())).await?;
                continue;
            }
            Next::End => return Err(IntakeError::Client("the body is shorter than its Content-Length")),
        };
        missing = (missing.checked_sub(frame.len() as u64))
            .ok_or(IntakeError::Client("the body is longer than its Content-Length"))?;
        let permit = match gate.try_enter(frame.len()) {
            Some(permit) => permit,
            None => {
                hand = hand.give(std::mem::replace(&mut batch, Batch::empty())).await?;
                gate.enter(frame.len()).await
            }
        };
        batch.push(frame, permit);
        if batch.bytes >= limits::BATCH && missing > 0 {
            hand = hand.give(std::mem::replace(&mut batch, Batch::empty())).await?;
        }
    }
    let mut sink = hand.back().await?.into_inner();
    spawn_blocking(move || {
        batch.write_to(&mut sink)?;
        finish(sink)
    })
    .await
    .map_err(|_| IntakeError::Lost)?
    .map_err(IntakeError::Sink)
}

enum Next {
    Frame(Bytes),
    /// Nothing came for a moment, and there is something that can be written meanwhile.
    Pause,
    End,
}

async fn next_frame<B, E>(body: &mut B, has_more_to_do: bool) -> Result<Next, IntakeError<E>>
where
    B: Body<Data = Bytes> + Unpin,
{
    let patience = if has_more_to_do {
        limits::GATHER_PAUSE
    } else {
        limits::BODY_STALL
    };
    loop {
        match timeout(patience, body.frame()).await {
            Err(_) if has_more_to_do => return Ok(Next::Pause),
            Err(_) => return Err(IntakeError::Client("the client stopped sending")),
            Ok(None) => return Ok(Next::End),
            Ok(Some(Err(_))) => return Err(IntakeError::Client("the connection broke inside the body")),
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) if data.has_remaining() => return Ok(Next::Frame(data)),
                // Trailers and empty frames carry no bytes of the body.
                _ => {}
            },
        }
    }
}

/// A body gathered in memory, and the room it takes there.
pub(crate) struct Collected {
    /// All of it.
    pub(crate) bytes: Vec<u8>,
    _room: Option<OwnedSemaphorePermit>,
}

/// Gathers a body of `length` bytes in memory. A large one waits until `room` has space for all of it, so that none waits
/// for the rest of its space while it holds a part, and must then arrive within [`limits::DOCUMENT_TIME`].
///
/// # Errors
/// [`IntakeError::Client`] when the body does not arrive whole, or not in time.
pub(crate) async fn collect<B>(body: &mut B, length: u64, room: &Gate) -> Result<Collected, IntakeError<()>>
where
    B: Body<Data = Bytes> + Unpin,
{
    let small = length <= limits::SMALL_DOCUMENT;
    let room = match usize::try_from(length) {
        _ if small => None,
        Ok(length) => Some(room.enter(length).await),
        Err(_) => return Err(IntakeError::Client("the body is too long")),
    };
    let gathered = timeout(limits::DOCUMENT_TIME, gather(body, length)).await;
    let bytes = gathered.map_err(|_| IntakeError::Client("the body took too long to arrive"))??;
    Ok(Collected { bytes, _room: room })
}

async fn gather<B>(body: &mut B, length: u64) -> Result<Vec<u8>, IntakeError<()>>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut all = Vec::new();
    while let Next::Frame(frame) = next_frame::<B, ()>(body, false).await? {
        if (all.len() + frame.len()) as u64 > length {
            return Err(IntakeError::Client("the body is longer than its Content-Length"));
        }
        all.extend_from_slice(&frame);
    }
    if (all.len() as u64) < length {
        return Err(IntakeError::Client("the body is shorter than its Content-Length"));
    }
    Ok(all)
}

/// Reads and drops the rest of a refused request's body, so that a client which sends everything before it reads gets
/// to see the answer. Gives up at [`limits::DRAIN`] bytes or [`limits::DRAIN_TIME`]; hyper then closes the connection.
pub(crate) async fn drain<B>(body: &mut B)
where
    B: Body<Data = Bytes> + Unpin,
{
    let all = async {
        let mut dropped = 0;
        while let Some(Ok(frame)) = body.frame().await {
            dropped += frame.data_ref().map_or(0, Bytes::len) as u64;
            if dropped > limits::DRAIN {
                return;
            }
        }
    };
    let _gave_up = timeout(limits::DRAIN_TIME, all).await.is_err();
}

/// Runs a store call on a blocking thread. `None` when it panicked.
pub(crate) fn off_worker<R: Send + 'static>(
    call: impl FnOnce() -> R + Send + 'static,
) -> impl Future<Output = Option<R>> {
    let running = spawn_blocking(call);
    async move { running.await.ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::convert::Infallible;
    use std::time::Duration;

    use std::pin::Pin;
    use std::task::{Context, Poll};

    use http_body::Frame;
    use tokio::sync::mpsc::{Receiver, channel};

    #[derive(Debug, Default)]
    struct Collected(Vec<u8>, Vec<usize>);

    impl Sink for Collected {
        type Error = &'static str;

        fn write(&mut self, frame: Bytes) -> Result<(), Self::Error> {
            self.0.extend_from_slice(&frame);
            self.1.push(frame.len());
            Ok(())
        }
    }

    struct TestBody(Receiver<Bytes>);

    impl Body for TestBody {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            self.0
                .poll_recv(cx)
                .map(|frame| frame.map(|bytes| Ok(Frame::data(bytes))))
        }
    }

    /// A body of these frames; what follows `None` never comes.
    fn body(frames: Vec<Option<usize>>) -> TestBody {
        let (sender, receiver) = channel(1);
        tokio::spawn(async move {
            let mut next = 0u8;
            for frame in frames {
                let Some(length) = frame else {
                    std::future::pending().await
                };
                let bytes: Vec<u8> = (0..length)
                    .map(|_| {
                        next = next.wrapping_add(1);
                        next
                    })
                    .collect();
                if sender.send(bytes.into()).await.is_err() {
                    return;
                }
            }
        });
        TestBody(receiver)
    }

    #[tokio::test]
    async fn all_bytes_arrive_in_order() {
        let sizes = vec![Some(400_000); 20];
        let gate = Gate::new(limits::BYTES_IN_FLIGHT);
        let all = pump(&mut body(sizes), 8_000_000, Collected::default(), &gate, |sink| {
            Ok(sink.0)
        })
        .await
        .unwrap();
        assert_eq!(all.len(), 8_000_000);
        assert!(
            all.iter()
                .zip((1..=u8::MAX).chain(0..=0).cycle())
                .all(|(a, b)| *a == b)
        );
        assert_eq!(gate.0.available_permits(), limits::BYTES_IN_FLIGHT);
    }

    #[tokio::test]
    async fn a_short_body_is_never_finished() {
        let gate = Gate::new(1 << 20);
        let outcome: Result<(), _> = pump(
            &mut body(vec![Some(100)]),
            101,
            Collected::default(),
            &gate,
            |_| panic!("finished"),
        )
        .await;
        assert!(matches!(outcome, Err(IntakeError::Client(_))));
        let outcome: Result<(), _> = pump(
            &mut body(vec![Some(100)]),
            99,
            Collected::default(),
            &gate,
            |_| panic!("finished"),
        )
        .await;
        assert!(matches!(outcome, Err(IntakeError::Client(_))));
    }

    #[tokio::test]
    async fn requests_that_share_too_little_room_all_end() {
        let gate = Gate::new(300_000);
        let requests = (0..16).map(|_| {
            let gate = gate.clone();
            tokio::spawn(async move {
                let mut body = body(vec![Some(200_000); 10]);
                pump(&mut body, 2_000_000, Collected::default(), &gate, |sink| {
                    Ok(sink.0.len())
                })
                .await
            })
        });
        for request in requests.collect::<Vec<_>>() {
            let length = timeout(Duration::from_secs(20), request).await.unwrap().unwrap();
            assert_eq!(length, Ok(2_000_000));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_stops_is_let_go_and_leaves_its_room() {
        let gate = Gate::new(1 << 20);
        let outcome: Result<(), _> = pump(
            &mut body(vec![Some(1000), None]),
            2000,
            Collected::default(),
            &gate,
            |_| panic!("finished"),
        )
        .await;
        assert_eq!(outcome, Err(IntakeError::Client("the client stopped sending")));
        assert_eq!(gate.0.available_permits(), 1 << 20);
    }

    #[tokio::test]
    async fn documents_that_share_too_little_room_all_arrive() {
        let room = Gate::new(1_000_000);
        let documents = (0..8).map(|_| {
            let room = room.clone();
            tokio::spawn(async move {
                let document = collect(&mut body(vec![Some(100_000); 7]), 700_000, &room).await;
                document.map(|document| document.bytes.len())
            })
        });
        for document in documents.collect::<Vec<_>>() {
            let length = timeout(Duration::from_secs(20), document).await.unwrap().unwrap();
            assert_eq!(length, Ok(700_000));
        }
        assert_eq!(room.0.available_permits(), 1_000_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_document_that_trickles_is_let_go_and_leaves_its_room() {
        let room = Gate::new(1 << 20);
        let (sender, receiver) = channel(1);
        tokio::spawn(async move {
            // Always in time to count as alive, and never done.
            while sender.send(Bytes::from_static(b"x")).await.is_ok() {
                tokio::time::sleep(limits::BODY_STALL / 2).await;
            }
        });
        let gathered = collect(&mut TestBody(receiver), 100_000, &room).await;
        let why = gathered.map(|_| ()).unwrap_err();
        assert_eq!(why, IntakeError::Client("the body took too long to arrive"));
        assert_eq!(room.0.available_permits(), 1 << 20);
    }
}

//! A client's connection to a session in the same process: what a wire would do, and where a wire breaks.
//!
//! A batch is a future of its own that owns its session. A client that goes away drops its interest, not the batch: the server
//! goes on with it or cancels it, as servers do; only the end of the instance ends it at once.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use mssql::connection::{Cancel, Request, Sink};
use mssql::value::{Column, Value};
use mssql::{Canceller, Connection, Fault, Message};
use simsql::answers::Answers;
use simsql::session::Session;
use vault::world::Clock as _;

use super::convert;
use super::servers::{LinkState, Server};
use super::time::MachineClock;

/// One way through the network.
const TRIP: Duration = Duration::from_micros(300);

/// The connection.
pub(crate) struct Link {
    server: Arc<Server>,
    start: u64,
    session: Option<Session>,
    stop: simsql::session::Canceller,
    state: Arc<LinkState>,
    clock: Arc<MachineClock>,
}

impl Link {
    pub(crate) fn new(
        server: Arc<Server>,
        start: u64,
        session: Session,
        state: Arc<LinkState>,
        clock: Arc<MachineClock>,
    ) -> Self {
        Self {
            stop: session.canceller.clone(),
            session: Some(session),
            server,
            start,
            state,
            clock,
        }
    }

    fn lost(&self) -> Fault {
        Fault::Lost {
            reason: format!("{} does not answer any more", self.server.address),
        }
    }
}

/// Answers on their way.
enum Answer {
    Message(Message),
    Columns(Vec<Column>),
    Row(Vec<Value>),
    Done(Option<u64>),
}

#[derive(Clone, Default)]
struct Pipe(Arc<Mutex<VecDeque<Answer>>>);

impl Pipe {
    fn put(&self, answer: Answer) {
        self.0.lock().unwrap().push_back(answer);
    }

    /// Hands on what has arrived; whether the sink has enough.
    fn drain(&self, sink: &mut dyn Sink) -> bool {
        let mut enough = false;
        let answers = std::mem::take(&mut *self.0.lock().unwrap());
        for answer in answers {
            match answer {
                Answer::Message(message) => sink.message(message),
                Answer::Columns(columns) => sink.columns(columns),
                Answer::Row(row) => enough |= sink.row(row).is_err(),
                Answer::Done(count) => sink.done(count),
            }
        }
        enough
    }
}

impl Answers for Pipe {
    fn message(&mut self, message: simsql::message::Message) {
        self.put(Answer::Message(convert::message(message)));
    }

    fn columns(&mut self, columns: &[simsql::value::Column]) {
        self.put(Answer::Columns(convert::columns(columns)));
    }

    fn row(&mut self, row: &[simsql::value::Value]) {
        self.put(Answer::Row(row.iter().map(convert::value).collect()));
    }

    fn done(&mut self, count: Option<u64>) {
        self.put(Answer::Done(count));
    }

    fn database(&mut self, _: &str, _: &str) {}
}

/// A batch under way. Dropped before its end, the server has it.
struct Running {
    work: Option<BoxFuture<'static, Session>>,
    server: Arc<Server>,
    start: u64,
    stop: simsql::session::Canceller,
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(work) = self.work.take() else { return };
        if !self.server.goes_on() {
            self.stop.cancel();
        }
        self.server.adopt(self.start, async move { drop(work.await) });
    }
}

/// How a batch ended.
enum Ended {
    Whole(Box<Session>),
    Lost,
}

/// Why it was cancelled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    TimedOut,
    TooMuch,
}

#[async_trait]
impl Connection for Link {
    async fn batch(&mut self, request: &Request, sink: &mut dyn Sink) -> Result<(), Fault> {
        self.clock.sleep(TRIP).await;
        let is_gone = self.state.is_lost() || !self.server.lives(self.start);
        let Some(mut session) = self.session.take().filter(|session| !is_gone && !session.ended) else {
            return Err(self.lost());
        };
        if self.state.asked.swap(false, Ordering::SeqCst) {
            self.session = Some(session);
            return Err(Fault::Cancelled);
        }
        if let Some(messages) = self.server.refusal_of(&request.text) {
            messages.into_iter().for_each(|message| sink.message(message));
            self.session = Some(session);
            return Ok(());
        }
        self.stop.reset();
        let pipe = Pipe::default();
        let (text, mut into) = (request.text.clone(), pipe.clone());
        let mut running = Running {
            work: Some(Box::pin(async move {
                session.batch(&text, &mut [], &mut into).await;
                session
            })),
            server: Arc::clone(&self.server),
            start: self.start,
            stop: self.stop.clone(),
        };
        let mut limit = after(&self.clock, request.within);
        let mut loss = after(&self.clock, self.server.fate_of(&request.text));
        let mut why = None;
        let ended = std::future::poll_fn(|context| {
            self.state.waker.register(context.waker());
            if loss.as_mut().poll(context).is_ready() {
                self.state.lose();
            }
            if !self.server.lives(self.start) {
                // The instance's end is the end of all that it did.
                self.state.lose();
                running.work = None;
                return Poll::Ready(Ended::Lost);
            }
            if self.state.is_lost() {
                return Poll::Ready(Ended::Lost);
            }
            if self.state.asked.load(Ordering::SeqCst) {
                self.stop.cancel();
            }
            if why.is_none() && limit.as_mut().poll(context).is_ready() {
                why = Some(Why::TimedOut);
                self.stop.cancel();
            }
            let work = running.work.as_mut().expect("it is there until the end");
            let polled = work.as_mut().poll(context);
            if !self.server.lives(self.start) {
                self.state.lose();
                running.work = None;
                return Poll::Ready(Ended::Lost);
            }
            if pipe.drain(sink) && why.is_none() {
                why = Some(Why::TooMuch);
                self.stop.cancel();
            }
            polled.map(|session| {
                running.work = None;
                Ended::Whole(Box::new(session))
            })
        })
        .await;
        drop(running);
        let Ended::Whole(session) = ended else {
            return Err(self.lost());
        };
        let is_over = session.ended;
        self.session = Some(*session);
        self.clock.sleep(TRIP).await;
        let was_asked = self.state.asked.swap(false, Ordering::SeqCst);
        match why {
            Some(Why::TimedOut) => Err(Fault::TimedOut),
            Some(Why::TooMuch) => Err(Fault::TooMuch),
            None if is_over || self.state.is_lost() => Err(self.lost()),
            None if was_asked => Err(Fault::Cancelled),
            None => Ok(()),
        }
    }

    fn canceller(&self) -> Canceller {
        Canceller::new(Arc::new(Attention(Arc::clone(&self.state))))
    }

    async fn close(&mut self) {
        self.clock.sleep(TRIP).await;
        self.session = None;
    }
}

/// Ready after a time, or never.
fn after(clock: &Arc<MachineClock>, time: Option<Duration>) -> BoxFuture<'_, ()> {
    match time {
        Some(time) => clock.sleep(time),
        None => Box::pin(std::future::pending()),
    }
}

/// Asks a batch to end.
struct Attention(Arc<LinkState>);

impl Cancel for Attention {
    fn cancel(&self) {
        self.0.asked.store(true, Ordering::SeqCst);
        self.0.waker.wake();
    }
}

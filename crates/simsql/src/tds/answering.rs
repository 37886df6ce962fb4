//! The answer to one request, from what a session says to packets on their way to the client.
//!
//! A DONE token says whether more follows, which is known only when something follows or the batch ends: it is held back until
//! then. Information goes out at once, with everything before it. Packets go through a bounded channel, so a client that does not
//! read makes its own batch wait, and nothing else.

use bytes::BytesMut;
use tokio::sync::mpsc::Sender;

use crate::answers::Answers;
use crate::message::{Failure, Message};
use crate::session::Canceller;
use crate::tds::dialect::Dialect;
use crate::tds::encode::Speech;
use crate::tds::packet::{End, Framing};
use crate::tds::token::{self, Change, Done, INSERT, SELECT, done};
use crate::value::{Column, SqlType, Value};

/// Packets are handed over when so many bytes have come together.
const HANDED_OVER: usize = 32 * 1024;

/// How to answer one client.
#[derive(Clone, Debug)]
pub(super) struct Manner {
    pub(super) speech: Speech,
    pub(super) framing: Framing,
    /// Shown in every message.
    pub(super) server: String,
}

/// A DONE token that waits to know what follows.
#[derive(Clone, Copy)]
struct Held {
    status: u16,
    command: u16,
    count: u64,
}

/// The answer to a request.
pub(super) struct Answering {
    manner: Manner,
    packets: Sender<Vec<u8>>,
    canceller: Canceller,
    tokens: Vec<u8>,
    payload: BytesMut,
    number: u8,
    columns: Vec<Column>,
    has_result: bool,
    has_failed: bool,
    last_error: i32,
    held: Option<Held>,
    in_call: bool,
    /// The end of the last call: what else there is to say of the request stands before it.
    closing: Option<Vec<u8>>,
    is_fatal: bool,
}

impl Answering {
    pub(super) fn new(manner: Manner, packets: Sender<Vec<u8>>, canceller: Canceller) -> Self {
        Self {
            manner,
            packets,
            canceller,
            tokens: Vec::new(),
            payload: BytesMut::new(),
            number: 0,
            columns: Vec::new(),
            has_result: false,
            has_failed: false,
            last_error: 0,
            held: None,
            in_call: false,
            closing: None,
            is_fatal: false,
        }
    }

    /// Whether the session must end after an error of severity 20 or more.
    pub(super) fn is_fatal(&self) -> bool {
        self.is_fatal
    }

    /// Whether the last statement failed.
    pub(super) fn has_failed(&self) -> bool {
        self.last_error != 0
    }

    /// The end of a request that the client gave up before it was whole.
    pub(super) fn give_up(mut self, in_transaction: bool) {
        self.has_failed = true;
        self.finish(false, in_transaction);
    }

    /// The errors of a deed that failed.
    pub(super) fn fail(&mut self, failure: Failure) {
        for message in failure.messages {
            self.message(message);
        }
    }

    fn dialect(&self) -> Dialect {
        self.manner.speech.dialect
    }

    /// A change of the session's surroundings. It stands before the DONE of the statement that ended last, which made it.
    pub(super) fn change(&mut self, change: Change) {
        token::change(change, &mut self.tokens);
        self.hand_over(End::No);
    }

    /// A procedure call begins.
    pub(super) fn begin_call(&mut self) {
        self.release(done::MORE);
        self.in_call = true;
        self.has_failed = false;
        self.last_error = 0;
    }

    /// It ends: its status (the number of its last error, 0 for none) and its output parameters, given with their places.
    pub(super) fn end_call(&mut self, outputs: &[(usize, &str, SqlType, &Value)], is_last: bool) {
        self.release(done::MORE);
        let mut tokens = Vec::new();
        token::return_status(self.last_error, &mut tokens);
        for (place, name, sql_type, value) in outputs {
            token::return_value(*place, name, *sql_type, value, &self.manner.speech, &mut tokens);
        }
        let mut status = if is_last { 0 } else { done::MORE };
        if self.last_error != 0 {
            status |= done::ERROR;
        }
        token::done(Done::Procedure, status, 0, 0, self.dialect(), &mut tokens);
        self.in_call = false;
        self.has_failed = false;
        if is_last {
            self.closing = Some(tokens);
        } else {
            self.tokens.extend(tokens);
        }
    }

    /// The end of the message. One that was cancelled ends with an error without a text, and the attention is acknowledged by a
    /// message of its own: SQL Server does so since 2005, and Microsoft's JDBC driver waits for both.
    pub(super) fn finish(mut self, is_cancelled: bool, in_transaction: bool) {
        let transaction = if in_transaction { done::IN_TRANSACTION } else { 0 };
        if let Some(closing) = self.closing.take() {
            self.tokens.extend(closing);
        } else if is_cancelled {
            self.release(done::MORE);
            self.plain_done(done::ERROR | transaction);
        } else if self.held.is_some() {
            self.release(transaction);
        } else {
            let error = if self.has_failed { done::ERROR } else { 0 };
            self.plain_done(error | transaction);
        }
        self.hand_over(End::Message);
    }

    fn plain_done(&mut self, status: u16) {
        token::done(Done::Statement, status, 0, 0, self.dialect(), &mut self.tokens);
    }

    /// Writes the DONE token that was held back.
    fn release(&mut self, status: u16) {
        if let Some(held) = self.held.take() {
            let kind = if self.in_call {
                Done::Inner
            } else {
                Done::Statement
            };
            let status = held.status | status;
            token::done(
                kind,
                status,
                held.command,
                held.count,
                self.dialect(),
                &mut self.tokens,
            );
        }
    }

    /// Passes on what has come together: full packets, or all of it.
    fn hand_over(&mut self, end: End) {
        self.payload.extend_from_slice(&self.tokens);
        self.tokens.clear();
        if end == End::No && self.payload.len() < HANDED_OVER {
            return;
        }
        let mut packets = Vec::with_capacity(self.payload.len() + 256);
        self.manner
            .framing
            .cut(&mut self.payload, end, &mut self.number, &mut packets);
        if !packets.is_empty() && self.packets.blocking_send(packets).is_err() {
            // Nobody is there to read it.
            self.canceller.cancel();
        }
    }
}

impl Answers for Answering {
    fn message(&mut self, message: Message) {
        self.release(done::MORE);
        if message.is_error() {
            self.has_failed = true;
            self.last_error = message.number;
            self.is_fatal |= message.class >= 20;
        }
        let dialect = self.dialect();
        token::message(&message, &self.manner.server, dialect, &mut self.tokens);
        self.hand_over(if message.is_error() { End::No } else { End::Flush });
    }

    fn columns(&mut self, columns: &[Column]) {
        self.release(done::MORE);
        columns.clone_into(&mut self.columns);
        self.has_result = true;
        token::columns(columns, &self.manner.speech, &mut self.tokens);
        self.hand_over(End::No);
    }

    fn row(&mut self, row: &[Value]) {
        if self.canceller.is_cancelled() {
            // Nobody will look at it; what was said already must still be said to its end.
            return;
        }
        token::row(&self.columns, row, &self.manner.speech, &mut self.tokens);
        self.hand_over(End::No);
    }

    fn done(&mut self, count: Option<u64>) {
        self.release(done::MORE);
        let mut status = if self.has_failed { done::ERROR } else { 0 };
        if count.is_some() {
            status |= done::COUNT;
        }
        let command = match (self.has_result, count) {
            (true, _) => SELECT,
            (false, Some(_)) => INSERT,
            (false, None) => 0,
        };
        self.held = Some(Held {
            status,
            command,
            count: count.unwrap_or(0),
        });
        self.has_result = false;
        self.has_failed = false;
    }

    fn database(&mut self, old: &str, new: &str) {
        self.release(done::MORE);
        self.change(Change::Database(old, new));
        let mut message = Message::new(5701, &[&new]);
        message.line = 1;
        self.message(message);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::{Answering, Manner};
    use crate::session::Canceller;
    use crate::tds::dialect::Dialect;
    use crate::tds::encode::Speech;
    use crate::tds::packet::{Framing, HEADER};
    use crate::tds::token::Change;

    #[test]
    fn the_end_of_the_last_call_is_the_last_token() {
        let (packets, mut outgoing) = mpsc::channel(4);
        let manner = Manner {
            speech: Speech {
                dialect: Dialect::V74,
                collation: [0; 5],
            },
            framing: Framing {
                size: 4096,
                session: 51,
            },
            server: "S".to_owned(),
        };
        let mut answering = Answering::new(manner, packets, Canceller::default());
        answering.begin_call();
        answering.end_call(&[], true);
        answering.change(Change::Began(1));
        answering.finish(false, true);
        let message = outgoing.try_recv().unwrap();
        // ENVCHANGE, RETURNSTATUS, and DONEPROC of 13 bytes with nothing to follow.
        assert_eq!(message[HEADER], 0xE3);
        let end = &message[message.len() - 13..];
        assert_eq!(end[..3], [0xFE, 0, 0]);
    }
}

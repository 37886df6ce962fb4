//! Runs one request of a client on the thread that serves it.

use crate::answers::Answers;
use crate::tds::answering::Answering;
use crate::tds::backend::Guest;
use crate::tds::call;
use crate::tds::dialect::Dialect;
use crate::tds::input::{Input, Misread, skip_headers, utf16};
use crate::tds::packet::{Incoming, Kind, Reset};
use crate::tds::prepared::Prepared;
use crate::tds::rpc;
use crate::tds::token::Change;
use crate::tds::transaction;
use crate::tds::waiting::block_on;

/// What a connection has beside its session: gone with it.
pub(super) struct Seat {
    pub(super) guest: Box<dyn Guest>,
    pub(super) prepared: Prepared,
    /// The number that the open transaction has on the wire; counts up.
    pub(super) transaction: u64,
    pub(super) dialect: Dialect,
}

impl Drop for Seat {
    /// Whoever leaves in the middle of a transaction takes it back.
    fn drop(&mut self) {
        if self.guest.transactions() > 0 && self.guest.rollback().is_err() {
            tracing::debug!("the transaction of a session that left could not be rolled back");
        }
    }
}

/// Runs a request and answers it; whether the connection is over then.
pub(super) fn run(seat: &mut Seat, incoming: &Incoming, mut answering: Answering) -> bool {
    if incoming.given_up {
        answering.give_up(seat.guest.transactions() > 0);
        return false;
    }
    reset(seat, incoming.reset, &mut answering);
    let before = Standing::of(seat);
    if let Err(misread) = perform(seat, incoming, &mut answering) {
        answering.message(misread.into_message());
    }
    let after = Standing::of(seat);
    tell_of_transaction(seat, before, after, &mut answering);
    let is_over = answering.is_fatal() || seat.guest.is_over();
    answering.finish(seat.guest.canceller().is_cancelled(), after.is_open);
    is_over
}

fn reset(seat: &mut Seat, reset: Reset, answering: &mut Answering) {
    match reset {
        Reset::No => return,
        Reset::KeepTransaction if seat.guest.transactions() > 0 => {}
        Reset::All | Reset::KeepTransaction => {
            let old = seat.guest.database();
            seat.guest.reset();
            seat.prepared.clear();
            let new = seat.guest.database();
            if new != old {
                answering.change(Change::Database(&old, &new));
            }
        }
    }
    answering.change(Change::Reset);
}

fn perform(seat: &mut Seat, incoming: &Incoming, answering: &mut Answering) -> Result<(), Misread> {
    match incoming.kind {
        Kind::Batch => {
            let text = batch_text(&incoming.payload, seat.dialect)?;
            block_on(seat.guest.batch(&text, &mut [], answering));
        }
        Kind::Call => {
            let calls = rpc::read(&incoming.payload, seat.dialect)?;
            let last = calls.len() - 1;
            for (place, one) in calls.into_iter().enumerate() {
                call::run(
                    &mut *seat.guest,
                    &mut seat.prepared,
                    one,
                    place == last,
                    answering,
                );
                if seat.guest.canceller().is_cancelled() {
                    break;
                }
            }
        }
        Kind::Transaction => {
            let request = transaction::read(&incoming.payload, seat.dialect)?;
            transaction::run(&mut *seat.guest, request, answering);
        }
        Kind::BulkLoad => return Err(Misread::refused(40510, &[&"bulk load"])),
        Kind::Attention | Kind::Login | Kind::Prelogin | Kind::Other => return Err(Misread::Broken),
    }
    Ok(())
}

fn batch_text(payload: &[u8], dialect: Dialect) -> Result<String, Misread> {
    let mut input = Input::new(payload);
    if dialect >= Dialect::V72 {
        skip_headers(&mut input)?;
    }
    let text = input.take_rest();
    if !text.len().is_multiple_of(2) {
        return Err(Misread::Broken);
    }
    Ok(utf16(text))
}

/// Where a session's transaction stands.
#[derive(Clone, Copy)]
struct Standing {
    is_open: bool,
    begun: u64,
}

impl Standing {
    fn of(seat: &Seat) -> Self {
        Self {
            is_open: seat.guest.transactions() > 0,
            begun: seat.guest.begun(),
        }
    }
}

/// Clients send the number of their transaction with each request, so they must hear of every one that begins or ends, also where
/// one ended and the next began in one request. Whether it was committed or rolled back is the same to them.
fn tell_of_transaction(seat: &mut Seat, before: Standing, after: Standing, answering: &mut Answering) {
    let is_same = after.is_open && before.begun == after.begun;
    if before.is_open && !is_same {
        answering.change(match answering.has_failed() {
            true => Change::RolledBack(seat.transaction),
            false => Change::Committed(seat.transaction),
        });
    }
    if after.is_open && !(before.is_open && is_same) {
        seat.transaction += 1;
        answering.change(Change::Began(seat.transaction));
    }
}

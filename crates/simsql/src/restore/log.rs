//! RESTORE LOG.

use std::time::Duration;

use bak::Lsn;
use bak::content::SetHeader;
use uuid::Uuid;

use super::data::{tell_files, tell_success};
use super::finish::{Ending, finish};
use super::media_set::MediaSet;
use super::order::{Finish, Order, StopAt};
use super::target::{self, Target};
use super::transfer::Transfer;
use super::{begin, history, pieces};
use crate::answers::Answers;
use crate::engine::{Engine, Redone, Stop};
use crate::instance::exclusive;
use crate::message::{Failure, Message};
use crate::session::Session;

/// Runs the statement.
///
/// # Errors
/// As the map of errors says, without the trailer.
pub(super) async fn run(session: &Session, order: &Order, answers: &mut dyn Answers) -> Result<(), Failure> {
    target::check_name(session, order)?;
    if order.devices.is_empty() {
        // As RESTORE DATABASE without a backup.
        return super::data::run(session, order, answers).await;
    }
    let mut media = MediaSet::open(session, order).await?;
    let done = from_media(session, order, &mut media, answers).await;
    media.close().await;
    done
}

async fn from_media(
    session: &Session,
    order: &Order,
    media: &mut MediaSet,
    answers: &mut dyn Answers,
) -> Result<(), Failure> {
    let header = media.set(order.position)?;
    target::check_set(session, order, &header)?;
    let target = target::take(session, order, &header).await?;
    let done = roll_forward(session, order, &header, &target, media, answers).await;
    exclusive::release(&mut session.instance.state(), target.id, session.id);
    done
}

async fn roll_forward(
    session: &Session,
    order: &Order,
    header: &SetHeader,
    target: &Target,
    media: &mut MediaSet,
    answers: &mut dyn Answers,
) -> Result<(), Failure> {
    let started: Duration = session.instance.world.clock.uptime();
    let transfer = Transfer {
        session,
        order,
        header,
        target,
    };
    {
        let mut state = session.instance.state();
        let engine = super::transfer::engine_of(&mut state.databases, target)?;
        check_place(session, engine, order, header)?;
        if engine.is_foreign() {
            return Err(Failure::new(40_512, &[]));
        }
        super::files::check_moves(order, header)?;
        let added = super::files::added(&session.instance, &state, order, header, target)?;
        let engine = super::transfer::engine_of(&mut state.databases, target)?;
        for (logical, path) in added {
            engine.move_added_file(&logical, &path);
        }
    }
    begin::begin_roll_forward(session, target, header)?;
    let moved = transfer.run(media, answers).await?;
    let redone = pieces::redo(session, target, stop(order.stop)).await?;
    note_fork(&transfer, header, &redone)?;
    tell_files(order, header, target, &moved, answers);
    let met = order.stop.is_none() || redone.stopped;
    if !met {
        let number = match order.stop {
            Some(StopAt::Time(_)) => 4322,
            _ => 4329,
        };
        answers.message(Message::new(number, &[]));
    }
    let ending = Ending {
        target,
        finish: if met { &order.finish } else { &Finish::NoRecovery },
        restricted: order.restricted_user,
    };
    finish(session, &ending, answers).await?;
    history::write(session, order, header, target, media, answers).await;
    tell_success(session, "RESTORE LOG", moved.log_pages(), started, answers);
    Ok(())
}

/// Behind the fork point of a set the database is on the set's fork.
fn note_fork(transfer: &Transfer<'_>, header: &SetHeader, redone: &Redone) -> Result<(), Failure> {
    let set = &header.set;
    let beyond = set.fork_point_lsn.is_none_or(|point| redone.next_lsn > point);
    let Some(fork) = set.recovery_fork_id.filter(|_| beyond) else {
        return Ok(());
    };
    transfer.with_engine(|engine| {
        if engine.boot().recovery_fork == fork {
            return Ok(());
        }
        engine.change_boot(&mut |boot| {
            boot.recovery_fork = fork;
            if let Some((_, known)) = &mut boot.redo_start {
                *known = fork;
            }
        })
    })
}

fn stop(stop: Option<StopAt>) -> Stop {
    match stop {
        None => Stop::End,
        // Times of commits are `datetime` where they are compared, as the stop is.
        Some(StopAt::Time(moment)) => Stop::At(moment.last_of_datetime()),
        Some(StopAt::Including(lsn)) => Stop::Including(lsn),
        Some(StopAt::Before(lsn)) => Stop::Before(lsn),
    }
}

/// Whether the log joins where the database stands.
///
/// # Errors
/// 4319 a restore that was cut off, 4305 and 4312 too recent, 4326 too early, 4330 another recovery path, 4335 a stop that lies
/// behind.
fn check_place(session: &Session, engine: &Engine, order: &Order, header: &SetHeader) -> Result<(), Failure> {
    let set = &header.set;
    let Some((stands, fork)) = engine.boot().redo_start else {
        let files = engine.files();
        let file = files.first().map_or("", |file| &file.logical_name);
        return Err(Failure::new(4319, &[&file]));
    };
    let (first, last) = (
        set.first_lsn.unwrap_or(Lsn::ZERO),
        set.last_lsn.unwrap_or(Lsn::ZERO),
    );
    if first > stands {
        let is_gap = set.log_chain_lsn.is_some_and(|began| began > stands);
        return Err(if is_gap {
            Failure::new(4312, &[])
        } else {
            Failure::new(4305, &[&first, &stands])
        });
    }
    let is_empty = first == last && last == stands;
    if last <= stands && !is_empty {
        return Err(Failure::new(4326, &[&last, &stands]));
    }
    if !is_on_path(header, stands, fork) {
        return Err(Failure::new(4330, &[]));
    }
    let behind = match order.stop {
        Some(StopAt::Including(lsn)) => lsn < stands,
        Some(StopAt::Before(lsn)) => lsn < stands,
        // The data that was restored is as old as the end of its backup, whatever kind that is.
        Some(StopAt::Time(moment)) => engine
            .boot()
            .restored
            .is_some_and(|data| moment < super::moment_of(session, data.finished)),
        None => false,
    };
    if behind {
        return Err(Failure::new(4335, &[]));
    }
    Ok(())
}

/// Whether the set holds log of the path that the database is on: up to the set's fork point that is the fork it came from,
/// behind it its own.
pub(super) fn is_on_path(header: &SetHeader, stands: Lsn, fork: Uuid) -> bool {
    let set = &header.set;
    let own = set.recovery_fork_id;
    match set.fork_point_lsn {
        Some(point) if stands <= point => {
            let first = set.first_recovery_fork_id.or(own);
            first == Some(fork) || (stands == point && own == Some(fork))
        }
        _ => own == Some(fork),
    }
}

//! Redo and recovery in pieces: the instance's mutex is let go between two of them, so that other sessions run, and whoever ends
//! this one is heard. Meanwhile the database is RESTORING and this restore's alone.

use std::time::Duration;

use uuid::Uuid;

use super::target::Target;
use super::transfer::engine_of;
use crate::engine::{Engine, EngineError, Redone, Stop};
use crate::instance::trouble;
use crate::instance::waiting::is_killed;
use crate::message::Failure;
use crate::moment::Moment;
use crate::session::Session;

/// Redoes the log that came. What redo learnt of added files is in the instance's record before the boot page says that they were
/// redone: the log that tells of them is not asked for again.
///
/// # Errors
/// Those of the engine, in the words of messages; 823 of the record; [`Failure::cancelled`]. Redo can be begun again.
pub(super) async fn redo(session: &Session, target: &Target, stop: Stop) -> Result<Redone, Failure> {
    let known = with_engine(session, target, |engine| {
        engine.begin_redo(stop)?;
        Ok(engine.files().len())
    })?;
    in_pieces(session, target, Engine::redo_piece).await?;
    let mut state = session.instance.state();
    if engine_of(&mut state.databases, target)?.files().len() != known {
        session.instance.save(&state)?;
    }
    drop(state);
    with_engine(session, target, Engine::end_redo)
}

/// Recovers the database.
///
/// # Errors
/// Those of the engine, in the words of messages; [`Failure::cancelled`]. Recovery can be begun again.
pub(super) async fn recover(
    session: &Session,
    target: &Target,
    fork: Uuid,
    at: Moment,
) -> Result<(), Failure> {
    with_engine(session, target, |engine| engine.begin_recovery(fork, at))?;
    in_pieces(session, target, Engine::recovery_piece).await
}

async fn in_pieces(
    session: &Session,
    target: &Target,
    piece: impl Fn(&mut Engine) -> Result<bool, EngineError>,
) -> Result<(), Failure> {
    while !with_engine(session, target, &piece)? {
        if let Err(failure) = breathe(session).await {
            with_engine(session, target, |engine| {
                engine.abandon();
                Ok(())
            })?;
            return Err(failure);
        }
    }
    Ok(())
}

/// Lets others run, and ends where the session was cancelled or killed.
async fn breathe(session: &Session) -> Result<(), Failure> {
    let clock = &session.instance.world.clock;
    let slept = session.canceller.unless_cancelled(clock.sleep(Duration::ZERO));
    slept.await?;
    if is_killed(session) {
        return Err(Failure::cancelled());
    }
    Ok(())
}

/// Calls `work` with the engine.
///
/// # Errors
/// Those of the engine, in the words of messages.
pub(super) fn with_engine<T>(
    session: &Session,
    target: &Target,
    work: impl FnOnce(&mut Engine) -> Result<T, EngineError>,
) -> Result<T, Failure> {
    let mut state = session.instance.state();
    let engine = engine_of(&mut state.databases, target)?;
    work(engine).map_err(|error| match state.databases.get(&target.id) {
        Some(entry) => trouble::failure(&error, entry),
        None => Failure::new(3204, &[]),
    })
}

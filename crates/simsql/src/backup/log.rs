//! Log backups: what was logged since the last one; copy-only ones; the tail before a database is given up.

use bak::writer::SetPlan;

use super::conclusion::Conclusion;
use super::description::{Bounds, Circumstances, Description, FLAG_DAMAGED, describe, local};
use super::figures::Percent;
use super::guards::LogPin;
use super::media_set::MediaSet;
use super::order::{After, Order};
use super::output::FRAME_TRANSFER;
use super::stage::{Stage, with_engine};
use super::{Started, commit, end_media};
use crate::answers::Answers;
use crate::engine::{Engine, LogPiece, Opening};
use crate::instance::state::DatabaseState;
use crate::instance::trouble;
use crate::message::Failure;
use crate::session::Session;

/// What a log backup holds.
struct Content {
    description: Description,
    pieces: Vec<LogPiece>,
    bounds: Bounds,
    begins_log_chain: bool,
}

/// A log backup from its first LSN to 3014.
///
/// # Errors
/// As the map of errors says, without 3013.
pub(super) async fn run(
    session: &Session,
    order: &Order,
    database: u16,
    started: Started,
    answers: &mut dyn Answers,
) -> Result<(), Failure> {
    let clock = session.instance.world.clock.as_ref();
    let mut media = MediaSet::plan(session, order, local(clock, started.at))?;
    if order.encrypted {
        return Err(Failure::new(40_510, &[&"encrypted backups"]));
    }
    let (content, _pin) = begin(session, order, database, started)?;
    let total = length(&content.pieces);
    let devices = media.open(session, order, total).await?;
    let mut stage = Stage {
        session,
        order,
        database,
        devices,
        percent: Percent::new(order.stats, total),
        done: 0,
        total,
        began: started.uptime,
        damaged: false,
    };
    let end = content.bounds.last;
    let conclusion = match write(&mut stage, &mut media, content, started, answers).await {
        Ok(conclusion) => conclusion,
        Err(failure) => {
            stage.abandon().await;
            return Err(failure);
        }
    };
    let is_read_only = is_read_only(session, database);
    if !order.copy_only && !is_read_only {
        with_engine(session, database, |engine| {
            engine.end_log_backup(end, clock.now())
        })?;
    }
    give_up(session, order, database, end)?;
    conclusion.close(session, answers).await;
    Ok(())
}

fn length(pieces: &[LogPiece]) -> u64 {
    pieces
        .iter()
        .map(|piece| piece.segment.end - piece.segment.start)
        .sum()
}

fn is_read_only(session: &Session, database: u16) -> bool {
    let state = session.instance.state();
    state
        .databases
        .get(&database)
        .is_some_and(|entry| entry.is_read_only)
}

/// Decides what is backed up, and keeps it in the log.
fn begin(
    session: &Session,
    order: &Order,
    database: u16,
    started: Started,
) -> Result<(Content, LogPin), Failure> {
    let instance = &session.instance;
    let (boot, files, first, last, pieces, pin) = with_engine(session, database, |engine| {
        if order.after != After::Online {
            // Nothing is logged any more behind the end of this backup.
            engine.checkpoint(started.at)?;
        }
        let last = engine.close_log(started.at)?;
        let boot = engine.boot().clone();
        let first = boot.last_log_backup_lsn.unwrap_or(last);
        let pieces = engine.log_pieces(first, last)?;
        let pin = LogPin::new(instance, engine, database, first);
        Ok((boot, engine.files(), first, last, pieces, pin))
    })?;
    let about = Circumstances {
        order,
        settings: &instance.settings,
        user: &session.login,
        guid: instance.world.chance.guid(),
        start: started.at,
        clock: instance.world.clock.as_ref(),
        expiration: started.expiration,
    };
    let bounds = Bounds {
        first,
        last,
        checkpoint: boot.checkpoint_lsn,
    };
    let state = instance.state();
    let entry = state
        .databases
        .get(&database)
        .ok_or_else(|| Failure::new(911, &[&order.database]))?;
    let content = Content {
        description: describe(&state, entry, &boot, files, bounds, &about),
        pieces,
        bounds,
        begins_log_chain: boot.log_chain_lsn == Some(first),
    };
    drop(state);
    Ok((content, pin))
}

async fn write<'a>(
    stage: &mut Stage<'a>,
    media: &'a mut MediaSet,
    content: Content,
    started: Started,
    answers: &mut dyn Answers,
) -> Result<Conclusion<'a>, Failure> {
    let (session, order) = (stage.session, stage.order);
    let description = content.description;
    let mut details = description.details.clone();
    details.log_bytes = length(&content.pieces);
    let plan = SetPlan {
        set: description.set.clone(),
        data_pages: Vec::new(),
        details,
    };
    let mut writers = media.writers();
    let mut sets: Vec<_> = writers
        .iter_mut()
        .map(|writer| writer.begin_set(plan.clone()))
        .collect();
    stage.frames(&mut sets, FRAME_TRANSFER).await?;
    let log_bytes = stage.log(&mut sets, &content.pieces, answers).await?;
    let damaged = if stage.damaged { FLAG_DAMAGED } else { 0 };
    for writer in &mut sets {
        writer.details_mut().flags |= damaged;
    }
    let clock = session.instance.world.clock.as_ref();
    let finish = clock.now();
    let mut set = description.set.clone();
    set.backup_finish_date = Some(local(clock, finish));
    set.backup_size = commit(sets, &set);
    end_media(stage, &mut writers).await?;
    set.compressed = media.compressed;
    let base = description.base(&set);
    let conclusion = Conclusion {
        order,
        media,
        flags: description.details.flags | damaged | bak::writer::flags(&set),
        set,
        files: description.files,
        pages: Vec::new(),
        again: 0,
        log_bytes,
        sent: stage.devices.iter().map(|devices| devices.sent).sum(),
        finish,
        elapsed: clock.uptime().saturating_sub(stage.began),
        damaged: stage.damaged,
        expiration: started.expiration,
        base,
        begins_log_chain: content.begins_log_chain,
    };
    if let Some(end) = stage.percent.end() {
        answers.message(end);
    }
    conclusion.tell_log(answers);
    Ok(conclusion)
}

/// NORECOVERY and STANDBY: the database goes where a restore of the next log can go on.
fn give_up(session: &Session, order: &Order, database: u16, end: bak::Lsn) -> Result<(), Failure> {
    if order.after == After::Online {
        return Ok(());
    }
    let instance = &session.instance;
    let mut state = instance.state();
    let entry = state
        .databases
        .get_mut(&database)
        .ok_or_else(|| Failure::new(911, &[&order.database]))?;
    let Some(mut engine) = entry.engine.take() else {
        return Err(Failure::new(945, &[&entry.name]));
    };
    entry.files = engine.files();
    entry.state = DatabaseState::Restoring;
    let files = entry.files.clone();
    // First the instance's record, then the boot page: a restart in between finds a restoring database that may be recovered,
    // never an online one behind the tail that was told to be its last.
    instance.save(&state)?;
    let reopened = engine
        .change_boot(&mut |boot| boot.redo_start = Some((end, boot.recovery_fork)))
        .and_then(|()| {
            // Not closed, which would log a checkpoint behind the tail.
            drop(engine);
            Engine::open(&instance.world, files, Opening::Restoring)
        });
    let Some(entry) = state.databases.get_mut(&database) else {
        return Err(Failure::new(911, &[&order.database]));
    };
    let mut engine = reopened.map_err(|error| trouble::failure(&error, entry))?;
    let mut stood_by = Ok(());
    if let After::Standby(undo) = &order.after {
        stood_by = engine.enter_standby(undo);
        if stood_by.is_ok() {
            entry.standby = Some(undo.clone());
            entry.state = DatabaseState::Online;
        }
    }
    entry.engine = Some(engine);
    stood_by.map_err(|error| trouble::failure(&error, entry))?;
    instance.save(&state)
}

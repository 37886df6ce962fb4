//! RESTORE DATABASE: a full backup, a differential one, or only the end of a restore.

use std::time::Duration;

use bak::content::SetHeader;
use bak::{BackupType, FileType};

use super::begin::About;
use super::finish::{Ending, finish};
use super::media_set::MediaSet;
use super::order::{Finish, Order};
use super::target::{self, Target};
use super::transfer::{Moved, Transfer};
use super::{begin, files, history, pieces};
use crate::answers::Answers;
use crate::engine::{Engine, Stop};
use crate::instance::{DatabaseState, exclusive};
use crate::message::{Failure, Message};
use crate::session::Session;
use crate::tsql::statement::Termination;

/// Pages in a megabyte.
const PAGES_PER_MEGABYTE: f64 = 128.0;

/// Runs the statement.
///
/// # Errors
/// As the map of errors says, without the trailer.
pub(super) async fn run(session: &Session, order: &Order, answers: &mut dyn Answers) -> Result<(), Failure> {
    target::check_name(session, order)?;
    if order.devices.is_empty() {
        return only_finish(session, order, answers).await;
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
    let mut target = target::take(session, order, &header).await?;
    let done = restore(session, order, &header, &mut target, media, answers).await;
    exclusive::release(&mut session.instance.state(), target.id, session.id);
    done
}

async fn restore(
    session: &Session,
    order: &Order,
    header: &SetHeader,
    target: &mut Target,
    media: &mut MediaSet,
    answers: &mut dyn Answers,
) -> Result<(), Failure> {
    let started = session.instance.world.clock.uptime();
    if header.set.backup_type == BackupType::Full {
        // Under one lock: no other restore and no CREATE DATABASE takes the same places in between.
        let mut state = session.instance.state();
        let files = files::plan(session, &state, order, header, target)?;
        begin::begin_full(session, &mut state, target, files, About::of(header))?;
    } else {
        check_differential(session, header, target)?;
        begin::begin_roll_forward(session, target, header)?;
    }
    let transfer = Transfer {
        session,
        order,
        header,
        target,
    };
    let moved = transfer.run(media, answers).await?;
    if !moved.is_foreign {
        pieces::redo(session, target, Stop::End).await?;
    }
    tell_files(order, header, target, &moved, answers);
    if moved.is_foreign && order.finish != Finish::NoRecovery {
        answers.message(Message::new(40_511, &[&target.name]));
    }
    let ending = Ending {
        target,
        finish: &order.finish,
        restricted: order.restricted_user,
    };
    finish(session, &ending, answers).await?;
    if moved.is_damaged {
        answers.message(Message::new(3184, &[]));
    } else if header.flags & super::header_only::DAMAGED != 0 {
        answers.message(Message::new(3188, &[]));
    }
    history::write(session, order, header, target, media, answers).await;
    let pages = moved.pages.values().sum::<u64>() + moved.log_pages();
    tell_success(session, "RESTORE DATABASE", pages, started, answers);
    Ok(())
}

/// Whether a differential backup follows what the database was restored from.
///
/// # Errors
/// 3136 another base, 3120 older than what is there, 3121 another recovery path, 4319 a restore that was cut off, 3155 other files.
fn check_differential(session: &Session, header: &SetHeader, target: &Target) -> Result<(), Failure> {
    let state = session.instance.state();
    let Some(engine) = state
        .databases
        .get(&target.id)
        .and_then(|entry| entry.engine.as_ref())
    else {
        return Err(Failure::new(3117, &[]));
    };
    let (boot, set) = (engine.boot(), &header.set);
    let base = boot.differential_base.map(|(_, guid, _)| guid);
    if base.is_none() || base != set.differential_base_guid {
        return Err(Failure::new(3136, &[]));
    }
    let Some((redo_start, fork)) = boot.redo_start else {
        return Err(Failure::new(4319, &[&first_file(engine)]));
    };
    if set.last_lsn.is_some_and(|last| last <= redo_start) {
        return Err(Failure::new(3120, &[]));
    }
    // Extents that changed on a fork that the set is not of would stay as they are: only over the base alone it does not matter.
    let is_whole = redo_start != bak::Lsn::ZERO;
    let is_base_alone = is_whole && boot.restored.is_some_and(|data| redo_start <= data.base_end);
    let is_on_path = is_whole && super::log::is_on_path(header, redo_start, fork);
    if !is_base_alone && !is_on_path && set.recovery_fork_id != Some(fork) {
        return Err(Failure::new(3121, &[&first_file(engine)]));
    }
    let ids = |file: &bak::DatabaseFile| u16::try_from(file.file_id).unwrap_or(u16::MAX);
    let theirs = set.files.iter().map(ids);
    let ours: Vec<u16> = engine.files().iter().map(|file| file.file_id).collect();
    if !theirs.clone().all(|id| ours.contains(&id)) || theirs.count() != ours.len() {
        return Err(Failure::new(3155, &[]));
    }
    Ok(())
}

/// The logical name of the primary data file.
fn first_file(engine: &Engine) -> String {
    let files = engine.files();
    files
        .first()
        .map_or_else(String::new, |file| file.logical_name.clone())
}

/// 4035 for each file: data files in their order, then the log.
pub(super) fn tell_files(
    order: &Order,
    header: &SetHeader,
    target: &Target,
    moved: &Moved,
    answers: &mut dyn Answers,
) {
    let (data, log): (Vec<_>, Vec<_>) = header
        .set
        .files
        .iter()
        .partition(|file| file.file_type == FileType::Data);
    for file in data.into_iter().chain(log) {
        let id = u16::try_from(file.file_id).unwrap_or(u16::MAX);
        let pages = match file.file_type {
            FileType::Data => moved.pages.get(&id).copied().unwrap_or(0),
            FileType::Log => moved.log_pages(),
        };
        answers.message(Message::new(
            4035,
            &[&pages, &target.name, &file.logical_name, &order.position],
        ));
    }
}

/// 3014.
pub(super) fn tell_success(
    session: &Session,
    verb: &str,
    pages: u64,
    started: Duration,
    answers: &mut dyn Answers,
) {
    let elapsed = session.instance.world.clock.uptime().saturating_sub(started);
    // Less than a millisecond is told as one, so that there is a speed.
    let seconds = (elapsed.as_millis().max(1) as f64) / 1000.0;
    let speed = pages as f64 / PAGES_PER_MEGABYTE / seconds;
    answers.message(Message::new(
        3014,
        &[&verb, &pages, &format!("{seconds:.3}"), &format!("{speed:.3}")],
    ));
}

/// `RESTORE DATABASE x WITH RECOVERY` or STANDBY, without a backup.
async fn only_finish(session: &Session, order: &Order, answers: &mut dyn Answers) -> Result<(), Failure> {
    let started = session.instance.world.clock.uptime();
    let (id, name) = {
        let state = session.instance.state();
        let entry = state
            .database(&order.database)
            .ok_or_else(|| Failure::new(911, &[&order.database]))?;
        target::refuse_mirrored(&state, entry)?;
        (entry.id, entry.name.clone())
    };
    exclusive::take(session, id, Termination::NoWait, || Failure::new(3101, &[])).await?;
    let target = Target {
        id,
        name,
        existed: true,
        binding: None,
    };
    let done = finish_only(session, order, &target, started, answers).await;
    exclusive::release(&mut session.instance.state(), id, session.id);
    done
}

async fn finish_only(
    session: &Session,
    order: &Order,
    target: &Target,
    started: Duration,
    answers: &mut dyn Answers,
) -> Result<(), Failure> {
    let is_foreign = {
        let state = session.instance.state();
        let Some(entry) = state.databases.get(&target.id) else {
            return Err(Failure::new(911, &[&order.database]));
        };
        if entry.state != DatabaseState::Restoring && entry.standby.is_none() {
            return Err(Failure::new(3153, &[]));
        }
        // One that was recovered before its process ended is told to be done now.
        let can_end = |engine: &&Engine| {
            let stands = engine.boot().redo_start;
            stands.is_some_and(|(lsn, _)| lsn != bak::Lsn::ZERO)
                || order.finish == Finish::Recovery && engine.is_recovered()
        };
        let whole = entry.engine.as_ref().filter(can_end);
        let Some(engine) = whole else {
            let file = entry.files.first().map_or("", |file| &file.logical_name);
            return Err(Failure::new(4319, &[&file]));
        };
        engine.is_foreign()
    };
    if is_foreign && order.finish != Finish::NoRecovery {
        answers.message(Message::new(40_511, &[&target.name]));
    }
    let ending = Ending {
        target,
        finish: &order.finish,
        restricted: order.restricted_user,
    };
    finish(session, &ending, answers).await?;
    tell_success(session, "RESTORE DATABASE", 0, started, answers);
    Ok(())
}

//! Full, copy-only and differential backups: checkpoint, pages, the pages that changed meanwhile, log, commit record.

use bak::writer::SetPlan;

use super::conclusion::Conclusion;
use super::description::{Bounds, Circumstances, Description, FLAG_DAMAGED, describe, local};
use super::figures::Percent;
use super::guards::DataPin;
use super::media_set::MediaSet;
use super::order::{Kind, Order};
use super::output::FRAME_TRANSFER;
use super::stage::{Stage, with_engine};
use super::work::{self, EXTENT_BYTES};
use super::{Started, commit, end_media};
use crate::answers::Answers;
use crate::engine::{DataBackup, DataKind, FileExtents};
use crate::instance::Version;
use crate::message::Failure;
use crate::session::Session;

const PRIMARY_FILE: u16 = 1;

/// A data backup from the checkpoint to 3014.
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
    let (backup, description) = begin(session, order, database, started)?;
    let mut pin = DataPin::new(&session.instance, database, backup.clone());
    let total = bytes(&backup.files) + started.log_estimate;
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
    let written = write(&mut stage, &mut media, &backup, description, started, answers).await;
    let conclusion = match written {
        Ok(conclusion) => conclusion,
        Err(failure) => {
            stage.abandon().await;
            return Err(failure);
        }
    };
    let backup = pin.disarm().unwrap_or(backup);
    let now = clock.now();
    with_engine(session, database, |engine| {
        engine.end_data_backup(&backup, conclusion.set.backup_set_guid, now)
    })?;
    conclusion.close(session, answers).await;
    Ok(())
}

fn begin(
    session: &Session,
    order: &Order,
    database: u16,
    started: Started,
) -> Result<(DataBackup, Description), Failure> {
    let world = &session.instance.world;
    let kind = match (order.kind, order.copy_only) {
        (Kind::Differential, _) => DataKind::Differential,
        (_, true) => DataKind::CopyOnly,
        (_, false) => DataKind::Full,
    };
    let (backup, boot, files) = with_engine(session, database, |engine| {
        let boot = engine.boot().clone();
        let backup = engine.begin_data_backup(kind, started.at)?;
        Ok((backup, boot, engine.files()))
    })?;
    let about = Circumstances {
        order,
        settings: &session.instance.settings,
        user: &session.login,
        guid: world.chance.guid(),
        start: started.at,
        clock: world.clock.as_ref(),
        expiration: started.expiration,
    };
    let bounds = Bounds {
        first: backup.first_lsn,
        last: backup.checkpoint_lsn,
        checkpoint: backup.checkpoint_lsn,
    };
    let state = session.instance.state();
    let entry = state
        .databases
        .get(&database)
        .ok_or_else(|| Failure::new(911, &[&order.database]))?;
    Ok((backup, describe(&state, entry, &boot, files, bounds, &about)))
}

fn bytes(files: &[FileExtents]) -> u64 {
    files
        .iter()
        .map(|file| file.extents.len() as u64 * EXTENT_BYTES)
        .sum()
}

/// Pages of each file.
fn pages(files: &[FileExtents]) -> Vec<(u16, u64)> {
    files
        .iter()
        .map(|file| (file.file_id, file.extents.len() as u64 * 8))
        .collect()
}

/// What builds from 2019 on send a second time with a full backup: the extents that changed meanwhile, and in any case the one
/// that holds the primary file's header and maps. All 13 real ones send 1 to 16.
fn again(session: &Session, order: &Order, database: u16) -> Result<Vec<FileExtents>, Failure> {
    if order.kind != Kind::Full || session.instance.settings.version < Version::V2019 {
        return Ok(Vec::new());
    }
    let mut files = with_engine(session, database, |engine| Ok(engine.changed_meanwhile()))?;
    match files.first_mut().filter(|file| file.file_id == PRIMARY_FILE) {
        Some(primary) if primary.extents.first() == Some(&0) => {}
        Some(primary) => primary.extents.insert(0, 0),
        None => files.insert(
            0,
            FileExtents {
                file_id: PRIMARY_FILE,
                extents: vec![0],
            },
        ),
    }
    Ok(files)
}

async fn write<'a>(
    stage: &mut Stage<'a>,
    media: &'a mut MediaSet,
    backup: &DataBackup,
    description: Description,
    started: Started,
    answers: &mut dyn Answers,
) -> Result<Conclusion<'a>, Failure> {
    let (session, order) = (stage.session, stage.order);
    let families = media.families.len();
    let portion = u64::from(order.max_transfer) / EXTENT_BYTES;
    let dealt = work::deal(&backup.files, families, portion as u32);
    let plan = SetPlan {
        set: description.set.clone(),
        data_pages: pages(&backup.files)
            .into_iter()
            .map(|(id, pages)| (u32::from(id), pages as u32))
            .collect(),
        details: description.details.clone(),
    };
    let mut writers = media.writers();
    let mut sets: Vec<_> = writers
        .iter_mut()
        .map(|writer| writer.begin_set(plan.clone()))
        .collect();
    stage.frames(&mut sets, FRAME_TRANSFER).await?;
    stage.pass(&mut sets, &dealt, answers).await?;
    let again = again(session, order, stage.database)?;
    if !again.is_empty() {
        let mut dealt_again = work::deal(&again, 1, portion as u32);
        dealt_again.resize(families, Vec::new());
        stage.pass(&mut sets, &dealt_again, answers).await?;
    }
    let (last, pieces) = stage.close_log(backup.first_lsn)?;
    let log_bytes = stage.log(&mut sets, &pieces, answers).await?;
    let flags = if stage.damaged { FLAG_DAMAGED } else { 0 };
    let mut set = description.set.clone();
    set.last_lsn = Some(last);
    let finish = session.instance.world.clock.now();
    set.backup_finish_date = Some(local(session.instance.world.clock.as_ref(), finish));
    for writer in &mut sets {
        let details = writer.details_mut();
        details.flags |= flags;
        details.log_bytes = log_bytes;
    }
    set.backup_size = commit(sets, &set);
    end_media(stage, &mut writers).await?;
    set.compressed = media.compressed;
    let base = description.base(&set);
    let conclusion = Conclusion {
        order,
        media,
        flags: description.details.flags | flags | bak::writer::flags(&set),
        set,
        files: description.files,
        pages: pages(&backup.files),
        again: bytes(&again) / 8192,
        log_bytes,
        sent: stage.devices.iter().map(|devices| devices.sent).sum(),
        finish,
        elapsed: session.instance.world.clock.uptime().saturating_sub(stage.began),
        damaged: stage.damaged,
        expiration: started.expiration,
        base,
        begins_log_chain: false,
    };
    conclusion.tell_pages(answers);
    if let Some(end) = stage.percent.end() {
        answers.message(end);
    }
    conclusion.tell_log(answers);
    Ok(conclusion)
}

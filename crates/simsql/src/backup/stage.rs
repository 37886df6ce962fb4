//! Pages and log on their way from the engine to the media: one transfer at a time, the instance's mutex held for the reading of
//! it alone, so that other sessions run between transfers.

use std::time::Duration;

use bak::Lsn;
use bak::writer::{LogSegment, SetWriter};

use super::figures::Percent;
use super::log_check::LogCheck;
use super::order::Order;
use super::output::{Devices, FRAME_TRANSFER, Output};
use super::suspects;
use super::work::{EXTENT_BYTES, Portion, Run, extents};
use crate::answers::Answers;
use crate::engine::{Engine, EngineError, LogPiece};
use crate::instance::state::DatabaseEntry;
use crate::instance::{State, trouble};
use crate::message::Failure;
use crate::session::Session;

/// The writers of a set, one a family.
pub(super) type Sets<'s> = [SetWriter<'s, Output>];

/// A backup that is being written.
pub(super) struct Stage<'a> {
    pub(super) session: &'a Session,
    pub(super) order: &'a Order,
    pub(super) database: u16,
    pub(super) devices: Vec<Devices>,
    pub(super) percent: Percent,
    /// Bytes of pages and log read so far, and how many there will be.
    pub(super) done: u64,
    pub(super) total: u64,
    /// When it began, by uptime.
    pub(super) began: Duration,
    /// A page was damaged and went along all the same.
    pub(super) damaged: bool,
}

/// The entry of a database that is being backed up; it is there unless the instance lost the database.
///
/// # Errors
/// 911.
fn entry_of(state: &mut State, database: u16) -> Result<&mut DatabaseEntry, Failure> {
    state
        .databases
        .get_mut(&database)
        .ok_or_else(|| Failure::new(911, &[&database]))
}

/// Runs `deed` with the engine of a database.
///
/// # Errors
/// 911, 945, and those of the deed in the words of SQL Server.
pub(super) fn with_engine<T>(
    session: &Session,
    database: u16,
    deed: impl FnOnce(&mut Engine) -> Result<T, EngineError>,
) -> Result<T, Failure> {
    let mut state = session.instance.state();
    let entry = entry_of(&mut state, database)?;
    let Some(engine) = &mut entry.engine else {
        return Err(Failure::new(945, &[&entry.name]));
    };
    deed(engine).map_err(|error| trouble::failure(&error, entry))
}

impl Stage<'_> {
    /// Sends what every family has so far. At the end nothing stays back.
    ///
    /// # Errors
    /// Those of the devices.
    pub(super) async fn frames(&mut self, sets: &mut Sets<'_>, most: usize) -> Result<(), Failure> {
        for (devices, set) in self.devices.iter_mut().zip(sets) {
            devices.send(self.session, set.sink_mut(), most, false).await?;
        }
        Ok(())
    }

    /// Sends one pass over pages; each family has its own portions.
    ///
    /// # Errors
    /// 3043, and those of engine and devices.
    pub(super) async fn pass(
        &mut self,
        sets: &mut Sets<'_>,
        dealt: &[Vec<Portion>],
        answers: &mut dyn Answers,
    ) -> Result<(), Failure> {
        for (set, portions) in sets.iter_mut().zip(dealt) {
            if !portions.is_empty() {
                set.begin_pages(extents(portions));
            }
        }
        self.frames(sets, FRAME_TRANSFER).await?;
        let rounds = dealt.iter().map(Vec::len).max().unwrap_or(0);
        for round in 0..rounds {
            for (family, portions) in dealt.iter().enumerate() {
                let Some(portion) = portions.get(round) else {
                    continue;
                };
                self.read_portion(&mut sets[family], portion)?;
                self.transfer(family, &mut sets[family]).await?;
                self.progress(extents(std::slice::from_ref(portion)) * EXTENT_BYTES, answers)
                    .await?;
            }
        }
        for (set, portions) in sets.iter_mut().zip(dealt) {
            if !portions.is_empty() {
                set.end_pages();
            }
        }
        Ok(())
    }

    async fn transfer(&mut self, family: usize, set: &mut SetWriter<'_, Output>) -> Result<(), Failure> {
        let most = self.order.max_transfer as usize;
        self.devices[family]
            .send(self.session, set.sink_mut(), most, false)
            .await
    }

    /// Reads a portion into the family's buffer.
    fn read_portion(&mut self, set: &mut SetWriter<'_, Output>, portion: &Portion) -> Result<(), Failure> {
        let mut state = self.session.instance.state();
        let entry = entry_of(&mut state, self.database)?;
        let Some(engine) = &mut entry.engine else {
            return Err(Failure::new(945, &[&entry.name]));
        };
        let mut suspects = Vec::new();
        let verify = self.order.checksum;
        let outcome = portion
            .iter()
            .try_for_each(|run| match read_run(engine, set, *run, verify) {
                Err(EngineError::Page { .. }) if self.order.continue_after_error => {
                    read_damaged(engine, set, *run, &mut suspects)
                }
                other => other,
            });
        let outcome = outcome.map_err(|error| told(error, entry, &mut suspects));
        self.damaged |= !suspects.is_empty();
        suspects::note(self.session, &mut state, self.database, &suspects);
        outcome
    }

    /// Sends the log: all of it in the first family, described in the others. Gives its bytes.
    ///
    /// # Errors
    /// Those of engine and devices.
    pub(super) async fn log(
        &mut self,
        sets: &mut Sets<'_>,
        pieces: &[LogPiece],
        answers: &mut dyn Answers,
    ) -> Result<u64, Failure> {
        let mut bytes = 0;
        for LogPiece { segment } in pieces {
            let (first, others) = sets.split_first_mut().expect("a media set has a family");
            for other in others {
                other.describe_log(segment);
            }
            if segment.start == segment.end {
                first.describe_log(segment);
                continue;
            }
            first.begin_log(segment);
            self.devices[0]
                .send(self.session, first.sink_mut(), FRAME_TRANSFER, false)
                .await?;
            self.read_segment(first, segment, answers).await?;
            first.end_log();
            self.transfer(0, first).await?;
            bytes += segment.end - segment.start;
        }
        Ok(bytes)
    }

    async fn read_segment(
        &mut self,
        set: &mut SetWriter<'_, Output>,
        segment: &LogSegment,
        answers: &mut dyn Answers,
    ) -> Result<(), Failure> {
        let mut at = segment.start;
        let mut check = LogCheck::new(segment, self.order.checksum);
        while at < segment.end {
            let length = (segment.end - at).min(u64::from(self.order.max_transfer));
            let mut is_sound = true;
            with_engine(self.session, self.database, |engine| {
                set.log_in_place(|buffer| {
                    let before = buffer.len();
                    unless_failed(buffer, |out| engine.read_log(at, length as usize, out))?;
                    is_sound = check.take(at, &buffer[before..]);
                    Ok(())
                })
            })?;
            if !is_sound && !self.order.continue_after_error {
                return Err(Failure::new(3049, &[]));
            }
            self.damaged |= !is_sound;
            at += length;
            // The last one goes out with the zeros that fill it up.
            if at < segment.end {
                self.transfer(0, set).await?;
            }
            self.progress(length, answers).await?;
        }
        Ok(())
    }

    /// So many bytes more are done: tells the client and whoever looks, lets others run, and sees whether this session is to end.
    async fn progress(&mut self, bytes: u64, answers: &mut dyn Answers) -> Result<(), Failure> {
        self.done += bytes;
        if let Some(message) = self.percent.done(self.done) {
            answers.message(message);
        }
        let clock = &self.session.instance.world.clock;
        let elapsed = clock.uptime().saturating_sub(self.began);
        {
            let mut state = self.session.instance.state();
            let Some(facts) = state
                .sessions
                .get_mut(&self.session.id)
                .filter(|facts| !facts.killed)
            else {
                return Err(Failure::cancelled());
            };
            if let Some(request) = &mut facts.request {
                let left = self.total.saturating_sub(self.done);
                request.percent_complete = (self.done as f32 / self.total.max(1) as f32 * 100.0).min(100.0);
                let estimate = elapsed.as_millis() * u128::from(left) / u128::from(self.done.max(1));
                request.estimated_completion_ms = i64::try_from(estimate).unwrap_or(i64::MAX);
            }
        }
        self.session
            .canceller
            .unless_cancelled(clock.sleep(Duration::ZERO))
            .await
    }

    /// Ends the media of all families.
    ///
    /// # Errors
    /// Those of the devices.
    pub(super) async fn finish(&mut self) -> Result<(), Failure> {
        for devices in &mut self.devices {
            self.session
                .canceller
                .unless_cancelled(devices.finish())
                .await??;
        }
        Ok(())
    }

    /// The backup failed: the devices clean up.
    pub(super) async fn abandon(&mut self) {
        for devices in &mut self.devices {
            devices.abandon().await;
        }
    }

    /// Where the log ends that this backup holds, and its pieces from `first` on.
    ///
    /// # Errors
    /// Those of the engine.
    pub(super) fn close_log(&self, first: Lsn) -> Result<(Lsn, Vec<LogPiece>), Failure> {
        let now = self.session.instance.world.clock.now();
        with_engine(self.session, self.database, |engine| {
            let last = engine.close_log(now)?;
            let pieces = engine.log_pieces(first, last)?;
            Ok((last, pieces))
        })
    }
}

/// The failure of a read in the words of BACKUP; a damaged page is noted, too.
fn told(error: EngineError, entry: &DatabaseEntry, suspects: &mut Vec<suspects::Suspect>) -> Failure {
    match error {
        EngineError::Page { path, page, detail } => {
            suspects.push((page, detail));
            Failure::new(3043, &[&entry.name, &page.file, &page.page, &path])
        }
        EngineError::Disk { path, error } => Failure::new(3203, &[&path, &error]),
        other => trouble::failure(&other, entry),
    }
}

/// Reads a run into the buffer of a family.
fn read_run(
    engine: &mut Engine,
    set: &mut SetWriter<'_, Output>,
    run: Run,
    verify: bool,
) -> Result<(), EngineError> {
    set.pages_in_place(|buffer| {
        buffer.reserve(run.count as usize * EXTENT_BYTES as usize);
        unless_failed(buffer, |out| {
            engine.read_extents(run.file_id, run.first, run.count, verify, out)
        })
    })
}

/// Reads a run that has damage, extent by extent, and collects what is damaged: one page an extent.
fn read_damaged(
    engine: &mut Engine,
    set: &mut SetWriter<'_, Output>,
    run: Run,
    suspects: &mut Vec<suspects::Suspect>,
) -> Result<(), EngineError> {
    for first in run.first..run.first + run.count {
        let extent = Run {
            first,
            count: 1,
            ..run
        };
        match read_run(engine, set, extent, true) {
            Err(EngineError::Page { page, detail, .. }) => {
                suspects.push((page, detail));
                read_run(engine, set, extent, false)?;
            }
            other => other?,
        }
    }
    Ok(())
}

/// Leaves the buffer as it was where `fill` fails.
fn unless_failed(
    buffer: &mut Vec<u8>,
    fill: impl FnOnce(&mut Vec<u8>) -> Result<(), EngineError>,
) -> Result<(), EngineError> {
    let before = buffer.len();
    fill(buffer).inspect_err(|_| buffer.truncate(before))
}

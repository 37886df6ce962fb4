//! Pages and log from the families into the database's files, as they come.
//!
//! Families are read in turn; what they hold is put in place in one order: pages by their pass, then log by its LSN, so that a
//! later pass goes over an earlier one and log joins whichever family it lies in. In memory are at most one read of each family.

use std::collections::{BTreeMap, BTreeSet};

use bak::content::SetHeader;
use bak::{BackupType, Lsn};

use super::bounds::Bounds;
use super::lane::{Flaw, Item, Lane, Turn};
use super::media_set::MediaSet;
use super::order::Order;
use super::progress::Progress;
use super::target::Target;
use crate::answers::Answers;
use crate::engine::{Engine, EngineError, RestoredData};
use crate::instance::DatabaseEntry;
use crate::message::Failure;
use crate::session::Session;

/// Bytes of a page, and pages of an extent.
const PAGE: u64 = 8192;
const EXTENT: u64 = 8;

/// What came over.
#[derive(Debug, Default)]
pub(super) struct Moved {
    /// Pages by data file.
    pub(super) pages: BTreeMap<u16, u64>,
    /// Bytes of log.
    pub(super) log: u64,
    /// Extents that are in place: file and number.
    extents: BTreeSet<(u16, u32)>,
    /// Something was not as it was written, and went over all the same.
    pub(super) is_damaged: bool,
    /// The log was SQL Server's own and was passed over.
    pub(super) is_foreign: bool,
}

impl Moved {
    /// Pages of the log.
    pub(super) fn log_pages(&self) -> u64 {
        self.log.div_ceil(PAGE)
    }
}

/// One set on its way into one database.
pub(super) struct Transfer<'a> {
    pub(super) session: &'a Session,
    pub(super) order: &'a Order,
    pub(super) header: &'a SetHeader,
    pub(super) target: &'a Target,
}

/// The database's entry and its engine.
///
/// # Errors
/// 3204 where somebody else took them away meanwhile.
pub(super) fn engine_of<'e>(
    databases: &'e mut BTreeMap<u16, DatabaseEntry>,
    target: &Target,
) -> Result<&'e mut Engine, Failure> {
    databases
        .get_mut(&target.id)
        .and_then(|entry| entry.engine.as_mut())
        .ok_or_else(|| Failure::new(3204, &[]))
}

impl Transfer<'_> {
    /// Calls `work` with the engine.
    ///
    /// # Errors
    /// Those of the engine, in the words of messages.
    pub(super) fn with_engine<T>(
        &self,
        work: impl FnOnce(&mut Engine) -> Result<T, EngineError>,
    ) -> Result<T, Failure> {
        super::pieces::with_engine(self.session, self.target, work)
    }

    /// Whether checksums are looked at.
    fn verifies(&self) -> bool {
        self.header.set.has_backup_checksums && self.order.checksum != Some(false)
    }

    /// Reads all of the set.
    ///
    /// # Errors
    /// Those of the devices, of the engine, and 3183, 3189, 3241 for damage; [`Failure::cancelled`].
    pub(super) async fn run(
        &self,
        media: &mut MediaSet,
        answers: &mut dyn Answers,
    ) -> Result<Moved, Failure> {
        let mut moved = Moved::default();
        let bounds = Bounds::of(self.header);
        self.with_engine(|engine| {
            let present = engine.files();
            engine.limit_files(bounds.most(&present));
            Ok(())
        })?;
        let mut progress = Progress::new(self.session, self.order.stats, self.header);
        let mut lanes: Vec<Lane> = media
            .families
            .iter()
            .map(|_| Lane::new(self.order.position))
            .collect();
        let mut pages_are_open = self.header.set.backup_type != BackupType::Log;
        loop {
            for (lane, family) in lanes.iter_mut().zip(&mut media.families) {
                lane.fill(self.session, family).await?;
                for item in &lane.queue {
                    if !bounds.allow(item) {
                        lane.flaws.push(Flaw::Structure);
                        break;
                    }
                }
                self.judge(lane, family.device.name(), &mut moved)?;
            }
            let turn = lanes.iter().filter_map(Lane::turn).min();
            if pages_are_open && !matches!(turn, Some(Turn::Pages { .. })) {
                pages_are_open = false;
                moved.is_foreign = self.pages_are_complete()?;
            }
            let Some(turn) = turn else { break };
            let mut bytes = 0;
            for lane in &mut lanes {
                bytes += self.put_in_turn(lane, turn, &mut moved)?;
            }
            progress.add(self.session, bytes, answers);
        }
        progress.end(self.session, answers);
        Ok(moved)
    }

    /// Puts what a family has for this turn in place; returns its bytes.
    fn put_in_turn(&self, lane: &mut Lane, turn: Turn, moved: &mut Moved) -> Result<u64, Failure> {
        let mut bytes = 0;
        while lane.turn() == Some(turn) {
            let Some(item) = lane.queue.pop_front() else { break };
            match item {
                Item::Extent(extent) => {
                    bytes += extent.pages.len() as u64;
                    let number = extent.first_page / EXTENT as u32;
                    let is_new = moved.extents.insert((extent.file_id, number));
                    // As BACKUP counts them: what a later pass sends again is no more pages.
                    if extent.pass == 1 {
                        *moved.pages.entry(extent.file_id).or_default() += EXTENT;
                    }
                    // An extent that no page of its own names may not go over one that is there.
                    if extent.is_named || is_new {
                        self.with_engine(|engine| {
                            engine.restore_extent(extent.file_id, number, &extent.pages)
                        })?;
                    }
                }
                Item::Log(segment, block) => {
                    bytes += block.bytes.len() as u64;
                    moved.log += block.bytes.len() as u64;
                    if !moved.is_foreign {
                        self.with_engine(|engine| engine.restore_log(&segment, block.start, &block.bytes))?;
                    }
                }
            }
        }
        Ok(bytes)
    }

    /// Acts on what is wrong with a family.
    fn judge(&self, lane: &mut Lane, device: &str, moved: &mut Moved) -> Result<(), Failure> {
        for flaw in lane.flaws.drain(..) {
            if flaw != Flaw::Structure && !self.verifies() && matches!(flaw, Flaw::Page { .. }) {
                continue;
            }
            if self.order.continue_after_error && flaw != Flaw::Structure {
                moved.is_damaged = true;
                continue;
            }
            let name = &self.target.name;
            return Err(match flaw {
                Flaw::Page { file, page } => Failure::new(3183, &[&file, &page, name]),
                Flaw::Stream => Failure::new(3189, &[]),
                Flaw::Structure => Failure::new(3241, &[&device]),
            });
        }
        Ok(())
    }

    /// All pages of the set are in place. Tells whether they are those of a real server's database.
    fn pages_are_complete(&self) -> Result<bool, Failure> {
        let set = &self.header.set;
        let binding = self.binding_id();
        let base = (set.backup_type == BackupType::Full && !set.is_copy_only)
            .then_some(
                set.checkpoint_lsn
                    .zip(set.backup_set_guid)
                    .zip(set.backup_finish_date),
            )
            .flatten()
            .map(|((lsn, guid), time)| (lsn, guid, time));
        let is_full = set.backup_type == BackupType::Full;
        let last_lsn = set.last_lsn.unwrap_or(Lsn::ZERO);
        let finished = set.backup_finish_date;
        self.with_engine(|engine| {
            let (before, data) = (engine.boot().differential_base, engine.boot().restored);
            engine.end_restore_pages()?;
            let is_foreign = engine.is_foreign();
            engine.change_boot(&mut |boot| {
                boot.binding_id = binding;
                boot.differential_base = if is_full { base } else { before };
                let base_end = if is_full {
                    last_lsn
                } else {
                    data.map_or(Lsn::ZERO, |data| data.base_end)
                };
                boot.restored = finished.map(|finished| RestoredData { base_end, finished });
                if let Some((lsn, ..)) = base {
                    boot.database_backup_lsn = Some(lsn);
                }
                if is_foreign {
                    // Its log is passed over: the database stands where the set ends.
                    boot.redo_start = Some((last_lsn, boot.recovery_fork));
                }
            })?;
            Ok(is_foreign)
        })
    }

    /// The binding id that the database has: its own where it was there before, a new one where this restore makes it.
    fn binding_id(&self) -> uuid::Uuid {
        let set = &self.header.set;
        if set.backup_type != BackupType::Full {
            let state = self.session.instance.state();
            let boot = state
                .databases
                .get(&self.target.id)
                .and_then(|entry| entry.engine.as_ref())
                .map(|engine| engine.boot().binding_id);
            return boot.or(set.binding_id).unwrap_or_default();
        }
        set.binding_id
            .filter(|_| set.binding_id == self.target.binding)
            .unwrap_or_else(|| self.session.instance.world.chance.guid())
    }
}

//! Everything that is found out before the target is touched: the way, where files go, what speaks against it.

use std::collections::BTreeMap;

use bak::Lsn;
use catalog::record::{Database, FileMove, Item, PointId, RestoreEnd, RestoreOrder, Server};
use faults::{Fault, Operation};
use mssql::{Session, media};
use schedule::BackupKind;

use super::checks::{Case, Judged, judge};
use super::files::SourceFile;
use super::headers::devices;
use super::lending::Entries;
use super::paths::{Circumstances, PlacedFile, place};
use super::planning::Way;
use super::target::{self, PathSeen, TargetSeen};
use crate::registration::failed;
use crate::vault::Vault;

/// A restore that nothing speaks against.
pub(super) struct Prepared {
    pub(super) way: Way,
    pub(super) judged: Judged,
    /// Where each file of the database will lie; empty where a database is gone on with, or no set told its files.
    pub(super) files: Vec<PlacedFile>,
    pub(super) seen: TargetSeen,
    /// The source, for people: `SERVER/DATABASE`.
    pub(super) source: String,
    /// The files of some set are not known: neither the vault could read them, nor was the target asked.
    pub(super) is_unread: bool,
    /// The moment lies in the tail, and the way is the one to the latest point before it.
    pub(super) lies_in_tail: bool,
}

/// What the target said of the files of sets that the vault cannot read.
pub(super) type Told = BTreeMap<PointId, Vec<SourceFile>>;

impl Vault {
    /// Looks at everything, and touches nothing.
    ///
    /// # Errors
    /// What speaks against the restore.
    pub(super) async fn prepare(
        &self,
        order: &RestoreOrder,
        server: &Server,
        session: &mut Session,
        told: &Told,
    ) -> Result<Prepared, Fault> {
        let at = format!("{}/{}", server.name, order.place.name);
        let item = self.get::<Item>(order.item).await?.record;
        let database = self.get::<Database>(item.database).await?.record;
        let source_server = self.find::<Server>(item.server).await?;
        let source_server = source_server.map_or_else(|| item.server.to_string(), |found| found.record.name);
        let seen = target::look(session, server, &order.place).await?;
        let mut way = match redo_of(&seen).filter(|_| order.place.continues) {
            Some(redo) => self.way_behind(order, redo).await,
            None => self.way(order).await,
        }
        .map_err(|fault| fault.at(&at))?;
        let listed = self.listed(&mut way, told).await?;
        let is_original = item.server == server.id && database.name.eq_ignore_ascii_case(&order.place.name);
        let keeps_name = database.name.eq_ignore_ascii_case(&order.place.name);
        let files = match order.place.continues {
            true => Vec::new(),
            false => placed(&listed, order, server, &seen, (is_original, keeps_name))
                .map_err(|fault| fault.at(&at))?,
        };
        move_files(&mut way, &listed, &files);
        let paths = paths_of(&files, order, server, session).await?;
        let judged = judge(&Case {
            server,
            place: &order.place,
            source_name: &database.name,
            seen: &seen,
            points: &way.points,
            files: &files,
            paths: &paths,
        })?;
        if judged.takes_tail {
            // Where it goes is known before anybody is kept out.
            self.item_of_target(&order.place, judged.before.as_ref(), server)
                .await?;
        }
        Ok(Prepared {
            way,
            judged,
            files,
            seen,
            source: format!("{source_server}/{}", database.name),
            is_unread: listed.iter().any(Vec::is_empty),
            lies_in_tail: false,
        })
    }

    /// Asks the target for the files of the sets of a way.
    ///
    /// # Errors
    /// It cannot open one; it cannot be asked.
    pub(super) async fn ask_files(
        &self,
        session: &mut Session,
        server: &Server,
        way: &Way,
        entries: &Entries,
    ) -> Result<Told, Fault> {
        let mut told = Told::new();
        for step in &way.steps {
            let Some(lent) = entries.get(&step.container) else {
                continue;
            };
            let files = media::files(session, devices(step, &lent.entry)?, 1).await;
            let files = files.map_err(|error| failed(Operation::Restore, &server.name, error))?;
            told.insert(step.point, files.iter().filter_map(SourceFile::told).collect());
        }
        Ok(told)
    }

    /// The files of each step's set, in the order of the steps; what the vault read of checksums is noted in the steps.
    async fn listed(&self, way: &mut Way, told: &Told) -> Result<Vec<Vec<SourceFile>>, Fault> {
        let mut listed = Vec::with_capacity(way.points.len());
        for (point, step) in way.points.iter().zip(&mut way.steps) {
            let contents = self.contents(point).await?;
            step.has_checksums = contents.has_checksums.unwrap_or(step.has_checksums);
            listed.push(match (contents.files.is_empty(), told.get(&point.id)) {
                (true, Some(files)) => files.clone(),
                _ => contents.files,
            });
        }
        Ok(listed)
    }
}

/// Where a database that waits for more stands: `redo_start_lsn` of its first file.
fn redo_of(seen: &TargetSeen) -> Option<Lsn> {
    let files = &seen.database.as_ref()?.files;
    files.iter().find(|file| file.id == 1)?.redo_start_lsn
}

fn placed(
    listed: &[Vec<SourceFile>],
    order: &RestoreOrder,
    server: &Server,
    seen: &TargetSeen,
    (is_original, keeps_name): (bool, bool),
) -> Result<Vec<PlacedFile>, Fault> {
    let mut files: Vec<SourceFile> = Vec::new();
    for file in listed.iter().flatten() {
        match files.iter_mut().find(|known| known.is(file)) {
            // As the newest set has it: it may have grown, or been renamed.
            Some(known) => known.clone_from(file),
            None => files.push(file.clone()),
        }
    }
    let mut present = BTreeMap::new();
    for file in seen.database.iter().flat_map(|database| &database.files) {
        if let Ok(id) = u32::try_from(file.id) {
            present.insert(id, (file.logical_name.clone(), file.physical_name.clone()));
        }
    }
    let defaults = &seen.facts.paths;
    place(
        &files,
        &Circumstances {
            database: &order.place.name,
            moves: &order.place.moves,
            present: &present,
            path_map: &server.settings.path_map,
            is_original,
            keeps_name,
            defaults: (defaults.data.as_deref(), defaults.log.as_deref()),
            separator: seen.facts.platform.separator(),
        },
    )
}

/// Says in each step which of its files lie elsewhere than its header has it; in a log those alone that no step before it showed, since
/// there the option is for files that were added in that very log.
fn move_files(way: &mut Way, listed: &[Vec<SourceFile>], placed: &[PlacedFile]) {
    let mut shown: Vec<&SourceFile> = Vec::new();
    for (step, files) in way.steps.iter_mut().zip(listed) {
        for file in files {
            let is_shown = shown.iter().any(|known| known.is(file));
            let there = placed.iter().find(|placed| placed.file.is(file));
            if let Some(there) = there.filter(|there| there.path != file.path)
                && !(is_shown && step.kind == BackupKind::Log)
            {
                step.moves.push(FileMove {
                    logical: file.logical.clone(),
                    path: there.path.clone(),
                });
            }
            if !is_shown {
                shown.push(file);
            }
        }
    }
}

async fn paths_of(
    files: &[PlacedFile],
    order: &RestoreOrder,
    server: &Server,
    session: &mut Session,
) -> Result<BTreeMap<String, PathSeen>, Fault> {
    let mut paths: Vec<&str> = files.iter().map(|placed| placed.path.as_str()).collect();
    if let RestoreEnd::Standby { undo } = &order.place.end {
        paths.push(undo);
    }
    let mut seen = BTreeMap::new();
    for path in paths {
        if let Some(found) = target::path(session, path, server).await? {
            seen.insert(path.to_owned(), found);
        }
    }
    Ok(seen)
}

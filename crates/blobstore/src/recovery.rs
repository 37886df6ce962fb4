//! Making a file that a crash left unfinished whole again, before anything of it is served.
//!
//! What was found complete is durable already: a start syncs everything before it reads. Torn blocks are marked
//! as given up, so that a later start does not take them for damage; torn headers are bridged; the tail is cut;
//! that is synced; and a fresh root makes the file quiet.

use std::collections::BTreeSet;
use std::path::Path;

use azblob::time::UnixMillis;

use crate::blob::write_root;
use crate::blob_file::{BlobFile, End, Writing, read_header};
use crate::change::{Mapping, write_map};
use crate::content_log::{Log, Source};
use crate::disk::{Access, Disk, SyncPoint};
use crate::error::StoreError;
use crate::frame::Trailer;
use crate::health::read_failed;
use crate::root::{Held, Root};
use crate::survey::{Repair, Survey};

/// Brings the root of a page or append blob up to the changes behind it, and its map too, unless that has to wait: for
/// space, or because frames are unreadable, so that it is not known what the content is.
fn recover_log(
    file: &BlobFile,
    root: &mut Root,
    changes_per_map: u64,
    pinned_below: u64,
    now: UnixMillis,
) -> Result<(), StoreError> {
    let source = Source {
        file: file.file(),
        path: file.path(),
        identity: file.identity(),
        end: file.end(),
        torn: &BTreeSet::new(),
        until: None,
    };
    let log = match Log::load(&source, root, changes_per_map) {
        // It is reported by whoever reads it; what else the root says is served.
        Err(StoreError::Damaged { what }) => {
            tracing::error!(%what, "the content of a blob is unreadable");
            write_root(file, root, Some(SyncPoint::Recovery), now)?;
            return Ok(());
        }
        loaded => loaded?,
    };
    log.bring_up(root);
    let map = match write_map(file, &log, root, Mapping::Cheap, now) {
        Err(StoreError::Damaged { .. }) => None,
        written => written?,
    };
    write_root(file, root, Some(SyncPoint::Recovery), now)?;
    if let Some(map) = map {
        log.mapped(map.frame, root.size, 0..map.settled);
        file.punch(
            &log.unneeded(&kept_frames(file, root)?, map.settled),
            pinned_below,
        );
    }
    Ok(())
}

/// The frames besides the content that a start needs: the birth, and what the root points at.
fn kept_frames(file: &BlobFile, root: &Root) -> Result<Vec<(u64, u64)>, StoreError> {
    let mut kept = vec![0];
    if let Held::At(offset) = root.properties {
        kept.push(offset);
    }
    kept.extend(root.proof.as_ref().and_then(|proof| proof.at));
    let mut frames = Vec::new();
    for offset in kept {
        let header = read_header(file.file(), offset).map_err(|error| read_failed(file.path(), error))?;
        frames.extend(header.map(|header| (offset, header.frame_len)));
    }
    Ok(frames)
}

/// Carries out what a survey proposed and returns the root as it is now. What lies below `pinned_below` may belong to a
/// snapshot.
pub(crate) fn recover(
    disk: &dyn Disk,
    path: &Path,
    survey: Survey,
    repair: &Repair,
    pinned_below: u64,
    writing: &Writing,
    now: UnixMillis,
) -> Result<Root, StoreError> {
    let file = disk
        .open(path, Access::Write)
        .map_err(|error| read_failed(path, error))?;
    let changed = |error| writing.health.change_failed("recovery", path, &error);
    for header in &repair.voids {
        file.write_at(&Trailer::Void.encode(header), header.trailer_at())
            .map_err(changed)?;
    }
    for header in &repair.gaps {
        tracing::warn!(path = %path.display(), from = header.offset, bytes = header.frame_len, "a torn header was bridged");
        file.write_at(&header.encode(&[]), header.offset)
            .map_err(changed)?;
    }
    file.set_len(survey.end).map_err(changed)?;
    file.sync(SyncPoint::Recovery)
        .map_err(|error| writing.health.sync_failed(path, &error))?;
    let mut root = survey.root;
    root.last_block = root.last_block.max(repair.last_block);
    root.taken = None;
    let end = End {
        offset: survey.end,
        sequence: survey.sequence,
        with_root: false,
        root_at: survey.root_header.offset,
    };
    let blob_file = BlobFile::new(file, path.to_owned(), survey.root_header.identity, writing, &end);
    if root.log.is_none() {
        write_root(&blob_file, &mut root, Some(SyncPoint::Recovery), now)?;
        return Ok(root);
    }
    recover_log(&blob_file, &mut root, writing.changes_per_map, pinned_below, now)?;
    Ok(root)
}

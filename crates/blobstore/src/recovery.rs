//! Making a file that a crash left unfinished whole again, before anything of it is served.
//!
//! What was found complete is durable already: a start syncs everything before it reads. Torn blocks are marked
//! as given up, so that a later start does not take them for damage; torn headers are bridged; the tail is cut;
//! that is synced; and a fresh root makes the file quiet.

use std::path::Path;

use azblob::time::UnixMillis;

use crate::blob::write_root;
use crate::blob_file::{BlobFile, End, Writing};
use crate::disk::{Access, Disk, SyncPoint};
use crate::error::StoreError;
use crate::frame::Trailer;
use crate::health::read_failed;
use crate::root::Root;
use crate::survey::{Repair, Survey};

/// Carries out what a survey proposed and returns the root as it is now.
pub(crate) fn recover(
    disk: &dyn Disk,
    path: &Path,
    survey: Survey,
    repair: &Repair,
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
    };
    let blob_file = BlobFile::new(file, path.to_owned(), survey.root_header.identity, writing, &end);
    write_root(&blob_file, &mut root, Some(SyncPoint::Recovery), now)?;
    Ok(root)
}

//! One blob into one file: checked, durable, and never over something else unasked.
//!
//! The file gets its name only when it is whole and synced; until then it is `NAME.partial`. A part of the blob whose
//! checksum does not hold is left as zeros, and the file is then called `NAME.damaged`.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use blobstore::limits::CHECKSUM_BYTES;
use blobstore::{BlobReader, StoreError};

/// Read and written at once.
pub(super) const PIECE_BYTES: usize = 1024 * 1024;

/// How the copy ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Copied {
    /// Every byte was checked and is on disk.
    Whole,
    /// A file with this content was there.
    Same,
    /// A file with another content was there and was kept.
    Kept,
    /// Parts of the blob are lost.
    WithHoles {
        file: PathBuf,
        lost_bytes: u64,
        first: String,
    },
}

/// Copies a blob to `path`; `done` learns of every piece.
pub(super) fn to_file(
    reader: &BlobReader,
    path: &Path,
    replace: bool,
    mut done: impl FnMut(u64),
) -> io::Result<Copied> {
    let folder = path.parent().expect("a path below the folder of the export");
    fs::create_dir_all(folder)?;
    if !replace && path.exists() {
        let copied = if is_same(reader, path)? {
            Copied::Same
        } else {
            Copied::Kept
        };
        done(reader.size());
        return Ok(copied);
    }
    let partial = with_ending(path, ".partial");
    let copied = copy(reader, &partial, &mut done);
    match copied {
        Ok(None) => {
            give_name(&partial, path, replace)?;
            sync_folder(folder)?;
            Ok(Copied::Whole)
        }
        Ok(Some(holes)) => {
            let file = with_ending(path, ".damaged");
            fs::rename(&partial, &file)?;
            sync_folder(folder)?;
            Ok(Copied::WithHoles {
                file,
                lost_bytes: holes.bytes,
                first: holes.first,
            })
        }
        Err(error) => {
            // What is left is useless and must not look like a backup.
            let _ = fs::remove_file(&partial);
            Err(error)
        }
    }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    PathBuf::from(name)
}

/// What could not be read.
struct Holes {
    bytes: u64,
    first: String,
}

fn copy(reader: &BlobReader, partial: &Path, done: &mut impl FnMut(u64)) -> io::Result<Option<Holes>> {
    let mut file = File::create(partial)?;
    let mut buffer = vec![0; PIECE_BYTES];
    let mut holes: Option<Holes> = None;
    let mut at = 0;
    // What was never written into a page blob is not written here either: the file is as sparse as the blob.
    while let Some(data) = reader.next_data(at) {
        done(data.start - at);
        at = data.start;
        file.seek(SeekFrom::Start(at))?;
        while at < data.end {
            let piece = piece(&mut buffer, data.end - at);
            if let Err(error) = reader.read_at(at, piece) {
                lost_or_failed(error)?;
                salvage(reader, at, piece, &mut holes)?;
            }
            file.write_all(piece)?;
            at += piece.len() as u64;
            done(piece.len() as u64);
        }
    }
    done(reader.size() - at);
    file.set_len(reader.size())?;
    file.sync_all()?;
    Ok(holes)
}

fn piece(buffer: &mut [u8], left: u64) -> &mut [u8] {
    let length = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
    &mut buffer[..length]
}

/// Reads a damaged piece in the steps that have a checksum each; those that are lost become zeros.
fn salvage(reader: &BlobReader, at: u64, piece: &mut [u8], holes: &mut Option<Holes>) -> io::Result<()> {
    for (index, step) in piece.chunks_mut(CHECKSUM_BYTES).enumerate() {
        let from = at + (index * CHECKSUM_BYTES) as u64;
        let Err(error) = reader.read_at(from, step) else {
            continue;
        };
        let first = lost_or_failed(error)?;
        step.fill(0);
        let holes = holes.get_or_insert(Holes { bytes: 0, first });
        holes.bytes += step.len() as u64;
    }
    Ok(())
}

/// What is lost, in words; anything else than damage ends the copy.
fn lost_or_failed(error: StoreError) -> io::Result<String> {
    match error {
        StoreError::Damaged { what } => Ok(what),
        StoreError::Io { source, .. } => Err(source),
        other => Err(io::Error::other(other)),
    }
}

fn is_same(reader: &BlobReader, path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    if file.metadata()?.len() != reader.size() {
        return Ok(false);
    }
    let (mut ours, mut theirs) = (vec![0; PIECE_BYTES], vec![0; PIECE_BYTES]);
    let mut at = 0;
    while at < reader.size() {
        let ours = piece(&mut ours, reader.size() - at);
        let theirs = &mut theirs[..ours.len()];
        file.read_exact(theirs)?;
        if reader.read_at(at, ours).is_err() || ours != theirs {
            return Ok(false);
        }
        at += ours.len() as u64;
    }
    Ok(true)
}

/// Gives the finished file its name. Without `replace` the name must still be free: taking it first, with an empty
/// file, makes sure of that on every file system.
fn give_name(partial: &Path, path: &Path, replace: bool) -> io::Result<()> {
    if !replace {
        OpenOptions::new().write(true).create_new(true).open(path)?;
    }
    fs::rename(partial, path)
}

/// Makes the new name survive a crash.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Windows keeps directory entries by itself.
#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

//! `bac2 blob`: the store and its front door, without a vault around them.
//!
//! `serve` writes to a data directory. `list`, `seal` and `unseal` ask a running server, or open the directory themselves
//! when nobody holds it; `export` reads files alone and needs nothing but them.

pub(crate) mod accounts;
pub(crate) mod connect;
pub(crate) mod export;
pub(crate) mod list;
mod listening;
mod rotation;
pub(crate) mod seal;
pub(crate) mod serve;
mod settings;

use std::path::Path;
use std::sync::Arc;

use blobstore::disk::real::RealDisk;
use blobstore::{OpenError, Options, Store, SystemClock};

use crate::failure::Failure;

/// Opens a data directory to serve it; makes it where it is missing.
pub(crate) fn open_to_serve(data: &Path) -> Result<Store, Failure> {
    RealDisk::raise_open_files_limit();
    Store::open(Arc::new(RealDisk), Arc::new(SystemClock), &Options::new(data))
        .map_err(|error| not_opened(&error))
}

/// Opens a data directory that nobody serves, to read it.
pub(crate) fn open_to_read(data: &Path) -> Result<Store, Failure> {
    Store::open_read_only(Arc::new(RealDisk), Arc::new(SystemClock), &Options::new(data))
        .map_err(|error| not_opened(&error))
}

/// Opens a data directory to take out what is readable, whoever holds it and whatever else is broken.
fn open_to_export(data: &Path) -> Result<Store, Failure> {
    Store::open_unlocked(Arc::new(RealDisk), Arc::new(SystemClock), &Options::new(data))
        .map_err(|error| not_opened(&error))
}

fn not_opened(error: &OpenError) -> Failure {
    match error {
        OpenError::InUse { dir, holder } => Failure::unusable(
            "StoreInUse",
            format!("{dir} is in use by another bac2 process{holder}"),
            "stop that one first (bac2 blob list asks it and needs no stop), or give another --data directory",
        ),
        OpenError::NewerFormat { dir, found, known } => Failure::unusable(
            "StoreTooNew",
            format!("{dir} has format {found}, and this version of bac2 knows formats up to {known}"),
            "use the version of bac2 that wrote it, or a newer one",
        ),
        OpenError::NotAStore { .. } => Failure::unusable(
            "NotAStore",
            sentence(error),
            "give the directory that bac2 blob serve --data made",
        ),
        OpenError::Io { .. } => Failure::unusable(
            "StoreUnreadable",
            sentence(error),
            "look at the owner and the rights of the directory, and at the disk",
        ),
    }
}

/// An error and what caused it, in one line.
fn sentence(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

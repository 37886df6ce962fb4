//! `make-backup`: a backup of a chosen size from the project's own writer, for the benches and for the judges in
//! conformance/. It obeys the format to the last checksum, and no SQL Server has seen it.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bak::writer::sample::{EXTENT, Sample, SampleKind};

/// Writes a full backup of a made-up database
#[derive(clap::Args)]
pub(crate) struct Args {
    /// MiB of pages in the database
    #[arg(long, default_value_t = 64)]
    mib: u64,
    /// Where to; overwritten
    file: PathBuf,
}

/// Runs the subcommand.
pub(crate) fn run(args: &Args) -> Result<()> {
    make_backup(&args.file, args.mib << 20)
}

/// Writes a plain full backup with `bytes` bytes of pages, checksums and all. Constant memory.
pub(crate) fn make_backup(path: &Path, bytes: u64) -> Result<()> {
    let extents =
        u32::try_from(bytes / EXTENT as u64).context("a sample database is smaller than 256 TiB")?;
    let sample = Sample {
        extents: extents.max(2),
        ..Sample::default()
    };
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    // A sink returns nothing, so the first error waits here until the writer is done.
    let mut outcome = Ok(());
    let _sink = sample.write(&[SampleKind::Full], 1, |bytes: &[u8]| {
        if outcome.is_ok() {
            outcome = file.write_all(bytes);
        }
    });
    outcome
        .and_then(|()| file.flush())
        .with_context(|| format!("cannot write {}", path.display()))
}

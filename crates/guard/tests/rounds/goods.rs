//! The bytes that the world's blobs hold: real backups by the format's own writer, heads of database files, and others.

use bak::writer::sample::{Sample, SampleKind};
use bytes::Bytes;

#[derive(Clone, Debug)]
pub(crate) struct Goods {
    /// Complete backups: plain and compressed, full, differential and log.
    pub(crate) backups: Vec<Bytes>,
    /// The beginning of an .mdf and of an .ldf.
    pub(crate) data_file: Bytes,
    pub(crate) log_file: Bytes,
    /// No backup.
    pub(crate) other: Bytes,
}

impl Goods {
    pub(crate) fn make() -> Self {
        let kinds = [SampleKind::Full, SampleKind::Differential, SampleKind::Log];
        let backups = (0..6u64).map(|seed| {
            let sample = Sample {
                seed,
                database_name: format!("Database {seed}"),
                extents: 2,
                compressed: seed % 2 == 1,
                ..Sample::default()
            };
            Bytes::from(sample.backup(kinds[seed as usize % 3], 1))
        });
        Self {
            backups: backups.collect(),
            data_file: database_file([1, 11]),
            log_file: database_file([0xab, 2]),
            other: Bytes::from(b"no backup at all\n".repeat(1024)),
        }
    }
}

/// A first page (header version 1, type 15 "file header", page 0) and the beginning of what follows it: the page of
/// free space of a data file, a virtual log file's header of a log file.
fn database_file(second: [u8; 2]) -> Bytes {
    let mut bytes = vec![0; 16 * 8192];
    bytes[..2].copy_from_slice(&[1, 15]);
    bytes[8192..8194].copy_from_slice(&second);
    bytes.into()
}

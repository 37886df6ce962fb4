//! A backup for the demo, where the user gave none: bac2's own writer makes it.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use bak::writer::sample::{Sample, SampleKind};
use bak::writer::{Piece, Sink};

/// Its name in the story.
pub(super) const NAME: &str = "sample.bak";

/// 64 KiB each: 64 MiB of pages, sixteen blocks and a bit on their way into the vault.
const EXTENTS: u32 = 1024;

/// Takes the backup as it is written; remembers the first error, as the writer knows none.
struct ToFile {
    file: BufWriter<File>,
    written: io::Result<()>,
}

impl Sink for ToFile {
    fn write(&mut self, _: Piece, bytes: &[u8]) {
        if self.written.is_ok() {
            self.written = self.file.write_all(bytes);
        }
    }
}

/// Writes the backup to `path`.
pub(super) fn write(path: &Path) -> io::Result<()> {
    let sample = Sample {
        database_name: "Demo".to_owned(),
        extents: EXTENTS,
        ..Sample::default()
    };
    let sink = ToFile {
        file: BufWriter::new(File::create(path)?),
        written: Ok(()),
    };
    let mut sink = sample.write(&[SampleKind::Full], 1, sink);
    sink.written?;
    sink.file.flush()
}

//! The verifier: bytes of one file in, in any slicing, a report out.
//!
//! Sans-I/O: whoever has the bytes pushes them, in order and without gaps. Nothing is held back beyond one extent, one record of the
//! compressed container or one small structure, so memory stays within about a megabyte plus one bit for each extent. A clone may be
//! finished to see the report as of now while the original goes on.

use crate::compressed::{ContainerEvent, Decoder, Ending as ContainerEnding, MAGIC};
use crate::content::Event;
use crate::damage::DamageKind;
use crate::mtf::walker::Walker;
use crate::reader::MediaReader;
use crate::reader::conclusion::Ending;
use crate::report::{LogBlockCounts, PageCounts, Report, StreamChecksumCounts};
use crate::sniff::{Container, FileKind, Foreign, SNIFF_SIZE, sniff};
use crate::verdict::Verdict;

/// Reads and verifies one file.
#[derive(Debug, Clone)]
pub struct Verifier {
    source: Source,
    reading: Reading,
    /// What is read is passed on.
    with_events: bool,
    bytes: u64,
}

/// Whose pages and log are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Those of all sets.
    All,
    /// None.
    Headers,
    /// Those of the set at this position.
    Set(u16),
}

/// Events come out at the latest after so many bytes of the tape-format stream.
const SLICE: usize = 1 << 16;

#[derive(Debug, Clone)]
enum Source {
    /// Too few bytes yet to tell what the file is.
    Unknown(Vec<u8>),
    Plain(Box<Tape>),
    Compressed(Box<Tape>, Box<Decoder>),
    Foreign(Foreign),
}

/// A tape-format stream and its reader.
#[derive(Debug, Clone)]
struct Tape {
    walker: Walker,
    reader: MediaReader,
}

impl Default for Verifier {
    fn default() -> Self {
        Self::new()
    }
}

impl Verifier {
    /// Verifies everything that can be verified.
    #[must_use]
    pub fn new() -> Self {
        Self::reading(Reading::All, false)
    }

    /// Reads structure and configuration only, and lets the caller [skip](Self::skip) pages and log. Its report is never `ok`.
    #[must_use]
    pub fn headers_only() -> Self {
        Self::reading(Reading::Headers, false)
    }

    pub(crate) fn reading(reading: Reading, with_events: bool) -> Self {
        Self {
            source: Source::Unknown(Vec::new()),
            reading,
            with_events,
            bytes: 0,
        }
    }

    /// Takes the next bytes of the file.
    pub fn push(&mut self, input: &[u8]) {
        self.push_out(input, &mut |_| {});
    }

    /// The same; what is read goes to `out`.
    pub(crate) fn push_out(&mut self, input: &[u8], out: &mut dyn FnMut(Event)) {
        self.bytes += input.len() as u64;
        match &mut self.source {
            Source::Unknown(start) => {
                // No more than it takes to tell what the file is: the rest is not copied.
                let (head, rest) = input.split_at(SNIFF_SIZE.saturating_sub(start.len()).min(input.len()));
                start.extend_from_slice(head);
                let start = std::mem::take(start);
                self.recognise(start, false, out);
                self.source.push(rest, self.with_events, out);
            }
            _ => self.source.push(input, self.with_events, out),
        }
    }

    /// How many of the coming bytes are pages or log that [`Self::headers_only`] does not look at: the caller may seek over them and
    /// say so with [`Self::skip`]. 0 where the next byte is needed, and always for a full verification and for compressed files.
    #[must_use]
    pub fn skippable(&self) -> u64 {
        match &self.source {
            Source::Plain(tape) if tape.reader.passes_over() => tape.walker.payload_ahead(),
            _ => 0,
        }
    }

    /// Counts `count` bytes as passed, at most [`Self::skippable`]; what is beyond that must be pushed.
    pub fn skip(&mut self, count: u64) {
        if let Source::Plain(tape) = &mut self.source
            && tape.reader.passes_over()
        {
            self.bytes += tape.walker.skip(count, &mut tape.reader);
        }
    }

    /// Whether something in the bytes so far ended the reading for good: a broken header, or a record that this reader does not know.
    /// Whatever follows changes nothing any more.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        match &self.source {
            Source::Plain(tape) => tape.walker.is_lost(),
            Source::Compressed(tape, decoder) => tape.walker.is_lost() || decoder.is_stopped(),
            Source::Unknown(_) | Source::Foreign(_) => false,
        }
    }

    /// Findings of damage so far. Pages whose content does not hold count here even where the report, which sees them all,
    /// takes them for encrypted.
    #[must_use]
    pub fn damage_count(&self) -> u64 {
        match &self.source {
            Source::Plain(tape) | Source::Compressed(tape, _) => tape.reader.findings.total_count(),
            Source::Unknown(_) | Source::Foreign(_) => 0,
        }
    }

    /// Bytes pushed and skipped.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The file ends here.
    #[must_use]
    pub fn finish(self) -> Report {
        self.finish_out(&mut |_| {})
    }

    /// The same; what is left to tell goes to `out`.
    pub(crate) fn finish_out(mut self, out: &mut dyn FnMut(Event)) -> Report {
        if let Source::Unknown(start) = &mut self.source {
            let start = std::mem::take(start);
            self.recognise(start, true, out);
        }
        let bytes = self.bytes;
        match self.source {
            Source::Plain(mut tape) => {
                let ending = Ending {
                    between_blocks: tape.walker.is_between_blocks(),
                    lost: tape.walker.is_lost(),
                    bytes,
                };
                tape.end(out);
                tape.reader.conclude(Container::Mtf, ending)
            }
            Source::Compressed(mut tape, decoder) => {
                let end = decoder.finish(&mut |event| tape.event(event));
                let between_blocks = tape.walker.is_between_blocks() && end == ContainerEnding::Between;
                let lost = tape.walker.is_lost() || matches!(end, ContainerEnding::Lost(_));
                tape.end(out);
                tape.reader.conclude(
                    Container::MssqlBak,
                    Ending {
                        between_blocks,
                        lost,
                        bytes,
                    },
                )
            }
            Source::Foreign(foreign) => foreign_report(foreign, bytes),
            Source::Unknown(_) => foreign_report(Foreign::Unknown, bytes),
        }
    }

    fn recognise(&mut self, mut start: Vec<u8>, whole: bool, out: &mut dyn FnMut(Event)) {
        let tape = |compressed| Tape {
            walker: Walker::new(),
            reader: MediaReader::new(self.reading, compressed, self.with_events),
        };
        self.source = match sniff(&start, whole) {
            None => Source::Unknown(start),
            Some(kind) => {
                let mut source = match kind {
                    FileKind::Backup(Container::Mtf) => Source::Plain(Box::new(tape(false))),
                    FileKind::Backup(Container::MssqlBak) => {
                        let mut tape = tape(true);
                        mend_magic(&mut start, &mut tape);
                        Source::Compressed(Box::new(tape), Box::default())
                    }
                    FileKind::Foreign(foreign) => Source::Foreign(foreign),
                };
                source.push(&start, self.with_events, out);
                source
            }
        };
    }
}

/// Reports letters of the container that lost a bit, and goes on as if they had not.
fn mend_magic(start: &mut [u8], tape: &mut Tape) {
    let letters = start.len().min(MAGIC.len());
    if start[..letters] != MAGIC[..letters] {
        start[..letters].copy_from_slice(&MAGIC[..letters]);
        tape.reader.findings.structure(
            DamageKind::CompressedRecord,
            0,
            "a bit of the file's first letters is wrong",
        );
    }
}

impl Source {
    fn push(&mut self, input: &[u8], with_events: bool, out: &mut dyn FnMut(Event)) {
        match self {
            Self::Plain(tape) if with_events => {
                for slice in input.chunks(SLICE) {
                    tape.walker.push(slice, &mut tape.reader);
                    tape.reader.findings.take_events(out);
                }
            }
            Self::Plain(tape) => tape.walker.push(input, &mut tape.reader),
            Self::Compressed(tape, decoder) => decoder.push(input, &mut |event| {
                tape.event(event);
                tape.reader.findings.take_events(out);
            }),
            Self::Unknown(_) | Self::Foreign(_) => {}
        }
    }
}

impl Tape {
    /// Nothing follows: ends what is open.
    fn end(&mut self, out: &mut dyn FnMut(Event)) {
        self.reader.close_set(false);
        self.reader.findings.take_events(out);
    }

    fn event(&mut self, event: ContainerEvent<'_>) {
        match event {
            ContainerEvent::Bytes(bytes) => self.walker.push(bytes, &mut self.reader),
            ContainerEvent::Filemark { offset } => self.reader.filemark_at(offset),
            ContainerEvent::Damage { offset, detail } => {
                self.reader
                    .findings
                    .structure(DamageKind::CompressedRecord, offset, detail);
            }
            ContainerEvent::Unsupported { offset, detail } => {
                self.reader
                    .findings
                    .unknown(format!("{detail} (at byte {offset})"));
            }
        }
    }
}

/// The report on a file that is no backup. An empty one is the backup that ended before it began.
fn foreign_report(foreign: Foreign, bytes: u64) -> Report {
    let verdict = if foreign == Foreign::Empty {
        Verdict::Truncated
    } else {
        Verdict::CannotVerify
    };
    Report {
        container: None,
        media: None,
        sets: Vec::new(),
        log_fingerprints: Vec::new(),
        verdict,
        reasons: vec![foreign.sentence().to_owned()],
        pages: PageCounts::default(),
        log_blocks: LogBlockCounts::default(),
        stream_checksums: StreamChecksumCounts::default(),
        damage: Vec::new(),
        damage_count: 0,
        bytes,
        foreign: Some(foreign),
    }
}

//! Every single flipped bit of a small backup: the verdict must show it.
//!
//! Each bit of a file is flipped once and the file verified. The map of the file comes from the writer; [`unseen_by_design`]
//! lists the bytes in which a flip may stay unseen, each with its reason. All others must be seen. In pages, the headers of blocks
//! and streams, log blocks and the data of compressed records there are none.
//!
//! The file is cut where its pieces end. What the verifier knows before a piece is kept as a clone; a flip in the piece is
//! verified from there, to the end of the piece where damage shows at once, else to the end of the file.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use bak::writer::page::Protection;
use bak::writer::sample::{Sample, SampleKind};
use bak::writer::{BlockSize, Piece, Sink};
use bak::{Verdict, Verifier};

/// A stretch of a file: what it is, and how many bytes long.
type Stretch = (Part, usize);

/// What a byte of a file belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// A piece of the tape format, of a block with these four letters.
    Tape(Piece, [u8; 4]),
    ContainerHeader,
    DataRecord,
    PaddingRecord,
    ContainerFilemark,
}

/// A backup, and what each of its bytes is.
struct Fixture {
    bytes: Vec<u8>,
    stretches: Vec<Stretch>,
    /// The verdict without any flip.
    sound: Verdict,
    /// Flip every bit; else only one in 13 within page bodies and filler.
    all_bits: bool,
}

#[derive(Default)]
struct Mapped {
    bytes: Vec<u8>,
    stretches: Vec<Stretch>,
    letters: [u8; 4],
}

impl Sink for Mapped {
    fn write(&mut self, piece: Piece, bytes: &[u8]) {
        if matches!(piece, Piece::Block | Piece::Filemark) {
            self.letters = bytes[..4].try_into().expect("a block has a name");
        }
        self.bytes.extend_from_slice(bytes);
        let part = Part::Tape(piece, self.letters);
        match self.stretches.last_mut() {
            Some((last, length)) if *last == part && piece != Piece::Pages => *length += bytes.len(),
            _ => self.stretches.push((part, bytes.len())),
        }
        self.cut_long_stretch();
    }
}

impl Mapped {
    /// Damage in filler shows at once, so that short stretches of it are quicker.
    fn cut_long_stretch(&mut self) {
        const LONGEST: usize = 4096;
        while let Some((part @ Part::Tape(Piece::Filler, _), length)) = self.stretches.last_mut()
            && *length > LONGEST
        {
            let rest = (*part, *length - LONGEST);
            *length = LONGEST;
            self.stretches.push(rest);
        }
    }
}

/// One extent: system pages of all kinds, a page of rows and one of an index.
fn small() -> Sample {
    Sample {
        extents: 1,
        second_pass_extents: 0,
        unformatted_pages: false,
        checksums: false,
        block_size: BlockSize::B512,
        ..Sample::default()
    }
}

fn plain(sample: &Sample, kind: SampleKind, family: u16, all_bits: bool) -> Fixture {
    let Mapped { bytes, stretches, .. } = sample.write(&[kind], family, Mapped::default());
    let sound = if sample.families > 1 {
        Verdict::Incomplete
    } else {
        Verdict::Ok
    };
    Fixture {
        bytes,
        stretches,
        sound,
        all_bits,
    }
}

/// The container, taken apart by its own rules: header, records, padding, soft filemarks.
fn compressed(sample: &Sample, kind: SampleKind) -> Fixture {
    let bytes = Sample {
        compressed: true,
        ..sample.clone()
    }
    .backup(kind, 1);
    let block = sample.block_size as usize;
    let mut stretches = vec![(Part::ContainerHeader, 0x1E0)];
    let mut at = 0x1E0;
    while at < bytes.len() {
        let length = usize::from(u16::from_le_bytes([bytes[at + 2], bytes[at + 3]]));
        let (part, length) = match bytes[at] {
            0x21 => (Part::DataRecord, 28 + length),
            0x24 => (Part::PaddingRecord, 24 + length),
            _ => (Part::ContainerFilemark, block),
        };
        stretches.push((part, length));
        at += length;
    }
    Fixture {
        bytes,
        stretches,
        sound: Verdict::Ok,
        all_bits: true,
    }
}

/// Whether the verdict on the file with this piece shows the flip.
fn is_seen(fixture: &Fixture, before: &Verifier, piece: &[u8], rest: &[u8]) -> bool {
    let mut verifier = before.clone();
    verifier.push(piece);
    if verifier.damage_count() > 0 {
        return true;
    }
    verifier.push(rest);
    verifier.finish().verdict != fixture.sound
}

/// Flips the bits. Gives the offsets where a flip stayed unseen.
fn unseen_flips(fixture: &Fixture) -> Vec<usize> {
    let stretches = prepare(fixture);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut unseen = Vec::new();
        while let Some((at, length, part, before)) = stretches.get(next.fetch_add(1, Ordering::Relaxed)) {
            let rest = &fixture.bytes[at + length..];
            let mut piece = fixture.bytes[*at..at + length].to_vec();
            for bit in (0..length * 8).filter(|bit| fixture.all_bits || is_chosen(*part, *bit)) {
                piece[bit / 8] ^= 1 << (bit % 8);
                if !is_seen(fixture, before, &piece, rest) && unseen.last() != Some(&(at + bit / 8)) {
                    unseen.push(at + bit / 8);
                }
                piece[bit / 8] ^= 1 << (bit % 8);
            }
        }
        unseen
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        let mut unseen: Vec<usize> = threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("no panic"))
            .collect();
        unseen.sort_unstable();
        unseen
    })
}

/// For the fixtures that are not flipped bit by bit: all bits of headers, a spread of those of pages and filler.
fn is_chosen(part: Part, bit: usize) -> bool {
    match part {
        Part::Tape(Piece::Pages, _) => bit % 65536 < 96 * 8 || bit.is_multiple_of(13),
        Part::Tape(Piece::Filler, _) => bit.is_multiple_of(13),
        _ => true,
    }
}

/// The stretches of a file with the state of a verifier before each.
fn prepare(fixture: &Fixture) -> Vec<(usize, usize, Part, Verifier)> {
    let mut verifier = Verifier::new();
    let mut at = 0;
    let mut prepared = Vec::new();
    for (part, length) in &fixture.stretches {
        prepared.push((at, *length, *part, verifier.clone()));
        verifier.push(&fixture.bytes[at..at + length]);
        at += length;
    }
    assert_eq!(at, fixture.bytes.len(), "the map covers the file");
    let report = verifier.finish();
    assert_eq!(report.verdict, fixture.sound, "{:?}", report.reasons);
    prepared
}

/// Bytes of the tape format that no checksum covers and nothing repeats: block or chunk, range, what they are.
const UNCOVERED: [(&[u8; 4], Range<usize>, &str); 26] = [
    (b"TAPE", 62..64, "password algorithm"),
    (
        b"TAPE",
        68..82,
        "tape addresses of media name, description and password",
    ),
    (b"TAPE", 88..93, "date the media was formatted"),
    (
        b"RAID",
        0..16,
        "media set GUID; only the other families repeat it",
    ),
    (
        b"RAID",
        20..22,
        "number of families: any other that fits the family number reads as a stripe set too",
    ),
    (
        b"SSET",
        64..72,
        "size of name and description: a byte more or less of text",
    ),
    (b"SSET", 95..96, "time zone"),
    (b"SSET", 100..116, "BackupSetGUID; only later backups repeat it"),
    (b"VOLB", 56..68, "tape addresses of device, label and machine"),
    (b"VOLB", 73..77, "device"),
    (b"MSTL", 84..92, "reserved"),
    (
        b"MSTL",
        92..112,
        "virtual log file that no log of this backup is in",
    ),
    (b"MSTL", 114..128, "its parity, and what nobody has explained"),
    (
        b"TSMP",
        4..usize::MAX,
        "map of sets for tape drives, no data of the backup",
    ),
    (b"SCIN", 8..12, "flags, some of them unexplained"),
    (
        b"SCIN",
        28..62,
        "unexplained; LSNs, which grow between the two configurations",
    ),
    (
        b"SCIN",
        82..92,
        "finish date; compatibility level, which may change",
    ),
    (b"SCIN", 96..104, "size so far"),
    (b"SCIN", 144..156, "LSN of the end, again"),
    (
        b"SCIN",
        244..260,
        "status bits, which may change; start of the log chain",
    ),
    (b"SCIN", 332..364, "LSN of the oldest log needed; size, again"),
    (b"SFGI", 8..12, "flags"),
    (b"SFGI", 44..140, "LSNs of the filegroup"),
    (
        b"SFIN",
        8..48,
        "flags, pages sent, size of the file, which may grow",
    ),
    (b"SFIN", 158..186, "base LSN and GUID of the file"),
    (b"SFIN", 202..272, "LSNs, bytes sent and a date of the file"),
];

/// Why a flip at this byte of this part may stay unseen; `None` where it must be seen.
fn unseen_by_design(fixture: &Fixture, part: Part, at: usize) -> Option<&'static str> {
    match part {
        Part::Tape(Piece::Block, name) if &name == b"MSTL" && (60..76).contains(&at) => {
            (fixture.sound == Verdict::Incomplete).then_some("bounds of log that another family holds")
        }
        Part::Tape(_, name) => UNCOVERED
            .iter()
            .find(|(known, range, _)| **known == name && range.contains(&at))
            .map(|(.., why)| *why),
        Part::ContainerHeader if at >= 16 => Some("memory that SQL Server did not initialise"),
        Part::DataRecord if (4..24).contains(&at) => Some("memory that SQL Server did not initialise"),
        Part::PaddingRecord if at >= 4 => Some("padding"),
        _ => None,
    }
}

fn check(fixture: &Fixture) {
    let mut missed: BTreeMap<Part, Vec<Range<usize>>> = BTreeMap::new();
    for offset in unseen_flips(fixture) {
        let (part, inside) = named(fixture, offset);
        if unseen_by_design(fixture, part, inside).is_some() {
            continue;
        }
        let ranges = missed.entry(part).or_default();
        match ranges.last_mut() {
            Some(range) if range.end == inside => range.end += 1,
            _ => ranges.push(inside..inside + 1),
        }
    }
    for (part, ranges) in &missed {
        let count: usize = ranges.iter().map(ExactSizeIterator::len).sum();
        eprintln!(
            "unseen in {part:?}, {count} bytes: {:?}",
            &ranges[..ranges.len().min(60)]
        );
    }
    assert!(missed.is_empty(), "flipped bits stayed unseen");
}

fn part_at(fixture: &Fixture, offset: usize) -> (Part, usize) {
    let mut at = 0;
    for (part, length) in &fixture.stretches {
        if offset < at + length {
            return (*part, offset - at);
        }
        at += length;
    }
    unreachable!("an offset inside the file")
}

/// As [`part_at`], where a configuration goes by its chunks, RAID and TSMP by their own names.
fn named(fixture: &Fixture, offset: usize) -> (Part, usize) {
    let (part, inside) = part_at(fixture, offset);
    match part {
        Part::Tape(piece @ Piece::Family, _) => (Part::Tape(piece, *b"RAID"), inside),
        Part::Tape(piece @ Piece::SetMap, _) => (Part::Tape(piece, *b"TSMP"), inside),
        Part::Tape(piece @ Piece::Configuration, _) => {
            let mut chunk = &fixture.bytes[offset - inside..];
            let mut left = inside;
            loop {
                let length = u32::from_le_bytes(chunk[4..8].try_into().expect("four bytes")) as usize;
                if left < length {
                    return (Part::Tape(piece, chunk[..4].try_into().expect("a tag")), left);
                }
                left -= length;
                chunk = &chunk[length..];
            }
        }
        _ => (part, inside),
    }
}

#[test]
fn a_full_backup_bit_by_bit() {
    check(&plain(&small(), SampleKind::Full, 1, true));
}

#[test]
fn a_log_backup_bit_by_bit() {
    check(&plain(&small(), SampleKind::Log, 1, true));
}

#[test]
fn a_full_backup_with_stream_checksums() {
    let sample = Sample {
        checksums: true,
        second_pass_extents: 1,
        unformatted_pages: true,
        ..small()
    };
    check(&plain(&sample, SampleKind::Full, 1, false));
}

#[test]
fn a_differential_backup() {
    check(&plain(&small(), SampleKind::Differential, 1, false));
}

#[test]
fn both_families_of_a_striped_backup() {
    let sample = Sample {
        families: 2,
        ..small()
    };
    for family in 1..=2 {
        check(&plain(&sample, SampleKind::Full, family, false));
    }
}

#[test]
fn unprotected_pages_under_stream_checksums() {
    let sample = Sample {
        checksums: true,
        protection: Protection::None,
        ..small()
    };
    check(&plain(&sample, SampleKind::Full, 1, false));
}

#[test]
fn a_compressed_backup_bit_by_bit() {
    check(&compressed(&small(), SampleKind::Full));
}

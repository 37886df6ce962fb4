//! Every single flipped bit of a small backup: the verdict must not be `ok`.
//!
//! Exhaustive, one fixture after the other: each bit of the file is flipped once. The map of the file comes from the writer, and
//! [`Allowed`] lists the bytes in which a flip may stay unseen, with the reason. All others must be seen, and those named
//! must be missed somewhere, so that the list cannot go stale.
//!
//! A file is cut where its pieces end. What the verifier knows before a chunk is kept as a clone; a flip in the chunk is
//! verified from there, up to the end of the chunk where damage shows at once, else to the end of the file.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use bak::compressed::Encoder;
use bak::writer::page::Protection;
use bak::writer::sample::{Sample, SampleKind};
use bak::writer::{BlockSize, Piece, Sink};
use bak::{Verdict, Verifier};

/// A backup, and what each of its bytes is.
struct Fixture {
    bytes: Vec<u8>,
    pieces: Vec<(Piece, usize)>,
    /// The verdict without any flip.
    sound: Verdict,
}

#[derive(Default)]
struct Mapped {
    bytes: Vec<u8>,
    pieces: Vec<(Piece, usize)>,
}

impl Sink for Mapped {
    fn write(&mut self, piece: Piece, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        match self.pieces.last_mut() {
            Some((last, length)) if *last == piece && piece != Piece::Pages => *length += bytes.len(),
            _ => self.pieces.push((piece, bytes.len())),
        }
    }
}

fn plain(sample: &Sample, kind: SampleKind) -> Fixture {
    let Mapped { bytes, pieces } = sample.write(&[kind], 1, Mapped::default());
    let sound = if sample.families > 1 {
        Verdict::Incomplete
    } else {
        Verdict::Ok
    };
    Fixture { bytes, pieces, sound }
}

/// Two extents: the one with the system pages and one of rows.
fn small() -> Sample {
    Sample {
        extents: 2,
        second_pass_extents: 0,
        unformatted_pages: false,
        block_size: BlockSize::B512,
        ..Sample::default()
    }
}

/// What became of a flipped bit.
fn verdict_after(verifier: &Verifier, chunk: &[u8], rest: &[u8]) -> Verdict {
    let mut flipped = verifier.clone();
    flipped.push(chunk);
    let now = flipped.clone().finish();
    if now.damage_count > 0 {
        return Verdict::Damaged;
    }
    flipped.push(rest);
    flipped.finish().verdict
}

/// Flips every bit. Gives how many flips stayed unseen for each offset where any did.
fn unseen_flips(fixture: &Fixture) -> BTreeMap<usize, u8> {
    let chunks = prepare(fixture);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut unseen = BTreeMap::new();
        while let Some((at, length, verifier)) = chunks.get(next.fetch_add(1, Ordering::Relaxed)) {
            let rest = &fixture.bytes[at + length..];
            let mut chunk = fixture.bytes[*at..at + length].to_vec();
            for bit in 0..length * 8 {
                chunk[bit / 8] ^= 1 << (bit % 8);
                if verdict_after(verifier, &chunk, rest) == fixture.sound {
                    *unseen.entry(at + bit / 8).or_default() += 1;
                }
                chunk[bit / 8] ^= 1 << (bit % 8);
            }
        }
        unseen
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("no panic"))
            .collect()
    })
}

/// The chunks of a file with the state of a verifier before each.
fn prepare(fixture: &Fixture) -> Vec<(usize, usize, Verifier)> {
    let mut verifier = Verifier::new();
    let mut at = 0;
    let mut chunks = Vec::new();
    for (_, length) in &fixture.pieces {
        chunks.push((at, *length, verifier.clone()));
        verifier.push(&fixture.bytes[at..at + length]);
        at += length;
    }
    let report = verifier.finish();
    assert_eq!(report.verdict, fixture.sound, "{:?}", report.reasons);
    chunks
}

fn piece_at(fixture: &Fixture, offset: usize) -> (Piece, usize) {
    let mut at = 0;
    for (piece, length) in &fixture.pieces {
        if offset < at + length {
            return (*piece, offset - at);
        }
        at += length;
    }
    unreachable!("an offset inside the file")
}

fn report(name: &str, fixture: &Fixture) {
    let unseen = unseen_flips(fixture);
    let mut by_piece: BTreeMap<String, (usize, Vec<usize>)> = BTreeMap::new();
    for (offset, bits) in &unseen {
        let (piece, inside) = piece_at(fixture, *offset);
        let entry = by_piece.entry(format!("{piece:?} {}", if piece == Piece::Block || piece==Piece::Filemark { String::from_utf8_lossy(&fixture.bytes[offset - inside..offset - inside + 4]).into_owned() } else { String::new() })).or_default();
        entry.0 += usize::from(*bits);
        entry
            .1
            .push(if piece == Piece::Filler { *offset } else { inside });
    }
    println!("{name}: {} bytes, {} unseen", fixture.bytes.len(), unseen.len());
    for (piece, (bits, offsets)) in by_piece {
        println!(
            "   {piece}: {bits} bits in {} bytes {:?}",
            offsets.len(),
            &offsets[..offsets.len().min(300)]
        );
    }
}

#[test]
fn explore() {
    let _ = Encoder::new();
    for (name, fixture) in [
        //("log", plain(&small(), SampleKind::Log)),
        (
            "log nocs",
            plain(
                &Sample {
                    checksums: false,
                    ..small()
                },
                SampleKind::Log,
            ),
        ),
        //("full csum", plain(&small(), SampleKind::Full)),
        (
            "full nocs",
            plain(
                &Sample {
                    checksums: false,
                    ..small()
                },
                SampleKind::Full,
            ),
        ),
        (
            "full torn",
            plain(
                &Sample {
                    checksums: false,
                    protection: Protection::Torn,
                    ..small()
                },
                SampleKind::Full,
            ),
        ),
        (
            "striped",
            plain(
                &Sample {
                    families: 2,
                    ..small()
                },
                SampleKind::Full,
            ),
        ),
    ] {
        let t = std::time::Instant::now();
        report(name, &fixture);
        println!("   {:?}", t.elapsed());
    }
}

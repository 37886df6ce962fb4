//! Backups damaged at random, thousands of them, each from a seed: the reader never panics, never hangs, and slicing never
//! shows. Half of them get the checksums of their headers right again, so that the damage is not turned away at the door.
//!
//! The small brother of the fuzz targets in `fuzz/`, for every run of the tests.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bak::Verifier;
use bak::writer::BlockSize;
use bak::writer::sample::{Sample, SampleKind};

mod mend;

const ROUNDS: u64 = 4000;

/// A stream of numbers (xorshift).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

fn bases() -> Vec<Vec<u8>> {
    let small = Sample {
        extents: 1,
        second_pass_extents: 0,
        block_size: BlockSize::B512,
        ..Sample::default()
    };
    let compressed = Sample {
        compressed: true,
        ..small.clone()
    };
    let striped = Sample {
        families: 2,
        checksums: false,
        ..small.clone()
    };
    vec![
        small.backup(SampleKind::Full, 1),
        small.backup(SampleKind::Log, 1),
        small.backup_sets(&[SampleKind::Differential, SampleKind::Log], 1),
        striped.backup(SampleKind::Full, 2),
        compressed.backup(SampleKind::Full, 1),
        compressed.backup_sets(&[SampleKind::Log, SampleKind::Log], 1),
    ]
}

/// Somewhere in a file, rather where headers are than in the midst of pages.
fn place(chance: &mut Chance, length: usize) -> usize {
    match chance.below(4) {
        0 => chance.below(length),
        1 => chance.below(length.min(8192)),
        2 => length.saturating_sub(1 + chance.below(8192)),
        _ => (chance.below(length) / 512 * 512 + chance.below(128)).min(length.saturating_sub(1)),
    }
}

fn mutate(chance: &mut Chance, bytes: &mut Vec<u8>) {
    let at = place(chance, bytes.len());
    let limit = 1 << chance.below(17);
    let length = chance.below(limit).min(bytes.len() - at);
    match chance.below(7) {
        0 => bytes[at] ^= 1 << chance.below(8),
        1 => bytes[at] = chance.next() as u8,
        2 => {
            let values = [
                0,
                1,
                0xFF,
                0xFFFF,
                0x7FFF_FFFF,
                u64::MAX,
                u64::MAX - 21,
                1 << 63,
                65_536,
            ];
            let value = values[chance.below(values.len())].to_le_bytes();
            let width = (1 << chance.below(4)).min(bytes.len() - at);
            bytes[at..at + width].copy_from_slice(&value[..width]);
        }
        3 => drop(bytes.drain(at..at + length)),
        4 => {
            let piece = bytes[at..at + length].to_vec();
            let to = place(chance, bytes.len());
            bytes.splice(to..to, piece);
        }
        5 => {
            let to = place(chance, bytes.len() - length);
            bytes.copy_within(at..at + length, to);
        }
        _ => bytes.truncate(at.max(1)),
    }
}

fn run(seed: u64, bases: &[Vec<u8>]) {
    let mut chance = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut bytes = bases[chance.below(bases.len())].clone();
    for _ in 0..=chance.below(6) {
        mutate(&mut chance, &mut bytes);
        if bytes.is_empty() {
            bytes.push(0);
        }
    }
    if chance.below(2) == 0 {
        mend::mend(&mut bytes);
    }
    let mut whole = Verifier::new();
    whole.push(&bytes);
    let mut sliced = Verifier::new();
    for slice in bytes.chunks(1 + chance.below(20_000)) {
        sliced.push(slice);
    }
    assert_eq!(whole.finish(), sliced.finish());
}

#[test]
fn no_damage_upsets_the_reader() {
    let bases = bases();
    for seed in 0..ROUNDS {
        let outcome = catch_unwind(AssertUnwindSafe(|| run(seed, &bases)));
        assert!(outcome.is_ok(), "seed {seed}");
    }
}

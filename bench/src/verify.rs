//! How fast the backup reader verifies from memory, on one core, beside two passes over the same bytes that nothing can beat by
//! much: a copy, and a bare XOR.
//!
//! The bytes lie in memory and not in cache, and go in by slices of 1 MiB as a file would. Time is processor time of the one
//! thread, so that a busy machine disturbs less; subjects alternate within a round, and ratios are medians of those of the
//! rounds.

use anyhow::{Context, Result, ensure};
use bak::checksum::sector_sum;
use bak::compressed::{ContainerEvent, Decoder};
use bak::writer::page::Protection;
use bak::writer::sample::{Sample, SampleKind};
use bak::{Verdict, Verifier};

use crate::median::median;

/// `bak` verify from memory, beside memcpy and a bare XOR pass.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Size of each backup.
    #[arg(long, default_value_t = 256)]
    mib: u32,
    /// How often each subject is measured.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

const SLICE: usize = 1 << 20;
/// What the design asks of plain MTF, and of the compressed container, in bytes a second.
const BAR_PLAIN: f64 = 5e9;
const BAR_COMPRESSED: f64 = 300e6;

struct Subject {
    name: &'static str,
    bytes: Vec<u8>,
    work: fn(&[u8], &mut [u8]) -> Result<u64>,
    bar: Option<f64>,
    /// Bytes a second of each round.
    speeds: Vec<f64>,
}

/// Measures and prints the table.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut subjects = subjects(args.mib);
    let mut scratch = vec![1u8; SLICE];
    for _ in 0..args.rounds {
        for subject in &mut subjects {
            let start = processor_seconds()?;
            let bytes = (subject.work)(&subject.bytes, &mut scratch)?;
            subject.speeds.push(bytes as f64 / (processor_seconds()? - start));
        }
    }
    print_table(&subjects);
    Ok(())
}

fn subjects(mib: u32) -> Vec<Subject> {
    let plain = Sample {
        extents: mib * 16,
        ..Sample::default()
    };
    let backup = |sample: Sample| sample.backup(SampleKind::Full, 1);
    let without = Sample {
        checksums: false,
        ..plain.clone()
    };
    let torn = Sample {
        protection: Protection::Torn,
        checksums: false,
        ..plain.clone()
    };
    let compressed = Sample {
        compressed: true,
        ..plain.clone()
    };
    let subject = |name, bytes, work, bar| Subject {
        name,
        bytes,
        work,
        bar,
        speeds: Vec::new(),
    };
    let container = backup(compressed);
    vec![
        subject("memcpy", backup(plain.clone()), copy, None),
        subject("bare XOR of all bytes", backup(plain.clone()), xor, None),
        subject("checksum pass alone", backup(plain.clone()), sum, None),
        subject("verify, page checksums", backup(without), verify, Some(BAR_PLAIN)),
        subject(
            "verify, page checksums, WITH CHECKSUM",
            backup(plain),
            verify,
            Some(BAR_PLAIN),
        ),
        subject("verify, torn-page bits", backup(torn), verify, Some(BAR_PLAIN)),
        subject(
            "decode compressed (bytes out)",
            container.clone(),
            decode,
            Some(BAR_COMPRESSED),
        ),
        subject(
            "verify compressed (bytes out)",
            container,
            verify_compressed,
            Some(BAR_COMPRESSED),
        ),
    ]
}

fn copy(bytes: &[u8], scratch: &mut [u8]) -> Result<u64> {
    for slice in bytes.chunks(SLICE) {
        scratch[..slice.len()].copy_from_slice(slice);
        std::hint::black_box(&mut *scratch);
    }
    Ok(bytes.len() as u64)
}

fn xor(bytes: &[u8], _: &mut [u8]) -> Result<u64> {
    let mut lanes = [0u64; 16];
    for row in bytes.as_chunks::<128>().0 {
        for (lane, word) in lanes.iter_mut().zip(row.as_chunks::<8>().0) {
            *lane ^= u64::from_le_bytes(*word);
        }
    }
    std::hint::black_box(lanes);
    Ok(bytes.len() as u64)
}

fn sum(bytes: &[u8], _: &mut [u8]) -> Result<u64> {
    for slice in bytes.chunks(8192) {
        std::hint::black_box(sector_sum(slice));
    }
    Ok(bytes.len() as u64)
}

fn verify(bytes: &[u8], _: &mut [u8]) -> Result<u64> {
    let mut verifier = Verifier::new();
    for slice in bytes.chunks(SLICE) {
        verifier.push(slice);
    }
    let report = verifier.finish();
    ensure!(
        report.verdict == Verdict::Ok,
        "a sample must be ok: {:?}",
        report.reasons
    );
    Ok(report.bytes)
}

fn decode(bytes: &[u8], _: &mut [u8]) -> Result<u64> {
    let mut decoder = Decoder::new();
    let mut out = 0;
    for slice in bytes.chunks(SLICE) {
        decoder.push(slice, &mut |event| {
            if let ContainerEvent::Bytes(bytes) = event {
                out += bytes.len() as u64;
            }
        });
    }
    Ok(out)
}

/// Counted as what comes out of the container.
fn verify_compressed(bytes: &[u8], _: &mut [u8]) -> Result<u64> {
    let mut verifier = Verifier::new();
    for slice in bytes.chunks(SLICE) {
        verifier.push(slice);
    }
    let report = verifier.finish();
    ensure!(
        report.verdict == Verdict::Ok,
        "a sample must be ok: {:?}",
        report.reasons
    );
    Ok(report.pages.total * 8192)
}

/// Processor time of this thread so far: the first number of its scheduler statistics, in nanoseconds.
fn processor_seconds() -> Result<f64> {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: f64 = statistics
        .split(' ')
        .next()
        .context("scheduler statistics are numbers")?
        .parse()?;
    Ok(nanoseconds / 1e9)
}

fn print_table(subjects: &[Subject]) {
    println!("| subject | GB/s | of memcpy | of XOR | bar | |");
    println!("|---|---|---|---|---|---|");
    for subject in subjects {
        let ratio = |other: &Subject| {
            let ratios = subject
                .speeds
                .iter()
                .zip(&other.speeds)
                .map(|(own, other)| own / other)
                .collect();
            median(ratios).unwrap_or_default()
        };
        let speed = median(subject.speeds.clone()).unwrap_or_default();
        let bar = subject.bar.map(|bar| {
            (
                format!("{:.1} GB/s", bar / 1e9),
                if speed >= bar { "met" } else { "MISSED" },
            )
        });
        let (bar, met) = bar.unwrap_or_default();
        let (of_copy, of_xor) = (ratio(&subjects[0]), ratio(&subjects[1]));
        println!(
            "| {} | {:.2} | {of_copy:.2} | {of_xor:.2} | {bar} | {met} |",
            subject.name,
            speed / 1e9
        );
    }
}

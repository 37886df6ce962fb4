//! A file cut anywhere is `truncated` (or, where the cut makes something impossible, `damaged`), never `ok`; and the slicing of
//! the input never shows in the report.

use bak::writer::BlockSize;
use bak::writer::sample::{Sample, SampleKind};
use bak::{Report, Verdict, Verifier};
use proptest::prelude::{Just, Strategy, any, prop, proptest};
use proptest::test_runner::Config;

fn small() -> Sample {
    Sample {
        extents: 2,
        block_size: BlockSize::B512,
        ..Sample::default()
    }
}

fn verify(bytes: &[u8]) -> Report {
    let mut verifier = Verifier::new();
    verifier.push(bytes);
    verifier.finish()
}

/// The verdict after each length, from one verifier whose clones are finished on the way.
fn check_every_length(bytes: &[u8], whole: Verdict) {
    let mut verifier = Verifier::new();
    for length in 0..bytes.len() {
        let verdict = verifier.clone().finish().verdict;
        assert!(
            matches!(verdict, Verdict::Truncated | Verdict::Damaged),
            "{verdict} after {length} bytes"
        );
        verifier.push(&bytes[length..=length]);
    }
    assert_eq!(verifier.finish().verdict, whole);
}

#[test]
fn a_log_backup_cut_at_every_length() {
    check_every_length(&small().backup(SampleKind::Log, 1), Verdict::Ok);
}

#[test]
fn a_full_backup_cut_at_every_length() {
    let sample = Sample {
        extents: 1,
        second_pass_extents: 0,
        ..small()
    };
    check_every_length(&sample.backup(SampleKind::Full, 1), Verdict::Ok);
}

#[test]
fn a_family_of_stripes_cut_at_every_length() {
    let sample = Sample {
        families: 2,
        ..small()
    };
    check_every_length(&sample.backup(SampleKind::Log, 2), Verdict::Incomplete);
}

#[test]
fn a_compressed_backup_cut_at_every_length() {
    let sample = Sample {
        compressed: true,
        ..small()
    };
    check_every_length(&sample.backup(SampleKind::Log, 1), Verdict::Ok);
}

/// Between two sets a cut leaves a whole backup: a file like any other.
#[test]
fn a_second_set_cut_at_every_length() {
    let first = small().backup(SampleKind::Log, 1).len();
    let bytes = small().backup_sets(&[SampleKind::Log, SampleKind::Log], 1);
    for length in (first..bytes.len()).step_by(61).chain(first..first + 2048) {
        let expected = |verdict| match length == first {
            true => verdict == Verdict::Ok,
            false => matches!(verdict, Verdict::Truncated | Verdict::Damaged),
        };
        let verdict = verify(&bytes[..length]).verdict;
        assert!(expected(verdict), "{verdict} after {length} bytes");
    }
}

/// Bytes behind the end belong to no backup.
#[test]
fn bytes_too_many_are_no_backup() {
    for kind in [SampleKind::Full, SampleKind::Log] {
        for extra in [1, 511, 512, 65536] {
            for byte in [0, 0x21, b'S'] {
                let mut bytes = small().backup(kind, 1);
                bytes.resize(bytes.len() + extra, byte);
                assert_ne!(verify(&bytes).verdict, Verdict::Ok);
            }
        }
    }
}

fn files() -> impl Strategy<Value = Vec<u8>> {
    let kinds = [SampleKind::Full, SampleKind::Differential, SampleKind::Log];
    let sizes = [BlockSize::B512, BlockSize::B4096, BlockSize::B65536];
    let shape = (
        prop::sample::select(kinds.to_vec()),
        prop::sample::select(sizes.to_vec()),
    );
    (shape, any::<bool>(), any::<bool>(), 1..4u32).prop_map(
        |((kind, block_size), checksums, compressed, extents)| {
            Sample {
                block_size,
                checksums,
                compressed,
                extents,
                ..Sample::default()
            }
            .backup(kind, 1)
        },
    )
}

/// A file with a few bytes changed, and lengths to cut it into.
fn cases() -> impl Strategy<Value = (Vec<u8>, Vec<usize>)> {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    let cuts = prop::collection::vec(
        prop::sample::select(&[1usize, 2, 51, 512, 8192, 70_000, 300_000][..]),
        1..8,
    );
    (files(), changes, cuts).prop_flat_map(|(mut bytes, changes, cuts)| {
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        (Just(bytes), Just(cuts))
    })
}

proptest! {
    #![proptest_config(Config { cases: 60, failure_persistence: None, ..Config::default() })]

    #[test]
    fn slicing_does_not_show((bytes, cuts) in cases()) {
        let mut verifier = Verifier::new();
        let mut rest = &bytes[..];
        let mut cuts = cuts.iter().cycle();
        while !rest.is_empty() {
            let (slice, later) = rest.split_at((*cuts.next().expect("a cycle")).min(rest.len()));
            verifier.push(slice);
            rest = later;
        }
        assert_eq!(verifier.finish(), verify(&bytes));
    }
}

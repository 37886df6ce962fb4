//! Whatever comes in: no panic, and a report that does not depend on how the bytes are sliced.

use std::sync::LazyLock;

use bak::writer::sample::{Sample, SampleKind};
use bak::{Report, Verdict, Verifier};
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};
use proptest::sample::{Index, select};

/// One small backup of each form.
static BACKUPS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let plain = Sample {
        extents: 3,
        second_pass_extents: 1,
        ..Sample::default()
    };
    let compressed = Sample {
        compressed: true,
        ..plain.clone()
    };
    let striped = Sample {
        families: 2,
        checksums: false,
        ..plain.clone()
    };
    vec![
        plain.backup(SampleKind::Full, 1),
        plain.backup_sets(&[SampleKind::Log, SampleKind::Differential], 1),
        compressed.backup(SampleKind::Full, 1),
        striped.backup(SampleKind::Full, 2),
    ]
});

fn verify(bytes: &[u8]) -> Report {
    let mut verifier = Verifier::new();
    verifier.push(bytes);
    verifier.finish()
}

fn verify_in_slices(bytes: &[u8], cuts: &[Index]) -> Report {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.sort_unstable();
    let mut verifier = Verifier::new();
    let mut from = 0;
    for to in places.into_iter().chain([bytes.len()]) {
        verifier.push(&bytes[from..to]);
        from = to;
    }
    verifier.finish()
}

fn backup() -> impl Strategy<Value = usize> {
    select(vec![0_usize, 1, 2, 3])
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..20_000), magic in select(vec![b"".as_slice(), b"TAPE", b"MSSQLBAK\x02\0\0\0\x03\0\0\0"])) {
        let bytes = [magic, bytes.as_slice()].concat();
        prop_assert!(verify(&bytes).verdict != Verdict::Ok);
    }

    #[test]
    fn the_report_does_not_depend_on_the_slicing(which in backup(), cuts in vec(any::<Index>(), 0..40)) {
        let bytes = &BACKUPS[which];
        prop_assert_eq!(verify_in_slices(bytes, &cuts), verify(bytes));
    }

    #[test]
    fn overwritten_backups_are_read_alike_in_any_slicing(
        which in backup(),
        places in vec((any::<Index>(), vec(any::<u8>(), 1..40)), 1..6),
        length in any::<Index>(),
        cuts in vec(any::<Index>(), 0..10),
    ) {
        let mut bytes = BACKUPS[which].clone();
        for (place, noise) in places {
            let at = place.index(bytes.len());
            let end = (at + noise.len()).min(bytes.len());
            bytes[at..end].copy_from_slice(&noise[..end - at]);
        }
        bytes.truncate(length.index(bytes.len() * 2));
        prop_assert_eq!(verify_in_slices(&bytes, &cuts), verify(&bytes));
    }

    #[test]
    fn skipping_payload_finds_the_same_sets(which in backup(), step in 1..3000_usize) {
        let bytes = &BACKUPS[which];
        let mut verifier = Verifier::headers_only();
        let mut at = 0;
        while at < bytes.len() {
            let skippable = usize::try_from(verifier.skippable()).expect("a small file").min(bytes.len() - at);
            verifier.skip(skippable as u64);
            at += skippable;
            let end = (at + step).min(bytes.len());
            verifier.push(&bytes[at..end]);
            at = end;
        }
        let report = verifier.finish();
        prop_assert_eq!(report.sets, verify(bytes).sets);
        prop_assert_eq!(report.verdict, Verdict::CannotVerify);
    }
}

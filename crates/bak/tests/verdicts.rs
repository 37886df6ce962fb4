//! What the verifier concludes about backups that were damaged, cut, encrypted or put together wrongly on purpose. The backups come
//! from the writer; that they are as real ones is the writer's own test, and the same verifier on real files is `real_backups`.

use bak::writer::page::Protection;
use bak::writer::sample::{EXTENT, Sample, SampleKind};
use bak::{DamageKind, Foreign, Report, Verdict, Verifier, stripes};

const PAGE: usize = 8192;

fn verify(bytes: &[u8]) -> Report {
    let mut verifier = Verifier::new();
    verifier.push(bytes);
    verifier.finish()
}

fn sample() -> Sample {
    Sample {
        extents: 24,
        checksums: false,
        ..Sample::default()
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(*bytes[at..].first_chunk().expect("four bytes"))
}

/// Where the payload of the first stream of this type that has one begins, and its length without the two bytes before it.
fn payload(bytes: &[u8], letters: &[u8; 4]) -> (usize, usize) {
    let headers = (0..bytes.len() - 22)
        .step_by(4)
        .filter(|at| bytes[*at..].starts_with(letters));
    let length = |at: usize| u32_at(bytes, at + 8) as usize;
    let at = headers
        .into_iter()
        .find(|at| length(*at) > 2)
        .expect("the sample has such a stream");
    (at + 22 + 2, length(at) - 2)
}

#[test]
fn sound_backups_of_every_kind_are_ok() {
    for compressed in [false, true] {
        let sample = Sample {
            compressed,
            ..Sample::default()
        };
        for kind in [SampleKind::Full, SampleKind::Differential, SampleKind::Log] {
            let report = verify(&sample.backup(kind, 1));
            assert_eq!(
                report.verdict,
                Verdict::Ok,
                "{kind:?}: {:?} {:#?}",
                report.reasons,
                report.damage
            );
            assert!(report.reasons.is_empty() && report.sets[0].complete);
        }
        let several = verify(&sample.backup_sets(&[SampleKind::Full, SampleKind::Log], 1));
        assert_eq!(several.verdict, Verdict::Ok, "{:?}", several.reasons);
        assert_eq!(
            several.sets.iter().map(|set| set.position).collect::<Vec<_>>(),
            [1, 2]
        );
    }
}

#[test]
fn an_extent_lost_to_zeros_is_named_page_by_page() {
    let sample = Sample {
        unformatted_pages: false,
        ..sample()
    };
    let sound = sample.backup(SampleKind::Full, 1);
    let (at, length) = payload(&sound, b"MQDA");
    for extent in 0..length / EXTENT {
        let mut bytes = sound.clone();
        let place = at + extent * EXTENT;
        let first = u32_at(&bytes, place + 32);
        bytes[place..place + EXTENT].fill(0);
        let report = verify(&bytes);
        assert_eq!(report.verdict, Verdict::Damaged, "extent {extent}");
        let pages: Vec<_> = report
            .damage
            .iter()
            .map(|damage| (damage.kind, damage.file_id, damage.page_id))
            .collect();
        // Pages 4 and 5 are in no use.
        let lost = (first..first + 8).filter(|page| !matches!(page, 4 | 5));
        let expected: Vec<_> = lost.map(|page| (DamageKind::Page, Some(1), Some(page))).collect();
        assert_eq!(pages, expected, "extent {extent}");
        assert_eq!(report.damage[0].offset, place as u64);
        assert_eq!(report.pages.checksum_bad, expected.len() as u64);
    }
}

#[test]
fn an_extent_over_another_one_is_damage() {
    let mut bytes = sample().backup(SampleKind::Full, 1);
    let (at, _) = payload(&bytes, b"MQDA");
    bytes.copy_within(at + 4 * EXTENT..at + 5 * EXTENT, at + 9 * EXTENT);
    let report = verify(&bytes);
    assert_eq!(report.verdict, Verdict::Damaged);
    assert!(
        report
            .damage
            .iter()
            .any(|damage| damage.kind == DamageKind::Extent),
        "{:#?}",
        report.damage
    );
}

#[test]
fn extents_in_an_unknown_order_are_not_called_verified() {
    let mut bytes = sample().backup(SampleKind::Full, 1);
    let (at, _) = payload(&bytes, b"MQDA");
    let (before, after) = bytes.split_at_mut(at + 9 * EXTENT);
    before[at + 4 * EXTENT..at + 5 * EXTENT].swap_with_slice(&mut after[..EXTENT]);
    let report = verify(&bytes);
    assert_eq!(report.verdict, Verdict::CannotVerify, "{:#?}", report.damage);
    assert_eq!(report.damage_count, 0);
}

#[test]
fn a_page_in_the_place_of_another_one_is_named() {
    let sample = Sample {
        unformatted_pages: false,
        ..sample()
    };
    let mut bytes = sample.backup(SampleKind::Full, 1);
    let (at, _) = payload(&bytes, b"MQDA");
    let target = at + 7 * EXTENT + 3 * PAGE;
    let expected = u32_at(&bytes, target + 32);
    bytes.copy_within(at + 5 * EXTENT + PAGE..at + 5 * EXTENT + 2 * PAGE, target);
    let report = verify(&bytes);
    assert_eq!(report.verdict, Verdict::Damaged);
    assert_eq!(report.damage.len(), 1, "{:#?}", report.damage);
    assert_eq!(
        (report.damage[0].kind, report.damage[0].page_id),
        (DamageKind::MisplacedPage, Some(expected))
    );
}

/// What transparent data encryption leaves: bodies of random bytes under headers in place. Its checksums are taken over the plain
/// page, so that without the key none of them holds.
fn encrypt(page: &mut [u8], state: &mut u64) {
    for byte in &mut page[96..PAGE] {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        *byte = (*state >> 56) as u8;
    }
}

#[test]
fn an_encrypted_database_cannot_be_verified_and_is_not_damaged() {
    let mut bytes = sample().backup(SampleKind::Full, 1);
    let (at, length) = payload(&bytes, b"MQDA");
    let mut state = 7;
    // The file header and the boot page stay plain.
    for page in (at..at + length)
        .step_by(PAGE)
        .filter(|page| (*page - at) / PAGE != 0 && (*page - at) / PAGE != 9)
    {
        if bytes[page] == 1 {
            encrypt(&mut bytes[page..page + PAGE], &mut state);
        }
    }
    let report = verify(&bytes);
    assert_eq!(report.verdict, Verdict::CannotVerify, "{:?}", report.reasons);
    assert_eq!((report.damage_count, report.damage.len()), (0, 0));
    assert!(
        report.reasons.iter().any(|reason| reason.contains("TDE")),
        "{:?}",
        report.reasons
    );
}

#[test]
fn a_few_pages_overwritten_with_noise_are_damaged_not_encrypted() {
    let mut bytes = sample().backup(SampleKind::Full, 1);
    let (at, _) = payload(&bytes, b"MQDA");
    let mut state = 7;
    for page in 20..26 {
        encrypt(&mut bytes[at + page * PAGE..][..PAGE], &mut state);
    }
    assert_eq!(verify(&bytes).verdict, Verdict::Damaged);
}

fn set_xor(header: &mut [u8]) {
    let sum = header[..20]
        .as_chunks::<2>()
        .0
        .iter()
        .fold(0, |sum, word| sum ^ u16::from_le_bytes(*word));
    header[20..22].copy_from_slice(&sum.to_le_bytes());
}

/// The backup with its first data stream cut in two after `first` bytes of payload. `prefix` zeros begin the second piece. What is put
/// in is taken from the padding that ends the block.
fn in_two_pieces(bytes: &[u8], first: usize, prefix: usize) -> Vec<u8> {
    let (at, length) = payload(bytes, b"MQDA");
    let header = at - 24;
    let mut pieces = bytes.to_vec();
    pieces[header + 8..header + 16].copy_from_slice(&(first as u64 + 2).to_le_bytes());
    set_xor(&mut pieces[header..header + 22]);
    let mut second = bytes[header..header + 22].to_vec();
    second[8..16].copy_from_slice(&((length - first + prefix) as u64).to_le_bytes());
    set_xor(&mut second);
    second.resize(22 + prefix, 0);
    let end = at + length;
    let pad = (end..end + 4096)
        .find(|at| bytes[*at..].starts_with(b"SPAD"))
        .expect("the block ends with padding");
    let padding = u32_at(bytes, pad + 8) as usize;
    pieces[pad + 8..pad + 16].copy_from_slice(&(padding as u64 - 24).to_le_bytes());
    set_xor(&mut pieces[pad..pad + 22]);
    pieces.drain(pad + 22..pad + 22 + 24);
    // Zeros align the stream behind the second piece where it has no prefix.
    let align = vec![0; 2 - prefix];
    pieces.splice(end..end, align);
    pieces.splice(at + first..at + first, second);
    pieces
}

#[test]
fn a_data_stream_in_two_pieces_is_read_as_one() {
    let bytes = sample().backup(SampleKind::Full, 1);
    for (first, prefix) in [
        (3 * EXTENT, 2),
        (3 * EXTENT, 0),
        (3 * EXTENT + 512, 2),
        (EXTENT + 40 * 512, 0),
    ] {
        let report = verify(&in_two_pieces(&bytes, first, prefix));
        assert_eq!(
            report.verdict,
            Verdict::Ok,
            "{first} {prefix}: {:?}",
            report.reasons
        );
        assert_eq!(report.pages, verify(&bytes).pages);
    }
}

#[test]
fn torn_and_unprotected_pages_are_counted_apart() {
    let torn = Sample {
        protection: Protection::Torn,
        ..sample()
    };
    let mut bytes = torn.backup(SampleKind::Full, 1);
    let sound = verify(&bytes);
    assert_eq!(
        (sound.verdict, sound.pages.torn_bad, sound.pages.checksum_ok),
        (Verdict::Ok, 0, 0)
    );
    assert!(sound.pages.torn_ok > 0);
    let (at, _) = payload(&bytes, b"MQDA");
    bytes[at + 3 * 512 + 511] ^= 1;
    let report = verify(&bytes);
    assert_eq!((report.verdict, report.pages.torn_bad), (Verdict::Damaged, 1));
    let none = Sample {
        protection: Protection::None,
        ..sample()
    };
    let report = verify(&none.backup(SampleKind::Full, 1));
    assert_eq!(
        (report.verdict, report.pages.checksum_ok, report.pages.torn_ok),
        (Verdict::Ok, 0, 0)
    );
    assert!(report.pages.unprotected > 0);
}

#[test]
fn a_log_that_misses_its_bounds_is_damaged() {
    let bytes = sample().backup(SampleKind::Log, 1);
    let report = verify(&bytes);
    assert_eq!(report.verdict, Verdict::Ok, "{:?}", report.reasons);
    // LastLSN in the commit record: the last SCIN of the file, 42 bytes in; its block number one higher.
    let mut wrong = bytes;
    let scin = (0..wrong.len() - 4)
        .rev()
        .find(|at| wrong[*at..].starts_with(b"SCIN"))
        .expect("a commit record");
    wrong[scin + 46] += 1;
    let report = verify(&wrong);
    assert_eq!(report.verdict, Verdict::Damaged);
    assert_eq!(
        report.damage[0].kind,
        DamageKind::LogChain,
        "{:#?}",
        report.damage
    );
}

#[test]
fn log_blocks_after_a_broken_one_are_still_read() {
    let mut bytes = sample().backup(SampleKind::Log, 1);
    let whole = verify(&bytes).log_blocks;
    let (at, _) = payload(&bytes, b"MQTL");
    // The size field of the first block: the chain is broken there.
    bytes[at + 7] ^= 0x40;
    let report = verify(&bytes);
    assert_eq!(report.verdict, Verdict::Damaged);
    assert_eq!((report.log_blocks.bad, report.log_blocks.ok), (1, whole.ok - 1));
}

fn find(bytes: &[u8], letters: &[u8; 4]) -> usize {
    (0..bytes.len())
        .step_by(4)
        .find(|at| bytes[*at..].starts_with(letters))
        .expect("it is in the sample")
}

/// What has another name or form than any this reader knows, under checksums that hold, is neither ok nor damaged.
#[test]
fn unknown_forms_cannot_be_verified() {
    let sound = sample().backup(SampleKind::Log, 1);
    let mut stream = sound.clone();
    let at = find(&stream, b"TSMP");
    stream[at..at + 4].copy_from_slice(b"NEWS");
    set_xor(&mut stream[at..at + 22]);
    let mut encrypted = sound.clone();
    let at = find(&encrypted, b"MQTL");
    encrypted[at + 16] = 1;
    set_xor(&mut encrypted[at..at + 22]);
    let mut block = sound.clone();
    let at = find(&block, b"VOLB");
    block[at..at + 4].copy_from_slice(b"NEWB");
    let sum = block[at..at + 50]
        .as_chunks::<2>()
        .0
        .iter()
        .fold(0, |sum, word| sum ^ u16::from_le_bytes(*word));
    block[at + 50..at + 52].copy_from_slice(&sum.to_le_bytes());
    for (bytes, word) in [(stream, "NEWS"), (encrypted, "encrypted"), (block, "NEWB")] {
        let report = verify(&bytes);
        assert_eq!(
            report.verdict,
            Verdict::CannotVerify,
            "{word}: {:?} {:#?}",
            report.reasons,
            report.damage
        );
        assert!(
            report.reasons.iter().any(|reason| reason.contains(word)),
            "{:?}",
            report.reasons
        );
    }
}

#[test]
fn the_second_set_cut_off_leaves_the_first_complete() {
    let bytes = sample().backup_sets(&[SampleKind::Full, SampleKind::Differential], 1);
    let report = verify(&bytes[..bytes.len() - 100_000]);
    assert_eq!(report.verdict, Verdict::Truncated);
    assert_eq!(
        report.sets.iter().map(|set| set.complete).collect::<Vec<_>>(),
        [true, false]
    );
}

#[test]
fn what_follows_the_last_set_is_no_part_of_a_backup() {
    let mut bytes = sample().backup(SampleKind::Log, 1);
    bytes.extend_from_slice(&[0; 4096]);
    assert_eq!(verify(&bytes).verdict, Verdict::Damaged);
}

#[test]
fn stripes_are_ok_together_and_incomplete_alone() {
    let striped = Sample {
        families: 3,
        ..sample()
    };
    let mut reports: Vec<Report> = (1..=3)
        .map(|family| verify(&striped.backup(SampleKind::Full, family)))
        .collect();
    let other = verify(
        &Sample {
            seed: 2,
            families: 3,
            ..sample()
        }
        .backup(SampleKind::Full, 2),
    );
    for report in &reports {
        assert_eq!(
            report.verdict,
            Verdict::Incomplete,
            "{:?} {:#?}",
            report.reasons,
            report.damage
        );
    }
    let verdicts = |reports: &[Report]| {
        stripes::judge(reports)
            .iter()
            .map(|judged| judged.verdict)
            .collect::<Vec<_>>()
    };
    assert_eq!(verdicts(&reports), [Verdict::Ok; 3]);
    reports.push(other);
    assert_eq!(
        verdicts(&reports),
        [Verdict::Ok, Verdict::Ok, Verdict::Ok, Verdict::Incomplete]
    );
    reports.remove(1);
    assert_eq!(verdicts(&reports), [Verdict::Incomplete; 3]);
}

#[test]
fn a_stripe_whose_sibling_is_damaged_stays_incomplete() {
    let striped = Sample {
        families: 2,
        ..sample()
    };
    let mut damaged = striped.backup(SampleKind::Full, 2);
    let (at, _) = payload(&damaged, b"MQDA");
    damaged[at + 5000] ^= 8;
    let reports = [verify(&striped.backup(SampleKind::Full, 1)), verify(&damaged)];
    let verdicts: Vec<Verdict> = stripes::judge(&reports)
        .iter()
        .map(|judged| judged.verdict)
        .collect();
    assert_eq!(verdicts, [Verdict::Incomplete, Verdict::Damaged]);
}

#[test]
fn files_that_are_no_backups_are_named() {
    for (bytes, foreign, verdict) in [
        (b"".as_slice(), Foreign::Empty, Verdict::Truncated),
        (b"PK\x03\x04 and so on", Foreign::Unknown, Verdict::CannotVerify),
    ] {
        let report = verify(bytes);
        assert_eq!((report.foreign(), report.verdict), (Some(foreign), verdict));
        assert_eq!(report.reasons, [foreign.sentence()]);
    }
}

#[test]
fn a_clone_tells_how_far_it_is_while_the_original_goes_on() {
    let bytes = sample().backup(SampleKind::Full, 1);
    let mut verifier = Verifier::new();
    let (half, rest) = bytes.split_at(bytes.len() / 2);
    verifier.push(half);
    assert_eq!(verifier.clone().finish().verdict, Verdict::Truncated);
    verifier.push(rest);
    assert_eq!(verifier.bytes(), bytes.len() as u64);
    assert_eq!(verifier.finish(), verify(&bytes));
}

#[test]
fn the_report_reads_as_the_contract_says() {
    let json = serde_json::to_value(verify(&sample().backup(SampleKind::Full, 1))).expect("a report is JSON");
    let keys = |value: &serde_json::Value| {
        let mut keys: Vec<String> = value.as_object().expect("an object").keys().cloned().collect();
        keys.sort();
        keys.join(" ")
    };
    assert_eq!(
        keys(&json),
        "bytes container damage damageCount logBlocks logFingerprints media pages reasons sets streamChecksums verdict"
    );
    assert_eq!(
        keys(&json["media"]),
        "familyCount familyNumber mediaSetId physicalBlockSize softwareName"
    );
    assert_eq!(
        keys(&json["sets"][0]),
        "backupDescription backupFinishDate backupName backupSetGuid backupSize backupStartDate backupType bindingId \
         checkpointLsn compatibilityLevel complete compressed databaseBackupLsn databaseCreationDate databaseName \
         databaseVersion differentialBaseGuid differentialBaseLsn familyGuid files firstLsn firstRecoveryForkId forkPointLsn \
         hasBackupChecksums hasBulkLoggedData isCopyOnly lastLsn logChainLsn machineName position recoveryForkId recoveryModel serverName softwareVersion \
         timeZoneOffsetMinutes userName"
    );
    assert_eq!(
        keys(&json["sets"][0]["files"][0]),
        "fileId filegroup logicalName maxSize physicalName size type uniqueId"
    );
    assert_eq!(
        keys(&json["pages"]),
        "checksumBad checksumOk tornBad tornOk total unformatted unprotected"
    );
    assert_eq!(json["container"], "mtf");
    assert_eq!(json["verdict"], "ok");
    assert_eq!(json["sets"][0]["firstLsn"], "40000000047000001");
    let report = verify(&sample().backup(SampleKind::Full, 1));
    let back: Report = serde_json::from_value(json.clone()).expect("a report again");
    assert_eq!(back, report);
    // As it was stored before these were read.
    let remove = |value: &mut serde_json::Value, key: &str| {
        assert!(value.as_object_mut().expect("an object").remove(key).is_some());
    };
    let mut old = json;
    remove(&mut old, "logFingerprints");
    remove(&mut old["sets"][0], "hasBulkLoggedData");
    remove(&mut old["sets"][0], "logChainLsn");
    let old: Report = serde_json::from_value(old).expect("a report still");
    assert_eq!(old.log_fingerprint(0), None);
    assert_eq!(old.sets[0].log_chain_lsn, None);
    assert_eq!(old.sets[0].files, report.sets[0].files);
}

/// Damage that can be passed over loses nobody; a header that does not hold, or a record of no known form, does.
#[test]
fn being_lost_is_told_as_soon_as_it_is_known() {
    let is_lost = |bytes: &[u8]| {
        let mut verifier = Verifier::new();
        verifier.push(bytes);
        verifier.is_lost()
    };
    let plain = sample().backup(SampleKind::Full, 1);
    assert!(!is_lost(&plain) && !is_lost(&plain[..plain.len() / 2]) && !is_lost(b""));
    let (pages, _) = payload(&plain, b"MQDA");
    let mut bad_page = plain.clone();
    bad_page[pages + PAGE..pages + PAGE + 512].fill(0x5a);
    assert!(!is_lost(&bad_page));
    let mut bad_header = plain;
    bad_header[4096 + 4] ^= 1;
    assert!(!is_lost(&bad_header[..4096]));
    assert!(is_lost(&bad_header[..8192]));
    let compressed = Sample {
        compressed: true,
        ..sample()
    };
    let mut strange = compressed.backup(SampleKind::Full, 1);
    assert!(!is_lost(&strange));
    // Another tag, and a checksum that does not hold: no data under a damaged tag.
    let record = bak::compressed::FIRST_RECORD as usize;
    strange[record] = 0x77;
    strange[record + 24] ^= 1;
    assert!(is_lost(&strange));
}

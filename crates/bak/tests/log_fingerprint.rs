//! Log fingerprints: sets of one log never differ, whatever part of it they hold and however coarse; sets of two histories do.

use bak::{LogAgreement, LogFingerprint, Lsn};
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::sample::Index;

const VLF_SECTORS: u32 = 200;

/// A block: where it begins, where the log goes on, and its checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Block {
    at: Lsn,
    end: Lsn,
    sum: u64,
}

fn lsn(vlf: u32, block: u32) -> Lsn {
    Lsn { vlf, block, slot: 1 }
}

/// A log over several virtual log files, some of them not filled to their end.
fn log() -> impl Strategy<Value = Vec<Block>> {
    let blocks = proptest::collection::vec(
        (
            1..40u32,
            any::<u32>(),
            prop_oneof![9 => Just(false), 1 => Just(true)],
        ),
        1..600,
    );
    blocks.prop_map(|blocks| {
        let mut next = lsn(40, 16);
        let mut log: Vec<Block> = Vec::new();
        for (size, sum, goes_on) in blocks {
            if goes_on || next.block + size > VLF_SECTORS {
                next = lsn(next.vlf + 1, 16);
                if let Some(last) = log.last_mut() {
                    last.end = next;
                }
            }
            let at = next;
            next.block += size;
            let sum = u64::from(sum);
            log.push(Block { at, end: next, sum });
        }
        log
    })
}

/// The set that has these blocks.
fn set(blocks: &[Block]) -> LogFingerprint {
    let (first, last) = (blocks[0], blocks[blocks.len() - 1]);
    LogFingerprint::new(
        first.at,
        last.end,
        blocks.iter().map(|block| (block.at, block.sum)),
    )
}

/// Part of a log, never empty.
fn part(blocks: &[Block], bounds: (Index, Index)) -> std::ops::Range<usize> {
    let (a, b) = (bounds.0.index(blocks.len()), bounds.1.index(blocks.len()));
    a.min(b)..a.max(b) + 1
}

proptest! {
    #[test]
    fn parts_of_one_log_never_differ(
        log in log(), a: (Index, Index), b: (Index, Index), coarse_a in 2..300usize, coarse_b in 2..300usize,
    ) {
        let (ours, theirs) = (part(&log, a), part(&log, b));
        let (our, their) = (set(&log[ours.clone()]), set(&log[theirs.clone()]));
        let fine = our.compare(&their);
        prop_assert!(!matches!(fine, LogAgreement::Differs(_)));
        let shared = ours.start.max(theirs.start)..ours.end.min(theirs.end);
        if shared.is_empty() {
            prop_assert_eq!(fine, LogAgreement::Unknown);
        } else if ours.len().max(theirs.len()) <= LogFingerprint::WINDOWS_MAX {
            prop_assert_eq!(fine, LogAgreement::Same);
        }
        let (our, their) = (our.coarsened(coarse_a), their.coarsened(coarse_b));
        prop_assert!(!matches!(our.compare(&their), LogAgreement::Differs(_)));
        prop_assert!(our.windows() <= coarse_a.max(2));
    }

    #[test]
    fn another_block_shows(log in log(), changed: Index, coarse in 2..300usize) {
        let at = changed.index(log.len());
        let mut other = log.clone();
        other[at].sum ^= 1;
        // A stretch that begins with its virtual log file and goes on in a far one covers every window, however coarse, but the last.
        let bounds = (Lsn { block: 0, ..log[0].at }, lsn(1 << 31, 0));
        let set = |blocks: &[Block]| {
            LogFingerprint::new(bounds.0, bounds.1, blocks.iter().map(|block| (block.at, block.sum))).coarsened(coarse)
        };
        let LogAgreement::Differs(from) = set(&log).compare(&set(&other)) else {
            // One window of all there is begins before the log does.
            prop_assert!(coarse < log.len());
            return Ok(());
        };
        prop_assert!(from <= log[at].at);
        prop_assert_eq!(set(&log).compare(&set(&other)), set(&other).compare(&set(&log)));
    }

    #[test]
    fn the_order_of_blocks_does_not_matter(log in log(), seed: u64) {
        let mut shuffled = log.clone();
        shuffled.sort_by_key(|block| block.sum.wrapping_mul(seed | 1));
        let (first, end) = (log[0].at, log[log.len() - 1].end);
        prop_assert_eq!(
            LogFingerprint::new(first, end, shuffled.iter().map(|block| (block.at, block.sum))),
            set(&log)
        );
    }

    #[test]
    fn json_gives_back_the_same(log in log(), coarse in 2..300usize) {
        let fingerprint = set(&log).coarsened(coarse);
        let json = serde_json::to_string(&fingerprint).expect("JSON");
        prop_assert!(json.len() < 9_000, "{} bytes", json.len());
        prop_assert_eq!(serde_json::from_str::<LogFingerprint>(&json).expect("a fingerprint"), fingerprint);
    }

    #[test]
    fn any_text_is_refused_or_can_be_compared(shift: u8, runs in "[0-9a-f -]{0,60}", windows in "[0-9a-f :]{0,80}") {
        let json = serde_json::json!({"shift": shift, "runs": runs, "windows": windows});
        if let Ok(fingerprint) = serde_json::from_value::<LogFingerprint>(json) {
            let differs = matches!(fingerprint.compare(&fingerprint.coarsened(2)), LogAgreement::Differs(_));
            prop_assert!(!differs);
        }
    }
}

/// Two blocks of one sector and one of two, in virtual log file 7.
fn small() -> [Block; 3] {
    [(16, 17, 1), (17, 18, 2), (18, 20, 3)].map(|(at, end, sum)| Block {
        at: lsn(7, at),
        end: lsn(7, end),
        sum,
    })
}

#[test]
fn a_boundary_that_only_one_has_is_a_difference() {
    let ours = small();
    let mut theirs = small();
    theirs[1].end = lsn(7, 20);
    let theirs = set(&theirs[..2]);
    assert_eq!(set(&ours).compare(&theirs), LogAgreement::Differs(lsn(7, 18)));
    // Without the third block there is no boundary inside their larger one; sums tell blocks apart, not sizes.
    assert_eq!(set(&ours[..2]).compare(&theirs), LogAgreement::Same);
}

#[test]
fn what_only_one_covers_is_no_difference() {
    let ours = small();
    assert_eq!(set(&ours[..1]).compare(&set(&ours[1..])), LogAgreement::Unknown);
    assert_eq!(set(&ours[..2]).compare(&set(&ours[1..])), LogAgreement::Same);
    let nothing = LogFingerprint::default();
    assert_eq!(nothing.compare(&set(&ours)), LogAgreement::Unknown);
    assert_eq!(nothing.compare(&nothing), LogAgreement::Unknown);
    let empty_log = LogFingerprint::new(lsn(7, 17), lsn(7, 17), []);
    assert_eq!(empty_log.compare(&set(&ours)), LogAgreement::Unknown);
}

#[test]
fn a_set_that_goes_on_in_the_next_file_covers_the_rest_of_this_one() {
    let mut goes_on = small()[..2].to_vec();
    goes_on[1].end = lsn(8, 16);
    goes_on.push(Block {
        at: lsn(8, 16),
        end: lsn(8, 17),
        sum: 9,
    });
    // The other has a third block in virtual log file 7.
    assert_eq!(
        set(&goes_on).compare(&set(&small())),
        LogAgreement::Differs(lsn(7, 18))
    );
    assert_eq!(set(&goes_on).compare(&set(&small()[..2])), LogAgreement::Same);
}

#[test]
fn windows_that_a_coarse_set_holds_partly_are_not_compared() {
    // Blocks of one sector: 300 of them make windows of two. The last one of the shorter set is alone in its window.
    let blocks = |count: u32| -> Vec<Block> {
        let block = |at: u32| Block {
            at: lsn(7, at),
            end: lsn(7, at + 1),
            sum: u64::from(at),
        };
        (16..16 + count).map(block).collect()
    };
    let coarse = set(&blocks(300));
    assert_eq!(coarse.windows(), 150);
    assert_eq!(set(&blocks(1)).compare(&coarse), LogAgreement::Unknown);
    assert_eq!(set(&blocks(2)).compare(&coarse), LogAgreement::Same);
    let mut third = blocks(3);
    third[2].sum += 1;
    assert_eq!(set(&third).compare(&coarse), LogAgreement::Same);
    let mut fourth = blocks(4);
    fourth[2].sum += 1;
    assert_eq!(set(&fourth).compare(&coarse), LogAgreement::Differs(lsn(7, 18)));
}

#[test]
fn hostile_json_is_refused() {
    let long = (0..257).map(|n| format!("{n:x}:1 ")).collect::<String>();
    let runs = (0..65)
        .map(|n| format!("{:x}-{:x} ", 2 * n, 2 * n + 1))
        .collect::<String>();
    for (shift, runs, windows) in [
        (64, "", ""),
        (0, "5-5", ""),
        (0, "5-4", ""),
        (0, "1-3 2-4", ""),
        (0, "", "2:1 1:1"),
        (0, "", "1:1 1:1"),
        (1, "", "ffffffffffffffff:1"),
        (0, "", "1:+1"),
        (0, "", "1:"),
        (0, "", "1"),
        (0, "", "10000000000000000:1"),
        (0, "", long.as_str()),
        (0, runs.as_str(), ""),
    ] {
        let json = serde_json::json!({"shift": shift, "runs": runs, "windows": windows});
        assert!(
            serde_json::from_value::<LogFingerprint>(json).is_err(),
            "{shift} {runs} {windows}"
        );
    }
}

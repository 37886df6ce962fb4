//! What the log in a backup looks like, small enough to keep with every set: tells whether two sets that claim the same LSNs hold the
//! same log.
//!
//! A server that was put back to a snapshot writes the same LSNs again, with other content, under the same recovery fork; headers
//! cannot tell the two apart. The log itself can: blocks stay in a log as they were flushed, so that every backup of one history has
//! the same bytes at the same LSN (40 of 40 blocks that two real backup sets share, over 20 pairs of sets).
//!
//! A position in the log is its virtual log file and the sector in it, as one number; the log is divided into windows of 2^shift
//! positions, aligned, so that a window lies within one virtual log file or spans whole ones. A window's digest is the sum of a hash
//! of each block that begins in it (its position and the checksum of its bytes). Sums of fine windows are coarse ones: a fingerprint
//! grows coarser rather than longer, and two of different coarseness compare at the coarser. What stretch of log a set has from
//! end to end is kept as well, because a window without a block means something only where the set covers it.
//!
//! Invariants: two sets of the same log never differ here, because only windows that both cover wholly are compared. "Same" says no
//! more than that all that could be compared agrees; blocks are told apart by a checksum of 32 bits.
//!
//! Not proved, for want of a sample: that a secondary replica's log has the bytes of the primary's, and what changing the key of an
//! encrypted database leaves of them.

use serde::{Deserialize, Serialize};

use crate::lsn::Lsn;

pub(super) mod collector;
mod stored;

/// Digests of the log blocks in a set, by where they lie.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "stored::Stored", into = "stored::Stored")]
pub struct LogFingerprint {
    /// Windows have 2^shift positions; at most [`SHIFT_MAX`].
    shift: u8,
    /// What the set has from end to end: ascending, apart, none of them empty, at most [`RUNS_MAX`].
    runs: Vec<Run>,
    /// Windows that a block begins in, ascending.
    windows: Vec<Window>,
}

/// A stretch of log: from the first position to the one behind the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    from: u64,
    to: u64,
}

/// The digest of the window that begins at `index << shift`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    index: u64,
    digest: u64,
}

/// What two fingerprints say about a stretch of log that both sets hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogAgreement {
    /// They share nothing that could be compared.
    Unknown,
    /// All that could be compared is the same.
    Same,
    /// They differ, at this LSN or in the window that begins there.
    Differs(Lsn),
}

/// The coarsest windows: two of them hold any log there is.
const SHIFT_MAX: u8 = 63;
/// Stretches that are kept. A set has one; a family of a stripe set may have more.
const RUNS_MAX: usize = 64;

impl LogFingerprint {
    /// Windows that a fingerprint has at most.
    pub const WINDOWS_MAX: usize = 256;

    /// The fingerprint of a set that has all log from `first` up to `end`, slots aside, in these blocks: where each begins, and the
    /// checksum of its bytes or whatever else tells it from others. Blocks out of the bounds are left out.
    #[must_use]
    pub fn new(first: Lsn, end: Lsn, blocks: impl IntoIterator<Item = (Lsn, u64)>) -> Self {
        let mut fingerprint = Self::default();
        let (from, to) = (position(first), position(end));
        if from < to {
            fingerprint.runs.push(Run { from, to });
            for (lsn, sum) in blocks {
                if (from..to).contains(&position(lsn)) {
                    fingerprint.add(position(lsn), sum);
                }
            }
        }
        fingerprint
    }

    /// The same with at most `max` windows, and never less than two.
    #[must_use]
    pub fn coarsened(&self, max: usize) -> Self {
        let mut coarse = self.clone();
        coarse.limit(max);
        coarse
    }

    /// How many windows there are that a block begins in.
    #[must_use]
    pub fn windows(&self) -> usize {
        self.windows.len()
    }

    /// Compares what both hold.
    #[must_use]
    pub fn compare(&self, other: &Self) -> LogAgreement {
        if self.is_before(other) || other.is_before(self) {
            return LogAgreement::Unknown;
        }
        let shift = self.shift.max(other.shift);
        let mut ours = self.at_shift(shift).peekable();
        let mut theirs = other.at_shift(shift).peekable();
        let mut agreement = LogAgreement::Unknown;
        while let Some(index) = [ours.peek(), theirs.peek()]
            .into_iter()
            .flatten()
            .map(|window| window.index)
            .min()
        {
            let here = |window: &Window| window.index == index;
            let (our, their) = (ours.next_if(here), theirs.next_if(here));
            if !self.covers(index, shift) || !other.covers(index, shift) {
                continue;
            }
            if our != their {
                return LogAgreement::Differs(lsn_at(index << shift));
            }
            agreement = LogAgreement::Same;
        }
        agreement
    }

    /// Whether it ends where `other` has not begun: most sets that are compared have nothing in common.
    fn is_before(&self, other: &Self) -> bool {
        let bounds = self.runs.last().zip(other.runs.first());
        bounds.is_none_or(|(last, first)| last.to <= first.from)
    }

    fn add(&mut self, position: u64, sum: u64) {
        let index = position >> self.shift;
        let digest = mix(mix(position) ^ sum);
        match self.windows.last_mut() {
            Some(last) if last.index == index => last.digest = last.digest.wrapping_add(digest),
            Some(last) if last.index > index => {
                match self.windows.binary_search_by_key(&index, |window| window.index) {
                    Ok(at) => self.windows[at].digest = self.windows[at].digest.wrapping_add(digest),
                    Err(at) => self.windows.insert(at, Window { index, digest }),
                }
            }
            _ => self.windows.push(Window { index, digest }),
        }
        self.limit(Self::WINDOWS_MAX);
    }

    fn limit(&mut self, max: usize) {
        while self.windows.len() > max && self.shift < SHIFT_MAX {
            self.windows = self.at_shift(self.shift + 1).collect();
            self.shift += 1;
        }
    }

    /// Its windows as those of a shift that is not smaller than its own.
    fn at_shift(&self, shift: u8) -> impl Iterator<Item = Window> + '_ {
        let by = shift - self.shift;
        let mut rest = self.windows.as_slice();
        std::iter::from_fn(move || {
            let index = rest.first()?.index >> by;
            let count = rest
                .iter()
                .take_while(|window| window.index >> by == index)
                .count();
            let (these, after) = rest.split_at(count);
            rest = after;
            let digest = these
                .iter()
                .fold(0u64, |digest, window| digest.wrapping_add(window.digest));
            Some(Window { index, digest })
        })
    }

    /// Whether the set has all of a window.
    fn covers(&self, index: u64, shift: u8) -> bool {
        let first = index << shift;
        let last = first | ((1 << shift) - 1);
        self.runs.iter().any(|run| run.from <= first && last < run.to)
    }
}

/// A position in the log: virtual log file and block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LogPosition {
    pub(crate) vlf: u32,
    pub(crate) block: u32,
}

impl LogPosition {
    /// The start of the next virtual log file, where this is the end of one that has so many sectors.
    pub(super) fn or_next_file(self, sectors: u64) -> Self {
        match self.vlf.checked_add(1) {
            Some(vlf) if u64::from(self.block) == sectors => Self { vlf, block: 0 },
            _ => self,
        }
    }

    fn number(self) -> u64 {
        u64::from(self.vlf) << 32 | u64::from(self.block)
    }
}

fn position(lsn: Lsn) -> u64 {
    let Lsn { vlf, block, .. } = lsn;
    LogPosition { vlf, block }.number()
}

/// The first record of a block.
fn lsn_at(position: u64) -> Lsn {
    Lsn {
        vlf: (position >> 32) as u32,
        block: position as u32,
        slot: 1,
    }
}

/// The finaliser of splitmix64: each bit of the result hangs on all bits of `value`.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ value >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ value >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ value >> 31
}

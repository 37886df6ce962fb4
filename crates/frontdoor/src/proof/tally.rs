//! How many verdicts were reached since the start, for the metrics.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use bak::Verdict;

use super::shelf::{Finding, Recorded};

/// Verdicts that were stored for good, by verdict.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<BTreeMap<&'static str, u64>>);

/// What the verifier has done and has still to do.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Census {
    /// Blobs that wait for a verifier thread, or have one.
    pub(crate) waiting: u64,
    /// Final verdicts since the start, by name.
    pub(crate) verdicts: BTreeMap<&'static str, u64>,
}

impl Tally {
    /// Counts a verdict if it is there to stay. What is no backup has none.
    pub(crate) fn count(&self, finding: &Finding, recorded: Recorded) {
        let verdict = match finding {
            _ if recorded != Recorded::Final => return,
            Finding::Foreign => return,
            Finding::Backup(report) => report.verdict,
            Finding::Damaged(_) => Verdict::Damaged,
            Finding::CannotVerify(_) => Verdict::CannotVerify,
        };
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(verdict.as_str()).or_default() += 1;
    }

    /// The counts, with a zero for what has not been seen yet.
    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        let all = [
            Verdict::Ok,
            Verdict::Damaged,
            Verdict::Truncated,
            Verdict::Incomplete,
            Verdict::CannotVerify,
        ];
        let mut counts: BTreeMap<_, _> = all.into_iter().map(|verdict| (verdict.as_str(), 0)).collect();
        counts.extend(self.0.lock().unwrap_or_else(PoisonError::into_inner).iter());
        counts
    }
}

//! A fingerprint while the log of a set is read.
//!
//! The set may be a family of a stripe set. Each family's headers describe all segments of the log; in the seven real stripe sets one
//! family has all of it. How SQL Server deals out more log is not known, so that such a family is credited only with what it has
//! segment by segment: positions that follow one another without a gap.

use super::{LogFingerprint, LogPosition, RUNS_MAX, Run};

/// Collects the log blocks of one set.
#[derive(Debug, Clone, Default)]
pub(crate) struct Collector {
    fingerprint: LogFingerprint,
    /// Whether the last run goes on.
    is_open: bool,
}

impl Collector {
    /// A segment of log begins at `from`. It goes on with the last one where no log is between them; `is_all` says that the set is all
    /// in this file, so that a step into the next virtual log file passes no log.
    pub(crate) fn begin(&mut self, from: LogPosition, is_all: bool) {
        let from = from.number();
        let runs = &mut self.fingerprint.runs;
        if let Some(last) = runs.last().filter(|_| self.is_open) {
            let is_next_file = from >> 32 == (last.to.saturating_sub(1) >> 32) + 1;
            if from == last.to || is_all && is_next_file {
                return;
            }
        }
        self.is_open = runs.len() < RUNS_MAX;
        if self.is_open {
            runs.push(Run { from, to: from });
        }
    }

    /// The next block of the segment, whose checksum holds, and where the log goes on behind it.
    pub(crate) fn add(&mut self, at: LogPosition, end: LogPosition, sum: u32) {
        if let Some(run) = self.fingerprint.runs.last_mut().filter(|_| self.is_open) {
            run.to = end.number();
            self.fingerprint.add(at.number(), u64::from(sum));
        }
    }

    /// The fingerprint of what was collected; none where there was no log, or not in the order of a log.
    pub(crate) fn fingerprint(&self) -> Option<LogFingerprint> {
        let mut fingerprint = self.fingerprint.clone();
        fingerprint.runs.retain(|run| run.from < run.to);
        let in_order = fingerprint.runs.windows(2).all(|pair| pair[0].to <= pair[1].from);
        (in_order && !fingerprint.runs.is_empty()).then_some(fingerprint)
    }
}

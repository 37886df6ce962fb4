//! Another attempt of a job that is no backup; a backup decides by itself, since its statement may have been sent.

use faults::{Code, Fault, Heal};
use jiff::{SignedDuration, Timestamp};

use super::{Doing, Ending};

/// Pauses before the second and the third attempt of one job; there is no fourth.
const PAUSES: [SignedDuration; 2] = [SignedDuration::from_secs(30), SignedDuration::from_secs(120)];

/// The pause after so many attempts, from 1 on; none after the last.
pub(crate) fn pause_after(attempts: usize) -> Option<SignedDuration> {
    PAUSES.get(attempts.saturating_sub(1)).copied()
}

/// Another attempt, where the failure may pass by itself and there is one left.
pub(crate) fn tried_again(doing: &Doing<'_>, fault: &Fault, now: Timestamp) -> Option<Ending> {
    if doing.is_cancelled() {
        return None;
    }
    Some(Ending::Again(
        fault.clone(),
        next_attempt(fault.code(), doing.job.attempt, now)?,
    ))
}

fn next_attempt(code: Code, attempt: u32, now: Timestamp) -> Option<Timestamp> {
    // Two changes that met are two changes that may be made one after the other.
    let passes = code == Code::Bac2VersionConflict || code == Code::Bac2CatalogUnavailable;
    if !(passes || code.entry().heal == Heal::Retry) {
        return None;
    }
    let attempts = usize::try_from(attempt).unwrap_or(usize::MAX);
    now.checked_add(pause_after(attempts)?).ok()
}

#[cfg(test)]
mod tests {
    use faults::Code;
    use jiff::{SignedDuration, Timestamp};

    use super::next_attempt;

    #[test]
    fn three_attempts_of_what_may_pass_and_one_of_all_else() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let after = |seconds| Some(now + SignedDuration::from_secs(seconds));
        for (code, attempt, expected) in [
            (Code::Bac2CatalogUnavailable, 1, after(30)),
            (Code::Bac2CatalogUnavailable, 2, after(120)),
            (Code::Bac2CatalogUnavailable, 3, None),
            (Code::Bac2NotFound, 1, None),
        ] {
            assert_eq!(next_attempt(code, attempt, now), expected, "{code} {attempt}");
        }
    }
}

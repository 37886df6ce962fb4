//! Several files judged together: the families (stripes) of one media set.
//!
//! A family alone is never more than incomplete, however sound. Where all families of its media set are given and none of them is
//! worse, each is what it is by itself: ok. Files are grouped by media set id; families that hold different backup sets do not belong
//! together, whatever their media set says.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::report::Report;
use crate::verdict::Verdict;

/// The verdict on one file among those it was given with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The verdict.
    pub verdict: Verdict,
    /// Why it is not `ok`.
    pub reasons: Vec<String>,
}

/// Judges each of `reports` in the company of the others; the answers are in the same order.
#[must_use]
pub fn judge(reports: &[Report]) -> Vec<Judged> {
    reports.iter().map(|report| judge_one(report, reports)).collect()
}

fn judge_one(report: &Report, all: &[Report]) -> Judged {
    let alone = Judged {
        verdict: report.verdict,
        reasons: report.reasons.clone(),
    };
    let Some(media) = report
        .media
        .as_ref()
        .filter(|_| report.verdict == Verdict::Incomplete)
    else {
        return alone;
    };
    let guids = set_guids(report);
    let siblings = all.iter().filter(|other| {
        other
            .media
            .as_ref()
            .is_some_and(|other| other.media_set_id == media.media_set_id)
            && set_guids(other) == guids
    });
    let mut present = BTreeSet::new();
    let mut unsound = BTreeSet::new();
    for sibling in siblings {
        let number = sibling.media.as_ref().map_or(0, |media| media.family_number);
        present.insert(number);
        if sibling.verdict != Verdict::Incomplete {
            unsound.insert(number);
        }
    }
    let list = |numbers: Vec<u16>| numbers.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
    let missing: Vec<u16> = (1..=media.family_count)
        .filter(|number| !present.contains(number))
        .collect();
    let reason = if !missing.is_empty() {
        format!(
            "of its {} families {} missing from the files given: {}",
            media.family_count,
            are(&missing),
            list(missing.clone())
        )
    } else if !unsound.is_empty() {
        let unsound: Vec<u16> = unsound.into_iter().collect();
        format!(
            "it is sound, but other families of its media set are not: {}",
            list(unsound)
        )
    } else {
        return Judged {
            verdict: Verdict::Ok,
            reasons: Vec::new(),
        };
    };
    Judged {
        verdict: Verdict::Incomplete,
        reasons: vec![reason],
    }
}

fn are(numbers: &[u16]) -> &'static str {
    if numbers.len() == 1 { "one is" } else { "some are" }
}

fn set_guids(report: &Report) -> Vec<Option<Uuid>> {
    report.sets.iter().map(|set| set.backup_set_guid).collect()
}

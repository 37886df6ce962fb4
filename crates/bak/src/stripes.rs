//! Several files judged together: the families (stripes) of one media set.
//!
//! A family alone is never more than incomplete, however sound. Where all families of its media set are there and each of them is
//! sound, each is what it is by itself: ok. Files are grouped by media set id; families that hold different backup sets do not belong
//! together, whatever their media set says. Of several copies of a family (MIRROR TO, or a plain copy) one sound one is enough.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::report::Report;
use crate::verdict::Verdict;

/// Of many missing families, so many are named.
const NAMED: usize = 10;

/// The verdict on one file among those it was given with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The verdict.
    pub verdict: Verdict,
    /// Why it is not `ok`.
    pub reasons: Vec<String>,
}

/// One family of a media set of several: what it takes to judge it in the company of others, without its report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Family {
    /// Shared by all families of the media set.
    pub media_set_id: Uuid,
    /// From 1 to `count`.
    pub number: u16,
    /// How many families the media set has.
    pub count: u16,
    /// The backup sets in it.
    pub sets: Vec<Option<Uuid>>,
    /// Whether nothing is wrong with it but that it is not alone.
    pub is_sound: bool,
}

/// How the families of a media set stand together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Company {
    /// All are there and sound.
    Complete,
    /// These are not there.
    Missing(Vec<u16>),
    /// All are there; of these, no copy is sound.
    Unsound(Vec<u16>),
}

impl Family {
    /// The family that a file is; none for a media set of one family, and where the file does not say.
    #[must_use]
    pub fn of(report: &Report) -> Option<Self> {
        let media = report.media.as_ref().filter(|media| media.family_count > 1)?;
        Some(Self {
            media_set_id: media.media_set_id,
            number: media.family_number,
            count: media.family_count,
            sets: report.sets.iter().map(|set| set.backup_set_guid).collect(),
            is_sound: report.verdict == Verdict::Incomplete,
        })
    }

    /// Whether both are of one media set and hold the same backup sets.
    #[must_use]
    pub fn belongs_with(&self, other: &Self) -> bool {
        self.media_set_id == other.media_set_id && self.sets == other.sets
    }
}

impl Company {
    /// The company that `family` has among `all`, itself included.
    pub fn of<'a>(family: &Family, all: impl IntoIterator<Item = &'a Family>) -> Self {
        let mut sound = BTreeMap::new();
        for other in all.into_iter().filter(|other| family.belongs_with(other)) {
            *sound.entry(other.number).or_insert(false) |= other.is_sound;
        }
        let of_the_set = 1..=family.count;
        let missing: Vec<u16> = of_the_set.clone().filter(|n| !sound.contains_key(n)).collect();
        if !missing.is_empty() {
            return Self::Missing(missing);
        }
        let unsound: Vec<u16> = of_the_set.filter(|n| !sound[n]).collect();
        if unsound.is_empty() {
            Self::Complete
        } else {
            Self::Unsound(unsound)
        }
    }

    /// What a sound family is in this company; `place` says where the others were looked for, as in "the files given".
    #[must_use]
    pub fn judge(&self, family: &Family, place: &str) -> Judged {
        let reason = match self {
            Self::Complete => {
                return Judged {
                    verdict: Verdict::Ok,
                    reasons: Vec::new(),
                };
            }
            Self::Missing(missing) => {
                let are = if missing.len() == 1 { "one is" } else { "some are" };
                format!(
                    "of its {} families {are} missing from {place}: {}",
                    family.count,
                    list(missing)
                )
            }
            Self::Unsound(unsound) => format!(
                "it is sound, but other families of its media set are not: {}",
                list(unsound)
            ),
        };
        Judged {
            verdict: Verdict::Incomplete,
            reasons: vec![reason],
        }
    }
}

/// Judges each of `reports` in the company of the others; the answers are in the same order.
#[must_use]
pub fn judge(reports: &[Report]) -> Vec<Judged> {
    let families: Vec<Option<Family>> = reports.iter().map(Family::of).collect();
    let judged = reports
        .iter()
        .zip(&families)
        .map(|(report, family)| match family {
            Some(family) if family.is_sound => {
                Company::of(family, families.iter().flatten()).judge(family, "the files given")
            }
            _ => Judged {
                verdict: report.verdict,
                reasons: report.reasons.clone(),
            },
        });
    judged.collect()
}

fn list(numbers: &[u16]) -> String {
    let mut words: Vec<String> = numbers.iter().take(NAMED).map(u16::to_string).collect();
    if numbers.len() > NAMED {
        words.push(format!("and {} more", numbers.len() - NAMED));
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family(number: u16, is_sound: bool) -> Family {
        Family {
            media_set_id: Uuid::from_u128(7),
            number,
            count: 3,
            sets: vec![Some(Uuid::from_u128(9))],
            is_sound,
        }
    }

    #[test]
    fn a_set_is_complete_when_every_family_has_one_sound_copy() {
        let company = |numbers: &[(u16, bool)]| {
            let all: Vec<Family> = numbers.iter().map(|(n, sound)| family(*n, *sound)).collect();
            Company::of(&all[0], &all)
        };
        assert_eq!(company(&[(1, true), (2, true), (3, true)]), Company::Complete);
        assert_eq!(company(&[(1, true), (3, true)]), Company::Missing(vec![2]));
        assert_eq!(
            company(&[(1, true), (2, false), (3, true)]),
            Company::Unsound(vec![2])
        );
        // A mirror of the second is sound.
        assert_eq!(
            company(&[(1, true), (2, false), (3, true), (2, true)]),
            Company::Complete
        );
    }

    #[test]
    fn families_of_other_sets_are_no_company() {
        let first = family(1, true);
        let mut others = [family(2, true), family(3, true)];
        others[0].sets = vec![Some(Uuid::from_u128(10))];
        others[1].media_set_id = Uuid::from_u128(8);
        assert_eq!(Company::of(&first, &others), Company::Missing(vec![1, 2, 3]));
    }

    #[test]
    fn of_many_missing_families_some_are_named() {
        let mut alone = family(1, true);
        alone.count = 64;
        let judged = Company::of(&alone, [&alone]).judge(&alone, "the vault");
        assert_eq!(judged.verdict, Verdict::Incomplete);
        assert_eq!(
            judged.reasons,
            [
                "of its 64 families some are missing from the vault: 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, and 53 more"
            ]
        );
    }
}

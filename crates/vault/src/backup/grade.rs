//! How sure a backup is that SQL Server calls a success: one judgement over all its stripes.

use bak::{BackupSet, LogFingerprint, Verdict};
use catalog::record::Grade;

use crate::shelf::{Blob, Proof};

/// What the stripes of a backup come to.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Judgement {
    /// Not judged yet; why, for people.
    Wait(&'static str),
    /// Judged.
    Done(Judged),
}

/// What is known of a backup whose stripes are all judged.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Judged {
    /// How sure.
    pub(super) grade: Grade,
    /// Why it is not proved.
    pub(super) reasons: Vec<String>,
    /// The set, by its headers.
    pub(super) set: Option<BackupSet>,
    /// What its log looks like.
    pub(super) log: Option<LogFingerprint>,
    /// Bytes in the store.
    pub(super) bytes: u64,
    /// Nothing of it is in the store.
    pub(super) is_lost: bool,
}

/// Judges stripes in their order; none stands for a blob that is not there.
///
/// A stripe by itself is sound at most as `incomplete`, since its media set has others: it counts as sound where all of them are there.
pub(super) fn judge(stripes: &[Option<Blob>]) -> Judgement {
    let mut reasons = Vec::new();
    let (mut worst, mut bytes, mut seen) = (Grade::Proved, 0_u64, 0_usize);
    let mut families = Vec::new();
    let mut media_sets = Vec::new();
    let mut best: Option<(BackupSet, Option<LogFingerprint>)> = None;
    for (place, stripe) in stripes.iter().enumerate() {
        let number = place + 1;
        let Some(blob) = stripe else {
            reasons.push(format!("stripe {number} is missing"));
            worst = worse(worst, Grade::Disputed);
            continue;
        };
        if blob.lease.is_some() {
            return Judgement::Wait("a stripe is leased");
        }
        if !blob.is_committed {
            reasons.push(format!("stripe {number} was never committed"));
            worst = worse(worst, Grade::Disputed);
            continue;
        }
        let Proof::Judged {
            verdict,
            reasons: why,
            sets,
            logs,
            media,
        } = &blob.proof
        else {
            return Judgement::Wait("the verifier has not come to the end");
        };
        seen += 1;
        bytes = bytes.saturating_add(blob.size);
        if let Some(media) = media {
            families.push((media.family_number, media.family_count));
            media_sets.push(media.media_set_id);
        }
        let grade = match verdict {
            Some(Verdict::Ok | Verdict::Incomplete) => Grade::Proved,
            Some(Verdict::CannotVerify) => Grade::Accepted,
            Some(Verdict::Damaged | Verdict::Truncated) => Grade::Disputed,
            None => {
                reasons.push(format!("stripe {number} is no backup of SQL Server"));
                Grade::Disputed
            }
        };
        if grade != Grade::Proved {
            reasons.extend(why.iter().map(|why| match stripes.len() {
                1 => why.clone(),
                _ => format!("stripe {number}: {why}"),
            }));
        }
        worst = worse(worst, grade);
        if let Some(set) = sets.last() {
            // The stripe that knows most: a set's commit record may be in one of them alone.
            let is_better = best
                .as_ref()
                .is_none_or(|(so_far, log)| (set.complete && !so_far.complete) || log.is_none());
            if is_better {
                best = Some((set.clone(), logs.last().cloned().flatten()));
            }
        }
    }
    if worst == Grade::Proved && !is_whole(&families, &media_sets, stripes.len()) {
        worst = Grade::Disputed;
        reasons.push("its stripes are not the families of one media set".to_owned());
    }
    let (set, log) = best.map_or((None, None), |(set, log)| (Some(set), log));
    Judgement::Done(Judged {
        grade: worst,
        reasons,
        set,
        log,
        bytes,
        is_lost: seen == 0,
    })
}

/// Whether the families are 1 to n of one media set. Where headers name none, nothing speaks against it.
fn is_whole(families: &[(u16, u16)], media_sets: &[uuid::Uuid], stripes: usize) -> bool {
    if families.len() < stripes {
        return stripes == 1;
    }
    let mut numbers: Vec<usize> = families.iter().map(|(number, _)| usize::from(*number)).collect();
    numbers.sort_unstable();
    numbers.iter().copied().eq(1..=stripes)
        && families.iter().all(|(_, count)| usize::from(*count) == stripes)
        && media_sets.windows(2).all(|pair| pair[0] == pair[1])
}

fn worse(one: Grade, other: Grade) -> Grade {
    let rank = |grade| match grade {
        Grade::Proved => 0,
        Grade::EngineVerified => 1,
        Grade::Accepted => 2,
        Grade::Disputed => 3,
    };
    if rank(other) > rank(one) { other } else { one }
}

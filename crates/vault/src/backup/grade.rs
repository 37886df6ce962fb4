//! How sure a backup is that SQL Server calls a success: one judgement over all its stripes.

use bak::{BackupSet, LogFingerprint, Verdict};
use catalog::record::{Grade, Point};

use crate::shelf::{Blob, Proof};

/// How the reason begins of what nobody judged in time.
pub(super) const NOT_JUDGED: &str = "not judged after";

/// What the stripes of a backup come to.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Judgement {
    /// Not judged yet; why, for people.
    Wait(&'static str),
    /// Judged.
    Done(Box<Judged>),
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
/// A stripe by itself is sound at most as `incomplete`, since its media set has others: it counts as sound where all of them are
/// there.
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
    Judgement::Done(Box::new(Judged {
        grade: worst,
        reasons,
        set,
        log,
        bytes,
        is_lost: seen == 0,
    }))
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

/// What became of a point since it was written, by its blobs as they are now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Regrade {
    /// It is what it was.
    Stays,
    /// It cannot be relied on.
    Damaged(String),
    /// It was not judged in time, and is now.
    Judged(Grade, Vec<String>),
}

/// Judges the blobs of a point again. The verifier may come to its end after the point was written, and may find damage at any time.
pub(crate) fn regrade(point: &Point, stripes: &[Option<Blob>]) -> Regrade {
    let Judgement::Done(judged) = judge(stripes) else {
        return Regrade::Stays;
    };
    let is_another = judged
        .set
        .as_ref()
        .and_then(|set| set.backup_set_guid)
        .is_some_and(|guid| guid != point.set.guid);
    let was_not_judged = point.grade == Grade::Accepted
        && point
            .reasons
            .first()
            .is_some_and(|reason| reason.starts_with(NOT_JUDGED));
    match (point.grade, judged.grade) {
        (Grade::Disputed, _) => Regrade::Stays,
        (_, Grade::Disputed) => Regrade::Damaged(judged.reasons.join("; ")),
        _ if is_another => Regrade::Damaged("it holds another backup set".to_owned()),
        (_, grade) if was_not_judged => Regrade::Judged(grade, judged.reasons),
        _ => Regrade::Stays,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use azblob::names::BlobName;
    use bak::{Media, Verdict};
    use catalog::record::{ContainerId, DatabaseId, Grade, ItemId, Point, PointId, PolicyId, SetFacts};
    use uuid::Uuid;

    use super::{Judged, Judgement, Regrade, judge, regrade};
    use crate::shelf::{Blob, Lease, Proof};

    fn media(number: u16, count: u16) -> Media {
        Media {
            media_set_id: Uuid::from_u128(5),
            family_number: number,
            family_count: count,
            physical_block_size: 65_536,
            software_name: "Microsoft SQL Server".to_owned(),
        }
    }

    fn blob(verdict: Option<Verdict>, media: Media) -> Option<Blob> {
        Some(Blob {
            name: BlobName::new("a").unwrap(),
            size: 10,
            arrived: 10,
            is_committed: true,
            is_sealed: false,
            lease: None,
            tag: String::new(),
            proof: Proof::Judged {
                verdict,
                reasons: vec!["a page is damaged".to_owned()],
                sets: Vec::new(),
                logs: Vec::new(),
                media: Some(media),
            },
        })
    }

    fn done(stripes: &[Option<Blob>]) -> Judged {
        match judge(stripes) {
            Judgement::Done(judged) => *judged,
            wait => panic!("{wait:?}"),
        }
    }

    #[test]
    fn verdicts_are_grades() {
        for (verdict, grade) in [
            (Some(Verdict::Ok), Grade::Proved),
            (Some(Verdict::CannotVerify), Grade::Accepted),
            (Some(Verdict::Damaged), Grade::Disputed),
            (Some(Verdict::Truncated), Grade::Disputed),
            (None, Grade::Disputed),
        ] {
            let judged = done(&[blob(verdict, media(1, 1))]);
            assert_eq!(judged.grade, grade, "{verdict:?}");
            assert_eq!(judged.reasons.is_empty(), grade == Grade::Proved);
            assert_eq!((judged.bytes, judged.is_lost), (10, false));
        }
    }

    #[test]
    fn stripes_are_sound_together() {
        let stripe = |number, count| blob(Some(Verdict::Incomplete), media(number, count));
        let both = done(&[stripe(1, 2), stripe(2, 2)]);
        assert_eq!((both.grade, both.bytes), (Grade::Proved, 20));
        for wrong in [[stripe(1, 2), stripe(1, 2)], [stripe(1, 3), stripe(2, 3)]] {
            assert_eq!(done(&wrong).grade, Grade::Disputed);
        }
        let missing = done(&[stripe(1, 2), None]);
        assert_eq!((missing.grade, missing.is_lost), (Grade::Disputed, false));
        assert_eq!(missing.reasons, ["stripe 2 is missing"]);
        let damaged = done(&[stripe(1, 2), blob(Some(Verdict::Damaged), media(2, 2))]);
        assert_eq!(damaged.reasons, ["stripe 2: a page is damaged"]);
        assert!(done(&[None]).is_lost);
    }

    fn point(grade: Grade, reasons: &[&str]) -> Point {
        let at = jiff::civil::date(2026, 1, 1).at(0, 0, 0, 0);
        Point {
            id: PointId(Uuid::from_u128(1)),
            item: ItemId(Uuid::from_u128(2)),
            database: DatabaseId(Uuid::from_u128(3)),
            job: None,
            policy: PolicyId(Uuid::from_u128(4)),
            container: ContainerId(Uuid::from_u128(5)),
            blobs: vec!["a".to_owned()],
            kind: schedule::BackupKind::Full,
            set: SetFacts {
                guid: Uuid::from_u128(6),
                first_lsn: "1".to_owned(),
                last_lsn: "2".to_owned(),
                checkpoint_lsn: "1".to_owned(),
                database_backup_lsn: None,
                database_guid: None,
                family_guid: None,
                fork: Uuid::nil(),
                first_fork: None,
                fork_point: None,
                base_guid: None,
                base_lsn: None,
                started: at,
                finished: at,
                offset_minutes: None,
                last_restorable: None,
                recovery_model: "FULL".to_owned(),
                is_bulk_logged: false,
                is_copy_only: false,
                begins_log_chain: false,
                families: 1,
                software_version: "15.0.4102".to_owned(),
                thumbprint: None,
                log: None,
            },
            grade,
            reasons: reasons.iter().map(|&reason| reason.to_owned()).collect(),
            taken: None,
            origin: None,
            ended: "2026-01-01T00:00:00Z".parse().unwrap(),
            bytes: 10,
            keep_until: None,
            deletion: None,
        }
    }

    #[test]
    fn a_point_follows_the_verifier() {
        let late = ["not judged after 6 h: a stripe is leased"];
        let one = |verdict| [blob(Some(verdict), media(1, 1))];
        let judged = |grade, reasons: &[&str], verdict| regrade(&point(grade, reasons), &one(verdict));
        // Nobody had judged it in time.
        assert_eq!(
            judged(Grade::Accepted, &late, Verdict::Ok),
            Regrade::Judged(Grade::Proved, Vec::new())
        );
        let unreadable = judged(Grade::Accepted, &late, Verdict::CannotVerify);
        assert!(matches!(unreadable, Regrade::Judged(Grade::Accepted, reasons) if !reasons.is_empty()));
        // Damage is damage, whatever was thought before.
        for grade in [Grade::Proved, Grade::EngineVerified, Grade::Accepted] {
            for verdict in [Verdict::Damaged, Verdict::Truncated] {
                assert!(
                    matches!(judged(grade, &[], verdict), Regrade::Damaged(_)),
                    "{grade:?}"
                );
            }
        }
        // What SQL Server vouches for, and what is disputed already, stays.
        for (grade, verdict) in [
            (Grade::Proved, Verdict::Ok),
            (Grade::EngineVerified, Verdict::CannotVerify),
            (Grade::Accepted, Verdict::CannotVerify),
            (Grade::Disputed, Verdict::Ok),
        ] {
            assert_eq!(judged(grade, &[], verdict), Regrade::Stays, "{grade:?}");
        }
    }

    #[test]
    fn a_proved_stripe_is_not_damaged_because_it_has_others() {
        let stripe = |number| blob(Some(Verdict::Incomplete), media(number, 2));
        let proved = point(Grade::Proved, &[]);
        assert_eq!(regrade(&proved, &[stripe(1), stripe(2)]), Regrade::Stays);
        assert!(matches!(
            regrade(&proved, &[stripe(1), stripe(1)]),
            Regrade::Damaged(_)
        ));
    }

    #[test]
    fn a_lease_or_an_open_verdict_is_waited_for() {
        let mut leased = blob(Some(Verdict::Ok), media(1, 1));
        leased.as_mut().unwrap().lease = Some(Lease {
            connections: 1,
            quiet: Duration::ZERO,
            watched: Duration::ZERO,
        });
        assert!(matches!(judge(&[leased]), Judgement::Wait(_)));
        let mut pending = blob(Some(Verdict::Ok), media(1, 1));
        pending.as_mut().unwrap().proof = Proof::Pending;
        assert!(matches!(judge(&[pending]), Judgement::Wait(_)));
        let mut begun = blob(None, media(1, 1));
        begun.as_mut().unwrap().is_committed = false;
        assert!(done(&[begun]).is_lost, "an empty blob is where a backup began");
    }
}

//! The other half of the judgement: every orphan that the rules let the guard clean up is gone in time, every locked
//! blob is found, and what is spared is spared for a reason.
//!
//! An orphan may stay for `min_quiet` after the first look at it, or after the last thing that anybody did with it. The
//! first round without trouble that begins after that must free it. Trouble is what the guard cannot help: a request to
//! the blob, its container or the account that failed, an instance that did not answer, hid a statement or named it.

use std::collections::BTreeSet;
use std::time::Duration;

use azblob::lease::{Lease, LeaseId, LeaseStatus};
use guard::{Activity, Deed, Finding, Holder, Place};

use crate::holders::Trade;
use crate::judge::shows_backup;
use crate::store::Blob;
use crate::truth::{Orphan, Round};
use crate::world::World;

impl World {
    pub(crate) fn round_begins(&mut self) {
        self.truth.figures.rounds += 1;
        self.truth.round = Round {
            began: self.now,
            ..Round::default()
        };
        if self.now < self.outage_until {
            self.truth.round.lost = true;
        }
        self.note_orphans();
    }

    /// A round is over in which the survey found `found`, or did not come to its end.
    pub(crate) fn round_ends(&mut self, found: Option<&BTreeSet<Place>>) {
        self.note_orphans();
        let round = std::mem::take(&mut self.truth.round);
        let now = self.now;
        for (place, orphan) in &mut self.truth.orphans {
            orphan.excused |= found.is_none() || round.is_in_trouble(place);
        }
        let Some(found) = found else {
            return;
        };
        for place in self.locked(|_, _| true) {
            if round.is_in_trouble(&place) {
                continue;
            }
            let blob = self.store.blob(&place).expect("a locked blob");
            if blob.acquired < round.began && !found.contains(&place) && self.in_scope(&place) {
                self.truth
                    .defect(now, &format!("{place} is locked and was not found"));
            }
            self.note_spared(&place);
            self.late(&place, round.began);
        }
    }

    /// Whether an orphan is still there that this round should have freed.
    fn late(&mut self, place: &Place, began: u64) {
        let Some(orphan) = self.truth.orphans.get(place).cloned() else {
            return;
        };
        let now = self.now;
        let Some(seen) = orphan.seen else {
            if began >= orphan.died
                && let Some(orphan) = self.truth.orphans.get_mut(place)
            {
                orphan.seen = Some(now);
            }
            return;
        };
        // A restore that took the lease of a backup over, under the same tag, is told by the probe before the break at the
        // latest, and its time begins there.
        let restore = self
            .store
            .blob(place)
            .is_some_and(|blob| blob.lease.id() == Some(LeaseId::RESTORE));
        let again = if restore {
            self.plan.min_quiet + self.plan.interval
        } else {
            0
        };
        let due = self.due(place, seen).saturating_add(again);
        if began >= due {
            let text = format!(
                "the orphan {place} of {} s was due at {} s and is still there",
                orphan.died / 1000,
                due / 1000
            );
            self.truth.defect(now, &text);
            // Once is enough.
            self.truth.orphans.remove(place);
            self.truth.spared.insert((place.clone(), orphan.epoch));
        }
    }

    /// Takes up new orphans, forgets those that are none any more.
    fn note_orphans(&mut self) {
        let dead = self.locked(|world, holder| !world.holders[holder].alive);
        let mut orphans = std::mem::take(&mut self.truth.orphans);
        let before = std::mem::take(&mut orphans);
        for place in dead {
            let blob = self.store.blob(&place).expect("a locked blob");
            if !self.may_be_cleaned(&place, blob) || self.truth.spared.contains(&(place.clone(), blob.epoch))
            {
                continue;
            }
            let died = blob
                .holder
                .and_then(|holder| self.holders[holder].ended)
                .unwrap_or(0);
            let known = before.get(&place).filter(|orphan| orphan.epoch == blob.epoch);
            let orphan = match known {
                Some(orphan) => orphan.clone(),
                None => {
                    self.truth.figures.orphans += 1;
                    Orphan {
                        epoch: blob.epoch,
                        died,
                        seen: None,
                        excused: false,
                    }
                }
            };
            orphans.insert(place, orphan);
        }
        self.truth.orphans = orphans;
    }

    /// The end of the world: no orphan that may be cleaned up is left.
    pub(crate) fn nothing_is_left(&mut self) {
        self.note_orphans();
        let now = self.now;
        let left = std::mem::take(&mut self.truth.orphans);
        for (place, orphan) in left {
            // What became due at the very end had no round yet.
            let due = self.due(&place, orphan.seen.unwrap_or(now));
            let late = due.saturating_add(2 * self.plan.interval + self.plan.min_quiet);
            if late < now {
                self.truth
                    .defect(now, &format!("the orphan {place} is left at the end: {orphan:?}"));
            }
        }
    }

    /// Blobs of programs that the user names: an unknown holder is broken only there. A database file that is named is
    /// none the less kept.
    pub(crate) fn name_some(&mut self) -> BTreeSet<Place> {
        self.truth.only = match self.plan.only_some {
            true => self.locked(|_, _| true).into_iter().collect(),
            false => BTreeSet::new(),
        };
        if self.plan.names_some {
            let locked = self.locked(|world, holder| world.holders[holder].trade >= Trade::DatabaseFile);
            for place in locked {
                if self.noise.chance(500) {
                    self.truth.named.insert(place);
                }
            }
        }
        self.truth.named.clone()
    }

    fn in_scope(&self, place: &Place) -> bool {
        let container = self.plan.container.as_ref();
        container.is_none_or(|container| *container == place.container)
            && place.blob.starts_with(&self.plan.prefix)
            && (self.truth.only.is_empty() || self.truth.only.contains(place))
    }

    /// What the guard says of a blob: no more quiet than there was, and no other holder than there is.
    pub(crate) fn judge_words(&mut self, finding: &Finding) {
        let place = &finding.place;
        let (Some(seen), Some(blob)) = (self.truth.seen.get(place), self.store.blob(place)) else {
            return;
        };
        if blob.epoch != seen.epoch
            || blob.stirred > seen.at
            || blob.etag != seen.tag
            || self.truth.round.is_in_trouble(place)
        {
            return;
        }
        let quiet = match seen.witness {
            Some(witness) => witness.quiet(),
            None => seen.at - seen.stirred,
        };
        let wrong = match (finding.activity, finding.holder) {
            (Activity::Quiet { lasting, .. }, _) if lasting > Duration::from_millis(quiet) => {
                "more quiet than true"
            }
            (_, Holder::Restore) if !seen.restore => "a restore that is none",
            // Something else may have taken the blob since it was looked into; then it is not still.
            (Activity::Quiet { .. }, Holder::Backup(_)) if !seen.evidence => "a backup that is none",
            _ => return,
        };
        let text = format!("{place} is called {wrong}: {finding:?}");
        self.truth.defect(self.now, &text);
    }

    /// Whether the rules let the guard clean this up once it was quiet for long enough.
    fn may_be_cleaned(&self, place: &Place, blob: &Blob) -> bool {
        let named = self.truth.named.contains(place);
        let restore = blob.lease.id() == Some(LeaseId::RESTORE);
        let name = place.blob.to_ascii_lowercase();
        let in_use = [".vhd", ".mdf", ".ldf"]
            .iter()
            .any(|ending| name.ends_with(ending));
        let allowed = if restore {
            self.plan.include_restore
        } else {
            shows_backup(blob) || named
        };
        // A page blob with all its pages that was never cut to size may be taken for complete or not.
        let kept = self.plan.deed == (Deed::Delete { complete_too: false }) && self.holds_all(blob);
        self.in_scope(place) && blob.etag.is_some() && !in_use && allowed && !kept
    }

    /// A live holder that was quiet for longer than `min_quiet`, and that something told of.
    fn note_spared(&mut self, place: &Place) {
        let Some(blob) = self.store.blob(place) else {
            return;
        };
        let Some(index) = blob
            .holder
            .filter(|_| matches!(blob.lease, Lease::Infinite { .. }))
        else {
            return;
        };
        let holder = &self.holders[index];
        let quiet = self.now - blob.stirred.max(blob.acquired);
        if !holder.alive || quiet < self.plan.min_quiet || !shows_backup(blob) {
            return;
        }
        let asked = holder
            .instance
            .is_some_and(|instance| self.instances[instance].asked);
        let seen = self
            .witness(place)
            .is_some_and(|door| door.connections > 0 || door.jobs > 0);
        let kept_anyway = blob.lease.id() == Some(LeaseId::RESTORE) && !self.plan.include_restore;
        if (asked || seen) && !kept_anyway && blob.lease.view(self.at().lease).status == LeaseStatus::Locked {
            let lease = (place.clone(), blob.epoch);
            if self.truth.spared.insert(lease) {
                self.truth.figures.saved += 1;
            }
        }
    }
}

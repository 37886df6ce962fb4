//! The judge of the guard's deeds: rules written from what is true in the world, without a line of the guard's own.
//!
//! A break is sound when the last look before it, taken within the same deed and after the instances were asked, could
//! show no sign of life and nothing that forbids a break, and nothing visible had changed for the whole of `min_quiet`
//! before it. A live holder may still be hit where observation is all there is; that is counted, not forgiven silently.

use azblob::lease::{Lease, LeaseAction, LeaseId, LeaseStatus, LeaseWitness};
use guard::Place;
use guard::fault::Cause;
use guard::report::Did;

use crate::births;
use crate::holders::Trade;
use crate::plan::Service;
use crate::store::{Blob, Body};
use crate::truth::{Act, Seen};
use crate::world::World;

impl World {
    /// What the vault's own door testifies of a locked blob.
    pub(crate) fn witness(&self, place: &Place) -> Option<LeaseWitness> {
        let blob = self.store.blob(place)?;
        if !self.own_door() || blob.lease.view(self.at().lease).status != LeaseStatus::Locked {
            return None;
        }
        let users = || self.holders.iter().filter(|holder| holder.place == *place);
        let since = |at: u64| (at >= self.door_since).then(|| self.now - at);
        Some(LeaseWitness {
            connections: users().filter(|holder| holder.connected_until > self.now).count() as u32,
            jobs: users().filter(|holder| holder.job_until > self.now).count() as u32,
            since_write: since(blob.written),
            since_read: blob.read.and_then(since),
            watched: self.now - self.door_since,
        })
    }

    /// Writes down what a look at the blob could see at this moment.
    pub(crate) fn saw(&mut self, place: &Place) {
        let Some(blob) = self.store.blob(place) else {
            return;
        };
        let restore = blob.lease.id() == Some(LeaseId::RESTORE);
        let before = self.truth.seen.get(place);
        let seen = Seen {
            at: self.now,
            epoch: blob.epoch,
            tag: blob.etag,
            infinite: matches!(blob.lease, Lease::Infinite { .. }),
            restore,
            restore_since: match before {
                Some(before) if before.restore && restore => before.restore_since,
                _ => self.now,
            },
            evidence: shows_backup(blob),
            stirred: blob.stirred,
            witness: self.witness(place),
        };
        self.truth.seen.insert(place.clone(), seen);
        if let Some(act) = self.truth.act.as_mut().filter(|act| act.place == *place) {
            act.distracted = false;
        }
    }

    /// Right before a break arrives: somebody else is quicker, now and then.
    pub(crate) fn ambush(&mut self, place: &Place) {
        match self.noise.of(0..1000) {
            0..15 => self.break_by_hand(place),
            15..40 => {
                self.break_by_hand(place);
                births::at_once(self, place, false);
                self.advance(self.now + 1);
            }
            40..55 => {
                self.break_by_hand(place);
                births::at_once(self, place, true);
                self.advance(self.now + 1);
            }
            // A holder that had paused wakes up.
            55..120 => self.wake(place),
            _ => {}
        }
    }

    /// Right after a break: the next backup is there already, now and then.
    pub(crate) fn seize(&mut self, place: &Place) {
        if self.noise.chance(200) {
            let restores = self.noise.chance(200);
            births::at_once(self, place, restores);
        }
    }

    /// Carries out a break that arrives, and judges it.
    pub(crate) fn judge_break(&mut self, place: &Place, same_tag: bool) -> Result<(), Cause> {
        let now = self.now;
        self.truth.tell(now, &format!("a break arrives at {place}"));
        if let Some(wrong) = self.wrong_order(place) {
            self.truth.defect(now, &format!("break of {place}: {wrong}"));
        }
        if !same_tag {
            self.truth.figures.caught_by_tag += 1;
            return Err(Cause::Changed);
        }
        let at = self.at();
        let Some(blob) = self.store.blob(place) else {
            return Err(Cause::NotFound);
        };
        if blob.lease.view(at.lease).status == LeaseStatus::Unlocked {
            self.truth.figures.already_free += 1;
        } else {
            self.judge_lease(place);
        }
        let written = self.store.blob(place).map(|blob| blob.written);
        let action = LeaseAction::Break { period: Some(0) };
        self.store.lease(place, &action, at).map_err(|_| Cause::Lease)?;
        if let (Some(blob), Some(written)) = (self.store.blob_mut(place), written) {
            blob.written = written;
        }
        if let Some(act) = &mut self.truth.act {
            act.broke = true;
        }
        Ok(())
    }

    /// What is wrong with the order in which a break came about.
    fn wrong_order(&mut self, place: &Place) -> Option<&'static str> {
        let asks = self.plan.asked > 0;
        let Some(act) = self.truth.act.as_mut().filter(|act| act.place == *place) else {
            return Some("it belongs to no deed of this blob");
        };
        act.breaks += 1;
        if act.breaks > 1 {
            return Some("it was sent twice");
        }
        let looked = self
            .truth
            .seen
            .get(place)
            .is_some_and(|seen| seen.at >= act.began);
        if !looked {
            return Some("without a look in the same deed");
        }
        if act.distracted {
            return Some("something else came between the last look and the break");
        }
        if !asks {
            return None;
        }
        match &act.asked {
            None => Some("without asking"),
            Some(asked) if !asked.answered => Some("although an instance did not answer"),
            Some(asked) if asked.hidden => Some("although a statement hides its devices"),
            Some(asked) if asked.places.contains(place) => Some("although an instance named it"),
            Some(_) => None,
        }
    }

    /// A lease is about to end: was this allowed, and who is hit?
    fn judge_lease(&mut self, place: &Place) {
        let now = self.now;
        let Some(seen) = self.truth.seen.get(place).cloned() else {
            return;
        };
        let Some(blob) = self.store.blob(place).cloned() else {
            return;
        };
        if blob.epoch != seen.epoch {
            self.truth.figures.changed_hands += 1;
            return;
        }
        if let Some(wrong) = self.forbidden(place, &seen).or_else(|| self.too_early(&seen)) {
            self.truth.defect(now, &format!("break of {place}: {wrong}"));
        }
        let Some(index) = blob.holder else { return };
        let holder = &self.holders[index];
        if !holder.alive {
            return self.orphan_goes(place);
        }
        let who = match holder.trade {
            Trade::Backup => "a backup",
            Trade::Restore => "a restore that the user included",
            _ if self.truth.named.contains(place) => "a program whose blob the user named",
            _ => "a program that leased a backup",
        };
        let why = match (self.own_door(), holder.instance) {
            (true, _) => "at the own door without connection and job",
            (false, Some(_)) if self.plan.asked > 0 => "of an instance that is not asked",
            (false, Some(_)) => "while nobody is asked",
            (false, None) => "that no instance knows",
        };
        let figures = &mut self.truth.figures;
        if blob.written > seen.at {
            figures.woke_in_between += 1;
        }
        *figures
            .live_by_observation
            .entry(format!("{who} {why}"))
            .or_default() += 1;
    }

    /// What forbids a break at any time, by the last look.
    fn forbidden(&self, place: &Place, seen: &Seen) -> Option<&'static str> {
        let named = self.truth.named.contains(place);
        let owner = self
            .store
            .blob(place)?
            .holder
            .map(|holder| self.holders[holder].trade);
        match () {
            () if owner == Some(Trade::DatabaseFile) => Some("a database file"),
            () if owner == Some(Trade::Disk) => Some("a disk"),
            () if is_called_a_file_in_use(place) => Some("called like a disk or a database file"),
            () if !seen.infinite => Some("a lease that ends by itself"),
            () if seen.tag.is_none() => Some("without a tag"),
            () if seen.restore && !self.plan.include_restore => Some("a restore"),
            () if !seen.restore && !seen.evidence && !named => Some("nothing showed a backup"),
            () => None,
        }
    }

    /// Signs of life within `min_quiet` of the last look.
    fn too_early(&self, seen: &Seen) -> Option<&'static str> {
        let quiet = self.plan.min_quiet;
        if let Some(witness) = seen.witness {
            return match () {
                () if witness.connections > 0 => Some("a connection was open"),
                () if witness.jobs > 0 => Some("a job ran"),
                () if witness.quiet() < quiet => Some("the door saw it used"),
                () => None,
            };
        }
        match () {
            () if seen.at - seen.stirred < quiet => Some("it grew"),
            () if seen.restore && seen.at - seen.restore_since < quiet => {
                Some("a restore not seen long enough")
            }
            () => None,
        }
    }

    /// The guard frees an orphan: how long that took.
    fn orphan_goes(&mut self, place: &Place) {
        let Some(orphan) = self.truth.orphans.remove(place) else {
            return;
        };
        let due = self.due(place, orphan.seen.unwrap_or(self.now));
        let figures = &mut self.truth.figures;
        figures.cleaned += 1;
        // What died before the guard came is counted from its coming.
        let waited = self.now - orphan.died.max(self.truth.came);
        figures.waited += waited;
        figures.waited_most = figures.waited_most.max(waited);
        if !orphan.excused {
            figures.untroubled += 1;
            let over = self.now.saturating_sub(due);
            figures.over_most = figures.over_most.max(over);
        }
    }

    /// From when on a look lets the rules break an orphan that was first seen at `seen`.
    pub(crate) fn due(&self, place: &Place, seen: u64) -> u64 {
        let Some(blob) = self.store.blob(place) else {
            return self.now;
        };
        if self.plan.service != Service::OwnDoor {
            return seen.max(blob.stirred) + self.plan.min_quiet;
        }
        let users = self.holders.iter().filter(|holder| holder.place == *place);
        let gone = users.map(|holder| holder.connected_until.max(holder.job_until));
        // An open connection or job forbids a break while it is there, and is no use afterwards.
        let alone = gone.max().unwrap_or(0).max(self.truth.came);
        let used = blob.written.max(blob.read.unwrap_or(0)).max(self.door_since);
        alone.max(used + self.plan.min_quiet)
    }

    /// Carries out a deletion that arrives, and judges it.
    pub(crate) fn judge_delete(&mut self, place: &Place, same_tag: bool) -> Result<(), Cause> {
        let now = self.now;
        self.truth.tell(now, &format!("a deletion arrives at {place}"));
        let act = self.truth.act.as_mut().filter(|act| act.place == *place);
        let wrong = match act {
            None => Some("it belongs to no deed of this blob"),
            Some(act) => {
                act.deletions += 1;
                match act {
                    Act { deletions: 2.., .. } => Some("it was sent twice"),
                    Act { broke: false, .. } => Some("no lease was broken before"),
                    _ => None,
                }
            }
        };
        if let Some(wrong) = wrong {
            self.truth.defect(now, &format!("deletion of {place}: {wrong}"));
        }
        if !same_tag {
            self.truth.figures.caught_by_tag += 1;
            return Err(Cause::Changed);
        }
        let complete = self.store.blob(place).is_some_and(|blob| self.is_complete(blob));
        let at = self.at();
        match self.store.delete(place, None, at) {
            Err(azblob::error::ErrorCode::SnapshotsPresent) => return Err(Cause::Protected),
            Err(_) => return Err(Cause::Lease),
            Ok(()) => {}
        }
        if complete && self.plan.deed != (guard::Deed::Delete { complete_too: true }) {
            self.truth
                .defect(now, &format!("deletion of {place}: it held a complete backup"));
        }
        self.truth.figures.deleted += 1;
        if let Some(act) = &mut self.truth.act {
            act.deleted = true;
        }
        Ok(())
    }

    /// Whether the committed content is a complete backup, to its last byte.
    pub(crate) fn is_complete(&self, blob: &Blob) -> bool {
        blob.size() == blob.data().len() as u64 && self.holds_all(blob)
    }

    /// Whether all bytes of a backup are there, the end of a page blob perhaps not cut off yet.
    pub(crate) fn holds_all(&self, blob: &Blob) -> bool {
        let data = blob.data();
        let same = |whole: &bytes::Bytes| {
            data.starts_with(whole) && data[whole.len()..].iter().all(|byte| *byte == 0)
        };
        self.goods.backups.iter().any(same)
    }

    /// A deed begins.
    pub(crate) fn act_begins(&mut self, place: &Place) {
        self.truth.act = Some(Act {
            place: place.clone(),
            began: self.now,
            asked: None,
            breaks: 0,
            deletions: 0,
            broke: false,
            deleted: false,
            distracted: false,
        });
    }

    /// A deed is over: does its report tell the truth?
    pub(crate) fn act_ends(&mut self, did: &Did) {
        let now = self.now;
        let Some(act) = self.truth.act.take() else { return };
        self.truth
            .tell(now, &format!("the guard says of {}: {did:?}", act.place));
        let gone = self.store.blob(&act.place).is_none();
        let true_word = match did {
            Did::Broke => act.broke && !act.deleted,
            Did::Deleted => act.broke && (act.deleted || gone),
            Did::BrokeNotDeleted(fault) => {
                act.broke && (!act.deleted || matches!(fault.cause, Cause::Unreachable(_)))
            }
            Did::Skipped(_) => !act.broke && !act.deleted,
            Did::Failed(fault) => {
                !act.deleted && (!act.broke || matches!(fault.cause, Cause::Unreachable(_)))
            }
            Did::Listed | Did::WouldBreak | Did::WouldDelete => false,
        };
        if !true_word {
            self.truth.defect(
                now,
                &format!("{did:?} is not what happened to {}: {act:?}", act.place),
            );
        }
        if let Did::Skipped(skip) = did {
            let word = format!("{skip:?}");
            let word = word.split([' ', '{']).next().unwrap_or_default().to_owned();
            let word = word.split("\"").next().unwrap_or_default().to_owned();
            *self.truth.figures.skipped.entry(word).or_default() += 1;
        }
    }
}

/// Names that say that something runs on the blob.
fn is_called_a_file_in_use(place: &Place) -> bool {
    let name = place.blob.to_ascii_lowercase();
    [".vhd", ".vhdx", ".mdf", ".ndf", ".ldf"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

fn shows_content(data: &[u8]) -> bool {
    data.starts_with(b"TAPE") || data.starts_with(b"MSSQLBAK")
}

/// Whether the committed bytes or the uncommitted blocks show a backup's hand.
pub(crate) fn shows_backup(blob: &Blob) -> bool {
    let of_sql_server =
        |id: &[u8]| id.len() == 12 && id.starts_with(b"BLOCKID") && id[7..].iter().all(u8::is_ascii_digit);
    let pending = match &blob.body {
        Body::Block { pending, .. } => pending.keys().any(|id| of_sql_server(id.as_bytes())),
        _ => false,
    };
    pending || shows_content(blob.data())
}

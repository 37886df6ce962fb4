//! The stripe sets of the store: which blobs are families of which media set.
//!
//! An index by media set, built at the start from stored reports and kept by what is judged, overwritten and deleted. It is
//! a hint and never the truth: whoever judges a set asks the store what each member is at that moment. What it owes is
//! that a set is looked at again after anything that may have changed it. A member costs some 200 bytes.
//!
//! A set lies within one realm (an account): BACKUP names a URL for each stripe, and mirrors may lie in another container.

use std::collections::{BTreeMap, BTreeSet};

use bak::stripes::{Family, Judged};
use uuid::Uuid;

/// Where the families of a set are looked for, in the words of a reason.
pub(crate) const STRIPES_PLACE: &str = "the account, or not finished";

/// Why a family is what it is judged to be in its company: empty for `ok`.
pub(crate) fn reasons(family: &Family, judged: &Judged) -> Vec<String> {
    if judged.reasons.is_empty() {
        return Vec::new();
    }
    let mut reasons = vec![format!(
        "it is family {} of {} of media set {}",
        family.number, family.count, family.media_set_id
    )];
    reasons.extend(judged.reasons.iter().cloned());
    reasons
}

/// Names a set: where it lies, and the id of its media set.
pub(crate) type SetId<R> = (R, Uuid);

/// One blob that is a family.
#[derive(Debug, Clone)]
pub(crate) struct Member<B, C> {
    /// Which blob.
    pub(crate) blob: B,
    /// The content that was judged.
    pub(crate) commit: C,
    /// What it is by itself.
    pub(crate) family: Family,
}

/// All sets. `B`: a blob, `C`: a commit, `R`: where the members of a set lie together.
#[derive(Debug)]
pub(crate) struct Sets<B, C, R> {
    members: BTreeMap<B, (SetId<R>, C, Family)>,
    sets: BTreeMap<SetId<R>, BTreeSet<B>>,
    /// Sets to look at.
    changed: BTreeSet<SetId<R>>,
    /// Sets that somebody is looking at.
    in_hand: BTreeSet<SetId<R>>,
}

impl<B: Clone + Ord, C: Clone + Eq, R: Clone + Ord> Sets<B, C, R> {
    /// None.
    pub(crate) fn new() -> Self {
        Sets {
            members: BTreeMap::new(),
            sets: BTreeMap::new(),
            changed: BTreeSet::new(),
            in_hand: BTreeSet::new(),
        }
    }

    /// The blob's content is this family.
    pub(crate) fn put(&mut self, blob: &B, realm: R, commit: C, family: Family) {
        self.remove(blob);
        let id = (realm, family.media_set_id);
        self.sets.entry(id.clone()).or_default().insert(blob.clone());
        self.changed.insert(id.clone());
        self.members.insert(blob.clone(), (id, commit, family));
    }

    /// As [`Sets::put`], where nothing is known of the blob.
    pub(crate) fn put_if_unknown(&mut self, blob: &B, realm: R, commit: C, family: Family) {
        if !self.members.contains_key(blob) {
            self.put(blob, realm, commit, family);
        }
    }

    /// The blob's content is no family any more.
    pub(crate) fn remove(&mut self, blob: &B) {
        let Some((id, ..)) = self.members.remove(blob) else {
            return;
        };
        if let Some(blobs) = self.sets.get_mut(&id) {
            blobs.remove(blob);
            if blobs.is_empty() {
                self.sets.remove(&id);
            }
        }
        self.changed.insert(id);
    }

    /// As [`Sets::remove`], unless the blob has been judged anew.
    pub(crate) fn remove_stale(&mut self, blob: &B, commit: &C) {
        if self
            .members
            .get(blob)
            .is_some_and(|(_, known, _)| known == commit)
        {
            self.remove(blob);
        }
    }

    /// As [`Sets::remove`], for all blobs of which this holds: those that were known.
    pub(crate) fn remove_all(&mut self, gone: impl Fn(&B) -> bool) -> Vec<B> {
        let blobs: Vec<B> = self.members.keys().filter(|blob| gone(blob)).cloned().collect();
        blobs.iter().for_each(|blob| self.remove(blob));
        blobs
    }

    /// Something about the blob is different, its lease for one.
    pub(crate) fn touch(&mut self, blob: &B) {
        if let Some((id, ..)) = self.members.get(blob) {
            self.changed.insert(id.clone());
        }
    }

    /// Something may be different anywhere.
    pub(crate) fn touch_all(&mut self) {
        self.changed.extend(self.sets.keys().cloned());
    }

    /// Whether a set is to be looked at.
    pub(crate) fn has_work(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Takes a set in hand that is to be looked at and that nobody has in hand. Back with [`Sets::put_down`].
    pub(crate) fn take(&mut self) -> Option<SetId<R>> {
        let id = self.changed.difference(&self.in_hand).next().cloned()?;
        self.changed.remove(&id);
        self.in_hand.insert(id.clone());
        Some(id)
    }

    /// Puts a set down.
    pub(crate) fn put_down(&mut self, id: &SetId<R>) {
        self.in_hand.remove(id);
    }

    /// The members of a set as far as known.
    pub(crate) fn members(&self, id: &SetId<R>) -> Vec<Member<B, C>> {
        let blobs = self.sets.get(id).into_iter().flatten();
        blobs
            .map(|blob| {
                let (_, commit, family) = &self.members[blob];
                Member {
                    blob: blob.clone(),
                    commit: commit.clone(),
                    family: family.clone(),
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family(number: u16) -> Family {
        Family {
            media_set_id: Uuid::from_u128(1),
            number,
            count: 2,
            sets: Vec::new(),
            is_sound: true,
        }
    }

    #[test]
    fn a_set_is_looked_at_by_one_at_a_time_and_again_after_each_change() {
        let mut sets: Sets<&str, u32, ()> = Sets::new();
        assert!(sets.take().is_none());
        sets.put(&"a", (), 1, family(1));
        let id = sets.take().unwrap();
        assert!(!sets.has_work());
        sets.put(&"b", (), 2, family(2));
        assert!(sets.has_work() && sets.take().is_none(), "it is in hand");
        sets.put_down(&id);
        assert_eq!(sets.take(), Some(id));
        assert_eq!(sets.members(&id).len(), 2);
        sets.put_down(&id);
        assert!(!sets.has_work());
        sets.remove_stale(&"b", &1);
        assert!(!sets.has_work(), "b was judged anew");
        sets.remove_stale(&"b", &2);
        assert_eq!(sets.take(), Some(id));
        assert_eq!(sets.members(&id).len(), 1);
        sets.put_down(&id);
        assert_eq!(sets.remove_all(|_| true), ["a"]);
        assert_eq!(sets.take(), Some(id), "the others of a set are told");
        assert!(sets.members(&id).is_empty() && sets.sets.is_empty());
    }
}

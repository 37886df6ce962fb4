//! What is true, written down by the world and not by the guard: what each look could see, what was asked and answered,
//! what was done, and the figures of it all.

use std::collections::{BTreeMap, BTreeSet};

use azblob::lease::LeaseWitness;
use guard::Place;
use guard::fault::Cause;

use crate::plan::Plan;

/// What one look could see of a blob, by the world's own reckoning.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) at: u64,
    pub(crate) epoch: u64,
    pub(crate) tag: Option<u64>,
    pub(crate) infinite: bool,
    pub(crate) restore: bool,
    /// Since when every look found a restore.
    pub(crate) restore_since: u64,
    /// The bytes or the blocks show a backup's hand.
    pub(crate) evidence: bool,
    pub(crate) stirred: u64,
    pub(crate) witness: Option<LeaseWitness>,
}

/// What the instances answered.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) at: u64,
    pub(crate) answered: bool,
    pub(crate) hidden: bool,
    pub(crate) holders: BTreeSet<usize>,
    pub(crate) places: BTreeSet<Place>,
}

impl Asked {
    pub(crate) fn silent(at: u64) -> Self {
        Self {
            at,
            answered: false,
            hidden: false,
            holders: BTreeSet::new(),
            places: BTreeSet::new(),
        }
    }
}

/// One deed of the guard, from its call to its return.
#[derive(Clone, Debug)]
pub(crate) struct Act {
    pub(crate) place: Place,
    pub(crate) began: u64,
    pub(crate) asked: Option<Asked>,
    pub(crate) breaks: u32,
    pub(crate) deletions: u32,
    pub(crate) broke: bool,
    pub(crate) deleted: bool,
    /// Something other than looks since the last look.
    pub(crate) distracted: bool,
}

/// One round of the watch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Round {
    pub(crate) began: u64,
    /// Containers and blobs at which something failed, and blobs that an instance named; nothing in it: all was well.
    pub(crate) troubled: BTreeSet<String>,
    /// The whole account, or the asking, was in trouble.
    pub(crate) lost: bool,
}

impl Round {
    /// Whether anything stood between the guard and this blob.
    pub(crate) fn is_in_trouble(&self, place: &Place) -> bool {
        self.lost || self.troubled.contains(&place.container) || self.troubled.contains(&place.to_string())
    }
}

/// An orphan that the rules let the guard clean up, and when it was first seen by a round without trouble.
#[derive(Clone, Debug)]
pub(crate) struct Orphan {
    pub(crate) epoch: u64,
    pub(crate) died: u64,
    pub(crate) seen: Option<u64>,
    /// A round was in trouble since it died.
    pub(crate) excused: bool,
}

/// All that is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) worlds: u64,
    pub(crate) rounds: u64,
    pub(crate) requests: u64,
    pub(crate) holders: u64,
    pub(crate) faults: u64,
    pub(crate) answers_lost: u64,
    pub(crate) orphans: u64,
    /// Broken by the guard, and of these deleted.
    pub(crate) cleaned: u64,
    pub(crate) deleted: u64,
    /// From death to the break, in milliseconds, added up and at most.
    pub(crate) waited: u64,
    pub(crate) waited_most: u64,
    /// Freed without a round in trouble on the way, and how much later than the rules demand at most.
    pub(crate) untroubled: u64,
    pub(crate) over_most: u64,
    /// Live holders that were broken because nothing but observation could know them: who, and why nothing told.
    pub(crate) live_by_observation: BTreeMap<String, u64>,
    /// Of these, woke up between the last look and the break.
    pub(crate) woke_in_between: u64,
    /// Live holders that were not broken only because jobs, connections or the instances told of them.
    pub(crate) saved: u64,
    /// Breaks and deletions that met another tag.
    pub(crate) caught_by_tag: u64,
    /// The lease went to another holder under the same tag between the last look and the break.
    pub(crate) changed_hands: u64,
    /// The lease was gone when the break came.
    pub(crate) already_free: u64,
    pub(crate) skipped: BTreeMap<String, u64>,
}

impl Figures {
    pub(crate) fn add(&mut self, other: &Self) {
        self.worlds += other.worlds;
        self.rounds += other.rounds;
        self.requests += other.requests;
        self.holders += other.holders;
        self.faults += other.faults;
        self.answers_lost += other.answers_lost;
        self.orphans += other.orphans;
        self.cleaned += other.cleaned;
        self.deleted += other.deleted;
        self.waited += other.waited;
        self.untroubled += other.untroubled;
        self.waited_most = self.waited_most.max(other.waited_most);
        self.over_most = self.over_most.max(other.over_most);
        self.woke_in_between += other.woke_in_between;
        self.saved += other.saved;
        self.caught_by_tag += other.caught_by_tag;
        self.changed_hands += other.changed_hands;
        self.already_free += other.already_free;
        for (trade, count) in &other.live_by_observation {
            *self.live_by_observation.entry(trade.clone()).or_default() += count;
        }
        for (why, count) in &other.skipped {
            *self.skipped.entry(why.clone()).or_default() += count;
        }
    }
}

pub(crate) struct Truth {
    pub(crate) seed: u64,
    /// When the guard came.
    pub(crate) came: u64,
    pub(crate) calls: u64,
    pub(crate) seen: BTreeMap<Place, Seen>,
    pub(crate) act: Option<Act>,
    pub(crate) round: Round,
    pub(crate) orphans: BTreeMap<Place, Orphan>,
    /// Leases of live holders, quiet for long enough, that something told of.
    pub(crate) spared: BTreeSet<(Place, u64)>,
    /// The only blobs that the guard shall look at; all where empty.
    pub(crate) only: BTreeSet<Place>,
    /// Blobs that the user named.
    pub(crate) named: BTreeSet<Place>,
    /// What must never happen and did.
    pub(crate) defects: Vec<String>,
    pub(crate) figures: Figures,
    /// A digest of everything that happened, in order.
    pub(crate) digest: u64,
    trace: bool,
}

impl Truth {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            seed: plan.seed,
            came: 0,
            calls: 0,
            seen: BTreeMap::new(),
            act: None,
            round: Round::default(),
            orphans: BTreeMap::new(),
            spared: BTreeSet::new(),
            only: BTreeSet::new(),
            named: BTreeSet::new(),
            defects: Vec::new(),
            figures: Figures::default(),
            digest: 0xcbf2_9ce4_8422_2325,
            trace: std::env::var_os("BAC2_GUARD_TRACE").is_some(),
        }
    }

    /// One line of the story.
    pub(crate) fn tell(&mut self, now: u64, text: &str) {
        for byte in now.to_le_bytes().into_iter().chain(text.bytes()) {
            self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        if self.trace {
            let (minutes, seconds) = (now / 60_000, now % 60_000);
            println!("{minutes:>5}:{:02}.{:03} {text}", seconds / 1000, seconds % 1000);
        }
    }

    /// Something that must never happen.
    pub(crate) fn defect(&mut self, now: u64, text: &str) {
        let text = format!("seed {} at {} s: {text}", self.seed, now / 1000);
        self.tell(now, &format!("DEFECT {text}"));
        self.defects.push(text);
    }

    /// A request to this target failed: the account where empty, a container, or a blob.
    pub(crate) fn failed(&mut self, now: u64, target: &str, cause: &Cause) {
        self.figures.faults += 1;
        self.round.lost |= target.is_empty() || matches!(cause, Cause::Unreachable(_) | Cause::Expired(_));
        self.round.troubled.insert(target.to_owned());
        self.tell(now, &format!("a request to {target:?} fails: {cause:?}"));
    }

    /// The instances were asked.
    pub(crate) fn asked(&mut self, asked: Asked) {
        self.does_something_else();
        self.tell(asked.at, &format!("asked: {asked:?}"));
        self.round.lost |= !asked.answered || asked.hidden;
        for place in &asked.places {
            self.round.troubled.insert(place.to_string());
        }
        if let Some(act) = &mut self.act {
            act.asked = Some(asked);
        }
    }

    /// A block list belongs to the look before it, if the tag is the same still; if not, the tag will tell.
    pub(crate) fn saw_blocks(&mut self, now: u64, place: &Place, tag: Option<u64>, stirred: u64) {
        if let Some(seen) = self.seen.get_mut(place).filter(|seen| seen.tag == tag) {
            (seen.at, seen.stirred) = (now, stirred);
        }
    }

    /// A request that is no look.
    pub(crate) fn does_something_else(&mut self) {
        if let Some(act) = &mut self.act {
            act.distracted = true;
        }
    }

    /// A live holder found its lease gone, or its content.
    pub(crate) fn victim(&mut self, now: u64, holder: usize) {
        self.tell(now, &format!("holder {holder} fails in the middle"));
    }
}

//! The world around the guard: a storage account, the instances and programs that use it, and time.
//!
//! Everything happens in one thread and follows from the seed of the [`Plan`]. Time passes only where somebody waits: in
//! every request of the guard, before it reaches the service and before the answer is back, and while the guard sleeps.
//! Holders act in between, so every order of a look, an answer, a break and a holder's next step comes up.

use std::collections::{BTreeMap, BTreeSet};

use azblob::error::ErrorCode;
use azblob::lease::{Lease, LeaseAction};
use azblob::time::UnixMillis;
use guard::Place;

use crate::births;
use crate::goods::Goods;
use crate::holders::{Holder, Op, Trade};
use crate::instances::Instance;
use crate::noise::Noise;
use crate::plan::{Plan, SECOND, Service};
use crate::store::{At, Store};
use crate::truth::Truth;

/// The clocks of the world begin here: 2026-11-21T00:00:00Z.
const BEGINNING: i64 = 1_795_219_200_000;

pub(crate) struct World {
    /// True time since the beginning, in milliseconds.
    pub(crate) now: u64,
    pub(crate) plan: Plan,
    pub(crate) noise: Noise,
    pub(crate) store: Store,
    pub(crate) holders: Vec<Holder>,
    pub(crate) instances: Vec<Instance>,
    pub(crate) goods: Goods,
    pub(crate) truth: Truth,
    /// Who acts next and when.
    queue: BTreeSet<(u64, usize)>,
    /// How far the service's wall clock and the guard's are off, in milliseconds; both may jump.
    service_off: i64,
    guard_off: i64,
    /// When the vault's own door was started last.
    pub(crate) door_since: u64,
    next_birth: u64,
    /// Until when every request fails.
    pub(crate) outage_until: u64,
    /// Faults still come.
    pub(crate) faulty: bool,
}

impl World {
    pub(crate) fn new(plan: Plan, goods: &Goods) -> Self {
        let mut noise = Noise::new(plan.seed);
        let (service_off, guard_off) = (offset(&mut noise), offset(&mut noise));
        let mut store = Store::default();
        for container in ["$root", "backups", "data", "logs-2026"] {
            store.containers.insert(container.to_owned(), BTreeMap::new());
        }
        let instances = (0..plan.instances).map(|n| Instance::new(n, n < plan.asked));
        let mut world = Self {
            now: 0,
            instances: instances.collect(),
            truth: Truth::new(&plan),
            plan,
            noise,
            store,
            holders: Vec::new(),
            goods: goods.clone(),
            queue: BTreeSet::new(),
            service_off,
            guard_off,
            door_since: 0,
            next_birth: 0,
            outage_until: 0,
            faulty: true,
        };
        births::people(&mut world);
        world
    }

    /// The moment of a request, by the service's clocks. The one for leases only runs forward.
    pub(crate) fn at(&self) -> At {
        let true_time = BEGINNING + self.now as i64;
        At {
            now: self.now,
            lease: UnixMillis(true_time),
            wall: UnixMillis(true_time + self.service_off),
        }
    }

    /// The guard's wall clock.
    pub(crate) fn guard_wall(&self) -> UnixMillis {
        UnixMillis(BEGINNING + self.now as i64 + self.guard_off)
    }

    pub(crate) fn own_door(&self) -> bool {
        self.plan.service == Service::OwnDoor
    }

    pub(crate) fn add(&mut self, holder: Holder, first: u64) {
        self.queue.insert((first, self.holders.len()));
        self.holders.push(holder);
    }

    /// A request is on its way: mostly milliseconds, seldom long.
    pub(crate) fn stir(&mut self) {
        let time = match self.noise.of(0..1000) {
            0..700 => self.noise.of(0..8),
            700..960 => self.noise.of(8..120),
            960..998 => self.noise.of(120..1_500),
            _ => self.noise.of(1_500..40_000),
        };
        self.advance(self.now + time);
    }

    /// Lives until `end`.
    pub(crate) fn advance(&mut self, end: u64) {
        loop {
            let next = self.queue.first().copied().filter(|(at, _)| *at <= end);
            match next {
                Some((at, _)) if self.next_birth <= at && self.births_go_on() => self.birth(),
                Some((at, holder)) => {
                    self.queue.pop_first();
                    self.now = self.now.max(at);
                    self.step(holder);
                }
                None if self.next_birth <= end && self.births_go_on() => self.birth(),
                None => break,
            }
        }
        self.now = self.now.max(end);
    }

    fn births_go_on(&self) -> bool {
        self.now < self.plan.births_until
    }

    fn birth(&mut self) {
        self.now = self.now.max(self.next_birth);
        self.next_birth = self.now + self.noise.of(1..2 * self.plan.birth_every);
        births::one(self);
        self.weather();
    }

    /// Things that befall everybody: clocks jump, the door restarts, an instance loses power, an operator tidies up.
    fn weather(&mut self) {
        if self.noise.chance(20) {
            self.service_off = offset(&mut self.noise);
        }
        if self.noise.chance(20) {
            self.guard_off = offset(&mut self.noise);
        }
        if self.own_door() && self.noise.chance(4) {
            self.restart_door();
        }
        if self.noise.chance(10) {
            let instance = self.noise.below(self.instances.len());
            self.power_loss(instance);
        }
        if self.noise.chance(25) {
            self.operator();
        }
        if self.noise.chance(30) {
            self.snapshot();
        }
        if self.noise.chance(25) && self.store.containers.remove("temp").is_none() {
            self.store.containers.insert("temp".to_owned(), BTreeMap::new());
        }
        if self.faulty && self.noise.chance(2 * self.plan.faults.min(5)) {
            self.outage_until = self.now + self.noise.of(SECOND..self.plan.interval.max(2 * SECOND));
        }
    }

    fn restart_door(&mut self) {
        self.door_since = self.now;
        for holder in &mut self.holders {
            holder.connected_until = holder.connected_until.min(self.now);
        }
        self.truth.tell(self.now, "the door restarts");
    }

    /// Somebody makes a snapshot, which no deletion of the guard may take along.
    fn snapshot(&mut self) {
        let locked = self.locked(|_, _| true);
        if locked.is_empty() {
            return;
        }
        let place = self.noise.one(&locked).clone();
        if let Some(blob) = self.store.blob_mut(&place) {
            blob.snapshots = true;
        }
    }

    /// Somebody breaks the lease of a blob whose holder is dead, by hand.
    fn operator(&mut self) {
        let dead: Vec<Place> = self.locked(|world, holder| !world.holders[holder].alive);
        if dead.is_empty() {
            return;
        }
        let place = self.noise.one(&dead).clone();
        self.break_by_hand(&place);
    }

    pub(crate) fn break_by_hand(&mut self, place: &Place) {
        let at = self.at();
        let action = LeaseAction::Break { period: Some(0) };
        let done = self.store.lease(place, &action, at).is_ok();
        self.truth
            .tell(self.now, &format!("an operator breaks {place}: {done}"));
    }

    /// The holder of this blob's lease acts now rather than later.
    pub(crate) fn wake(&mut self, place: &Place) {
        let holder = self.store.blob(place).and_then(|blob| blob.holder);
        let next = self
            .queue
            .iter()
            .copied()
            .find(|(_, index)| Some(*index) == holder);
        if let Some(next) = next {
            self.queue.remove(&next);
            self.queue.insert((self.now, next.1));
            self.advance(self.now + 1);
        }
    }

    /// Blobs under an infinite lease whose holder is so.
    pub(crate) fn locked(&self, which: impl Fn(&Self, usize) -> bool) -> Vec<Place> {
        let mut found = Vec::new();
        for (container, blobs) in &self.store.containers {
            for (name, blob) in blobs {
                if matches!(blob.lease, Lease::Infinite { .. })
                    && blob.holder.is_some_and(|holder| which(self, holder))
                {
                    found.push(Place::new(container.as_str(), name.as_str()));
                }
            }
        }
        found
    }

    /// Everything on an instance dies, and it cannot be asked for a while.
    fn power_loss(&mut self, instance: usize) {
        self.instances[instance].down_until = self.now + self.noise.of(60..600) * SECOND;
        for index in 0..self.holders.len() {
            let holder = &self.holders[index];
            if holder.alive && holder.instance == Some(instance) {
                self.die(index, true);
            }
        }
        self.truth
            .tell(self.now, &format!("instance {instance} loses power"));
    }

    /// A fixed lease whose holder lives is renewed in time.
    pub(crate) fn settle(&mut self, place: &Place) {
        let at = self.at();
        let Some(blob) = self.store.blob(place) else {
            return;
        };
        let alive = blob.holder.is_some_and(|holder| self.holders[holder].alive);
        if let (Lease::Fixed { id, .. }, true) = (blob.lease, alive) {
            let before = blob.written;
            // A lease that ran out since nobody looked was renewed meanwhile.
            let renewed = self.store.lease(place, &LeaseAction::Renew { id }, at);
            debug_assert!(renewed.is_ok());
            if let Some(blob) = self.store.blob_mut(place) {
                blob.written = before;
            }
        }
    }

    /// One step of a holder.
    fn step(&mut self, index: usize) {
        if !self.holders[index].alive {
            return;
        }
        if self.holders[index].doomed() {
            let power = self.noise.chance(400);
            self.die(index, power);
            return;
        }
        let Some(op) = self.holders[index].next_op() else {
            self.finish(index);
            return;
        };
        let place = self.holders[index].place.clone();
        self.settle(&place);
        self.begin_statement(index);
        let answer = self.perform(index, &op);
        let text = format!(
            "holder {index} {:?} {place} {op}: {answer:?}",
            self.holders[index].trade
        );
        self.truth.tell(self.now, &text);
        match answer {
            Ok(()) => {
                let keeps = self.holders[index].keeps_connection;
                let idle = self.noise.of(20..300) * SECOND;
                self.holders[index].connected_until = if keeps { u64::MAX } else { self.now + idle };
                self.holders[index].position += 1;
            }
            Err(code) => {
                if !self.refused(index, &op, code) {
                    return;
                }
            }
        }
        match self.holders[index].delay() {
            Some(delay) => {
                self.queue.insert((self.now + delay, index));
            }
            None => self.finish(index),
        }
    }

    /// A request was refused. A backup that may not overwrite ends, and may be tried again later; all else ends.
    fn refused(&mut self, index: usize, op: &Op, code: ErrorCode) -> bool {
        let begins = matches!(op, Op::Create(_) | Op::Acquire(_));
        let holder = &mut self.holders[index];
        if begins && holder.tries > 0 && code != ErrorCode::ContainerNotFound {
            holder.tries -= 1;
            holder.position = 0;
            // The statement fails, and the job with it; both begin again.
            holder.end_statement(self.now, 0);
            holder.job_until = holder.job_until.min(self.now + 5 * SECOND);
            let wait = self.noise.of(1..holder.retry_after);
            self.queue.insert((self.now + wait, index));
            return false;
        }
        if !begins && holder.trade != Trade::Passer {
            self.truth.victim(self.now, index);
        }
        self.finish(index);
        false
    }

    /// Ended by itself: statement, job and lease are given up; what is not released stays.
    fn finish(&mut self, index: usize) {
        let linger = self.noise.of(0..120) * SECOND;
        let holder = &mut self.holders[index];
        holder.alive = false;
        holder.ended = Some(self.now);
        holder.end_statement(self.now, 0);
        holder.job_until = holder.job_until.min(self.now + 5 * SECOND);
        holder.connected_until = holder.connected_until.min(self.now + linger);
    }

    /// Dies on the spot: power lost (its connections stay until the keepalive notices), or killed (they close at once).
    pub(crate) fn die(&mut self, index: usize, power: bool) {
        let keepalive = self.noise.of(30..180) * SECOND;
        let notice = self.noise.of(5..300) * SECOND;
        let rollback = if self.noise.chance(300) {
            self.noise.of(0..240) * SECOND
        } else {
            0
        };
        let holder = &mut self.holders[index];
        holder.alive = false;
        holder.ended = Some(self.now);
        holder.end_statement(self.now, if power { 0 } else { rollback });
        holder.job_until = holder.job_until.min(self.now + notice);
        let closes = if power { self.now + keepalive } else { self.now };
        holder.connected_until = holder.connected_until.min(closes);
        let text = format!("holder {index} {:?} dies at {}", holder.trade, holder.place);
        self.truth.tell(self.now, &text);
    }
}

/// A clock that is off: seldom by hours, mostly by seconds.
fn offset(noise: &mut Noise) -> i64 {
    let most = *noise.one(&[1_000, 30_000, 600_000, 8 * 3_600_000]);
    noise.of(0..2 * most) as i64 - most as i64
}

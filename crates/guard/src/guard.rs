//! The guard at work: surveys, looks again, waits for quiet, acts.
//!
//! One value holds what was seen of every locked blob since it began to watch. A command is a few calls: `list` surveys
//! and looks again; `break` and `delete` survey, [ripen](Guard::ripen), show the list and [act](Guard::act); `watch`
//! surveys at its interval for ever.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use futures::stream;

use crate::account::{Account, Properties};
use crate::ask::{Ask, NobodyAsked};
use crate::clock::Clock;
use crate::contents::contents;
use crate::event::{Event, Listener, Nobody};
use crate::fault::{Cause, Fault};
use crate::limits;
use crate::look::{Look, look};
use crate::place::Place;
use crate::probe::{Probed, probe};
use crate::record::{Examined, Moment, Record, Span};
use crate::report::{Did, Entry, Summary};
use crate::ruling::{Answer, Ruling, Terms, rule};
use crate::scope::Scope;
use crate::survey::survey;

/// The guard of one account.
pub struct Guard<'a, A, C, Q = NobodyAsked> {
    pub(crate) account: &'a A,
    pub(crate) clock: &'a C,
    pub(crate) ask: Option<&'a Q>,
    pub(crate) listener: &'a dyn Listener,
    scope: Scope,
    pub(crate) terms: Terms,
    pub(crate) known: BTreeMap<Place, Record>,
    /// Containers that the latest survey could not read to their end.
    unread: Vec<Fault>,
    /// What the instances answered at the latest look.
    pub(crate) asked: Option<Answer>,
}

/// What a look at one blob found.
pub(crate) enum Looked {
    /// Locked no more, or gone.
    Free,
    /// Locked, and so it looks.
    Same(Box<Look>, Option<Probed>),
    /// Locked, and looked into.
    Into(Box<Examined>),
    /// The look did not work.
    Failed(Fault),
}

impl<'a, A: Account, C: Clock> Guard<'a, A, C> {
    /// Nobody is asked, nobody listens.
    pub fn new(account: &'a A, clock: &'a C, scope: Scope, terms: Terms) -> Self {
        Self {
            account,
            clock,
            ask: None,
            listener: &Nobody,
            scope,
            terms,
            known: BTreeMap::new(),
            unread: Vec::new(),
            asked: None,
        }
    }
}

impl<'a, A: Account, C: Clock, Q: Ask> Guard<'a, A, C, Q> {
    /// Asks these instances before anything is broken.
    pub fn asking<R: Ask>(self, ask: &'a R) -> Guard<'a, A, C, R> {
        self.asking_any(Some(ask))
    }

    /// Asks these instances, or with `None` nobody.
    pub fn asking_any<R: Ask>(self, ask: Option<&'a R>) -> Guard<'a, A, C, R> {
        Guard {
            account: self.account,
            clock: self.clock,
            ask,
            listener: self.listener,
            scope: self.scope,
            terms: self.terms,
            known: self.known,
            unread: self.unread,
            asked: self.asked,
        }
    }

    /// Tells this listener of every step.
    pub fn telling(mut self, listener: &'a dyn Listener) -> Self {
        self.listener = listener;
        self
    }

    /// Looks through the scope: new locked blobs are examined, known ones looked at again, those that are locked no
    /// more forgotten.
    ///
    /// # Errors
    /// A fault of the account itself. What was known stays known; nothing is taken for gone.
    pub async fn survey(&mut self) -> Result<Summary, Fault> {
        let surveyed = survey(self.account, &self.scope, self.listener).await?;
        let locked: BTreeMap<Place, Properties> = surveyed.locked.into_iter().collect();
        // What a container that was not read to its end holds is not known to be gone.
        let unread = |place: &Place| {
            surveyed
                .unread
                .iter()
                .any(|fault| fault.target == place.container || fault.target == place.to_string())
        };
        self.known
            .retain(|place, _| locked.contains_key(place) || unread(place));
        self.unread = surveyed.unread.clone();
        let summary = Summary {
            containers: surveyed.containers,
            blobs: surveyed.blobs,
            locked: locked.len() as u64,
        };
        let places = locked
            .into_iter()
            .map(|(place, properties)| (place, Some(properties)));
        self.look_at(places.collect()).await?;
        Ok(summary)
    }

    /// Looks again at every known blob that may become ripe, without listing the account.
    ///
    /// # Errors
    /// A fault of the account itself.
    pub async fn look_again(&mut self) -> Result<(), Fault> {
        let open = self.known.iter().filter(|(place, record)| {
            matches!(
                self.ruling(place, record, None),
                Ruling::Wait(_) | Ruling::Break(_)
            ) || record.fault().is_some()
        });
        let places = open.map(|(place, _)| (place.clone(), None)).collect();
        self.look_at(places).await
    }

    /// Looks again until no known blob waits any more: each may be broken now, or must be kept. Takes as long as the
    /// terms ask for on an account that does not tell who is alive, and no time at all where the vault's own door has
    /// watched for long enough. A blob that stirs meanwhile is waited for no longer.
    ///
    /// # Errors
    /// A fault of the account itself, after the tries it is worth.
    pub async fn ripen(&mut self) -> Result<(), Fault> {
        for record in self.known.values_mut() {
            record.forgive();
        }
        let mut looked = Ok(());
        while let Some(longest) = self.longest_wait() {
            let next = longest.min(pace(self.terms.min_quiet));
            self.listener.hear(&Event::Waits { next, longest });
            self.clock.sleep(next).await;
            looked = self.look_again().await;
            // A change is visible whenever the next look comes, so a look that is missed costs no certainty.
            if looked.as_ref().is_err_and(|fault| !is_passing(fault)) {
                break;
            }
        }
        looked
    }

    /// How long [`Self::ripen`] will take at most, if nothing stirs; `None` when nothing waits.
    pub fn longest_wait(&self) -> Option<Duration> {
        // An instance that could not be asked this time may answer before anything is done.
        let asked = self.asked.as_ref().filter(|answer| answer.is_ok());
        let waits = self
            .known
            .iter()
            .filter_map(|(place, record)| match self.ruling(place, record, asked) {
                Ruling::Wait(more) if !record.has_stirred() && !is_given_up(record) => Some(more),
                _ => None,
            });
        waits.max()
    }

    /// Everything known, with rulings, ordered by place; what could not be read comes last.
    pub fn entries(&self) -> Vec<Entry> {
        let at = self.clock.now();
        let blobs = self
            .known
            .iter()
            .map(|(place, record)| self.entry_of(place, record));
        let unread = self
            .unread
            .iter()
            .cloned()
            .map(|fault| Entry::Unread { fault, at });
        blobs.chain(unread).collect()
    }

    /// Everything known of one blob, with its ruling.
    pub fn entry(&self, place: &Place) -> Option<Entry> {
        self.known.get(place).map(|record| self.entry_of(place, record))
    }

    fn entry_of(&self, place: &Place, record: &Record) -> Entry {
        Entry::Blob {
            finding: Box::new(record.finding(place)),
            ruling: self.ruling(place, record, self.asked.as_ref()),
            did: record.fault().cloned().map_or(Did::Listed, Did::Failed),
            at: self.clock.now(),
        }
    }

    pub(crate) fn ruling(&self, place: &Place, record: &Record, asked: Option<&Answer>) -> Ruling {
        rule(&record.finding(place), record.still(), &self.terms, asked)
    }

    /// Asks the instances what they run, and remembers the answer.
    pub(crate) async fn ask_instances(&mut self) {
        if let Some(ask) = self.ask {
            self.asked = Some(ask.running().await);
        }
    }

    /// Looks at these blobs and remembers what is seen; looks into those that the look leaves open. The properties come
    /// from a listing.
    async fn look_at(&mut self, places: Vec<(Place, Option<Properties>)>) -> Result<(), Fault> {
        let (again, fatal) = self.look_at_once(places, false).await;
        let (_, fatal_again) = self.look_at_once(again, true).await;
        self.ask_instances().await;
        fatal.or(fatal_again).map_or(Ok(()), Err)
    }

    /// One look at each, several at once. Returns those that should be looked into, and the first fault of the account
    /// itself.
    async fn look_at_once(
        &mut self,
        places: Vec<(Place, Option<Properties>)>,
        into: bool,
    ) -> (Vec<(Place, Option<Properties>)>, Option<Fault>) {
        let (account, clock, listener, known) = (self.account, self.clock, self.listener, &self.known);
        let restores = self.terms.include_restore;
        let looks = places.into_iter().map(|(place, properties)| async move {
            let begun = moment(clock);
            let looked = match known.get(&place) {
                Some(record) if record.latest().is_some() && !into => {
                    look_once_more(account, &place, restores || record.is_restore()).await
                }
                _ => look_into(account, &place).await,
            };
            listener.hear(&Event::Examined);
            let ended = moment(clock);
            (place, properties, looked, Span { begun, ended })
        });
        let mut looked: Vec<_> = stream::iter(looks)
            .buffer_unordered(limits::CONCURRENCY)
            .collect()
            .await;
        looked.sort_by(|a, b| a.0.cmp(&b.0));
        let (mut again, mut fatal) = (Vec::new(), None);
        for (place, properties, looked, span) in looked {
            match &looked {
                Looked::Failed(fault) if fatal.is_none() && is_fatal(fault) => fatal = Some(fault.clone()),
                _ => {}
            }
            if self.remember(&place, properties, looked, span) {
                again.push((place, None));
            }
        }
        (again, fatal)
    }

    /// Takes what a look found. Returns whether the blob should be looked into.
    pub(crate) fn remember(
        &mut self,
        place: &Place,
        properties: Option<Properties>,
        looked: Looked,
        span: Span,
    ) -> bool {
        match (looked, self.known.get_mut(place)) {
            (Looked::Free, _) => {
                self.known.remove(place);
                false
            }
            (Looked::Same(look, probed), Some(record)) => {
                let stale = record.seen(*look, span);
                let same = probed.is_none_or(|probed| record.probed(probed, span));
                stale || !same
            }
            (Looked::Same(..), None) => true,
            (Looked::Into(examined), Some(record)) => {
                record.examined_again(*examined, span);
                false
            }
            (Looked::Into(examined), None) => {
                self.known
                    .insert(place.clone(), Record::examined(*examined, span));
                false
            }
            (Looked::Failed(fault), Some(record)) => {
                record.failed(fault);
                false
            }
            (Looked::Failed(fault), None) => {
                if let Some(properties) = properties {
                    self.known
                        .insert(place.clone(), Record::listed(properties, fault));
                }
                false
            }
        }
    }
}

/// This moment.
pub(crate) fn moment(clock: &impl Clock) -> Moment {
    Moment {
        watched: clock.watched(),
        wall: clock.now(),
    }
}

/// Looks at one blob that may fail in a row while waiting, each after the tries that it is worth.
const FAILED_LOOKS_MAX: u32 = 10;

/// Whether it is no use to wait for the blob: a look at it failed in a way that lasts, or too many failed in a row.
fn is_given_up(record: &Record) -> bool {
    record
        .fault()
        .is_some_and(|fault| !is_passing(fault) || record.failed_looks() >= FAILED_LOOKS_MAX)
}

/// How long to wait between two looks while waiting for quiet: often enough to see growth early, seldom enough to cost
/// an account nothing. How often does not change what is certain.
fn pace(min_quiet: Duration) -> Duration {
    (min_quiet / 60).clamp(Duration::from_millis(500), Duration::from_secs(60))
}

/// Nothing of the account can be known with this.
fn is_fatal(fault: &Fault) -> bool {
    matches!(
        fault.cause,
        Cause::Expired(_) | Cause::Refused | Cause::Unreachable(_)
    )
}

/// It may be over at the next look: also the failure of the service or of a gateway before it (500, 502, 504).
pub(crate) fn is_passing(fault: &Fault) -> bool {
    match fault.cause {
        Cause::Unreachable(_) | Cause::Throttled => true,
        Cause::Other(_) => fault.status.is_some_and(|status| status >= 500),
        _ => false,
    }
}

/// A look at a known blob. Its lease is probed as well where it is a restore's, because reads leave no other trace, and
/// where restore leases matter: one may have come after a backup without a change of the content.
async fn look_once_more<A: Account>(account: &A, place: &Place, with_probe: bool) -> Looked {
    let seen = match look(account, place).await {
        Ok((seen, _)) => seen,
        Err(fault) => return of_fault(fault),
    };
    if !is_locked(&seen) {
        return Looked::Free;
    }
    if !with_probe {
        return Looked::Same(Box::new(seen), None);
    }
    match probe(account, place, seen.witness).await {
        Ok(Probed::NotLeased) => Looked::Free,
        Ok(probed) => Looked::Same(Box::new(seen), Some(probed)),
        Err(fault) => of_fault(fault),
    }
}

/// A look, the probe, and a reading of what the blob holds.
async fn look_into<A: Account>(account: &A, place: &Place) -> Looked {
    let (seen, blocks) = match look(account, place).await {
        Ok(seen) => seen,
        Err(fault) => return of_fault(fault),
    };
    if !is_locked(&seen) {
        return Looked::Free;
    }
    let probed = match probe(account, place, seen.witness).await {
        Ok(Probed::NotLeased) => return Looked::Free,
        Ok(probed) => probed,
        Err(fault) => return of_fault(fault),
    };
    let contents = contents(account, place, &seen.properties, blocks.as_ref()).await;
    Looked::Into(Box::new(Examined {
        look: seen,
        probed,
        contents,
    }))
}

fn of_fault(fault: Fault) -> Looked {
    match fault.cause {
        Cause::NotFound => Looked::Free,
        _ => Looked::Failed(fault),
    }
}

pub(crate) fn is_locked(look: &Look) -> bool {
    look.properties.lease.status == azblob::lease::LeaseStatus::Locked
}

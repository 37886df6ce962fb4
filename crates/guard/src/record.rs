//! What is remembered of one locked blob from look to look.
//!
//! Quiet is the time between two looks of this process between which nothing changed. It is evidence that needs no clock
//! but the guard's own: a write in between would show in the later look, however long ago it was. A change begins the
//! count anew; so does another holder.

#[cfg(test)]
mod tests;

use std::time::Duration;

use azblob::time::UnixMillis;

use crate::account::{ETag, Properties};
use crate::activity::Activity;
use crate::content::Content;
use crate::contents::Contents;
use crate::fault::Fault;
use crate::finding::Finding;
use crate::holder::Holder;
use crate::look::Look;
use crate::place::Place;
use crate::probe::Probed;
use crate::verification::Verified;

/// A moment of the run, by both of its clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Since the run began to watch: what is judged by.
    pub(crate) watched: Duration,
    /// The machine's clock: what is shown.
    pub(crate) wall: UnixMillis,
}

/// When a look was: between these moments it saw what it saw. Quiet is counted from the end of the first look to the
/// beginning of the last, so that a slow answer never adds to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// Before the request was sent.
    pub(crate) begun: Moment,
    /// After the answer was there.
    pub(crate) ended: Moment,
}

/// A blob as it was looked into: its state at that look, and what the probe and the bytes said.
#[derive(Clone, Debug)]
pub(crate) struct Examined {
    pub(crate) look: Look,
    pub(crate) probed: Probed,
    pub(crate) contents: Contents,
}

/// All that is remembered of one locked blob.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    state: State,
    /// Why the latest look did not work; the state before it stays.
    fault: Option<Fault>,
    /// How many looks in a row did not work.
    failed_looks: u32,
    /// What a full reading of the content with this tag said. It takes long, so it is done once.
    verified: Option<(ETag, Verified)>,
}

#[derive(Clone, Debug)]
enum State {
    /// Listed as locked; no look has worked yet.
    Listed(Properties),
    /// Looked into.
    Seen(Box<Seen>),
}

#[derive(Clone, Debug)]
struct Seen {
    latest: Look,
    /// When the latest look began.
    at: Moment,
    /// When the latest look ended, as watched.
    until: Duration,
    /// When the first of the looks ended since when nothing changed.
    still_since: Moment,
    /// The latest look showed something else than the one before it.
    grew: bool,
    /// It grew, was used, or its lease changed hands, at some look since the last [`Record::forgive`].
    stirred: bool,
    /// The state whose bytes gave `content`.
    examined: Look,
    /// The lease changed hands, and the blob was not looked into since.
    handed_on: bool,
    holder: Holder,
    content: Content,
}

impl Record {
    /// Known by a listing alone, and why it could not be looked into.
    pub(crate) fn listed(properties: Properties, fault: Fault) -> Self {
        Self {
            state: State::Listed(properties),
            fault: Some(fault),
            failed_looks: 1,
            verified: None,
        }
    }

    /// Looked into for the first time.
    pub(crate) fn examined(examined: Examined, span: Span) -> Self {
        let holder = holder(&examined);
        let Examined { look, contents, .. } = examined;
        Self {
            state: State::Seen(Box::new(Seen {
                latest: look.clone(),
                at: span.begun,
                until: span.ended.watched,
                still_since: span.ended,
                grew: false,
                stirred: false,
                examined: look,
                handed_on: false,
                holder,
                content: contents.content,
            })),
            fault: None,
            failed_looks: 0,
            verified: None,
        }
    }

    /// What a full reading of its present content said, if there was one.
    pub(crate) fn verified(&self) -> Option<&Verified> {
        let (tag, verified) = self.verified.as_ref()?;
        let present = self.latest()?.properties.etag.as_ref()?;
        (tag == present).then_some(verified)
    }

    /// Takes what a full reading of the content with the tag `of` said.
    pub(crate) fn read_whole(&mut self, of: ETag, verified: Verified) {
        self.verified = Some((of, verified));
    }

    /// Takes a later look. Returns whether the blob should be looked into again: it changed and is still now, what was
    /// known of it left its holder open, or its lease changed hands. It did where its state or duration is another: an
    /// infinite lease that was a fixed one, or on its way out, at the look before is a new one, or a renewed one.
    pub(crate) fn seen(&mut self, look: Look, span: Span) -> bool {
        self.fault = None;
        self.failed_looks = 0;
        let State::Seen(seen) = &mut self.state else {
            return true;
        };
        let between = span.begun.watched.saturating_sub(seen.until);
        seen.stirred |= was_used_between(&seen.latest, &look, between);
        seen.grew = !look.is_unchanged_since(&seen.latest);
        let handed_on = look.properties.lease != seen.latest.properties.lease;
        if seen.grew || handed_on {
            seen.still_since = span.ended;
            seen.stirred = true;
        }
        seen.handed_on |= handed_on;
        seen.latest = look;
        seen.at = span.begun;
        seen.until = span.ended.watched;
        let open = seen.holder == Holder::Unknown || matches!(seen.content, Content::Unread(_));
        seen.is_stale() && (!seen.grew || open)
            || seen.handed_on
            || matches!(seen.content, Content::Unread(_))
    }

    /// Whether `look` shows what the latest look showed, and that was looked into.
    pub(crate) fn is_as_judged(&self, look: &Look) -> bool {
        let State::Seen(seen) = &self.state else {
            return false;
        };
        look.is_unchanged_since(&seen.latest) && !seen.is_stale() && !seen.handed_on
    }

    /// Takes what a further reading found.
    pub(crate) fn examined_again(&mut self, examined: Examined, span: Span) {
        let State::Seen(seen) = &mut self.state else {
            *self = Self::examined(examined, span);
            return;
        };
        let holder = holder(&examined);
        let changed = !examined.look.is_unchanged_since(&seen.latest);
        let handed_on = examined.look.properties.lease != seen.latest.properties.lease;
        if changed || handed_on || is_restore(holder) != is_restore(seen.holder) {
            seen.still_since = span.ended;
            seen.grew |= changed;
            seen.stirred = true;
        }
        seen.latest = examined.look.clone();
        seen.at = span.begun;
        seen.until = span.ended.watched;
        seen.examined = examined.look;
        seen.handed_on = false;
        seen.holder = holder;
        seen.content = examined.contents.content;
        self.fault = None;
        self.failed_looks = 0;
    }

    /// Takes what the probe says now, at the end of `span`. Another holder begins the quiet anew. Returns whether it is
    /// the same kind of holder.
    pub(crate) fn probed(&mut self, probed: Probed, span: Span) -> bool {
        let State::Seen(seen) = &mut self.state else {
            return false;
        };
        let same = is_restore(seen.holder) == (probed == Probed::Restore);
        if !same {
            seen.still_since = span.ended;
            seen.stirred = true;
            seen.handed_on = true;
            seen.holder = match probed {
                Probed::Restore => Holder::Restore,
                // What the bytes say of the holder belongs to the time before the restore.
                Probed::Other | Probed::NotLeased => Holder::Unknown,
            };
        }
        same
    }

    /// The latest look did not work.
    pub(crate) fn failed(&mut self, fault: Fault) {
        self.fault = Some(fault);
        self.failed_looks += 1;
    }

    /// How many looks in a row did not work.
    pub(crate) fn failed_looks(&self) -> u32 {
        self.failed_looks
    }

    /// Whether it was seen to change since the last call, which is forgotten now.
    pub(crate) fn forgive(&mut self) -> bool {
        match &mut self.state {
            State::Seen(seen) => std::mem::take(&mut seen.stirred),
            State::Listed(_) => false,
        }
    }

    /// Whether it was seen to change since the last [`Self::forgive`].
    pub(crate) fn has_stirred(&self) -> bool {
        matches!(&self.state, State::Seen(seen) if seen.stirred)
    }

    /// The latest look that worked.
    pub(crate) fn latest(&self) -> Option<&Look> {
        match &self.state {
            State::Seen(seen) => Some(&seen.latest),
            State::Listed(_) => None,
        }
    }

    /// Why the latest look did not work.
    pub(crate) fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// Whether a restore holds the lease, as far as is known.
    pub(crate) fn is_restore(&self) -> bool {
        matches!(&self.state, State::Seen(seen) if is_restore(seen.holder))
    }

    /// How long nothing changed, as watched; `None` before the second look.
    pub(crate) fn still(&self) -> Option<Duration> {
        match &self.state {
            State::Seen(seen) if seen.at.watched > seen.still_since.watched => {
                Some(seen.at.watched - seen.still_since.watched)
            }
            _ => None,
        }
    }

    fn properties(&self) -> &Properties {
        match &self.state {
            State::Listed(properties) => properties,
            State::Seen(seen) => &seen.latest.properties,
        }
    }

    /// All that is known, as one finding.
    pub(crate) fn finding(&self, place: &Place) -> Finding {
        let (holder, content) = match &self.state {
            State::Listed(_) => (
                Holder::Unknown,
                Content::Unread(self.fault.as_ref().map(Fault::sentence).unwrap_or_default()),
            ),
            State::Seen(seen) => seen.judged(),
        };
        Finding {
            place: place.clone(),
            properties: self.properties().clone(),
            holder,
            activity: self.activity(),
            content,
            uncommitted: self
                .latest()
                .and_then(|look| look.pending)
                .map(|pending| pending.sum),
            witness: self.latest().and_then(|look| look.witness),
        }
    }

    fn activity(&self) -> Activity {
        let State::Seen(seen) = &self.state else {
            return Activity::Unknown;
        };
        if seen.grew {
            return Activity::Growing;
        }
        if let Some(witness) = seen.latest.witness {
            if witness.connections > 0 || witness.jobs > 0 {
                return Activity::Growing;
            }
            return quiet(Duration::from_millis(witness.quiet()), seen.at);
        }
        match self.still() {
            Some(lasting) if !is_restore(seen.holder) => quiet(lasting, seen.at),
            _ => Activity::Unknown,
        }
    }
}

impl Seen {
    /// The content is not the one that was looked into.
    fn is_stale(&self) -> bool {
        !self.latest.is_unchanged_since(&self.examined)
    }

    /// Who holds it and what it holds, as of the latest look. What came to rest and could not be looked into since may be
    /// anything; what was a disk or a database file may be one still.
    fn judged(&self) -> (Holder, Content) {
        if self.grew || !self.is_stale() || self.content.is_in_use_by_its_nature() {
            return (self.holder, self.content.clone());
        }
        let holder = match self.holder {
            Holder::Restore => Holder::Restore,
            Holder::Backup(_) | Holder::Unknown => Holder::Unknown,
        };
        let why = "it changed, and could not be looked into since";
        (holder, Content::Unread(why.to_owned()))
    }
}

/// Whether the door saw a use of the blob in the time `between` two looks: what it calls quiet did not grow with it.
/// Half of the time is allowed for clocks that do not run alike.
fn was_used_between(earlier: &Look, later: &Look, between: Duration) -> bool {
    let half = u64::try_from(between.as_millis() / 2).unwrap_or(u64::MAX);
    match (earlier.witness, later.witness) {
        (Some(earlier), Some(later)) => later.quiet() < earlier.quiet().saturating_add(half),
        _ => false,
    }
}

fn quiet(lasting: Duration, at: Moment) -> Activity {
    let millis = i64::try_from(lasting.as_millis()).unwrap_or(i64::MAX);
    Activity::Quiet {
        lasting,
        since: UnixMillis(at.wall.0.saturating_sub(millis)),
    }
}

/// A restore by its id, whatever the bytes are; a backup by what the bytes and blocks show.
fn holder(examined: &Examined) -> Holder {
    match (examined.probed, examined.contents.evidence) {
        (Probed::Restore, _) => Holder::Restore,
        (Probed::Other, Some(evidence)) => Holder::Backup(evidence),
        (Probed::Other | Probed::NotLeased, _) => Holder::Unknown,
    }
}

fn is_restore(holder: Holder) -> bool {
    holder == Holder::Restore
}

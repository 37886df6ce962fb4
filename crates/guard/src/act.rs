//! Doing: one lease broken, one blob deleted, each only if everything that was judged still holds.
//!
//! The order is the safety: a full reading before a deletion (it takes long), then SQL Server's word, then a last look
//! and the probe, then the ruling on what they show, then the change, conditional on the tag that was judged. Between
//! that look and the change lies one round trip. What could begin in it is a Put Block, which no condition can see, of a
//! holder that was dead to every other sign before; and a restore that takes a restore lease over. Nothing is tried
//! twice: a second break could meet the lease of a new backup.

use azblob::lease::{LeaseState, LeaseStatus};

use crate::account::{Account, ETag, Properties};
use crate::ask::Ask;
use crate::clock::Clock;
use crate::event::Event;
use crate::fault::{Cause, Fault};
use crate::guard::{Guard, is_locked, is_passing, moment};
use crate::look::look;
use crate::place::Place;
use crate::probe::{Probed, probe};
use crate::record::{Record, Span};
use crate::report::{Did, Skip};
use crate::ruling::{Ruling, Why};
use crate::verification::{Verified, verify};

/// What is done to a blob whose lease may be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Break the lease.
    Break,
    /// Break the lease and delete the blob.
    Delete {
        /// Also where it holds a backup that ended, or may have.
        complete_too: bool,
    },
}

impl<A: Account, C: Clock, Q: Ask> Guard<'_, A, C, Q> {
    /// Does the deed to one known blob, if the rules still allow it at this moment: asks the instances, looks again,
    /// probes the holder again, and makes every change conditional on the tag that was judged.
    pub async fn act(&mut self, place: &Place, deed: Deed) -> Did {
        self.listener.hear(&Event::Acts(place.clone()));
        match self.permitted(place, deed).await {
            Ok(tag) => self.carry_out(place, &tag, deed).await,
            Err(did) => did,
        }
    }

    /// The tag under which the deed is allowed at this moment, or what became of it instead.
    async fn permitted(&mut self, place: &Place, deed: Deed) -> Result<ETag, Did> {
        let Some(judged) = self.known.get(place) else {
            return Err(Did::Skipped(Skip::Gone));
        };
        let Some(properties) = judged.latest().map(|look| look.properties.clone()) else {
            return Err(judged
                .fault()
                .cloned()
                .map_or(Did::Skipped(Skip::NotQuietYet), Did::Failed));
        };
        // What is forbidden anyway needs no reading and no look.
        ruled(self.ruling(place, judged, None))?;
        if matches!(deed, Deed::Delete { complete_too: false }) {
            self.not_complete(place, &properties).await?;
        }
        self.ask_instances().await;
        if let Some(Err(unanswered)) = &self.asked {
            return Err(Did::Skipped(Skip::NotAsked(unanswered.to_string())));
        }
        self.still_as_judged(place).await?;
        let record = self.known.get(place).ok_or(Did::Skipped(Skip::Gone))?;
        ruled(self.ruling(place, record, self.asked.as_ref()))?;
        let tag = record.latest().and_then(|look| look.properties.etag.clone());
        tag.ok_or(Did::Skipped(Skip::Ruled(Why::NoTag)))
    }

    async fn not_complete(&mut self, place: &Place, properties: &Properties) -> Result<(), Did> {
        let known = self.known.get(place).and_then(Record::verified).cloned();
        let verified = match known {
            Some(verified) => verified,
            None => verify(self.account, place, properties, self.listener).await,
        };
        // What could not be read may be readable the next time.
        let lasting = matches!(verified, Verified::Partial | Verified::Complete);
        if let (true, Some(record), Some(tag)) = (lasting, self.known.get_mut(place), &properties.etag) {
            record.read_whole(tag.clone(), verified.clone());
        }
        match verified {
            Verified::Partial => Ok(()),
            Verified::Complete => Err(Did::Skipped(Skip::CompleteBackup)),
            Verified::Unread(why) => Err(Did::Skipped(Skip::NotVerified(why))),
        }
    }

    /// The last look: same content, same tag, same kind of holder, still locked.
    async fn still_as_judged(&mut self, place: &Place) -> Result<(), Did> {
        let begun = moment(self.clock);
        let seen = match look(self.account, place).await {
            Ok((seen, _)) => seen,
            Err(fault) => return Err(self.lost(place, fault)),
        };
        if !is_locked(&seen) {
            self.known.remove(place);
            return Err(Did::Skipped(Skip::Released));
        }
        let probed = match probe(self.account, place, seen.witness).await {
            Ok(Probed::NotLeased) => {
                self.known.remove(place);
                return Err(Did::Skipped(Skip::Released));
            }
            Ok(probed) => probed,
            Err(fault) => return Err(self.lost(place, fault)),
        };
        let Some(record) = self.known.get_mut(place) else {
            return Err(Did::Skipped(Skip::Gone));
        };
        let unchanged = record.is_as_judged(&seen);
        let ended = moment(self.clock);
        let span = Span { begun, ended };
        record.seen(seen, span);
        let same = record.probed(probed, span);
        if unchanged && same {
            Ok(())
        } else {
            Err(Did::Skipped(Skip::Stirred))
        }
    }

    /// The blob could not be looked at: gone, or a fault.
    fn lost(&mut self, place: &Place, fault: Fault) -> Did {
        if fault.cause == Cause::NotFound {
            self.known.remove(place);
            return Did::Skipped(Skip::Gone);
        }
        if let Some(record) = self.known.get_mut(place) {
            record.failed(fault.clone());
        }
        Did::Failed(fault)
    }

    async fn carry_out(&mut self, place: &Place, tag: &ETag, deed: Deed) -> Did {
        if let Err(fault) = self.account.break_lease(place, tag).await {
            match fault.cause {
                Cause::NotFound => {
                    self.known.remove(place);
                    return Did::Skipped(Skip::Gone);
                }
                // The next look shows what it is now.
                Cause::Changed => return Did::Skipped(Skip::Stirred),
                Cause::Lease => {
                    self.known.remove(place);
                    return Did::Skipped(Skip::Released);
                }
                _ if is_passing(&fault) && self.was_broken(place, tag).await => {}
                _ => return Did::Failed(fault),
            }
        }
        self.known.remove(place);
        match deed {
            Deed::Break => Did::Broke,
            Deed::Delete { .. } => self.delete(place, tag).await,
        }
    }

    async fn delete(&self, place: &Place, tag: &ETag) -> Did {
        match self.account.delete(place, tag).await {
            Ok(()) => Did::Deleted,
            Err(fault) if is_passing(&fault) && self.is_gone(place).await => Did::Deleted,
            Err(fault) => Did::BrokeNotDeleted(fault),
        }
    }

    /// The answer to a break was lost, or came from a gateway or a busy service, which may have done it. One look tells
    /// whether it was done: the same content under a broken lease.
    async fn was_broken(&self, place: &Place, tag: &ETag) -> bool {
        self.account.head(place).await.is_ok_and(|head| {
            let properties = head.properties;
            properties.etag.as_ref() == Some(tag)
                && properties.lease.status == LeaseStatus::Unlocked
                && properties.lease.state == LeaseState::Broken
        })
    }

    async fn is_gone(&self, place: &Place) -> bool {
        matches!(
            self.account.head(place).await,
            Err(Fault {
                cause: Cause::NotFound,
                ..
            })
        )
    }
}

fn ruled(ruling: Ruling) -> Result<(), Did> {
    match ruling {
        Ruling::Break(_) => Ok(()),
        Ruling::Wait(_) => Err(Did::Skipped(Skip::NotQuietYet)),
        Ruling::Keep(why) => Err(Did::Skipped(Skip::Ruled(why))),
    }
}

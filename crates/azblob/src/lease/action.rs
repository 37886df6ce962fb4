//! The five lease operations: acquire, renew, change, release, break.
//!
//! Same table for blobs and containers. Every cell is transcribed in `tests/lease_table.rs`.

use super::{Lease, LeaseId, LeaseState};
use crate::error::ErrorCode;
use crate::time::UnixMillis;

/// Shortest fixed lease, in seconds.
pub const MIN_LEASE_SECONDS: u32 = 15;
/// Longest fixed lease, in seconds.
pub const MAX_LEASE_SECONDS: u32 = 60;
/// Longest break period, in seconds; the shortest is 0.
pub const MAX_BREAK_SECONDS: u32 = 60;

/// The term asked for by an acquire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseDuration {
    /// `x-ms-lease-duration: -1`
    Infinite,
    /// [`MIN_LEASE_SECONDS`] to [`MAX_LEASE_SECONDS`].
    Seconds(u32),
}

/// A lease operation, its header values read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseAction {
    /// Take the lease, or take it again under the same id with a new term.
    Acquire {
        /// Without one the server makes an id.
        proposed: Option<LeaseId>,
        /// The term.
        duration: LeaseDuration,
    },
    /// Start the term anew.
    Renew {
        /// The holder's id.
        id: LeaseId,
    },
    /// Hand the lease to another id.
    Change {
        /// The holder's id.
        id: LeaseId,
        /// The id from now on.
        proposed: LeaseId,
    },
    /// Give the lease up.
    Release {
        /// The holder's id.
        id: LeaseId,
    },
    /// End the lease without knowing its id.
    Break {
        /// Seconds for which the lock is still kept, at most; without it a fixed lease keeps what remains
        /// of its term and an infinite one ends at once. 0 to [`MAX_BREAK_SECONDS`].
        period: Option<u32>,
    },
}

/// What the answer to a lease operation says beside ETag and Last-Modified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseReply {
    /// HTTP status: 201, 200 or 202.
    pub status: u16,
    /// `x-ms-lease-id`: on acquire, renew and change.
    pub lease_id: Option<LeaseId>,
    /// `x-ms-lease-time`, seconds until the lock ends: on break.
    pub lease_time: Option<u32>,
}

impl LeaseAction {
    /// The word on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Acquire { .. } => "acquire",
            Self::Renew { .. } => "renew",
            Self::Change { .. } => "change",
            Self::Release { .. } => "release",
            Self::Break { .. } => "break",
        }
    }
}

impl Lease {
    /// Carries out a lease operation at `now`. `fresh` becomes the id when an acquire proposes none.
    ///
    /// The returned lease is to be remembered, durably, before the reply goes out.
    ///
    /// # Errors
    /// The 409 codes of the table; the lease stays as it was.
    pub fn apply(
        &self,
        action: &LeaseAction,
        now: UnixMillis,
        fresh: LeaseId,
    ) -> Result<(Self, LeaseReply), ErrorCode> {
        match *action {
            LeaseAction::Acquire { proposed, duration } => self.acquire(proposed, duration, now, fresh),
            LeaseAction::Renew { id } => self.renew(id, now),
            LeaseAction::Change { id, proposed } => self.change(id, proposed, now),
            LeaseAction::Release { id } => self.release(id),
            LeaseAction::Break { period } => self.break_lease(period, now),
        }
    }

    fn acquire(
        &self,
        proposed: Option<LeaseId>,
        duration: LeaseDuration,
        now: UnixMillis,
        fresh: LeaseId,
    ) -> Result<(Self, LeaseReply), ErrorCode> {
        let same = proposed.is_some() && proposed == self.id();
        match self.state(now) {
            LeaseState::Leased if !same => return Err(ErrorCode::LeaseAlreadyPresent),
            LeaseState::Breaking if same => return Err(ErrorCode::LeaseIsBreakingAndCannotBeAcquired),
            LeaseState::Breaking => return Err(ErrorCode::LeaseAlreadyPresent),
            // Leased by the same id: taken again, with the new term.
            LeaseState::Leased | LeaseState::Available | LeaseState::Expired | LeaseState::Broken => {}
        }
        let id = proposed.unwrap_or(fresh);
        let lease = match duration {
            LeaseDuration::Infinite => Self::Infinite { id },
            LeaseDuration::Seconds(seconds) => Self::Fixed {
                id,
                seconds,
                until: now.plus_seconds(seconds),
            },
        };
        Ok((
            lease,
            LeaseReply {
                status: 201,
                lease_id: Some(id),
                lease_time: None,
            },
        ))
    }

    fn renew(&self, id: LeaseId, now: UnixMillis) -> Result<(Self, LeaseReply), ErrorCode> {
        if self.id() != Some(id) {
            return Err(ErrorCode::LeaseIdMismatchWithLeaseOperation);
        }
        let lease = match *self {
            Self::Available => return Err(ErrorCode::LeaseIdMismatchWithLeaseOperation),
            Self::Breaking { .. } | Self::Broken { .. } => {
                return Err(ErrorCode::LeaseIsBrokenAndCannotBeRenewed);
            }
            Self::Infinite { id } => Self::Infinite { id },
            Self::Fixed { id, seconds, .. } => Self::Fixed {
                id,
                seconds,
                until: now.plus_seconds(seconds),
            },
        };
        Ok((
            lease,
            LeaseReply {
                status: 200,
                lease_id: Some(id),
                lease_time: None,
            },
        ))
    }

    fn change(
        &self,
        id: LeaseId,
        proposed: LeaseId,
        now: UnixMillis,
    ) -> Result<(Self, LeaseReply), ErrorCode> {
        let state = self.state(now);
        if !matches!(state, LeaseState::Leased | LeaseState::Breaking) {
            return Err(ErrorCode::LeaseNotPresentWithLeaseOperation);
        }
        let current = self.id();
        if state == LeaseState::Breaking {
            return Err(match current == Some(id) {
                true => ErrorCode::LeaseIsBreakingAndCannotBeChanged,
                false => ErrorCode::LeaseIdMismatchWithLeaseOperation,
            });
        }
        // A change whose target already holds the lease is the repetition of one that succeeded.
        if current != Some(id) && current != Some(proposed) {
            return Err(ErrorCode::LeaseIdMismatchWithLeaseOperation);
        }
        let lease = match *self {
            Self::Fixed { seconds, until, .. } => Self::Fixed {
                id: proposed,
                seconds,
                until,
            },
            _ => Self::Infinite { id: proposed },
        };
        Ok((
            lease,
            LeaseReply {
                status: 200,
                lease_id: Some(proposed),
                lease_time: None,
            },
        ))
    }

    fn release(&self, id: LeaseId) -> Result<(Self, LeaseReply), ErrorCode> {
        if self.id() != Some(id) {
            return Err(ErrorCode::LeaseIdMismatchWithLeaseOperation);
        }
        Ok((
            Self::Available,
            LeaseReply {
                status: 200,
                lease_id: None,
                lease_time: None,
            },
        ))
    }

    fn break_lease(&self, period: Option<u32>, now: UnixMillis) -> Result<(Self, LeaseReply), ErrorCode> {
        let id = self.id().ok_or(ErrorCode::LeaseNotPresentWithLeaseOperation)?;
        let asked = period.map(|seconds| now.plus_seconds(seconds));
        let shorten = |left: UnixMillis| asked.map_or(left, |asked| asked.min(left));
        let until = match *self {
            Self::Infinite { .. } => asked.unwrap_or(now),
            // A break can only shorten what a fixed lease or an earlier break left, and neither ever had more left than
            // this: a clock that was set back by hours must not lock the blob for as long.
            Self::Fixed { seconds, until, .. } => shorten(until.min(now.plus_seconds(seconds))),
            Self::Breaking { until, .. } => shorten(until.min(now.plus_seconds(MAX_BREAK_SECONDS))),
            Self::Available | Self::Broken { .. } => now,
        };
        let lease = if now < until {
            Self::Breaking { id, until }
        } else {
            Self::Broken { id }
        };
        Ok((
            lease,
            LeaseReply {
                status: 202,
                lease_id: None,
                lease_time: Some(now.seconds_until(until)),
            },
        ))
    }
}

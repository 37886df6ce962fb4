//! Leases: who may change a blob, or delete a container.
//!
//! A lease is a remembered id and a term. Five states ([`LeaseState`]); two moves happen by time alone, a
//! fixed lease expires and a breaking one becomes broken. Both are computed from absolute moments when
//! somebody looks, so nothing needs a timer and a restart changes nothing.
//!
//! All rules are pure: a call takes the remembered [`Lease`] and the present moment and gives the lease to
//! remember from now on. The caller makes it durable before it answers. Neither ETag nor Last-Modified
//! changes by a lease operation.
//!
//! The rule "an expired lease can be renewed only while the blob is unmodified" needs no second moment: an
//! unauthenticated write to an expired or broken lease makes the store forget the id
//! ([`Lease::check_write`] returns `Available`), so a later renewal finds nothing to match.
//!
//! Tables: "Lease Blob", "Lease Container" and "Blob service error codes" of the REST reference.

mod action;
mod id;
mod usage;
mod witness;

use serde::{Deserialize, Serialize};

pub use action::{
    LeaseAction, LeaseDuration, LeaseReply, MAX_BREAK_SECONDS, MAX_LEASE_SECONDS, MIN_LEASE_SECONDS,
};
pub use id::{InvalidLeaseId, LeaseId};
pub use witness::{LOOK_HEADER, LeaseWitness, WITNESS_HEADER};

use crate::time::UnixMillis;

/// What is remembered of the lease on one blob or container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "term", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Lease {
    /// No lease, no remembered id.
    #[default]
    Available,
    /// Held until released or broken.
    Infinite {
        /// Who holds it.
        id: LeaseId,
    },
    /// Held until `until`; afterwards expired, with the id still remembered.
    Fixed {
        /// Who holds or held it.
        id: LeaseId,
        /// The duration of the last acquire, which a renewal grants again. 15 to 60.
        seconds: u32,
        /// First moment at which it is expired.
        until: UnixMillis,
    },
    /// Broken with a grace period: locked until `until`, broken afterwards.
    Breaking {
        /// Who held it.
        id: LeaseId,
        /// First moment at which it is broken.
        until: UnixMillis,
    },
    /// Broken: unlocked, the id remembered so that its holder can be told.
    Broken {
        /// Who held it.
        id: LeaseId,
    },
}

/// The state at one moment, as headers and listings show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeaseState {
    /// Nobody holds or held it.
    Available,
    /// Held.
    Leased,
    /// Ran out; its id may still renew it.
    Expired,
    /// Being broken, still locked.
    Breaking,
    /// Broken, unlocked.
    Broken,
}

/// Whether a write needs the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeaseStatus {
    /// Leased or breaking.
    Locked,
    /// All other states.
    Unlocked,
}

/// How long a held lease lasts, as headers show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeaseDurationKind {
    /// Until released or broken.
    Infinite,
    /// 15 to 60 seconds, renewable.
    Fixed,
}

/// What an onlooker may see of a lease: never the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeaseView {
    /// Locked or unlocked.
    pub status: LeaseStatus,
    /// One of the five states.
    pub state: LeaseState,
    /// Only while leased.
    pub duration: Option<LeaseDurationKind>,
}

impl Lease {
    /// The state at `now`.
    pub fn state(&self, now: UnixMillis) -> LeaseState {
        match *self {
            Self::Available => LeaseState::Available,
            Self::Infinite { .. } => LeaseState::Leased,
            Self::Fixed { until, .. } if now < until => LeaseState::Leased,
            Self::Fixed { .. } => LeaseState::Expired,
            Self::Breaking { until, .. } if now < until => LeaseState::Breaking,
            Self::Breaking { .. } | Self::Broken { .. } => LeaseState::Broken,
        }
    }

    /// The remembered id, whatever the state.
    pub fn id(&self) -> Option<LeaseId> {
        match *self {
            Self::Available => None,
            Self::Infinite { id }
            | Self::Fixed { id, .. }
            | Self::Breaking { id, .. }
            | Self::Broken { id } => Some(id),
        }
    }

    /// What an onlooker sees at `now`.
    pub fn view(&self, now: UnixMillis) -> LeaseView {
        let state = self.state(now);
        let status = match state {
            LeaseState::Leased | LeaseState::Breaking => LeaseStatus::Locked,
            LeaseState::Available | LeaseState::Expired | LeaseState::Broken => LeaseStatus::Unlocked,
        };
        let duration = (state == LeaseState::Leased).then_some(match self {
            Self::Fixed { .. } => LeaseDurationKind::Fixed,
            _ => LeaseDurationKind::Infinite,
        });
        LeaseView {
            status,
            state,
            duration,
        }
    }
}

impl LeaseState {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Leased => "leased",
            Self::Expired => "expired",
            Self::Breaking => "breaking",
            Self::Broken => "broken",
        }
    }

    /// Reads the word off the wire, any letter case.
    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::Available,
            Self::Leased,
            Self::Expired,
            Self::Breaking,
            Self::Broken,
        ]
        .into_iter()
        .find(|s| s.as_str().eq_ignore_ascii_case(text))
    }
}

impl LeaseStatus {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Locked => "locked",
            Self::Unlocked => "unlocked",
        }
    }

    /// Reads the word off the wire, any letter case.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Locked, Self::Unlocked]
            .into_iter()
            .find(|s| s.as_str().eq_ignore_ascii_case(text))
    }
}

impl LeaseDurationKind {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Infinite => "infinite",
            Self::Fixed => "fixed",
        }
    }

    /// Reads the word off the wire, any letter case.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Infinite, Self::Fixed]
            .into_iter()
            .find(|s| s.as_str().eq_ignore_ascii_case(text))
    }
}

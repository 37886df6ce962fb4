//! What heals a failure without a person, as a type that the vault can act on.

use serde::{Deserialize, Serialize};

/// What the vault may do by itself about a failure, or must wait for. What a person must do is in
/// [`Entry::actions`](crate::Entry::actions).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Heal {
    /// Nothing: it stays until a person has acted, and the operation is asked for again.
    None,
    /// The same again, soon, with growing pauses.
    Retry,
    /// The same again at the next slot of the schedule.
    NextSchedule,
    /// The same again after 24 hours.
    RetryAfterDay,
    /// The same again, once, when the job that stood in the way has ended.
    AfterConflict,
    /// The type is skipped in scheduled runs, with a warning; nothing fails.
    SkipType,
    /// The next scheduled backup becomes a full one, which starts a new chain.
    FullBackup,
    /// A differential if its base is a full of this vault, else a full, at once.
    Reanchor,
    /// A log backup at once, where the log waits for one; else a person.
    LogBackup,
    /// Probing again: the failure clears by itself when a person has put it right.
    Probe,
    /// The hand-shake with the instance is made again: marker, credential, trust. Recovery points stay.
    Reregister,
    /// The lease guard looks at this one URL, and breaks the lease when its holder is dead.
    LeaseGuard,
    /// The credential of the container is made anew on the instance, then the same again.
    RenewCredential,
    /// The same again with more stripes.
    MoreStripes,
    /// The sessions that hold the target are closed, where the user has allowed the overwrite, then the same again.
    DrainSessions,
    /// The outcome is looked up in msdb and in the stream, then decided.
    LookUpOutcome,
    /// The vault's start-up takes the job up again or ends it.
    Recover,
    /// Writing is taken up again when there is room.
    WhenRoom,
    /// Another restorable moment is offered; the user chooses.
    OfferMoment,
    /// The new name or incarnation is noticed; the user links it, or automatic protection takes it up.
    Relink,
    /// The items that were left behind are configured again.
    Reapply,
}

impl Heal {
    /// All of them.
    pub const ALL: [Self; 21] = [
        Self::None,
        Self::Retry,
        Self::NextSchedule,
        Self::RetryAfterDay,
        Self::AfterConflict,
        Self::SkipType,
        Self::FullBackup,
        Self::Reanchor,
        Self::LogBackup,
        Self::Probe,
        Self::Reregister,
        Self::LeaseGuard,
        Self::RenewCredential,
        Self::MoreStripes,
        Self::DrainSessions,
        Self::LookUpOutcome,
        Self::Recover,
        Self::WhenRoom,
        Self::OfferMoment,
        Self::Relink,
        Self::Reapply,
    ];

    /// As in the catalogue and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Retry => "retry",
            Self::NextSchedule => "nextSchedule",
            Self::RetryAfterDay => "retryAfterDay",
            Self::AfterConflict => "afterConflict",
            Self::SkipType => "skipType",
            Self::FullBackup => "fullBackup",
            Self::Reanchor => "reanchor",
            Self::LogBackup => "logBackup",
            Self::Probe => "probe",
            Self::Reregister => "reregister",
            Self::LeaseGuard => "leaseGuard",
            Self::RenewCredential => "renewCredential",
            Self::MoreStripes => "moreStripes",
            Self::DrainSessions => "drainSessions",
            Self::LookUpOutcome => "lookUpOutcome",
            Self::Recover => "recover",
            Self::WhenRoom => "whenRoom",
            Self::OfferMoment => "offerMoment",
            Self::Relink => "relink",
            Self::Reapply => "reapply",
        }
    }

    /// The same statement may be sent again by the vault, now or later.
    pub fn retries(self) -> bool {
        matches!(
            self,
            Self::Retry
                | Self::NextSchedule
                | Self::RetryAfterDay
                | Self::AfterConflict
                | Self::LeaseGuard
                | Self::RenewCredential
                | Self::MoreStripes
                | Self::DrainSessions
                | Self::WhenRoom
        )
    }
}

//! The one decision of the guard: may this lease be broken.
//!
//! Pure: what is known of a blob, the terms of the run, and what SQL Server answered go in; a ruling with its reason
//! comes out. `list`, `break`, `delete` and `watch` ask the same function.

use std::collections::BTreeSet;
use std::time::Duration;

use azblob::lease::{LeaseDurationKind, LeaseState, LeaseStatus};
use serde::Serialize;

use crate::activity::Activity;
use crate::ask::{Running, Unanswered};
use crate::content::Content;
use crate::finding::Finding;
use crate::holder::Holder;
use crate::place::Place;

/// Under which terms a run may break leases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How long a blob must have been quiet, as watched.
    pub min_quiet: Duration,
    /// Restore leases too.
    pub include_restore: bool,
    /// Blobs that the user named one by one: an unknown holder is broken only here.
    pub named: BTreeSet<Place>,
}

/// The decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// May be broken now.
    Break(Grounds),
    /// Could be broken if nothing stirs for so much longer.
    Wait(Duration),
    /// Must not be broken.
    Keep(Why),
}

/// Why a lease may be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Grounds {
    /// A backup, quiet for long enough. Evidence, not proof.
    QuietBackup,
    /// A backup that no asked instance runs, quiet for long enough.
    QuietBackupNotRunning,
    /// A backup without connection and job on the vault's own door, quiet for long enough.
    AbandonedAtOurDoor,
    /// A restore lease that the user wanted included.
    IncludedRestore,
    /// An unknown holder on a blob that the user named.
    NamedByUser,
}

/// Why a lease must not be broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Why {
    /// Nothing to break.
    NotLocked,
    /// A SQL Server data file in use.
    DataFile,
    /// A SQL Server log file in use.
    LogFile,
    /// A virtual machine's disk.
    Disk,
    /// A lease of 15 to 60 seconds: it runs out by itself, and if it does not, somebody renews it.
    FixedLease,
    /// The service does not say for how long it was taken.
    UnknownDuration,
    /// Already being broken, over within a minute.
    Breaking,
    /// Nothing shows who holds it, and it was not named.
    UnknownHolder,
    /// A restore lease, and they are not included.
    Restore,
    /// The content grows.
    Growing,
    /// A connection that uses the blob is open on the vault's own door.
    ConnectionOpen,
    /// A job of the vault uses the blob.
    JobRunning,
    /// An asked instance runs a statement that names the blob, or may: instance and session.
    Running {
        /// The instance.
        server: String,
        /// Its session.
        session: i32,
    },
    /// An instance could not be asked, so whatever it runs may use the blob: instance and reason.
    Unanswered {
        /// The instance.
        server: String,
        /// Why.
        reason: String,
    },
    /// It has no tag, so nothing can be made conditional on it.
    NoTag,
    /// What it holds could not be read, so it may be a database file.
    ContentUnread,
}

/// What SQL Server answered.
pub type Answer = Result<Vec<Running>, Unanswered>;

/// Rules on one finding. `still`: for how long nothing that the guard can see changed, the holder included, `None`
/// before the second look. `asked`: what the instances answered, `None` where none are asked.
pub fn rule(finding: &Finding, still: Option<Duration>, terms: &Terms, asked: Option<&Answer>) -> Ruling {
    if let Some(why) = forbidden(finding, terms).or_else(|| alive(finding, asked)) {
        return Ruling::Keep(why);
    }
    if let Some(witness) = &finding.witness {
        let quiet = Duration::from_millis(witness.quiet());
        return match terms.min_quiet.checked_sub(quiet) {
            None | Some(Duration::ZERO) => Ruling::Break(grounds(finding, asked.is_some())),
            Some(more) => Ruling::Wait(more),
        };
    }
    match still {
        Some(still) if still >= terms.min_quiet => Ruling::Break(grounds(finding, asked.is_some())),
        still => Ruling::Wait(terms.min_quiet.saturating_sub(still.unwrap_or_default())),
    }
}

/// What no quiet changes: the nature of the lease, of the content, of the holder.
fn forbidden(finding: &Finding, terms: &Terms) -> Option<Why> {
    let lease = finding.properties.lease;
    let named = terms.named.contains(&finding.place);
    if lease.status != LeaseStatus::Locked {
        return Some(Why::NotLocked);
    }
    match &finding.content {
        Content::DataFile => return Some(Why::DataFile),
        Content::LogFile => return Some(Why::LogFile),
        Content::Disk => return Some(Why::Disk),
        _ => {}
    }
    match (lease.state, lease.duration) {
        (LeaseState::Leased, Some(LeaseDurationKind::Infinite)) => {}
        (LeaseState::Leased, Some(LeaseDurationKind::Fixed)) => return Some(Why::FixedLease),
        (LeaseState::Leased, None) => return Some(Why::UnknownDuration),
        (LeaseState::Breaking, _) => return Some(Why::Breaking),
        (LeaseState::Available | LeaseState::Expired | LeaseState::Broken, _) => return Some(Why::NotLocked),
    }
    if finding.properties.etag.is_none() {
        return Some(Why::NoTag);
    }
    match finding.holder {
        Holder::Backup(_) => {}
        Holder::Restore if terms.include_restore => {}
        Holder::Restore => return Some(Why::Restore),
        Holder::Unknown if named => {}
        // The better reason: what was not read might have shown who holds it.
        Holder::Unknown if matches!(finding.content, Content::Unread(_)) => return Some(Why::ContentUnread),
        Holder::Unknown => return Some(Why::UnknownHolder),
    }
    (matches!(finding.content, Content::Unread(_)) && !named).then_some(Why::ContentUnread)
}

/// Signs of life, the surest first.
fn alive(finding: &Finding, asked: Option<&Answer>) -> Option<Why> {
    if let Some(witness) = &finding.witness {
        if witness.jobs > 0 {
            return Some(Why::JobRunning);
        }
        if witness.connections > 0 {
            return Some(Why::ConnectionOpen);
        }
    }
    match asked {
        Some(Ok(running)) => {
            if let Some(running) = running.iter().find(|one| one.may_use(&finding.place)) {
                return Some(Why::Running {
                    server: running.server.clone(),
                    session: running.session,
                });
            }
        }
        Some(Err(unanswered)) => {
            return Some(Why::Unanswered {
                server: unanswered.server.clone(),
                reason: unanswered.reason.clone(),
            });
        }
        None => {}
    }
    (finding.activity == Activity::Growing).then_some(Why::Growing)
}

fn grounds(finding: &Finding, asked: bool) -> Grounds {
    match finding.holder {
        Holder::Unknown => Grounds::NamedByUser,
        Holder::Restore => Grounds::IncludedRestore,
        Holder::Backup(_) if finding.witness.is_some() => Grounds::AbandonedAtOurDoor,
        Holder::Backup(_) if asked => Grounds::QuietBackupNotRunning,
        Holder::Backup(_) => Grounds::QuietBackup,
    }
}

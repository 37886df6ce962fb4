//! What the demo found out: its JSON answer, and the one place that decides whether everything held.
//!
//! Each part says by `held` whether it is as it must be. What is in here was asked of the vault, the door or an instance; nothing is
//! here because the story says so.

use azblob::lease::{LeaseDurationKind, LeaseState};
use bak::Verdict;
use catalog::record::{Grade, JobState};
use faults::Code;
use schedule::BackupKind;
use serde::Serialize;

/// The whole story.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Outcome {
    /// What stood in for SQL Server, in words.
    pub(super) simulation: &'static str,
    pub(super) server: Registered,
    /// The backups that were asked for and had nothing in their way, in their order.
    pub(super) backups: Vec<Taken>,
    pub(super) killed: Killed,
    pub(super) corrupted: Corrupted,
    /// `Shop`, as it was between two transactions, on another instance.
    pub(super) restored: Restored,
    /// The user's database, where one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) restored_pages: Option<RestoredPages>,
    pub(super) at_rest: AtRest,
    /// From the first to the last.
    pub(super) seconds: f64,
    /// Whether everything held.
    pub(super) held: bool,
}

/// The instance that is backed up, as the vault knows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Registered {
    pub(super) name: String,
    pub(super) simulated: bool,
    /// `16.0.1000.6`
    pub(super) version: Option<String>,
    /// What was probed and is as it should be, of how much.
    pub(super) probes_passed: usize,
    pub(super) probes: usize,
    /// The databases of users that it was made with, and those that the vault discovered.
    pub(super) databases: Vec<String>,
    pub(super) discovered: Vec<String>,
}

/// A backup.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Taken {
    pub(super) database: String,
    #[serde(rename = "type")]
    pub(super) kind: BackupKind,
    pub(super) state: JobState,
    /// How sure the vault is of it; none where there is no recovery point.
    pub(super) grade: Option<Grade>,
    /// What the vault's verifier says of its bytes.
    pub(super) verdict: Option<Verdict>,
    pub(super) bytes: u64,
    /// Pages and log blocks whose checksums hold.
    pub(super) pages: u64,
    pub(super) log_blocks: u64,
    /// From the job's start to its end.
    pub(super) seconds: f64,
}

/// A backup that was killed in its middle.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Killed {
    pub(super) database: String,
    /// The blob that it left.
    pub(super) blob: String,
    /// Bytes of it that had arrived.
    pub(super) bytes: u64,
    /// Bytes of it that a reader gets.
    pub(super) readable_bytes: u64,
    pub(super) lease_state: LeaseState,
    pub(super) lease_duration: Option<LeaseDurationKind>,
    /// The vault broke the lease and removed the blob, so long after the instance was back.
    pub(super) cleaned_up: bool,
    pub(super) clean_up_seconds: f64,
    /// Codes of the attempts that failed.
    pub(super) attempts: Vec<Code>,
    /// The same job's next attempt.
    pub(super) taken_again: Option<Taken>,
}

/// A page that changed on the source's disk.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Corrupted {
    pub(super) database: String,
    pub(super) file: u16,
    pub(super) page: u32,
    /// Why the vault's backup failed, in which SQL Server's own checksums meet it.
    pub(super) code: Code,
    /// SQL Server's message, and whether it names the page.
    pub(super) message: Option<i32>,
    pub(super) message_names_page: bool,
    /// A backup by hand, without checksums, which SQL Server calls a success: what the vault's verifier says of its bytes.
    pub(super) verdict: Option<Verdict>,
    pub(super) finding: Option<String>,
    pub(super) finding_names_page: bool,
}

/// A restore on another instance.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Restored {
    pub(super) database: String,
    /// The instance that it was restored on.
    pub(super) server: String,
    pub(super) state: JobState,
    pub(super) code: Option<Code>,
    /// The moment that was asked for, on the source's clock; none for the latest.
    pub(super) at: Option<String>,
    /// It lies between the transaction that has to be there and the one that must not.
    pub(super) is_between: bool,
    /// The backups that were restored, in their order.
    pub(super) steps: Vec<BackupKind>,
    pub(super) bytes: u64,
    /// Rows of all tables there, and on the source between the two transactions.
    pub(super) rows: u64,
    pub(super) rows_expected: u64,
    /// The first difference between them; none where every row is the same.
    pub(super) difference: Option<String>,
    pub(super) seconds: f64,
}

/// A restore of which the simulation cannot read tables: its data files, page by page.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RestoredPages {
    #[serde(flatten)]
    pub(super) restored: Restored,
    /// Pages that are the same on both instances.
    pub(super) same: u64,
    /// Those that are not: `1:153`.
    pub(super) differ: Vec<String>,
}

/// The store when all is done.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AtRest {
    pub(super) recovery_points: usize,
    /// Blobs of recovery points that are complete, sealed and without a lease.
    pub(super) sealed: usize,
    /// Blobs that no recovery point names.
    pub(super) others: Vec<String>,
    /// Blobs that are still leased.
    pub(super) leased: Vec<String>,
    pub(super) bytes: u64,
}

impl Registered {
    /// It is ready for backups, and its databases were found.
    pub(super) fn held(&self) -> bool {
        self.simulated
            && self.probes > 0
            && self.probes_passed == self.probes
            && self.discovered == self.databases
    }
}

impl Taken {
    /// SQL Server succeeded, and the vault proved it.
    pub(super) fn held(&self) -> bool {
        self.state == JobState::Completed
            && self.grade == Some(Grade::Proved)
            && self.verdict == Some(Verdict::Ok)
            && self.bytes > 0
    }
}

impl Killed {
    /// It was left locked and half done, and the vault made it good by itself.
    pub(super) fn held(&self) -> bool {
        self.was_left() && self.cleaned_up && self.was_taken_again()
    }

    /// What a dead client leaves: a lease that never ends, and nothing that could be read.
    pub(super) fn was_left(&self) -> bool {
        self.readable_bytes == 0
            && self.bytes > 0
            && self.lease_state == LeaseState::Leased
            && self.lease_duration == Some(LeaseDurationKind::Infinite)
    }

    pub(super) fn was_taken_again(&self) -> bool {
        !self.attempts.is_empty() && self.taken_again.as_ref().is_some_and(Taken::held)
    }
}

impl Corrupted {
    /// Both who read the page saw it.
    pub(super) fn held(&self) -> bool {
        self.was_refused() && self.was_found()
    }

    /// SQL Server's checksums kept it out of the vault's backup.
    pub(super) fn was_refused(&self) -> bool {
        self.message.is_some() && self.message_names_page
    }

    /// The vault's verifier saw it where SQL Server was told not to look.
    pub(super) fn was_found(&self) -> bool {
        self.verdict == Some(Verdict::Damaged) && self.finding_names_page
    }
}

impl Restored {
    /// It is the second that was asked for, row by row.
    pub(super) fn held(&self) -> bool {
        self.is_done()
            && self.is_between
            && self.rows > 0
            && self.rows == self.rows_expected
            && self.difference.is_none()
    }

    fn is_done(&self) -> bool {
        self.state == JobState::Completed && !self.steps.is_empty()
    }
}

impl RestoredPages {
    /// It is the database of the source, page by page.
    pub(super) fn held(&self) -> bool {
        self.restored.is_done() && self.same > 0 && self.differ.is_empty()
    }
}

impl AtRest {
    /// Every recovery point is sealed, nothing else is there but `expected`, and nothing is locked.
    pub(super) fn held(&self, expected: &[&str]) -> bool {
        self.recovery_points > 0
            && self.sealed == self.recovery_points
            && self.leased.is_empty()
            && self.others == expected
    }
}

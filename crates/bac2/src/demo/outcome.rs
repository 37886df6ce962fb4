//! What the demo found out: its JSON answer, and the one place that decides whether everything held.

use azblob::lease::{LeaseDurationKind, LeaseState};
use bak::{BackupSet, LogBlockCounts, PageCounts, Verdict};
use guard::ruling::Why;
use serde::Serialize;

/// The whole story.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Outcome {
    /// What stood in for SQL Server, in words.
    pub(super) client: &'static str,
    pub(super) backups: Vec<Kept>,
    pub(super) flipped_bit: FlippedBit,
    pub(super) interrupted: Interrupted,
    /// Whether everything held.
    pub(super) held: bool,
}

/// One backup that was uploaded, proved and read back.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Kept {
    pub(super) file: String,
    /// Made by bac2's own writer rather than given by the user.
    pub(super) made_here: bool,
    pub(super) bytes: u64,
    pub(super) blocks: u64,
    pub(super) upload_seconds: f64,
    /// What the vault proved.
    pub(super) verdict: Option<Verdict>,
    pub(super) reasons: Vec<String>,
    pub(super) pages: PageCounts,
    pub(super) log_blocks: LogBlockCounts,
    pub(super) sets: Vec<BackupSet>,
    /// What `bac2 verify` says of the file, which the vault's verdict has to equal.
    pub(super) verdict_of_file: Verdict,
    /// Every byte came back as it went in.
    pub(super) identical: bool,
    pub(super) download_seconds: f64,
}

/// The first bad day: a bit flipped on its way in.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FlippedBit {
    pub(super) file: String,
    pub(super) offset: u64,
    pub(super) bit: u8,
    pub(super) verdict: Option<Verdict>,
    /// What the vault's first finding says.
    pub(super) finding: Option<String>,
    /// Whether `bac2 verify` finds the same in a file with that bit flipped.
    pub(super) same_as_file: bool,
}

/// The second bad day: an upload that dies half-way.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Interrupted {
    pub(super) file: String,
    pub(super) blocks_sent: u64,
    pub(super) blocks: u64,
    pub(super) lease_state: LeaseState,
    pub(super) lease_duration: Option<LeaseDurationKind>,
    pub(super) verdict: Option<&'static str>,
    /// Bytes a reader gets: none, as nothing was committed.
    pub(super) readable_bytes: u64,
    /// The error code that an attempt to delete it met.
    pub(super) delete_refused_with: Option<String>,
    /// Why the lease guard left it alone while its connection was open.
    pub(super) spared_because: Option<Why>,
    /// Who the guard found to hold the lease, once the connection was gone.
    pub(super) holder: &'static str,
    /// The guard broke the lease and deleted the blob.
    pub(super) cleaned_up: bool,
}

impl Kept {
    /// The vault came to the verdict that the file deserves; a backup made here deserves `ok`.
    pub(super) fn is_proved(&self) -> bool {
        self.verdict == Some(self.verdict_of_file) && (!self.made_here || self.verdict == Some(Verdict::Ok))
    }

    /// The vault proved what the file shows, and gave it back.
    pub(super) fn held(&self) -> bool {
        self.identical && self.is_proved()
    }
}

impl FlippedBit {
    /// The bit was noticed and named.
    pub(super) fn held(&self) -> bool {
        self.verdict == Some(Verdict::Damaged) && self.finding.is_some() && self.same_as_file
    }
}

impl Interrupted {
    /// The blob stays locked and nobody takes it for a recovery point.
    pub(super) fn held(&self) -> bool {
        let proved = self.verdict == Some(Verdict::Ok.as_str());
        self.lease_state == LeaseState::Leased
            && self.delete_refused_with.as_deref() == Some("LeaseIdMissing")
            && self.readable_bytes == 0
            && !proved
    }

    /// The guard told the living from the dead.
    pub(super) fn was_rescued(&self) -> bool {
        self.spared_because == Some(Why::ConnectionOpen) && self.cleaned_up
    }
}

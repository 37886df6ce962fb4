//! The real shelf: the blob store.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use azblob::lease::LeaseStatus;
use azblob::names::AccountName;
use bak::stripes::Family;
use bak::{Report, Verdict};
use blobstore::{
    BlobKind, BlobPath, BlobView, BlockRef, CommitId, Concluded, Permit, Proof, Store, StoreError,
};

use super::shelf::{Finding, Recorded, Shelf, Standing, Unfinished, Unreadable};

/// One commit of a blob, and how long it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Commit {
    /// Which.
    pub(crate) id: CommitId,
    /// Bytes.
    pub(crate) size: u64,
}

/// The id is unique in a store and rises; the size goes with it, and is not always known.
impl Ord for Commit {
    fn cmp(&self, other: &Self) -> Ordering {
        self.id.cmp(&other.id)
    }
}

impl PartialOrd for Commit {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Commit {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Commit {}

impl Commit {
    fn of(view: &BlobView) -> Self {
        Commit {
            id: view.commit,
            size: view.size,
        }
    }
}

impl From<StoreError> for Unreadable {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Protocol(_) | StoreError::BlockIsGone => Unreadable::Gone,
            StoreError::Damaged { what } => Unreadable::Damaged(what),
            other => Unreadable::Failed(other.to_string()),
        }
    }
}

/// The store as a shelf.
pub(crate) struct Stored {
    store: Arc<Store>,
    /// Whether blobs with a final verdict of ok are sealed.
    seal: bool,
}

impl Stored {
    /// This store; `seal`: blobs with a final verdict of ok are sealed.
    pub(crate) fn new(store: Arc<Store>, seal: bool) -> Self {
        Stored { store, seal }
    }

    fn recorded(&self, blob: &BlobPath, concluded: Result<Concluded, StoreError>) -> Recorded {
        match concluded {
            Ok(Concluded::Final) => Recorded::Final,
            Ok(Concluded::Leased) => Recorded::Leased,
            Ok(Concluded::Stale) | Err(StoreError::Protocol(_)) => Recorded::Stale,
            Err(error) => {
                tracing::error!(?blob, %error, "a verdict could not be stored");
                Recorded::Refused
            }
        }
    }
}

impl Shelf for Stored {
    type Blob = BlobPath;
    type Place = BlockRef;
    type Commit = Commit;
    type Realm = AccountName;

    fn realm(&self, blob: &BlobPath) -> AccountName {
        blob.account.clone()
    }

    fn block_size(&self, place: &BlockRef) -> u64 {
        place.size()
    }

    fn blob_size(&self, commit: &Commit) -> u64 {
        commit.size
    }

    fn read_block(
        &self,
        blob: &BlobPath,
        place: &BlockRef,
        offset: u64,
        into: &mut [u8],
    ) -> Result<(), Unreadable> {
        Ok(self.store.read_block(blob, place, offset, into)?)
    }

    fn read_blob(
        &self,
        blob: &BlobPath,
        commit: &Commit,
        offset: u64,
        into: &mut [u8],
    ) -> Result<(), Unreadable> {
        let reader = self.store.open_blob(blob, &Permit::NONE)?;
        if reader.view().commit != commit.id {
            return Err(Unreadable::Gone);
        }
        Ok(reader.read_at(offset, into)?)
    }

    fn is_paged(&self, blob: &BlobPath) -> bool {
        let view = self.store.blob_properties(blob, &Permit::NONE);
        view.is_ok_and(|view| view.kind != BlobKind::Block)
    }

    fn read_pages(&self, blob: &BlobPath, offset: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        let reader = self.store.open_blob(blob, &Permit::NONE)?;
        if offset + into.len() as u64 > reader.size() {
            return Err(Unreadable::Gone);
        }
        Ok(reader.read_at(offset, into)?)
    }

    fn written_from(&self, blob: &BlobPath, offset: u64) -> Result<Option<Range<u64>>, Unreadable> {
        Ok(self.store.open_blob(blob, &Permit::NONE)?.next_data(offset))
    }

    fn is_leased(&self, blob: &BlobPath) -> bool {
        let view = self.store.blob_properties(blob, &Permit::NONE);
        view.is_ok_and(|view| view.lease_view.status == LeaseStatus::Locked)
    }

    fn record(&self, blob: &BlobPath, commit: &Commit, finding: &Finding) -> Recorded {
        let proof = proof_of(finding);
        self.recorded(blob, self.store.conclude(blob, commit.id, &proof, self.seal))
    }

    fn settle(&self, blob: &BlobPath) -> bool {
        match self.store.settle_proof(blob, self.seal) {
            Ok(Concluded::Leased) => false,
            Ok(Concluded::Final | Concluded::Stale) | Err(StoreError::Protocol(_)) => true,
            Err(error) => {
                tracing::error!(?blob, %error, "a verdict could not be made final");
                true
            }
        }
    }

    fn amend(&self, blob: &BlobPath, commit: &Commit, verdict: Verdict, reasons: Vec<String>) -> Recorded {
        let amended = self
            .store
            .amend_proof(blob, commit.id, verdict, reasons, self.seal);
        self.recorded(blob, amended)
    }

    fn unfinished(&self, tell: &mut dyn FnMut(Unfinished<BlobPath, Commit>)) {
        self.store.take_stock(&mut |entry| {
            if !entry.view.committed || entry.view.size == 0 {
                return;
            }
            let commit = Commit::of(&entry.view);
            let Some(proof) = entry.proof else {
                return tell(Unfinished::Verify(entry.path));
            };
            if let Some(family) = family_of(&proof) {
                tell(Unfinished::Stripe(entry.path.clone(), commit, family));
            }
            let to_seal = self.seal && proof.verdict == Some(Verdict::Ok) && !entry.view.sealed;
            if !proof.is_final || to_seal {
                tell(Unfinished::Settle(entry.path));
            }
        });
    }

    fn standing(&self, blob: &BlobPath, commit: &Commit) -> Option<Standing> {
        let state = self.store.proof_state(blob).ok()??;
        (state.commit == commit.id).then_some(Standing {
            verdict: state.verdict,
            is_final: state.is_final,
        })
    }

    fn family(&self, blob: &BlobPath, commit: &Commit) -> Option<Family> {
        let proof = self.store.proof(blob).ok()??;
        // The commit last: it is still the one that the report was read for.
        self.standing(blob, commit)?;
        family_of(&proof)
    }

    fn current(&self, blob: &BlobPath) -> Option<Commit> {
        let view = self.store.blob_properties(blob, &Permit::NONE).ok()?;
        (view.size > 0).then(|| Commit::of(&view))
    }
}

/// The family that a stored verdict is about, whatever the verdict became in its company.
pub(crate) fn family_of(proof: &Proof) -> Option<Family> {
    /// The part of a report that tells.
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Told {
        media: Option<Media>,
    }
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Media {
        family_count: u16,
    }
    let report = proof.report.as_ref()?;
    // Most backups are no stripes: for them the rest of the report is not built.
    let told: Told = serde_json::from_str(report.get()).ok()?;
    told.media.filter(|media| media.family_count > 1)?;
    let report: Report = serde_json::from_str(report.get()).ok()?;
    Family::of(&report)
}

fn proof_of(finding: &Finding) -> Proof {
    match finding {
        Finding::Foreign => Proof::default(),
        Finding::Backup(report) => Proof {
            verdict: Some(report.verdict),
            reasons: report.reasons.clone(),
            report: serde_json::value::to_raw_value(report).ok(),
            ..Proof::default()
        },
        Finding::Damaged(what) => Proof {
            verdict: Some(Verdict::Damaged),
            reasons: vec![format!("damaged at rest: {what}")],
            ..Proof::default()
        },
        Finding::CannotVerify(why) => Proof {
            verdict: Some(Verdict::CannotVerify),
            reasons: vec![why.clone()],
            ..Proof::default()
        },
    }
}

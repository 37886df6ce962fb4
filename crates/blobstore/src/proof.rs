//! The verdict on a blob's content, kept with the blob, against the state of the content it judged.

use std::sync::Arc;

use bak::Verdict;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::blob::Blob;
use crate::disk::SyncPoint;
use crate::error::StoreError;
use crate::frame::Kind;
use crate::root::{CommitId, ProofRecord};
use crate::store::{BlobPath, Core, Store};

/// A verdict with its grounds.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    /// What was found; none for what is not a backup of SQL Server.
    pub verdict: Option<Verdict>,
    /// Nothing more is to come: no lease is held on what was judged.
    pub is_final: bool,
    /// Why it is not "ok".
    pub reasons: Vec<String>,
    /// The whole report as JSON.
    pub report: Option<Box<RawValue>>,
}

/// Payload of the text frame that holds the grounds.
#[derive(Serialize, Deserialize)]
struct Grounds {
    reasons: Vec<String>,
    report: Option<Box<RawValue>>,
}

impl Store {
    /// Stores the verdict on one state of the content. False when the content has changed since, so that the
    /// verdict is about nothing that is there. A blob found damaged at rest stays so until it is overwritten.
    ///
    /// # Errors
    /// [`azblob::error::ErrorCode::BlobNotFound`]; those of changing anything.
    pub fn set_proof(&self, path: &BlobPath, commit: CommitId, proof: &Proof) -> Result<bool, StoreError> {
        let core = &self.core;
        core.check_writable()?;
        let (container, blob) = core.blob(path)?;
        let _gate = container.enter()?;
        let grounds = Grounds {
            reasons: proof.reasons.clone(),
            report: proof.report.clone(),
        };
        let payload = serde_json::to_vec(&grounds).expect("grounds have string keys only");
        let file = {
            let mut state = blob.state();
            if state.root.as_ref().is_none_or(|root| root.commit != commit) {
                return Ok(false);
            }
            core.file(&blob, &mut state)?
        };
        // The grounds first: a root points only at what is durable.
        let (header, ticket) = file.append_frame(Kind::Text, &payload, core.now())?;
        file.wait(ticket, SyncPoint::Append)?;
        core.change_root(&blob, |root, _| {
            if root.commit != commit {
                return Ok(false);
            }
            let rotten = root
                .proof
                .take()
                .filter(|before| before.commit == commit)
                .and_then(|before| before.rotten);
            root.proof = Some(ProofRecord {
                commit,
                verdict: if rotten.is_some() {
                    Some(Verdict::Damaged)
                } else {
                    proof.verdict
                },
                is_final: proof.is_final,
                at: Some(header.offset),
                rotten,
            });
            Ok(true)
        })
    }

    /// The verdict on the content as it is now; none while there is none.
    ///
    /// # Errors
    /// [`azblob::error::ErrorCode::BlobNotFound`]; [`StoreError::Damaged`] when its grounds are unreadable.
    pub fn proof(&self, path: &BlobPath) -> Result<Option<Proof>, StoreError> {
        let (_, blob) = self.core.blob(path)?;
        self.core.proof_of(&blob)
    }
}

impl Core {
    pub(crate) fn proof_of(&self, blob: &Arc<Blob>) -> Result<Option<Proof>, StoreError> {
        let mut state = blob.state();
        let Some(root) = state.root.clone() else {
            return Ok(None);
        };
        let Some(record) = root.proof.as_ref().filter(|proof| proof.commit == root.commit) else {
            return Ok(None);
        };
        let mut proof = Proof {
            verdict: record.verdict,
            is_final: record.is_final,
            ..Proof::default()
        };
        proof.reasons.extend(
            record
                .rotten
                .iter()
                .map(|what| format!("damaged at rest: {what}")),
        );
        if let Some(offset) = record.at {
            let file = self.file(blob, &mut state)?;
            let grounds = file.read_frame(offset, Kind::Text)?;
            let grounds: Grounds = serde_json::from_slice(&grounds).map_err(|_| StoreError::Damaged {
                what: format!("{}: report at {offset}", blob.path.display()),
            })?;
            proof.reasons.extend(grounds.reasons);
            proof.report = grounds.report;
        }
        Ok(Some(proof))
    }
}

//! The verdict on a blob's content, kept with the blob, against the state of the content it judged.

use std::sync::Arc;

use azblob::time::UnixMillis;
use bak::Verdict;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::blob::{Blob, State};
use crate::disk::SyncPoint;
use crate::error::StoreError;
use crate::frame::Kind;
use crate::root::{CommitId, ProofRecord, Root};
use crate::seal::{SealIf, Sealed};
use crate::snapshot::Which;
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

/// What is known of a verdict without reading its grounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProofState {
    /// The state of the content that it judges, which is the present one.
    pub commit: CommitId,
    /// What was found; none for what is not a backup of SQL Server.
    pub verdict: Option<Verdict>,
    /// Nothing more is to come.
    pub is_final: bool,
}

/// What became of a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concluded {
    /// Stored, and final; the blob is sealed if that was wanted and the verdict is ok.
    Final,
    /// Stored; a lease is held, so it is not final yet, or not sealed yet.
    Leased,
    /// The content has changed since, so that the verdict is about nothing that is there.
    Stale,
}

/// How a new verdict becomes final.
#[derive(Clone, Copy)]
enum Finality {
    /// As the verdict says.
    Given,
    /// When no lease is held at the moment it is stored.
    ByLease,
    /// As [`Finality::ByLease`], and a verdict that was final stays so.
    Kept,
}

impl Store {
    /// Stores the verdict on one state of the content as it is, final or not. False when the content has changed
    /// since, so that the verdict is about nothing that is there. A blob found damaged at rest stays so until it is
    /// overwritten.
    ///
    /// # Errors
    /// [`azblob::error::ErrorCode::BlobNotFound`]; those of changing anything.
    pub fn set_proof(&self, path: &BlobPath, commit: CommitId, proof: &Proof) -> Result<bool, StoreError> {
        let done = self.write_proof(path, commit, proof, Finality::Given, false)?;
        Ok(done != Concluded::Stale)
    }

    /// Stores the verdict on one state of the content: final if no lease is held at this moment. With `seal`, a
    /// verdict that is final and ok seals the blob in the same step. [`Proof::is_final`] is not looked at.
    ///
    /// # Errors
    /// As [`Store::set_proof`].
    pub fn conclude(
        &self,
        path: &BlobPath,
        commit: CommitId,
        proof: &Proof,
        seal: bool,
    ) -> Result<Concluded, StoreError> {
        self.write_proof(path, commit, proof, Finality::ByLease, seal)
    }

    /// Gives a blob that was judged another verdict, with other reasons and the report it had. What was final stays
    /// final; `seal` as in [`Store::conclude`].
    ///
    /// # Errors
    /// As [`Store::set_proof`].
    pub fn amend_proof(
        &self,
        path: &BlobPath,
        commit: CommitId,
        verdict: Verdict,
        reasons: Vec<String>,
        seal: bool,
    ) -> Result<Concluded, StoreError> {
        let Some(before) = self.proof(path)? else {
            return Ok(Concluded::Stale);
        };
        let proof = Proof {
            verdict: Some(verdict),
            reasons,
            ..before
        };
        self.write_proof(path, commit, &proof, Finality::Kept, seal)
    }

    /// Makes the verdict on the present content final, if no lease is held any more; with `seal`, seals the blob
    /// whose verdict is final and ok. [`Concluded::Leased`] says that a lease is in the way of either.
    ///
    /// # Errors
    /// [`azblob::error::ErrorCode::BlobNotFound`]; those of changing anything.
    pub fn settle_proof(&self, path: &BlobPath, seal: bool) -> Result<Concluded, StoreError> {
        let core = &self.core;
        core.check_writable()?;
        let (container, blob) = core.blob(path)?;
        let _gate = container.enter()?;
        core.change_root(&blob, |root, now| {
            let (commit, locked) = (root.commit, root.is_locked(now));
            let Some(proof) = root.proof.as_mut().filter(|proof| proof.commit == commit) else {
                return Ok(Concluded::Stale);
            };
            if !proof.is_final {
                if locked {
                    return Ok(Concluded::Leased);
                }
                proof.is_final = true;
            }
            Ok(root.concluded(seal, now))
        })
    }

    /// The verdict on the content as it is now, without its grounds; none while there is none. Touches no disk.
    ///
    /// # Errors
    /// [`azblob::error::ErrorCode::BlobNotFound`], for a blob that is not committed too.
    pub fn proof_state(&self, path: &BlobPath) -> Result<Option<ProofState>, StoreError> {
        let (_, blob) = self.core.blob(path)?;
        let root = blob.state().root.clone().filter(|root| root.committed);
        let root = root.ok_or(azblob::error::ErrorCode::BlobNotFound)?;
        let proof = root.proof.as_ref().filter(|proof| proof.commit == root.commit);
        Ok(proof.map(|proof| ProofState {
            commit: proof.commit,
            verdict: proof.verdict,
            is_final: proof.is_final,
        }))
    }

    fn write_proof(
        &self,
        path: &BlobPath,
        commit: CommitId,
        proof: &Proof,
        finality: Finality,
        seal: bool,
    ) -> Result<Concluded, StoreError> {
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
                return Ok(Concluded::Stale);
            }
            core.file(&blob, &mut state)?
        };
        // The grounds first: a root points only at what is durable.
        let (header, ticket) = file.append_frame(Kind::Text, &payload, core.now())?;
        file.wait(ticket, SyncPoint::Append)?;
        core.change_root(&blob, |root, now| {
            if root.commit != commit {
                return Ok(Concluded::Stale);
            }
            let before = root.proof.take().filter(|before| before.commit == commit);
            let was_final = before.as_ref().is_some_and(|before| before.is_final);
            let rotten = before.and_then(|before| before.rotten);
            root.proof = Some(ProofRecord {
                commit,
                verdict: if rotten.is_some() {
                    Some(Verdict::Damaged)
                } else {
                    proof.verdict
                },
                is_final: match finality {
                    Finality::Given => proof.is_final,
                    Finality::ByLease => !root.is_locked(now),
                    Finality::Kept => was_final || !root.is_locked(now),
                },
                at: Some(header.offset),
                rotten,
            });
            Ok(root.concluded(seal, now))
        })
    }

    /// The verdict on the content as it is now, or as it was when a snapshot was taken; none while there is none.
    ///
    /// # Errors
    /// [`azblob::error::ErrorCode::BlobNotFound`]; [`StoreError::Damaged`] when its grounds are unreadable.
    pub fn proof<'a>(&self, blob: impl Into<Which<'a>>) -> Result<Option<Proof>, StoreError> {
        let (_, blob) = self.core.which(blob.into())?;
        self.core.proof_of(&blob)
    }
}

impl Root {
    /// Seals what is proved, if wanted, and says whether a lease is in the way of anything.
    fn concluded(&mut self, seal: bool, now: UnixMillis) -> Concluded {
        let is_final = self.proof.as_ref().is_some_and(|proof| proof.is_final);
        if !is_final || (seal && self.try_seal(SealIf::Proved, now) == Sealed::Leased) {
            return Concluded::Leased;
        }
        Concluded::Final
    }
}

impl Core {
    pub(crate) fn proof_of(&self, blob: &Arc<Blob>) -> Result<Option<Proof>, StoreError> {
        self.proof_in(blob, &mut blob.state())
    }

    /// The verdict in this state of the blob, which its caller holds.
    pub(crate) fn proof_in(&self, blob: &Arc<Blob>, state: &mut State) -> Result<Option<Proof>, StoreError> {
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
            let file = self.file(blob, state)?;
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

//! What a storage account refuses or fails at, in Azure's words and with the next step.
//!
//! One fault is one request that did not work, after the tries it is worth. It never holds a query string: that is
//! where a shared access signature stands.

/// A request that did not work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.sentence())]
pub struct Fault {
    /// What was asked for.
    pub operation: Operation,
    /// The container or blob; empty for the account.
    pub target: String,
    /// What went wrong.
    pub cause: Cause,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// Azure's error code (`x-ms-error-code`), where there was one.
    pub code: Option<String>,
}

/// What the guard asks an account for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// List Containers.
    ListContainers,
    /// List Blobs.
    ListBlobs,
    /// Get Blob Properties, with or without a lease id.
    Look,
    /// Get Blob.
    Read,
    /// Get Page Ranges.
    PageRanges,
    /// Get Block List.
    BlockList,
    /// Lease Blob, break.
    BreakLease,
    /// Delete Blob.
    Delete,
}

/// Why a request did not work, as far as the guard treats the reasons differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// 404: the container or the blob is gone.
    NotFound,
    /// 412: the blob is not the one that was judged (`ConditionNotMet`).
    Changed,
    /// 409 or 412: the lease is not there any more, or another one is.
    Lease,
    /// 403: the credential is right and lacks a permission ([`Operation::needs`]).
    NotAllowed,
    /// 403: the signature is past its time.
    Expired,
    /// 401 or 403: the credential is wrong, or not good from here.
    Refused,
    /// 429 or 503, still after all tries.
    Throttled,
    /// 409: snapshots, a legal hold, immutability, a pending copy.
    Protected,
    /// No connection, no TLS, no answer in time. Of a break or a deletion it is not known whether it was done.
    Unreachable(String),
    /// An answer that makes no sense, or is too large; or a limit of the guard's own. One sentence.
    Unusable(String),
    /// Any other refusal, in the service's words.
    Other(String),
}

impl Operation {
    /// As Azure names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ListContainers => "List Containers",
            Self::ListBlobs => "List Blobs",
            Self::Look => "Get Blob Properties",
            Self::Read => "Get Blob",
            Self::PageRanges => "Get Page Ranges",
            Self::BlockList => "Get Block List",
            Self::BreakLease => "Lease Blob (break)",
            Self::Delete => "Delete Blob",
        }
    }
}

impl Fault {
    /// One sentence: what did not work, the code, and the next step.
    pub fn sentence(&self) -> String {
        unimplemented!()
    }
}

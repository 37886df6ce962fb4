//! What a storage account refuses or fails at, in Azure's words and with the next step.
//!
//! One fault is one request that did not work, after the tries it is worth. It never holds a query string: that is
//! where a shared access signature stands.

use azblob::time::UnixMillis;

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
    /// 403: the signature is past its time; when that was, where it says so.
    Expired(Option<UnixMillis>),
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

/// What a credential must allow for an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// A shared access signature's permission letters, one of which is enough (`sp`).
    pub letters: &'static str,
    /// The resource type that a signature for the account must cover (`srt`): `s`, `c` or `o`.
    pub resource_type: char,
    /// The role of Microsoft Entra's role assignments.
    pub role: &'static str,
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

    /// What a credential must allow. Letters as in the tables of "Create a service SAS" and "Create an account SAS"
    /// (breaking a lease: `w`, and since 2017-07-29 `d` too); roles as in "Authorize with Microsoft Entra ID".
    pub fn needs(self) -> Needs {
        const READER: &str = "Storage Blob Data Reader";
        const CONTRIBUTOR: &str = "Storage Blob Data Contributor";
        let (letters, resource_type, role) = match self {
            Self::ListContainers => ("l", 's', READER),
            Self::ListBlobs => ("l", 'c', READER),
            Self::Look | Self::Read | Self::PageRanges | Self::BlockList => ("r", 'o', READER),
            Self::BreakLease => ("wd", 'o', CONTRIBUTOR),
            Self::Delete => ("d", 'o', CONTRIBUTOR),
        };
        Needs {
            letters,
            resource_type,
            role,
        }
    }

    /// Changes something, so it is sent once.
    pub fn acts(self) -> bool {
        matches!(self, Self::BreakLease | Self::Delete)
    }
}

impl Needs {
    /// As part of a sentence.
    fn words(self) -> String {
        let letters: Vec<String> = self.letters.chars().map(String::from).collect();
        format!(
            "it takes a SAS with the letter {} (for a SAS of the account with srt={} among its types) or the role {}",
            letters.join(" or "),
            self.resource_type,
            self.role
        )
    }
}

impl Fault {
    /// One sentence: what did not work, the code, and the next step.
    pub fn sentence(&self) -> String {
        let target = match self.target.as_str() {
            "" => "the account",
            target => target,
        };
        format!(
            "{target}: {}{}{}; {}",
            self.operation.as_str(),
            self.why(),
            self.numbers(),
            self.next_step()
        )
    }

    /// What happened, after the operation's name.
    fn why(&self) -> String {
        let refused = |why: &str| format!(" was refused: {why}");
        match &self.cause {
            Cause::NotFound if self.target.contains('/') => " found no such blob".to_owned(),
            Cause::NotFound if self.target.is_empty() => " found no such account".to_owned(),
            Cause::NotFound => " found no such container".to_owned(),
            Cause::Changed => refused("the blob has changed since it was judged"),
            Cause::Lease => refused("the lease is not the one that was judged any more"),
            Cause::NotAllowed => refused("the credential lacks the permission"),
            Cause::Expired(Some(at)) => refused(&format!("the SAS expired at {}", at.iso_short())),
            Cause::Expired(None) => refused("the SAS has expired"),
            Cause::Refused => refused(match self.code.as_deref() {
                Some("AuthorizationSourceIPMismatch") => "the SAS is not good from this machine's address",
                Some("AuthorizationProtocolMismatch") => "the SAS is good over https only",
                Some("AccountIsDisabled") => "the account is disabled",
                _ => "the credential is not accepted",
            }),
            Cause::Throttled => " was throttled, again after every try".to_owned(),
            Cause::Protected => refused("the blob is protected"),
            Cause::Unreachable(why) => format!(" got no answer: {why}"),
            Cause::Unusable(why) => format!(" cannot be used: {why}"),
            Cause::Other(why) if why.is_empty() => " failed".to_owned(),
            Cause::Other(why) => format!(" failed: {why}"),
        }
    }

    /// Status and code, in brackets.
    fn numbers(&self) -> String {
        match (self.status, self.code.as_deref()) {
            (Some(status), Some(code)) => format!(" ({status} {code})"),
            (Some(status), None) => format!(" ({status})"),
            (None, Some(code)) => format!(" ({code})"),
            (None, None) => String::new(),
        }
    }

    fn next_step(&self) -> String {
        match &self.cause {
            Cause::NotAllowed if self.operation == Operation::ListContainers => format!(
                "name the container with --container, or use a credential for the whole account: {}",
                self.operation.needs().words()
            ),
            Cause::NotAllowed => self.operation.needs().words(),
            Cause::NotFound if self.target.is_empty() => "check --account-url".to_owned(),
            Cause::NotFound => "it was deleted meanwhile, or the name is wrong".to_owned(),
            Cause::Changed | Cause::Lease => {
                "nothing was done to it: somebody uses it, list again before you decide".to_owned()
            }
            Cause::Expired(_) => {
                "put a new SAS into the file given with --sas-file: a run that is under way reads it \
                 again, otherwise start again"
                    .to_owned()
            }
            Cause::Refused => self.next_credential().to_owned(),
            Cause::Throttled => "let the account rest and try again, with one container at a time".to_owned(),
            Cause::Protected => {
                "remove the snapshots, the legal hold or the immutability policy, or wait for the copy \
                 to end, and try again"
                    .to_owned()
            }
            Cause::Unreachable(_) if self.operation.acts() => {
                "whether it was done is not known: list again before you decide".to_owned()
            }
            Cause::Unreachable(_) => {
                "check --account-url, the network and, for a private CA, --ca".to_owned()
            }
            Cause::Unusable(_) => "check that --account-url names a Blob service".to_owned(),
            Cause::Other(_) if self.operation.acts() => "list again before you decide".to_owned(),
            Cause::Other(_) => "try again; if it stays so, the code says what the service wants".to_owned(),
        }
    }

    fn next_credential(&self) -> &'static str {
        match self.code.as_deref() {
            Some("AuthorizationSourceIPMismatch") => "run it where the SAS allows (sip), or take another SAS",
            Some("AuthorizationProtocolMismatch") => "use an https address",
            Some("AccountIsDisabled") => "have the account enabled",
            Some("AuthorizationServiceMismatch") => "use a SAS for the Blob service (ss=b)",
            _ => {
                "check that the key, SAS or identity is of this account, and this machine's clock: more than 15 minutes \
                 off invalidates a signature"
            }
        }
    }
}

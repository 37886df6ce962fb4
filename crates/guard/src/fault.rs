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
        format!("{}; {}", self.happened(), self.next_step())
    }

    /// What did not work and the code, without a full stop: for those who set the next step apart.
    pub fn happened(&self) -> String {
        let target = match self.target.as_str() {
            "" => "the account",
            target => target,
        };
        format!(
            "{target}: {}{}{}",
            self.operation.as_str(),
            self.why(),
            self.numbers()
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
            Cause::Throttled if self.operation.acts() => " was throttled".to_owned(),
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

    /// What to do about it, without a full stop.
    pub fn next_step(&self) -> String {
        match &self.cause {
            Cause::NotAllowed if self.operation == Operation::ListContainers => format!(
                "name the container with --container, or use a credential for the whole account: {}",
                self.operation.needs().words()
            ),
            // Azure says the same where its firewall keeps a machine out, Azurite where the key is wrong.
            Cause::NotAllowed if self.code.as_deref() == Some("AuthorizationFailure") => format!(
                "{}, and the account's network rules must let this machine in",
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
            Cause::Throttled if self.operation.acts() => {
                "it was sent once and is not sent again: list again before you decide".to_owned()
            }
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
            Cause::Unusable(_) => {
                "check that --account-url names a Blob service itself, or narrow the run with --container, --prefix or \
                 --blob"
                    .to_owned()
            }
            Cause::Other(_) if self.operation.acts() => "list again before you decide".to_owned(),
            // A slip in the address asks something else of another place.
            Cause::Other(_) if self.target.is_empty() && self.status == Some(400) => {
                "check --account-url: it may not name an account".to_owned()
            }
            Cause::Other(_) => "try again, and if it stays so, look the code up".to_owned(),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(operation: Operation, target: &str, cause: Cause, status: u16, code: &str) -> Fault {
        Fault {
            operation,
            target: target.to_owned(),
            cause,
            status: (status > 0).then_some(status),
            code: (!code.is_empty()).then(|| code.to_owned()),
        }
    }

    #[test]
    fn a_missing_permission_is_named_by_letter_and_role() {
        const READER: &str = "Storage Blob Data Reader";
        const CONTRIBUTOR: &str = "Storage Blob Data Contributor";
        let code = "AuthorizationPermissionMismatch";
        for (operation, letter, srt, role) in [
            (Operation::ListContainers, "letter l ", "srt=s", READER),
            (Operation::ListBlobs, "letter l ", "srt=c", READER),
            (Operation::Look, "letter r ", "srt=o", READER),
            (Operation::Read, "letter r ", "srt=o", READER),
            (Operation::PageRanges, "letter r ", "srt=o", READER),
            (Operation::BlockList, "letter r ", "srt=o", READER),
            (Operation::BreakLease, "letter w or d ", "srt=o", CONTRIBUTOR),
            (Operation::Delete, "letter d ", "srt=o", CONTRIBUTOR),
        ] {
            let said = fault(operation, "backups/x.bak", Cause::NotAllowed, 403, code).sentence();
            for part in [
                "backups/x.bak",
                operation.as_str(),
                "(403 AuthorizationPermissionMismatch)",
            ] {
                assert!(said.contains(part), "{said}");
            }
            assert!(
                said.contains(letter) && said.contains(srt) && said.contains(role),
                "{said}"
            );
        }
        let said = fault(Operation::ListContainers, "", Cause::NotAllowed, 403, code).sentence();
        assert!(said.contains("name the container with --container"), "{said}");
        let said = fault(
            Operation::Look,
            "c/b",
            Cause::NotAllowed,
            403,
            "AuthorizationFailure",
        )
        .sentence();
        assert!(said.contains("network rules"), "{said}");
    }

    #[test]
    fn an_address_that_is_no_account_is_told() {
        let code = "InvalidQueryParameterValue";
        let cause = || Cause::Other("Value is invalid".to_owned());
        let of_account = fault(Operation::ListContainers, "", cause(), 400, code);
        assert!(of_account.next_step().contains("--account-url"));
        let of_container = fault(Operation::ListBlobs, "backups", cause(), 400, code);
        assert!(!of_container.next_step().contains("--account-url"));
    }

    #[test]
    fn every_sentence_says_what_where_the_code_and_what_next() {
        let at = UnixMillis::parse_iso("2026-11-21T15:04:05Z");
        let cases: [(Cause, u16, &str, &[&str]); 12] = [
            (
                Cause::NotFound,
                404,
                "BlobNotFound",
                &["found no such blob", "deleted meanwhile"],
            ),
            (
                Cause::Changed,
                412,
                "ConditionNotMet",
                &["has changed", "list again"],
            ),
            (
                Cause::Lease,
                409,
                "LeaseNotPresentWithLeaseOperation",
                &["lease", "list again"],
            ),
            (
                Cause::Expired(at),
                403,
                "AuthenticationFailed",
                &["2026-11-21T15:04:05Z", "--sas-file"],
            ),
            (
                Cause::Expired(None),
                403,
                "AuthenticationFailed",
                &["has expired", "--sas-file"],
            ),
            (
                Cause::Refused,
                403,
                "AuthenticationFailed",
                &["not accepted", "clock"],
            ),
            (
                Cause::Refused,
                403,
                "AuthorizationSourceIPMismatch",
                &["address", "sip"],
            ),
            (Cause::Refused, 403, "AuthorizationProtocolMismatch", &["https"]),
            (Cause::Refused, 403, "AccountIsDisabled", &["disabled", "enabled"]),
            (Cause::Throttled, 503, "ServerBusy", &["throttled", "rest"]),
            (
                Cause::Protected,
                409,
                "SnapshotsPresent",
                &["protected", "snapshots"],
            ),
            (
                Cause::Other("Words".to_owned()),
                500,
                "InternalError",
                &["failed: Words"],
            ),
        ];
        for (cause, status, code, parts) in cases {
            let said = fault(Operation::Look, "backups/x.bak", cause, status, code).sentence();
            assert!(said.starts_with("backups/x.bak: Get Blob Properties "), "{said}");
            assert!(said.contains(&format!("({status} {code})")), "{said}");
            for part in parts {
                assert!(said.contains(part), "{part}: {said}");
            }
            assert_eq!(
                said.matches(';').count(),
                1,
                "one sentence, one next step: {said}"
            );
        }
    }

    #[test]
    fn an_act_is_not_said_to_have_been_tried_again() {
        for operation in [Operation::BreakLease, Operation::Delete] {
            let said = fault(operation, "c/b", Cause::Throttled, 503, "ServerBusy").sentence();
            assert!(said.contains("was throttled (503"), "{said}");
            assert!(
                said.contains("list again") && !said.contains("every try"),
                "{said}"
            );
        }
    }

    #[test]
    fn after_an_act_without_an_answer_nothing_is_claimed() {
        let lost = || Cause::Unreachable("no answer in time".to_owned());
        let said = fault(Operation::BreakLease, "c/b", lost(), 0, "").sentence();
        assert!(said.contains("whether it was done is not known"), "{said}");
        let said = fault(Operation::ListContainers, "", lost(), 0, "").sentence();
        assert_eq!(
            said,
            "the account: List Containers got no answer: no answer in time; check --account-url, the network and, for a \
             private CA, --ca"
        );
        assert_eq!(
            fault(Operation::Look, "c", lost(), 0, "")
                .to_string()
                .lines()
                .count(),
            1
        );
    }
}

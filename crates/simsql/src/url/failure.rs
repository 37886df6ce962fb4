//! How a failed request reads: the messages of the two clients.
//!
//! The page blob client hands on what its library says: `Backup to URL received an exception from the remote endpoint. Exception
//! Message: The remote server returned an error: (412) ...`, with the reason phrase of the answer (documented, with 412 and 409
//! as its examples). The block blob client has an operating system error for everything; which one for which answer is documented
//! for few (50 trust, 5 denied, 1117 I/O, 87 bad content) and inferred for the rest.

use azblob::response::Failure as Refusal;

use crate::message::Failure;
use crate::world::{OsError, WireError};

/// A request that was not granted.
#[derive(Clone, Debug)]
pub(super) enum Trouble {
    /// There was no answer.
    Wire(WireError),
    /// The answer was no success; with the reason phrase to print.
    Refused(Refusal),
}

impl Trouble {
    /// Whether it says that there is no such blob, the container being there.
    pub(super) fn is_missing_blob(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.status == 404 && refusal.code != "ContainerNotFound")
    }
}

/// 3201 with an operating system error.
pub(super) fn cannot_open(url: &str, number: i32) -> Failure {
    Failure::new(3201, &[&url, &OsError::new(number)])
}

/// Opening failed, block blobs.
pub(super) fn block_open(url: &str, trouble: &Trouble) -> Failure {
    Failure::new(3201, &[&url, &os_error(trouble)])
}

/// Writing failed, block blobs.
pub(super) fn block_write(url: &str, trouble: &Trouble) -> Failure {
    Failure::new(3202, &[&url, &os_error(trouble)])
}

/// Reading failed, block blobs.
pub(super) fn block_read(url: &str, trouble: &Trouble) -> Failure {
    Failure::new(3203, &[&url, &os_error(trouble)])
}

/// Opening failed, page blobs, for a restore.
pub(super) fn page_open(url: &str, trouble: &Trouble) -> Failure {
    Failure::new(3201, &[&url, &exception(trouble)])
}

/// Creating or writing failed, page blobs: 3202 for a lease in the way, as documented, 3271 for the rest.
pub(super) fn page_write(url: &str, trouble: &Trouble) -> Failure {
    let number = match trouble {
        Trouble::Refused(refusal) if refusal.status == 412 => 3202,
        _ => 3271,
    };
    Failure::new(number, &[&url, &exception(trouble)])
}

/// Reading failed, page blobs.
pub(super) fn page_read(url: &str, trouble: &Trouble) -> Failure {
    Failure::new(3271, &[&url, &exception(trouble)])
}

/// 3271: the blob is there.
pub(super) fn exists(url: &str) -> Failure {
    let text = format!(
        "The file {url} exists on the remote endpoint, and WITH FORMAT was not specified. Backup cannot proceed."
    );
    Failure::new(3271, &[&url, &text])
}

/// What the page blob client's library says.
fn exception(trouble: &Trouble) -> String {
    let text = match trouble {
        Trouble::Wire(WireError(error)) => match error.number {
            12_002 => "The operation has timed out".to_owned(),
            12_007 => "The remote name could not be resolved".to_owned(),
            12_029 => "Unable to connect to the remote server".to_owned(),
            12_175 => "The underlying connection was closed: Could not establish trust relationship for the SSL/TLS secure channel".to_owned(),
            _ => "The underlying connection was closed: A connection that was expected to be kept alive was closed by the server".to_owned(),
        },
        Trouble::Refused(refusal) => {
            format!("The remote server returned an error: ({}) {}", refusal.status, reason(refusal))
        }
    };
    format!("Backup to URL received an exception from the remote endpoint. Exception Message: {text}.")
}

/// The reason phrase. Azure sends its message for a lease in the way of a write, and the standard phrase otherwise.
fn reason(refusal: &Refusal) -> String {
    if refusal.status == 412 && !refusal.message.is_empty() {
        let sentence = refusal.message.lines().next().unwrap_or_default();
        return sentence.trim_end_matches('.').to_owned();
    }
    http::StatusCode::from_u16(refusal.status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Unknown")
        .to_owned()
}

/// The operating system error of the block blob client.
fn os_error(trouble: &Trouble) -> OsError {
    let number = match trouble {
        Trouble::Wire(WireError(error)) => return error.clone(),
        Trouble::Refused(refusal) => match (refusal.status, refusal.code.as_str()) {
            (401 | 403, _) => 5,
            (404, "ContainerNotFound") => 3,
            (404, _) => 2,
            (409 | 412, _) => 32,
            (400, _) => 87,
            _ => 1117,
        },
    };
    OsError::new(number)
}

#[cfg(test)]
mod tests {
    use azblob::response::Failure as Refusal;

    use super::{Trouble, page_open, page_write};

    #[test]
    fn the_documented_sentences() {
        let url = "https://mystorage.blob.core.windows.net/mycontainer/test.bak";
        let refused = |status, code: &str, message: &str| {
            Trouble::Refused(Refusal {
                status,
                code: code.to_owned(),
                message: message.to_owned(),
            })
        };
        let leased = refused(
            412,
            "LeaseIdMissing",
            "There is currently a lease on the blob and no lease ID was specified in the request.\nRequestId:1",
        );
        // From the SQL Server engineering team's description of interrupted backups.
        assert_eq!(
            page_write(url, &leased).messages[0].text,
            "Write on \"https://mystorage.blob.core.windows.net/mycontainer/test.bak\" failed: Backup to URL received an exception from the remote endpoint. Exception Message: The remote server returned an error: (412) There is currently a lease on the blob and no lease ID was specified in the request."
        );
        let conflict = page_open(
            url,
            &refused(409, "LeaseAlreadyPresent", "There is already a lease present."),
        );
        assert!(conflict.messages[0].text.ends_with(
            "Operating system error Backup to URL received an exception from the remote endpoint. Exception Message: The remote server returned an error: (409) Conflict.."
        ));
    }
}

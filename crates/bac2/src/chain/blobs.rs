//! The blobs of a front door as sources of restore plans: their verdicts are their grades, their URLs the devices.
//!
//! A running server is asked through its socket, else the store is opened read-only, as `bac2 blob list` does. Which URL a SQL
//! Server knows a blob by is not in the store: it is derived as `bac2 blob connect` derives it, from the first host name of the
//! vault's authority, unless the user says otherwise.

use std::fmt::Write as _;
use std::path::Path;

use bak::{BackupSet, Verdict};
use chain::Grade;
use chain::tsql::Device;
use frontdoor::Host;
use frontdoor::listing::{Entry, ShownVerdict};
use frontdoor::tls::{AuthorityCertificate, certificates};

use super::found::{Found, FoundSet};
use crate::blob::list::entries_with_logs;
use crate::console::Console;
use crate::failure::Failure;
use crate::quantity::counted;

/// Stands for the vault's name where nothing says it.
const UNKNOWN_HOST: &str = "YOUR-VAULT";

/// Whether `path` is what `bac2 blob serve --data` made.
pub(super) fn is_data_directory(path: &Path) -> bool {
    path.join("store.json").is_file() || (path.join("lock").is_file() && path.join("blobs").is_dir())
}

/// The blobs with backups in `data`.
pub(super) fn found(data: &Path, blob_url: Option<&str>, console: &Console) -> Result<Vec<Found>, Failure> {
    let entries = entries_with_logs(data, console)?;
    let several = entries.windows(2).any(|pair| pair[0].account != pair[1].account);
    let base = match blob_url {
        Some(base) => base.trim_end_matches('/').to_owned(),
        None => known_base(data),
    };
    let waiting = entries.iter().filter(|entry| is_waiting(entry)).count();
    if waiting > 0 {
        let blobs = counted(waiting as u64, "blob");
        console.note(format!(
            "{}: {blobs} still being written or checked; what is in them is not planned with",
            data.display()
        ));
    }
    let backups = entries.into_iter().filter(|entry| !entry.sets.is_empty());
    Ok(backups
        .map(|entry| {
            let url = match (blob_url, several) {
                (None, true) => base.replacen("://", &format!("://{}.", entry.account), 1),
                _ => base.clone(),
            };
            from_blob(entry, &url)
        })
        .collect())
}

/// What stands before `/CONTAINER/BLOB`.
fn known_base(data: &Path) -> String {
    let authorities = certificates(data).unwrap_or_default();
    let mut hosts = authorities.iter().flat_map(AuthorityCertificate::hosts);
    match hosts.find(|host| matches!(host, Host::Name(_))) {
        Some(host) => format!("https://{host}"),
        None => format!("https://{UNKNOWN_HOST}"),
    }
}

/// Whether nothing said by which name a SQL Server finds the vault with this device.
pub(super) fn is_nowhere(device: &Device) -> bool {
    let host = |url: &str| {
        url.split('/')
            .nth(2)
            .is_some_and(|host| host.ends_with(UNKNOWN_HOST))
    };
    matches!(device, Device::Url(url) if host(url))
}

fn is_waiting(entry: &Entry) -> bool {
    matches!(entry.verdict, Some(ShownVerdict::Waiting(_)))
}

fn from_blob(entry: Entry, base: &str) -> Found {
    let verdict = match entry.verdict {
        Some(ShownVerdict::Judged(verdict)) => Some(verdict),
        Some(ShownVerdict::Waiting(_)) | None => None,
    };
    let reasons = entry.reasons.join("; ");
    let logs = entry.log_fingerprints.into_iter().chain(std::iter::repeat(None));
    let sets = entry.sets.into_iter().zip(logs).map(|(backup, log)| {
        let (grade, remark) = grade(&backup, verdict, &reasons);
        FoundSet {
            backup,
            grade,
            remark,
            log,
        }
    });
    Found {
        device: Device::Url(format!("{base}/{}/{}", entry.container, escaped(&entry.name))),
        bytes: entry.size,
        media: entry.media,
        sets: sets.collect(),
        name: format!("{}/{}/{}", entry.account, entry.container, entry.name),
    }
}

fn grade(set: &BackupSet, verdict: Option<Verdict>, reasons: &str) -> (Grade, Option<String>) {
    match verdict {
        None => (Grade::None, Some("still being written".to_owned())),
        Some(Verdict::Damaged) => (Grade::Disputed, Some(reasons.to_owned())),
        Some(_) if !set.complete => (Grade::None, Some("it breaks off before its end".to_owned())),
        Some(Verdict::CannotVerify) => {
            let why = format!("its content cannot be verified: {reasons}");
            (Grade::HeadersOnly, Some(why))
        }
        Some(Verdict::Ok | Verdict::Incomplete | Verdict::Truncated) => (Grade::Proved, None),
    }
}

/// A blob's name as it stands in a URL: what RFC 3986 leaves free in a path stays, all else is percent-encoded.
fn escaped(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=:@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("a string grows");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn a_name_is_a_path_of_a_url() {
        assert_eq!(escaped("srv/Sales FULL#1.bak"), "srv/Sales%20FULL%231.bak");
        assert_eq!(escaped("Verkäufe%.bak"), "Verk%C3%A4ufe%25.bak");
    }
}

//! What an instance's error log says of backups and restores whose URL could not be written or read.
//!
//! Lines come by `xp_readerrorlog`, filtered there by what such a line has in every language: the function that met the error
//! (`BackupIoRequest::ReportIoError`), and a URL. Successful backups name their URLs too, and no function.
//!
//! Times are on the server's clock. The log is rotated at each start, and by hand: the one before is read with it.

use crate::outcome::Rows;
use crate::quoting::Literal;
use crate::session::{Error, Session};
use crate::value::{DateTime, TICKS_PER_SECOND};

/// A line about a URL that something may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// When, on the server's clock.
    pub at: DateTime,
    /// Which blob, without what stood behind a question mark, which may be a secret.
    pub url: String,
}

/// The longest URL of a device is 259 characters; what is longer is none.
const URL_MAX: usize = 1_000;

/// Troubles at or after `since`, a time on the server's clock, oldest first.
///
/// # Errors
/// [`Error`]; [`Error::Refused`] without the right to read the error log, [`crate::Fault::TooMuch`] where there are more lines
/// than a session takes.
pub async fn troubles(session: &mut Session, since: DateTime) -> Result<Vec<Trouble>, Error> {
    // Whole seconds, which every version reads the same in every language.
    let second = DateTime {
        ticks: since.ticks - since.ticks % TICKS_PER_SECOND,
        ..since
    };
    let from = Literal::new(&second.to_string()).expect("a time is short and has no NUL");
    let question =
        |log: u8| format!("EXEC master.sys.xp_readerrorlog {log}, 1, N'://', N'::', {from}, NULL, N'asc';");
    let now = session.query(&question(0)).await?;
    let mut found = match session.query(&question(1)).await {
        Ok(before) => read(&before)?,
        // An instance that never started anew has none.
        Err(Error::Refused { .. } | Error::Shape { .. }) => Vec::new(),
        Err(error) => return Err(error),
    };
    found.extend(read(&now)?);
    found.retain(|trouble| trouble.at >= since);
    Ok(found)
}

fn read(rows: &Rows) -> Result<Vec<Trouble>, Error> {
    let mut found = Vec::new();
    for row in rows.iter() {
        let (at, text) = (row.get::<DateTime>("LogDate")?, row.optional::<String>("Text")?);
        let url = text.as_deref().filter(|text| is_held(text)).and_then(url);
        found.extend(url.map(|url| Trouble { at, url }));
    }
    Ok(found)
}

/// Whether a line is one of a blob that something may hold: an answer 412 or 409, which a lease gives, the error of a file that is
/// in use, which the client of block blobs has for both, or a transfer that broke off.
fn is_held(line: &str) -> bool {
    let signs = [
        "ReportIoError",
        "(412)",
        "(409)",
        // ERROR_SHARING_VIOLATION and ERROR_LOCK_VIOLATION, which stand before their text in every language.
        " 32(",
        " 33(",
    ];
    signs.iter().any(|sign| line.contains(sign))
}

/// The first URL of a line: up to a quote or a space, and never what follows a question mark.
fn url(line: &str) -> Option<String> {
    let lower = line.to_ascii_lowercase();
    let from = ["https://", "http://"]
        .iter()
        .filter_map(|scheme| lower.find(scheme))
        .min()?;
    let is_end = |sign: char| {
        sign.is_whitespace() || "'\"?#<>\u{2018}\u{2019}\u{201c}\u{201d}\u{ab}\u{bb}".contains(sign)
    };
    let rest = &line[from..];
    let url = &rest[..rest.find(is_end).unwrap_or(rest.len())];
    let url = url.trim_end_matches(['.', ':', ',', ')']);
    (url.len() <= URL_MAX && url.split('/').count() > 3).then(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_is_taken_from_documented_lines_and_no_secret_with_it() {
        let account = "https://storageaccount.blob.core.windows.net/container/BackupAzurefile.bak";
        // As Microsoft's page on troubleshooting backups to URLs has it, the first quote missing.
        let documented = format!(
            "BackupIoRequest::ReportIoError: write failure on backup device {account}'. Operating system error Backup to URL received an exception from the remote endpoint."
        );
        assert!(is_held(&documented));
        assert_eq!(url(&documented).as_deref(), Some(account));
        let with_sas = format!(
            "BackupIoRequest::ReportIoError: write failure on backup device '{account}?sv=2021&sig=abc'."
        );
        assert_eq!(url(&with_sas).as_deref(), Some(account));
        let other = "X::Y: Sicherungsmedium »http://host:10000/acc/c/Ä.bak« (409) Conflict";
        assert!(is_held(other));
        assert_eq!(url(other).as_deref(), Some("http://host:10000/acc/c/Ä.bak"));
    }

    #[test]
    fn other_troubles_are_nobodys_lease() {
        let denied = "BackupDiskFile::CreateMedia: Backup device 'https://v/c/a.bak' failed to create. Operating system error 5(Access is denied.).";
        assert!(!is_held(denied));
        let in_use = denied.replace("5(Access is denied.)", "32(The process cannot access the file.)");
        assert!(is_held(&in_use));
        for line in ["no URL", "https://host-alone", "disk '/a.bak'"] {
            assert_eq!(url(line), None, "{line}");
        }
    }
}

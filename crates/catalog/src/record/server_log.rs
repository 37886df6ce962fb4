//! Log backups that lie on a server's disk, because the vault's had no room for them, and the folder that they go to.
//!
//! Such a log is no recovery point: nothing of it is proved, and no moment in it can be restored before it is in the vault. The
//! record is written when SQL Server has taken it (until then its job knows of it), and goes when nothing of its server waits any
//! more.

use std::fmt;

use faults::Fault;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::id::{ItemId, JobId, ServerId, ServerLogId};

/// A log backup on a server's disk. Keys: `a` item and LastLSN while it waits, `b` server and BackupSetGUID (unique), `c` server,
/// `waiting` or `ended`, and when it was written, `d` item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerLog {
    /// Which.
    pub id: ServerLogId,
    /// Protected database.
    pub item: ItemId,
    /// The instance that wrote it, and that can read it.
    pub server: ServerId,
    /// The job that had it written.
    pub job: JobId,
    /// The file, as the server knows it.
    pub path: String,
    /// BackupSetGUID, by `msdb`.
    pub set: Uuid,
    /// FirstLSN, by `msdb`, as a decimal number.
    pub first_lsn: String,
    /// LastLSN, by `msdb`, as a decimal number.
    pub last_lsn: String,
    /// The item's `log_end` when the statement was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_end_before: Option<String>,
    /// DESCRIPTION of the set.
    pub marker: String,
    /// When its statement was sent.
    pub sent: Timestamp,
    /// When the vault knew that it was taken.
    pub written: Timestamp,
    /// Days to keep it, where a user said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_days: Option<u32>,
    /// How often SQL Server refused to read the file.
    #[serde(default)]
    pub refused: u32,
    /// When it is tried to bring it into the vault again, at the earliest.
    pub not_before: Timestamp,
    /// How it ended; none while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<ServerLogEnd>,
}

/// How a log on a server's disk ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum ServerLogEnd {
    /// It is in the vault.
    Adopted {
        /// Since when.
        at: Timestamp,
    },
    /// It cannot be brought into the vault any more.
    Lost {
        /// Since when.
        at: Timestamp,
        /// Why.
        fault: Box<Fault>,
    },
}

impl ServerLog {
    /// Whether it is to be brought into the vault yet.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.end.is_none()
    }
}

/// Longest folder, in UTF-16 units: SQL Server's devices have 259, and the vault's names of files at most 79 with the separator.
pub const FOLDER_MAX: usize = 180;

/// A folder on a server by its absolute path: `D:\spare`, `\\host\share\spare` or `/var/spare`, without a separator at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServerFolder(String);

/// Why a text is no folder for log backups.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FolderError {
    /// SQL Server would take it from where its service stands.
    #[error("an absolute path of the server is needed: D:\\spare, \\\\host\\share\\spare or /var/spare")]
    NotAbsolute,
    /// With the name of a file it would be no device.
    #[error("a folder has at most {FOLDER_MAX} characters")]
    TooLong,
    /// No file system takes it.
    #[error("a folder has no control characters, no quotation marks and no wildcards")]
    Sign,
}

impl ServerFolder {
    /// Reads a path.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn parse(text: &str) -> Result<Self, FolderError> {
        if text
            .chars()
            .any(|sign| sign.is_control() || matches!(sign, '"' | '*' | '?' | '<' | '>' | '|'))
        {
            return Err(FolderError::Sign);
        }
        let trimmed = text.trim_end_matches(['/', '\\']);
        if !is_absolute(text, trimmed) {
            return Err(FolderError::NotAbsolute);
        }
        if trimmed.encode_utf16().count() > FOLDER_MAX {
            return Err(FolderError::TooLong);
        }
        // The root of a drive is one with its separator alone.
        let is_root = trimmed.len() == 2 && !trimmed.starts_with('/');
        let root = if is_root { "\\" } else { "" };
        Ok(Self(format!("{trimmed}{root}")))
    }

    /// Its path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A file in it.
    #[must_use]
    pub fn file(&self, name: &str) -> String {
        let separator = match self.0.as_bytes() {
            [b'/', ..] => "/",
            [.., b'\\'] => "",
            _ => "\\",
        };
        format!("{}{separator}{name}", self.0)
    }
}

fn is_absolute(text: &str, trimmed: &str) -> bool {
    if text.starts_with('/') {
        return trimmed.len() > 1;
    }
    if let Some(share) = trimmed.strip_prefix("\\\\") {
        let mut parts = share.split('\\');
        return parts.by_ref().take(2).filter(|part| !part.is_empty()).count() == 2;
    }
    let mut letters = text.chars();
    letters.next().is_some_and(|drive| drive.is_ascii_alphabetic())
        && letters.next() == Some(':')
        && letters.next() == Some('\\')
}

impl TryFrom<String> for ServerFolder {
    type Error = FolderError;

    fn try_from(text: String) -> Result<Self, FolderError> {
        Self::parse(&text)
    }
}

impl From<ServerFolder> for String {
    fn from(folder: ServerFolder) -> Self {
        folder.0
    }
}

impl fmt::Display for ServerFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{FolderError, ServerFolder};

    #[test]
    fn folders_are_absolute_on_windows_and_on_linux() {
        for (text, file) in [
            ("/var/spare", "/var/spare/a.trn"),
            ("/var/spare//", "/var/spare/a.trn"),
            (r"D:\spare\", r"D:\spare\a.trn"),
            (r"D:\", r"D:\a.trn"),
            ("/var/a:", "/var/a:/a.trn"),
            (r"\\host\share", r"\\host\share\a.trn"),
            (r"\\host\share\it's", r"\\host\share\it's\a.trn"),
        ] {
            let folder = ServerFolder::parse(text).unwrap();
            assert_eq!(folder.file("a.trn"), file);
            let json = serde_json::to_string(&folder).unwrap();
            assert_eq!(serde_json::from_str::<ServerFolder>(&json).unwrap(), folder);
        }
        for (text, error) in [
            ("", FolderError::NotAbsolute),
            ("/", FolderError::NotAbsolute),
            ("spare", FolderError::NotAbsolute),
            (r"D:spare", FolderError::NotAbsolute),
            (r"\\host", FolderError::NotAbsolute),
            (r"\spare", FolderError::NotAbsolute),
            ("https://host/spare", FolderError::NotAbsolute),
            ("/var/spare\n", FolderError::Sign),
            ("/var/*", FolderError::Sign),
        ] {
            assert_eq!(ServerFolder::parse(text), Err(error), "{text:?}");
        }
        let long = format!("/{}", "x".repeat(200));
        assert_eq!(ServerFolder::parse(&long), Err(FolderError::TooLong));
        assert!(serde_json::from_str::<ServerFolder>("\"spare\"").is_err());
    }
}

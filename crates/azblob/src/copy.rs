//! What a blob remembers of the copy that made it, and how it is told.

use http::HeaderMap;
use serde::{Deserialize, Serialize};

use crate::response::{put, text};
use crate::time::UnixMillis;
use crate::xml;

/// How far a copy has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CopyStatus {
    /// Under way.
    Pending,
    /// Done.
    Success,
    /// Ended by Abort Copy Blob.
    Aborted,
    /// Ended by something else.
    Failed,
}

/// The copy that made a blob, or is making it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CopyState {
    /// `x-ms-copy-id`
    pub id: String,
    /// URL of the source, without any signature.
    pub source: String,
    /// `x-ms-copy-status`
    pub status: CopyStatus,
    /// Bytes copied.
    pub copied: u64,
    /// Bytes of the source.
    pub total: u64,
    /// When it ended, in whatever way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed: Option<UnixMillis>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl CopyStatus {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Success => "success",
            Self::Aborted => "aborted",
            Self::Failed => "failed",
        }
    }

    /// Reads the word off the wire.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Success, Self::Aborted, Self::Failed]
            .into_iter()
            .find(|status| status.as_str() == text)
    }
}

impl CopyState {
    /// `x-ms-copy-progress`: bytes copied, slash, bytes in all.
    pub fn progress(&self) -> String {
        format!("{}/{}", self.copied, self.total)
    }

    /// Adds the headers of Get Blob and Get Blob Properties.
    pub fn write_headers(&self, headers: &mut HeaderMap) {
        put(headers, "x-ms-copy-id", &self.id);
        put(headers, "x-ms-copy-source", &self.source);
        put(headers, "x-ms-copy-status", self.status.as_str());
        put(headers, "x-ms-copy-progress", &self.progress());
        if let Some(completed) = self.completed {
            put(headers, "x-ms-copy-completion-time", &completed.http_date());
        }
        if let Some(description) = &self.description {
            put(headers, "x-ms-copy-status-description", description);
        }
    }

    /// Reads the headers back; none where they tell of no copy, or in words of another service.
    pub(crate) fn read(headers: &HeaderMap) -> Option<Self> {
        let (copied, total) = text(headers, "x-ms-copy-progress")?.split_once('/')?;
        Some(Self {
            id: text(headers, "x-ms-copy-id")?.to_owned(),
            source: text(headers, "x-ms-copy-source")?.to_owned(),
            status: CopyStatus::parse(text(headers, "x-ms-copy-status")?)?,
            copied: copied.parse().ok()?,
            total: total.parse().ok()?,
            completed: text(headers, "x-ms-copy-completion-time").and_then(UnixMillis::parse_http_date),
            description: text(headers, "x-ms-copy-status-description").map(str::to_owned),
        })
    }

    /// Appends the elements of a listing with `include=copy`.
    pub(crate) fn push_xml(&self, out: &mut String) {
        xml::element(out, "CopyId", &self.id);
        xml::element(out, "CopySource", &self.source);
        xml::element(out, "CopyStatus", self.status.as_str());
        xml::element(out, "CopyProgress", &self.progress());
        if let Some(completed) = self.completed {
            xml::element(out, "CopyCompletionTime", &completed.http_date());
        }
        if let Some(description) = &self.description {
            xml::element(out, "CopyStatusDescription", description);
        }
    }
}

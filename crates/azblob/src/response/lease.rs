//! The lease as headers and listings show it.

use http::HeaderMap;

use super::read_headers::{put, text};
use crate::lease::{LeaseDurationKind, LeaseState, LeaseStatus, LeaseView};

impl LeaseView {
    /// The lease of something that nobody leases.
    pub const NONE: Self = Self {
        status: LeaseStatus::Unlocked,
        state: LeaseState::Available,
        duration: None,
    };

    /// Adds `x-ms-lease-status`, `x-ms-lease-state` and `x-ms-lease-duration`.
    pub fn write_headers(&self, headers: &mut HeaderMap) {
        put(headers, "x-ms-lease-status", self.status.as_str());
        put(headers, "x-ms-lease-state", self.state.as_str());
        if let Some(duration) = self.duration {
            put(headers, "x-ms-lease-duration", duration.as_str());
        }
    }

    /// Reads them. `None` when status or state are missing, as before version 2012-02-12.
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        Self::of_words(
            text(headers, "x-ms-lease-status")?,
            text(headers, "x-ms-lease-state")?,
            text(headers, "x-ms-lease-duration"),
        )
    }

    /// From the words of the wire.
    pub(crate) fn of_words(status: &str, state: &str, duration: Option<&str>) -> Option<Self> {
        Some(Self {
            status: LeaseStatus::parse(status)?,
            state: LeaseState::parse(state)?,
            duration: duration.and_then(LeaseDurationKind::parse),
        })
    }
}

//! The body of Get Blob Service Stats: how far a second place is behind the first.

use crate::xml;

/// The replication of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceStats {
    /// There is no second place, and so nothing that it is behind.
    Unavailable,
}

impl ServiceStats {
    /// The body.
    pub fn render(self) -> String {
        let Self::Unavailable = self;
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>");
        for name in ["StorageServiceStats", "GeoReplication"] {
            xml::open(&mut out, name);
        }
        xml::element(&mut out, "Status", "unavailable");
        xml::element(&mut out, "LastSyncTime", "");
        for name in ["GeoReplication", "StorageServiceStats"] {
            xml::close(&mut out, name);
        }
        out
    }
}

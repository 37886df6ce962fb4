//! How backups are written.
//!
//! What a version or an edition of SQL Server cannot do is decided where its statement is built; here is what the policy wants.

use serde::{Deserialize, Serialize};

use crate::size::Size;

/// How backups of a policy are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Writing {
    /// Whether SQL Server compresses.
    pub compression: Compression,
    /// With which algorithm, from SQL Server 2022 on; left out: the server's own choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<Algorithm>,
    /// How hard, with ZSTD from SQL Server 2025 on; left out: the server's own choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// Whether RESTORE VERIFYONLY runs after each backup, which reads it once more.
    pub verify_only: bool,
    /// Into how many blobs a backup is divided.
    pub stripes: Stripes,
}

/// Whether SQL Server compresses its backups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Compression {
    /// Where its edition can.
    #[default]
    Default,
    /// Always; an edition that cannot fails the backup.
    On,
    /// Never.
    Off,
}

/// How SQL Server compresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Algorithm {
    /// MS_XPRESS, in every version.
    MsXpress,
    /// QAT_DEFLATE, from 2022 on.
    QatDeflate,
    /// ZSTD, from 2025 on.
    Zstd,
}

/// How hard ZSTD works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are SQL Server's")]
pub enum Level {
    Low,
    Medium,
    High,
}

/// Into how many blobs a backup is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Stripes {
    /// As many stripes as keep each below this. Default 40 GiB: a block blob has 50,000 blocks, and SQL Server was seen to write
    /// blocks of 1 MB, so that a blob may be full at 48 GB.
    pub size_max: Size,
    /// But never more than this. Default 32; SQL Server takes 64.
    pub count_max: u32,
}

impl Default for Stripes {
    fn default() -> Self {
        Self {
            size_max: Size::gib(40),
            count_max: 32,
        }
    }
}

impl Stripes {
    /// How many stripes a backup of this estimated size is divided into; at least one.
    pub fn count(&self, estimate: Size) -> u32 {
        let wanted = estimate
            .as_bytes()
            .div_ceil(self.size_max.as_bytes().max(1))
            .max(1);
        u32::try_from(wanted)
            .unwrap_or(u32::MAX)
            .min(self.count_max.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stripes_are_as_few_as_the_size_allows() {
        let stripes = Stripes {
            size_max: Size::gib(40),
            count_max: 4,
        };
        for (gib, count) in [(0, 1), (1, 1), (40, 1), (41, 2), (80, 2), (160, 4), (6000, 4)] {
            assert_eq!(stripes.count(Size::gib(gib)), count, "{gib} GiB");
        }
    }
}

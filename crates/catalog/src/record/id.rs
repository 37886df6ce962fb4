//! Ids of records: stable, never used twice, told apart by their types.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )*};
}

ids! {
    /// A vault; every other record hangs under one.
    VaultId;
    /// A secret at rest.
    SecretId;
    /// A machine with one or more instances.
    HostId;
    /// A registered instance.
    ServerId;
    /// One incarnation of a database: dropped and made again under the same name is another.
    DatabaseId;
    /// Auto-protection of an instance.
    IntentId;
    /// A policy.
    PolicyId;
    /// A protected database.
    ItemId;
    /// A job.
    JobId;
    /// A recovery point.
    PointId;
    /// A container of the front door that instances write into.
    ContainerId;
    /// A notice to people.
    NoticeId;
    /// A backup that another tool took.
    ForeignId;
    /// A log backup that lies on a server's disk.
    ServerLogId;
}

//! The kinds of records, and which of their secondary keys are unique.
//!
//! What a slot of a kind means is said by the record type of that kind, in its `keys`; that a slot is unique is said
//! here, because the catalogs must know it without the types. A kind's table is `bac2_` and its name.
//!
//! Invariant: names never change and are never given to another kind; they are in tables, dumps and errors.

use std::fmt;

/// A kind of records; one table each in SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A vault; it hangs under its own id.
    Vault,
    /// A secret, encrypted with a key that is not in the catalog.
    Secret,
    /// A machine with one or more instances.
    Host,
    /// A registered instance of SQL Server.
    Server,
    /// A database as discovery last saw it.
    Database,
    /// What a user wants of a database or an instance: protection, auto-protection, excludes.
    Intent,
    /// A backup policy.
    Policy,
    /// A protected database.
    Item,
    /// A job.
    Job,
    /// A recovery point.
    Point,
    /// A container of the blob store.
    Container,
    /// A backup that somebody else made.
    Foreign,
    /// An alert or a notice.
    Notice,
    /// A log backup that lies on a server's disk.
    ServerLog,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 14] = [
        Self::Vault,
        Self::Secret,
        Self::Host,
        Self::Server,
        Self::Database,
        Self::Intent,
        Self::Policy,
        Self::Item,
        Self::Job,
        Self::Point,
        Self::Container,
        Self::Foreign,
        Self::Notice,
        Self::ServerLog,
    ];

    /// The name in tables, dumps and errors: lower-case ASCII letters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vault => "vault",
            Self::Secret => "secret",
            Self::Host => "host",
            Self::Server => "server",
            Self::Database => "database",
            Self::Intent => "intent",
            Self::Policy => "policy",
            Self::Item => "item",
            Self::Job => "job",
            Self::Point => "point",
            Self::Container => "container",
            Self::Foreign => "foreign",
            Self::Notice => "notice",
            Self::ServerLog => "serverlog",
        }
    }

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The slots whose key, where there is one, only one record of a vault has.
    pub const fn unique(self) -> &'static [Slot] {
        match self {
            // A name; of an item, the database.
            Self::Host | Self::Server | Self::Policy | Self::Item | Self::Container => &[Slot::A],
            // The set's BackupSetGUID where it lies, and where it was taken.
            Self::Point | Self::Foreign | Self::ServerLog => &[Slot::B],
            // The matter, while the notice is open.
            Self::Notice => &[Slot::C],
            _ => &[],
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a scan goes by: one of the four secondary keys, or the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// The id itself; every record has one.
    Id,
    /// The first secondary key.
    A,
    /// The second secondary key.
    B,
    /// The third secondary key.
    C,
    /// The fourth secondary key.
    D,
}

impl Slot {
    /// The four secondary keys.
    pub const KEYS: [Self; 4] = [Self::A, Self::B, Self::C, Self::D];

    /// The name of the column.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::A => "a",
            Self::B => "b",
            Self::C => "c",
            Self::D => "d",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_tables_and_come_back() {
        for kind in Kind::ALL {
            assert!(kind.name().bytes().all(|b| b.is_ascii_lowercase()), "{kind}");
            assert_eq!(Kind::parse(kind.name()), Some(kind));
            assert!(!kind.unique().contains(&Slot::Id), "the id is unique as it is");
        }
        assert_eq!(Kind::parse("Vault"), None);
    }
}

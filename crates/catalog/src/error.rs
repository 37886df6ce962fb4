//! What can go wrong, sorted by what the caller can do about it. One sentence, and the next step.
//!
//! Invariant: no error holds the password of a URL or the body of a record.

use crate::kind::{Kind, Slot};

/// Why the catalog did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogError {
    /// No space for the change. Nothing of the transaction was kept, and what was there before is whole.
    #[error(
        "the catalog {catalog} has no space left, so the change was not made; free some space there, then try again"
    )]
    DiskFull {
        /// The file, or the server without its password.
        catalog: String,
    },
    /// The catalog cannot be written, now or until it is opened anew.
    #[error("the catalog {catalog} cannot be written: {why}; repair that and start again")]
    NotWritable {
        /// The file, or the server without its password.
        catalog: String,
        /// What the engine or the system said.
        why: String,
    },
    /// The catalog does not answer; nothing of this transaction was kept.
    #[error(
        "the catalog {catalog} cannot be reached: {why}; check that it runs and that its address is right, then try again"
    )]
    Unreachable {
        /// The file, or the server without its password.
        catalog: String,
        /// What the engine or the system said.
        why: String,
    },
    /// Another process has it open for writing.
    #[error(
        "the catalog {catalog} is in use by another bac2 process{holder}; stop that one first, or use another catalog"
    )]
    InUse {
        /// The file.
        catalog: String,
        /// ` (process 123)`, or nothing where that is not known.
        holder: String,
    },
    /// Another transaction changed what this one read or wrote. Nothing of it was kept; [`crate::retry`] does it again.
    #[error("the change met another one: {what}; read again and repeat it")]
    Conflict {
        /// Where they met.
        what: String,
    },
    /// There is such a record already. The transaction can go on.
    #[error("{}; choose another one, or change the one that is there", exists(*kind, id, *slot))]
    Exists {
        /// The kind.
        kind: Kind,
        /// The id of the record that was to be written.
        id: String,
        /// The unique key that another record has; [`Slot::Id`] for the id itself.
        slot: Slot,
    },
    /// There is no such record (any more). The transaction can go on.
    #[error("there is no {kind} record {id}; list the {kind} records to see which there are")]
    Missing {
        /// The kind.
        kind: Kind,
        /// The id.
        id: String,
    },
    /// Longer than the catalog takes. The transaction can go on.
    #[error("{what} has {bytes} bytes and the limit is {limit}; make it shorter")]
    TooLarge {
        /// What is too long.
        what: String,
        /// Its length in bytes.
        bytes: usize,
        /// The most that is taken, in bytes.
        limit: usize,
    },
    /// What is stored is not what was written, or was written by something else.
    #[error(
        "the catalog is damaged or not a catalog: {what}; restore it from a copy, or rebuild it from the blob store"
    )]
    Corrupt {
        /// What, and where.
        what: String,
    },
    /// Written by a later version of the program.
    #[error(
        "{what} has format {found}, and this version of bac2 knows formats up to {known}; use the version that wrote it, or a newer one"
    )]
    Newer {
        /// What.
        what: String,
        /// Its format.
        found: i64,
        /// The newest known here.
        known: i64,
    },
    /// The connection ended while the commit was under way: the changes may be there, all of them, or none.
    #[error(
        "it is not known whether the change was kept: {why}; read again what is there before it is repeated"
    )]
    CommitUnknown {
        /// What the engine or the system said.
        why: String,
    },
    /// The caller asked for what no caller may, such as a write in a reading transaction.
    #[error("the catalog was asked wrongly: {what}; this is a defect of bac2, please report it")]
    Misuse {
        /// What was asked.
        what: String,
    },
}

impl CatalogError {
    /// A stable code for people and programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::DiskFull { .. } => "CatalogDiskFull",
            Self::NotWritable { .. } => "CatalogNotWritable",
            Self::Unreachable { .. } => "CatalogUnreachable",
            Self::InUse { .. } => "CatalogInUse",
            Self::Conflict { .. } => "CatalogConflict",
            Self::Exists { .. } => "CatalogRecordExists",
            Self::Missing { .. } => "CatalogRecordMissing",
            Self::TooLarge { .. } => "CatalogRecordTooLarge",
            Self::Corrupt { .. } => "CatalogCorrupt",
            Self::Newer { .. } => "CatalogNewer",
            Self::CommitUnknown { .. } => "CatalogCommitUnknown",
            Self::Misuse { .. } => "CatalogMisuse",
        }
    }

    /// Whether the transaction is over with it: every later call gives the same error, and nothing of it is kept.
    pub const fn ends_transaction(&self) -> bool {
        !matches!(
            self,
            Self::Exists { .. }
                | Self::Missing { .. }
                | Self::TooLarge { .. }
                | Self::Misuse { .. }
                | Self::Newer { .. }
        )
    }
}

fn exists(kind: Kind, id: &str, slot: Slot) -> String {
    match slot {
        Slot::Id => format!("there is a {kind} record {id} already"),
        _ => format!(
            "the {kind} record {id} has the same key {} as another one",
            slot.name()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_is_a_sentence_with_a_next_step() {
        let full = CatalogError::DiskFull {
            catalog: "vault.db".into(),
        };
        assert_eq!(
            full.to_string(),
            "the catalog vault.db has no space left, so the change was not made; free some space there, then try again"
        );
        assert_eq!(full.code(), "CatalogDiskFull");
        let taken = CatalogError::Exists {
            kind: Kind::Policy,
            id: "p2".into(),
            slot: Slot::A,
        };
        assert!(
            taken
                .to_string()
                .starts_with("the policy record p2 has the same key a as another one; ")
        );
    }
}

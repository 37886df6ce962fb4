//! A record as the catalogs see it: keys, a version, and a body they do not look into.

use crate::error::CatalogError;
use crate::keys::Keys;
use crate::kind::{Kind, Slot};

/// The longest id of a record, in ASCII bytes.
pub const ID_BYTES_MAX: usize = 200;

/// The longest id of a vault, in ASCII bytes.
pub const VAULT_BYTES_MAX: usize = 100;

/// The longest body in bytes: 1 MiB.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// A record that is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRow {
    /// The kind.
    pub kind: Kind,
    /// The vault it hangs under.
    pub vault: String,
    /// Its id, unique among the vault's records of this kind.
    pub id: String,
    /// Its secondary keys.
    pub keys: Keys,
    /// The format of the body, from 1.
    pub format: i64,
    /// JSON.
    pub body: String,
}

impl NewRow {
    /// Refuses what no catalog takes.
    pub(crate) fn check(&self) -> Result<(), CatalogError> {
        check_name("vault id", &self.vault, VAULT_BYTES_MAX)?;
        check_name("id", &self.id, ID_BYTES_MAX)?;
        self.keys.check(self.kind)?;
        if self.body.len() > BODY_BYTES_MAX {
            return Err(CatalogError::TooLarge {
                what: format!("the {} record {}", self.kind, self.id),
                bytes: self.body.len(),
                limit: BODY_BYTES_MAX,
            });
        }
        if self.body.contains('\0') {
            return Err(CatalogError::Misuse {
                what: format!("the body of the {} record {} is not JSON", self.kind, self.id),
            });
        }
        Ok(())
    }
}

/// A record that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The kind.
    pub kind: Kind,
    /// The vault it hangs under.
    pub vault: String,
    /// Its id.
    pub id: String,
    /// Its secondary keys.
    pub keys: Keys,
    /// 1 when inserted, one more with each update.
    pub version: i64,
    /// The generation (see [`crate::Info`]) of the start that wrote it last.
    pub generation: i64,
    /// The format of the body, from 1.
    pub format: i64,
    /// JSON.
    pub body: String,
}

impl Row {
    /// The row that a write leaves behind.
    pub(crate) fn written(new: NewRow, version: i64, generation: i64) -> Self {
        Self {
            kind: new.kind,
            vault: new.vault,
            id: new.id,
            keys: new.keys,
            version,
            generation,
            format: new.format,
            body: new.body,
        }
    }

    /// The key in a slot, or the id.
    pub(crate) fn key(&self, slot: Slot) -> Option<&str> {
        match slot {
            Slot::Id => Some(&self.id),
            _ => self.keys.get(slot),
        }
    }
}

/// Ids are short and visible ASCII: they are in URLs, file names and logs.
pub(crate) fn check_name(what: &str, name: &str, limit: usize) -> Result<(), CatalogError> {
    if name.len() > limit {
        return Err(CatalogError::TooLarge {
            what: format!("a {what}"),
            bytes: name.len(),
            limit,
        });
    }
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        return Err(CatalogError::Misuse {
            what: format!("a {what} is empty or not of visible ASCII characters: {name:?}"),
        });
    }
    Ok(())
}

/// Whether a record can have this name at all; a look-up of another one finds nothing.
pub(crate) fn is_possible(vault: &str, id: &str) -> bool {
    check_name("vault id", vault, VAULT_BYTES_MAX).is_ok() && check_name("id", id, ID_BYTES_MAX).is_ok()
}

//! Records as types, over the rows of a transaction.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::catalog::Transaction;
use crate::error::CatalogError;
use crate::keys::Keys;
use crate::kind::Kind;
use crate::query::{Cursor, Query};
use crate::row::{NewRow, Row};

/// A type of records.
pub trait Record: Serialize + DeserializeOwned + Clone + Send + 'static {
    /// Its kind; no other type has the same.
    const KIND: Kind;

    /// The format that is written, from 1. Raised when an older program could misread what this one writes.
    const FORMAT: i64 = 1;

    /// The id: stable, 1 to [`crate::ID_BYTES_MAX`] visible ASCII characters.
    fn id(&self) -> String;

    /// The secondary keys.
    fn keys(&self) -> Keys;

    /// Brings a body of an older format into today's.
    ///
    /// # Errors
    /// What is missing or senseless in it.
    fn upgrade(_from: i64, body: serde_json::Value) -> Result<serde_json::Value, String> {
        Ok(body)
    }
}

/// A record with the version that it was read at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned<R> {
    /// The record; change it and [`update`] it.
    pub record: R,
    vault: String,
    id: String,
    version: i64,
    generation: i64,
}

impl<R> Versioned<R> {
    /// The vault it hangs under.
    pub fn vault(&self) -> &str {
        &self.vault
    }

    /// The version, from 1.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// The generation of the start that wrote it.
    pub fn generation(&self) -> i64 {
        self.generation
    }
}

/// A page of records.
#[derive(Clone, Debug)]
pub struct Page<R> {
    /// The records, in order.
    pub records: Vec<Versioned<R>>,
    /// Where the next page starts; nothing when this is the last.
    pub next: Option<Cursor>,
}

/// The record of this id; nothing when there is none.
///
/// # Errors
/// `Newer` or `Corrupt` for a body that this program cannot read; what the engine failed with.
pub async fn get<R: Record>(
    tx: &mut dyn Transaction,
    vault: &str,
    id: &str,
) -> Result<Option<Versioned<R>>, CatalogError> {
    tx.get(R::KIND, vault, id).await?.map(decode).transpose()
}

/// The record of this id, which must be there.
///
/// # Errors
/// `Missing`, and those of [`get`].
pub async fn demand<R: Record>(
    tx: &mut dyn Transaction,
    vault: &str,
    id: &str,
) -> Result<Versioned<R>, CatalogError> {
    get(tx, vault, id).await?.ok_or_else(|| CatalogError::Missing {
        kind: R::KIND,
        id: id.to_owned(),
    })
}

/// A page of records.
///
/// # Errors
/// Those of [`get`], and `Misuse` for a limit out of range.
pub async fn page<R: Record>(tx: &mut dyn Transaction, query: &Query) -> Result<Page<R>, CatalogError> {
    let found = tx.scan(R::KIND, query).await?;
    let records = found.rows.into_iter().map(decode).collect::<Result<_, _>>()?;
    Ok(Page {
        records,
        next: found.next,
    })
}

/// All records that a query finds, page by page, `most` at most.
///
/// # Errors
/// `TooLarge` when there are more than `most`; those of [`page`].
pub async fn all<R: Record>(
    tx: &mut dyn Transaction,
    mut query: Query,
    most: usize,
) -> Result<Vec<Versioned<R>>, CatalogError> {
    let mut records = Vec::new();
    loop {
        let page = page::<R>(tx, &query).await?;
        records.extend(page.records);
        if records.len() > most {
            return Err(CatalogError::TooLarge {
                what: format!("a list of {} records (counted, not in bytes)", R::KIND),
                bytes: records.len(),
                limit: most,
            });
        }
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(records),
        }
    }
}

/// Writes a new record.
///
/// # Errors
/// `Exists` with the unique key that is taken, `TooLarge`; what the engine failed with.
pub async fn insert<R: Record>(
    tx: &mut dyn Transaction,
    vault: &str,
    record: R,
) -> Result<Versioned<R>, CatalogError> {
    let row = tx.insert(encode(vault, &record)?).await?;
    Ok(versioned(record, row))
}

/// Writes a changed record over the version it was read at.
///
/// # Errors
/// `Conflict` when it has another version by now, `Missing` when it is gone; `Misuse` when its id changed; those of
/// [`insert`].
pub async fn update<R: Record>(
    tx: &mut dyn Transaction,
    changed: Versioned<R>,
) -> Result<Versioned<R>, CatalogError> {
    let new = encode(&changed.vault, &changed.record)?;
    if new.id != changed.id {
        return Err(CatalogError::Misuse {
            what: format!("the {} record {} was given another id", R::KIND, changed.id),
        });
    }
    let row = tx.update(new, changed.version).await?;
    Ok(versioned(changed.record, row))
}

/// Removes a record of the version it was read at.
///
/// # Errors
/// `Conflict` when it has another version by now, `Missing` when it is gone.
pub async fn delete<R: Record>(tx: &mut dyn Transaction, gone: &Versioned<R>) -> Result<(), CatalogError> {
    tx.delete(R::KIND, &gone.vault, &gone.id, gone.version).await
}

fn encode<R: Record>(vault: &str, record: &R) -> Result<NewRow, CatalogError> {
    let body = serde_json::to_string(record).map_err(|error| CatalogError::Misuse {
        what: format!("a {} record cannot be written as JSON: {error}", R::KIND),
    })?;
    Ok(NewRow {
        kind: R::KIND,
        vault: vault.to_owned(),
        id: record.id(),
        keys: record.keys(),
        format: R::FORMAT,
        body,
    })
}

fn versioned<R>(record: R, row: Row) -> Versioned<R> {
    Versioned {
        record,
        vault: row.vault,
        id: row.id,
        version: row.version,
        generation: row.generation,
    }
}

/// A row as a record.
///
/// # Errors
/// `Newer`, `Corrupt`.
pub fn decode<R: Record>(row: Row) -> Result<Versioned<R>, CatalogError> {
    let what = || format!("the {} record {}", row.kind, row.id);
    if row.format > R::FORMAT {
        return Err(CatalogError::Newer {
            what: what(),
            found: row.format,
            known: R::FORMAT,
        });
    }
    // Of serde's message only the place is passed on: the rest may quote the body.
    let unreadable = |error: &serde_json::Error| CatalogError::Corrupt {
        what: format!("{} is unreadable at its column {}", what(), error.column()),
    };
    let record = if row.format == R::FORMAT {
        serde_json::from_str(&row.body).map_err(|error| unreadable(&error))?
    } else {
        let old = serde_json::from_str(&row.body).map_err(|error| unreadable(&error))?;
        let body = R::upgrade(row.format, old).map_err(|why| CatalogError::Corrupt {
            what: format!("{}: {why}", what()),
        })?;
        serde_json::from_value(body).map_err(|error| unreadable(&error))?
    };
    Ok(versioned(record, row))
}

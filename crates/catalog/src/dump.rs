//! A whole catalog as lines of JSON: for support, and to move from one engine to another.
//!
//! ```text
//! {"bac2Catalog":1,"schema":1,"catalogId":"..."}
//! {"kind":"job","vault":"...","id":"...","format":1,"keys":["...",null,null,null],"body":{...}}
//! {"rows":1}
//! ```
//!
//! Rows come by kind, vault id and id; the last line counts them, so that a dump that was cut off is seen. Secrets
//! are in it as they are in the catalog: encrypted.
//!
//! Deliberately absent: versions and generations. A loaded catalog is a new one, and starts at version 1.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::SCHEMA;
use crate::catalog::{Catalog, Transaction};
use crate::error::CatalogError;
use crate::keys::Keys;
use crate::kind::{Kind, Slot};
use crate::query::{Query, Range, Scope};
use crate::row::{NewRow, Row};

/// The format of the lines.
const FORMAT: i64 = 1;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    bac2_catalog: i64,
    schema: i64,
    catalog_id: String,
}

#[derive(Serialize, Deserialize)]
struct Line {
    kind: String,
    vault: String,
    id: String,
    format: i64,
    keys: [Option<String>; 4],
    body: Value,
}

#[derive(Serialize, Deserialize)]
struct Tail {
    rows: u64,
}

/// Gives all records of one moment, line by line, to `line`; how many records there are.
///
/// # Errors
/// `Corrupt` for a body that is no JSON; what the engine failed with.
pub async fn write(catalog: &dyn Catalog, line: &mut (dyn FnMut(&str) + Send)) -> Result<u64, CatalogError> {
    let info = catalog.info();
    line(&text(&Head {
        bac2_catalog: FORMAT,
        schema: info.schema,
        catalog_id: info.catalog_id.clone(),
    }));
    let mut tx = catalog.read().await?;
    let mut rows = 0;
    for kind in Kind::ALL {
        let mut query = Query::of(Scope::All, Slot::Id, Range::ALL);
        loop {
            let page = tx.scan(kind, &query).await?;
            for row in page.rows {
                line(&text(&as_line(row)?));
                rows += 1;
            }
            match page.next {
                Some(next) => query.after = Some(next),
                None => break,
            }
        }
    }
    line(&text(&Tail { rows }));
    Ok(rows)
}

/// Puts all records of a dump into an empty catalog, in one transaction; how many they are.
///
/// # Errors
/// `Misuse` when the catalog has records; `Newer`; `Corrupt` with the number of a line that is not a dump's, or when
/// the end is missing. Nothing is kept then.
pub async fn load(
    catalog: &dyn Catalog,
    lines: &mut (dyn Iterator<Item = String> + Send),
) -> Result<u64, CatalogError> {
    let mut tx = catalog.begin().await?;
    for kind in Kind::ALL {
        if tx.count(kind, &Scope::All, Slot::Id, &Range::ALL).await? > 0 {
            return Err(CatalogError::Misuse {
                what: format!("to load a dump into a catalog that has {kind} records"),
            });
        }
    }
    let rows = load_into(tx.as_mut(), lines).await?;
    tx.commit().await?;
    Ok(rows)
}

async fn load_into(
    tx: &mut dyn Transaction,
    lines: &mut (dyn Iterator<Item = String> + Send),
) -> Result<u64, CatalogError> {
    let head: Head = lines
        .next()
        .and_then(|line| serde_json::from_str(&line).ok())
        .ok_or_else(|| unreadable(1))?;
    let newer = [(head.bac2_catalog, FORMAT), (head.schema, SCHEMA)];
    if let Some((found, known)) = newer.into_iter().find(|(found, known)| found > known) {
        return Err(CatalogError::Newer {
            what: "the dump".into(),
            found,
            known,
        });
    }
    for (line, rows) in lines.zip(0_u64..) {
        let number = rows + 2;
        if let Ok(tail) = serde_json::from_str::<Tail>(&line) {
            return if tail.rows == rows {
                Ok(rows)
            } else {
                Err(unreadable(number))
            };
        }
        let line: Line = serde_json::from_str(&line).map_err(|_| unreadable(number))?;
        tx.insert(as_row(line).ok_or_else(|| unreadable(number))?).await?;
    }
    Err(CatalogError::Corrupt {
        what: "the end of the dump is missing".into(),
    })
}

fn as_line(row: Row) -> Result<Line, CatalogError> {
    let body = serde_json::from_str(&row.body).map_err(|_| CatalogError::Corrupt {
        what: format!("the {} record {} is no JSON", row.kind, row.id),
    })?;
    Ok(Line {
        kind: row.kind.name().to_owned(),
        vault: row.vault,
        id: row.id,
        format: row.format,
        keys: [row.keys.a, row.keys.b, row.keys.c, row.keys.d],
        body,
    })
}

fn as_row(line: Line) -> Option<NewRow> {
    let [a, b, c, d] = line.keys;
    Some(NewRow {
        kind: Kind::parse(&line.kind)?,
        vault: line.vault,
        id: line.id,
        keys: Keys { a, b, c, d },
        format: line.format,
        body: line.body.to_string(),
    })
}

fn text(line: &impl Serialize) -> String {
    serde_json::to_string(line).expect("the lines have string keys only")
}

fn unreadable(number: u64) -> CatalogError {
    CatalogError::Corrupt {
        what: format!("line {number} of the dump is not what a dump has there"),
    }
}

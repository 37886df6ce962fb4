//! A transaction in SQL.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::any::{AnyArguments, AnyQueryResult, AnyRow};
use sqlx::query::Query as Statement;
use sqlx::{Any, AnyConnection, Row as _};

use super::Shared;
use super::errors::Phase;
use super::statements;
use crate::catalog::Transaction;
use crate::error::CatalogError;
use crate::keys::{Keys, TOP};
use crate::kind::{Kind, Slot};
use crate::query::{Order, Query, Range, RowPage, Scope, check_range};
use crate::row::{NewRow, Row, is_possible};

pub(super) struct SqlTransaction {
    shared: Arc<Shared>,
    generation: i64,
    inner: sqlx::Transaction<'static, Any>,
    writable: bool,
    ended: Option<CatalogError>,
    /// A statement was sent and its answer not waited for.
    midway: bool,
}

/// A statement with its values.
type Bound = Statement<'static, Any, AnyArguments>;

impl SqlTransaction {
    pub(super) fn new(
        shared: Arc<Shared>,
        generation: i64,
        inner: sqlx::Transaction<'static, Any>,
        writable: bool,
    ) -> Self {
        Self {
            shared,
            generation,
            inner,
            writable,
            ended: None,
            midway: false,
        }
    }

    /// Whether the transaction can go on.
    fn check(&mut self) -> Result<(), CatalogError> {
        if self.midway && self.ended.is_none() {
            self.ended = Some(CatalogError::Unreachable {
                catalog: self.shared.place.name.clone(),
                why: "an earlier statement of this transaction was not waited for".into(),
            });
        }
        self.ended.clone().map_or(Ok(()), Err)
    }

    fn check_writable(&self) -> Result<(), CatalogError> {
        if self.writable {
            return Ok(());
        }
        Err(CatalogError::Misuse {
            what: "a write in a reading transaction".into(),
        })
    }

    fn connection(&mut self) -> Result<&mut AnyConnection, CatalogError> {
        self.check()?;
        self.midway = true;
        Ok(&mut self.inner)
    }

    /// The end of a statement: names its error and remembers one that ends the transaction.
    fn done<T>(&mut self, result: Result<T, sqlx::Error>) -> Result<T, CatalogError> {
        self.midway = false;
        let result = result.map_err(|error| self.shared.fail(&error, Phase::Work));
        self.remember(result)
    }

    fn remember<T>(&mut self, result: Result<T, CatalogError>) -> Result<T, CatalogError> {
        if let Err(error) = &result
            && error.ends_transaction()
        {
            self.ended = Some(error.clone());
        }
        result
    }

    async fn fetch(&mut self, statement: Bound) -> Result<Option<AnyRow>, CatalogError> {
        let result = statement.fetch_optional(self.connection()?).await;
        self.done(result)
    }

    async fn fetch_all(&mut self, statement: Bound) -> Result<Vec<AnyRow>, CatalogError> {
        let result = statement.fetch_all(self.connection()?).await;
        self.done(result)
    }

    async fn execute(&mut self, statement: Bound) -> Result<AnyQueryResult, CatalogError> {
        let result = statement.execute(self.connection()?).await;
        self.done(result)
    }

    fn read<'r, T>(&mut self, row: &'r AnyRow, column: usize) -> Result<T, CatalogError>
    where
        T: sqlx::Decode<'r, Any> + sqlx::Type<Any>,
    {
        let result = row.try_get(column);
        self.done(result)
    }

    fn row(&mut self, kind: Kind, row: &AnyRow) -> Result<Row, CatalogError> {
        Ok(Row {
            kind,
            vault: self.read(row, 0)?,
            id: self.read(row, 1)?,
            version: self.read(row, 2)?,
            generation: self.read(row, 3)?,
            format: self.read(row, 4)?,
            body: self.read(row, 5)?,
            keys: Keys {
                a: self.read(row, 6)?,
                b: self.read(row, 7)?,
                c: self.read(row, 8)?,
                d: self.read(row, 9)?,
            },
        })
    }

    /// Rows of one vault, `limit` at most, into `rows`.
    async fn scan_vault(
        &mut self,
        kind: Kind,
        vault: &str,
        query: &Query,
        rows: &mut Vec<Row>,
    ) -> Result<(), CatalogError> {
        let limit = i64::from(query.limit) - i64::try_from(rows.len()).unwrap_or(i64::MAX);
        let (from, to) = query.bounds(vault);
        let statement = sqlx::query(statements::scan(kind, query.slot, query.order))
            .bind(vault.to_owned())
            .bind(from.key)
            .bind(from.id)
            .bind(to.key);
        let statement = match query.slot {
            Slot::Id => statement.bind(limit),
            _ => statement.bind(to.id).bind(limit),
        };
        for row in self.fetch_all(statement).await? {
            rows.push(self.row(kind, &row)?);
        }
        Ok(())
    }

    /// The first vault with records behind this one.
    async fn next_vault(
        &mut self,
        kind: Kind,
        at: &str,
        order: Order,
    ) -> Result<Option<String>, CatalogError> {
        let statement = sqlx::query(statements::next_vault(kind, order)).bind(at.to_owned());
        match self.fetch(statement).await? {
            Some(row) => Ok(Some(self.read(&row, 0)?)),
            None => Ok(None),
        }
    }

    async fn scan_all(&mut self, kind: Kind, query: &Query) -> Result<Vec<Row>, CatalogError> {
        let mut rows = Vec::new();
        let mut at = match (&query.after, query.order) {
            (Some(after), _) => {
                self.scan_vault(kind, &after.vault, query, &mut rows).await?;
                after.vault.clone()
            }
            (None, Order::Ascending) => String::new(),
            (None, Order::Descending) => TOP.to_string(),
        };
        while rows.len() < query.limit as usize {
            let Some(vault) = self.next_vault(kind, &at, query.order).await? else {
                break;
            };
            self.scan_vault(kind, &vault, query, &mut rows).await?;
            at = vault;
        }
        Ok(rows)
    }

    async fn count_vault(
        &mut self,
        kind: Kind,
        vault: &str,
        slot: Slot,
        range: &Range,
    ) -> Result<i64, CatalogError> {
        let statement = sqlx::query(statements::count(kind, slot))
            .bind(vault.to_owned())
            .bind(range.from.clone())
            .bind(range.end());
        match self.fetch(statement).await? {
            Some(row) => self.read(&row, 0),
            None => Ok(0),
        }
    }

    async fn version(&mut self, kind: Kind, vault: &str, id: &str) -> Result<Option<i64>, CatalogError> {
        let statement = sqlx::query(statements::version(kind))
            .bind(vault.to_owned())
            .bind(id.to_owned());
        match self.fetch(statement).await? {
            Some(row) => Ok(Some(self.read(&row, 0)?)),
            None => Ok(None),
        }
    }

    /// Sees that the row has this version.
    async fn expect(&mut self, kind: Kind, vault: &str, id: &str, expected: i64) -> Result<(), CatalogError> {
        let result = match self.version(kind, vault, id).await? {
            None => Err(CatalogError::Missing {
                kind,
                id: id.to_owned(),
            }),
            Some(found) if found != expected => Err(CatalogError::Conflict {
                what: format!("the {kind} record {id} has version {found}, not {expected}"),
            }),
            Some(_) => Ok(()),
        };
        self.remember(result)
    }

    /// Refuses unique keys that another row has.
    async fn check_unique(&mut self, row: &NewRow) -> Result<(), CatalogError> {
        for slot in row.kind.unique() {
            let Some(key) = row.keys.get(*slot) else { continue };
            let statement = sqlx::query(statements::holder(row.kind, *slot))
                .bind(row.vault.clone())
                .bind(key.to_owned())
                .bind(row.id.clone());
            if self.fetch(statement).await?.is_some() {
                return Err(CatalogError::Exists {
                    kind: row.kind,
                    id: row.id.clone(),
                    slot: *slot,
                });
            }
        }
        Ok(())
    }

    /// Values $1 to $9 of an insert or an update.
    fn bind(&self, statement: &'static str, row: &NewRow) -> Bound {
        sqlx::query(statement)
            .bind(row.vault.clone())
            .bind(row.id.clone())
            .bind(self.generation)
            .bind(row.format)
            .bind(row.body.clone())
            .bind(row.keys.a.clone())
            .bind(row.keys.b.clone())
            .bind(row.keys.c.clone())
            .bind(row.keys.d.clone())
    }

    /// A write that met nothing, though what it expects had been seen.
    fn met(&mut self, kind: Kind, id: &str) -> CatalogError {
        let met = CatalogError::Conflict {
            what: format!("the {kind} record {id} was changed"),
        };
        self.ended = Some(met.clone());
        met
    }
}

#[async_trait]
impl Transaction for SqlTransaction {
    async fn get(&mut self, kind: Kind, vault: &str, id: &str) -> Result<Option<Row>, CatalogError> {
        self.check()?;
        if !is_possible(vault, id) {
            return Ok(None);
        }
        let statement = sqlx::query(statements::get(kind))
            .bind(vault.to_owned())
            .bind(id.to_owned());
        match self.fetch(statement).await? {
            Some(row) => Ok(Some(self.row(kind, &row)?)),
            None => Ok(None),
        }
    }

    async fn scan(&mut self, kind: Kind, query: &Query) -> Result<RowPage, CatalogError> {
        query.check()?;
        self.check()?;
        let rows = match &query.scope {
            Scope::All => self.scan_all(kind, query).await?,
            Scope::Vault(vault) => {
                let mut rows = Vec::new();
                self.scan_vault(kind, vault, query, &mut rows).await?;
                rows
            }
        };
        Ok(RowPage::new(rows, query))
    }

    async fn count(
        &mut self,
        kind: Kind,
        scope: &Scope,
        slot: Slot,
        range: &Range,
    ) -> Result<i64, CatalogError> {
        check_range(scope, range)?;
        self.check()?;
        if let Scope::Vault(vault) = scope {
            return self.count_vault(kind, vault, slot, range).await;
        }
        let (mut rows, mut at) = (0, String::new());
        while let Some(vault) = self.next_vault(kind, &at, Order::Ascending).await? {
            rows += self.count_vault(kind, &vault, slot, range).await?;
            at = vault;
        }
        Ok(rows)
    }

    async fn insert(&mut self, row: NewRow) -> Result<Row, CatalogError> {
        row.check()?;
        self.check_writable()?;
        let statement = self.bind(statements::insert(row.kind), &row);
        if self.execute(statement).await?.rows_affected() == 1 {
            return Ok(Row::written(row, 1, self.generation));
        }
        if self.version(row.kind, &row.vault, &row.id).await?.is_some() {
            return Err(CatalogError::Exists {
                kind: row.kind,
                id: row.id,
                slot: Slot::Id,
            });
        }
        self.check_unique(&row).await?;
        Err(self.met(row.kind, &row.id))
    }

    async fn update(&mut self, row: NewRow, expected: i64) -> Result<Row, CatalogError> {
        row.check()?;
        self.check_writable()?;
        self.check()?;
        if !row.kind.unique().is_empty() {
            self.expect(row.kind, &row.vault, &row.id, expected).await?;
            self.check_unique(&row).await?;
        }
        let statement = self.bind(statements::update(row.kind), &row).bind(expected);
        if self.execute(statement).await?.rows_affected() == 1 {
            return Ok(Row::written(row, expected + 1, self.generation));
        }
        self.expect(row.kind, &row.vault, &row.id, expected).await?;
        Err(self.met(row.kind, &row.id))
    }

    async fn delete(&mut self, kind: Kind, vault: &str, id: &str, expected: i64) -> Result<(), CatalogError> {
        self.check_writable()?;
        self.check()?;
        if !is_possible(vault, id) {
            return Err(CatalogError::Missing {
                kind,
                id: id.to_owned(),
            });
        }
        let statement = sqlx::query(statements::delete(kind))
            .bind(vault.to_owned())
            .bind(id.to_owned())
            .bind(expected);
        if self.execute(statement).await?.rows_affected() == 1 {
            return Ok(());
        }
        self.expect(kind, vault, id, expected).await?;
        Err(self.met(kind, id))
    }

    async fn commit(mut self: Box<Self>) -> Result<(), CatalogError> {
        self.check()?;
        let Self {
            shared,
            inner,
            writable,
            ..
        } = *self;
        match inner.commit().await {
            Ok(()) => Ok(()),
            // Of a reader there is nothing to keep.
            Err(_) if !writable => Ok(()),
            Err(error) => Err(shared.fail(&error, Phase::Commit)),
        }
    }
}

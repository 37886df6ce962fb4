//! The tables, and what a start does to them: makes what is missing, refuses what is newer, takes a generation.
//!
//! `bac2_meta` has the catalog's id, the version of its tables and the generation. `bac2_schema` has a line and a
//! checksum for each step that was taken; a step that later differs is refused, so a step is never edited once it
//! was in a release, but followed by another.
//!
//! A start is one transaction: after a crash in the middle of it, the one before is there.

use sqlx::{AnyConnection, Row as _};
use uuid::Uuid;

use super::errors::Phase;
use super::statements::of_kind;
use super::{Shared, begin_on};
use crate::SCHEMA;
use crate::catalog::Engine;
use crate::error::CatalogError;
use crate::kind::{Kind, Slot};

/// How often a start is tried when two nodes of a PostgreSQL catalog start at once.
const TRIES_MAX: u32 = 10;

/// Makes both engines compare text bytewise under one name; SQLite has it by that name.
const COLLATION: &str = "CREATE COLLATION IF NOT EXISTS \"binary\" FROM \"C\"";

const META: &str = "CREATE TABLE IF NOT EXISTS bac2_meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)";

const STEPS: &str = "CREATE TABLE IF NOT EXISTS bac2_schema (version BIGINT NOT NULL, name TEXT NOT NULL, \
    checksum TEXT NOT NULL, PRIMARY KEY (version, name))";

/// What a start found out.
pub(super) struct Start {
    pub(super) catalog_id: String,
    pub(super) generation: i64,
}

/// A change of the tables: the version that it leads to, a name, and its statements.
struct Step {
    version: i64,
    name: &'static str,
    statements: Vec<&'static str>,
}

impl Step {
    fn checksum(&self) -> String {
        blake3::hash(self.statements.join(";\n").as_bytes())
            .to_hex()
            .to_string()
    }
}

/// All steps, oldest first. A new kind, and any other change, comes with a higher [`SCHEMA`].
fn steps() -> Vec<Step> {
    let table = |kind: Kind| Step {
        version: match kind {
            Kind::ServerLog => 2,
            _ => 1,
        },
        name: kind.name(),
        statements: table(kind),
    };
    Kind::ALL.into_iter().map(table).collect()
}

fn table(kind: Kind) -> Vec<&'static str> {
    let mut statements = vec![of_kind!(kind;
        "CREATE TABLE ";
        " (vault TEXT COLLATE \"binary\" NOT NULL, id TEXT COLLATE \"binary\" NOT NULL,"
        " version BIGINT NOT NULL, generation BIGINT NOT NULL, format BIGINT NOT NULL, body TEXT NOT NULL,"
        " a TEXT COLLATE \"binary\", b TEXT COLLATE \"binary\", c TEXT COLLATE \"binary\", d TEXT COLLATE \"binary\","
        " PRIMARY KEY (vault, id))")];
    for slot in Slot::KEYS {
        statements.push(index(kind, slot, kind.unique().contains(&slot)));
    }
    statements
}

macro_rules! plain {
    ($kind:expr, $key:literal) => {
        of_kind!($kind; "CREATE INDEX "; "_" $key " ON "; " (vault, " $key ", id) WHERE " $key " IS NOT NULL")
    };
}

macro_rules! unique {
    ($kind:expr, $key:literal) => {
        of_kind!($kind; "CREATE UNIQUE INDEX "; "_" $key " ON "; " (vault, " $key ") WHERE " $key " IS NOT NULL")
    };
}

/// The index of a slot: of the rows that have a key, so that unused slots cost nothing.
fn index(kind: Kind, slot: Slot, is_unique: bool) -> &'static str {
    match (slot, is_unique) {
        (Slot::A, false) => plain!(kind, "a"),
        (Slot::B, false) => plain!(kind, "b"),
        (Slot::C, false) => plain!(kind, "c"),
        (Slot::D, false) => plain!(kind, "d"),
        (Slot::A, true) => unique!(kind, "a"),
        (Slot::B, true) => unique!(kind, "b"),
        (Slot::C, true) => unique!(kind, "c"),
        (Slot::D, true) => unique!(kind, "d"),
        (Slot::Id, _) => unreachable!("the id is the primary key"),
    }
}

/// Brings the tables up to date and takes the next generation.
pub(super) async fn start(shared: &Shared) -> Result<Start, CatalogError> {
    let mut tries = 1;
    loop {
        match attempt(shared).await {
            // Two nodes make the same tables at once; one of them waits and sees them.
            Err(CatalogError::Conflict { .. })
                if shared.place.engine == Engine::Postgres && tries < TRIES_MAX =>
            {
                tries += 1;
            }
            other => return other,
        }
    }
}

async fn attempt(shared: &Shared) -> Result<Start, CatalogError> {
    let begin = match shared.place.engine {
        Engine::Postgres => "BEGIN ISOLATION LEVEL SERIALIZABLE",
        Engine::Sqlite | Engine::Memory => "BEGIN IMMEDIATE",
    };
    let mut tx = begin_on(shared, &shared.writers, begin).await?;
    let start = prepare(shared, &mut tx, &steps(), SCHEMA).await?;
    tx.commit()
        .await
        .map_err(|error| shared.fail(&error, Phase::Commit))?;
    Ok(start)
}

/// What a start does, for tables of the version `known` that these steps lead to.
async fn prepare(
    shared: &Shared,
    tx: &mut AnyConnection,
    steps: &[Step],
    known: i64,
) -> Result<Start, CatalogError> {
    let failed = |error: sqlx::Error| shared.fail(&error, Phase::Work);
    if shared.place.engine == Engine::Postgres {
        sqlx::raw_sql(COLLATION).execute(&mut *tx).await.map_err(failed)?;
    }
    sqlx::raw_sql(META).execute(&mut *tx).await.map_err(failed)?;
    let found = number(shared, tx, "schema").await?.unwrap_or(0);
    if found > known {
        return Err(CatalogError::Newer {
            what: format!("the catalog {}", shared.place.name),
            found,
            known,
        });
    }
    sqlx::raw_sql(STEPS).execute(&mut *tx).await.map_err(failed)?;
    for step in steps {
        take(shared, tx, step, found).await?;
    }
    let generation = number(shared, tx, "generation").await?.unwrap_or(0) + 1;
    let catalog_id = match value(shared, tx, "catalog").await? {
        Some(id) => id,
        None => {
            let id = Uuid::new_v4().simple().to_string();
            set(shared, tx, "catalog", &id).await?;
            id
        }
    };
    set(shared, tx, "schema", &known.to_string()).await?;
    set(shared, tx, "generation", &generation.to_string()).await?;
    Ok(Start {
        catalog_id,
        generation,
    })
}

/// Takes a step that the catalog has not taken yet; compares one that it has.
async fn take(shared: &Shared, tx: &mut AnyConnection, step: &Step, found: i64) -> Result<(), CatalogError> {
    let failed = |error: sqlx::Error| shared.fail(&error, Phase::Work);
    let checksum = step.checksum();
    if step.version <= found {
        let taken = sqlx::query("SELECT checksum FROM bac2_schema WHERE version = $1 AND name = $2")
            .bind(step.version)
            .bind(step.name)
            .fetch_optional(&mut *tx)
            .await
            .map_err(failed)?;
        let taken: Option<String> = taken.map(|row| row.try_get(0)).transpose().map_err(failed)?;
        if taken.as_deref() == Some(&checksum) {
            return Ok(());
        }
        return Err(CatalogError::Corrupt {
            what: format!(
                "{}: the tables for {} records were not made by a release of bac2",
                shared.place.name, step.name
            ),
        });
    }
    for statement in &step.statements {
        sqlx::raw_sql(*statement)
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
    }
    sqlx::query("INSERT INTO bac2_schema (version, name, checksum) VALUES ($1, $2, $3)")
        .bind(step.version)
        .bind(step.name)
        .bind(checksum)
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
    Ok(())
}

async fn value(shared: &Shared, tx: &mut AnyConnection, name: &str) -> Result<Option<String>, CatalogError> {
    let failed = |error: sqlx::Error| shared.fail(&error, Phase::Work);
    let row = sqlx::query("SELECT value FROM bac2_meta WHERE name = $1")
        .bind(name)
        .fetch_optional(&mut *tx)
        .await
        .map_err(failed)?;
    row.map(|row| row.try_get(0)).transpose().map_err(failed)
}

async fn number(shared: &Shared, tx: &mut AnyConnection, name: &str) -> Result<Option<i64>, CatalogError> {
    let Some(text) = value(shared, tx, name).await? else {
        return Ok(None);
    };
    let number = text.parse().map_err(|_| CatalogError::Corrupt {
        what: format!("{}: its {name} is no number", shared.place.name),
    })?;
    Ok(Some(number))
}

async fn set(shared: &Shared, tx: &mut AnyConnection, name: &str, value: &str) -> Result<(), CatalogError> {
    sqlx::query(
        "INSERT INTO bac2_meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .bind(name)
    .bind(value)
    .execute(&mut *tx)
    .await
    .map_err(|error| shared.fail(&error, Phase::Work))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection as _, SqliteConnection};

    use super::*;
    use crate::query::Order;
    use crate::sql::statements;

    /// What SQLite means to do.
    async fn plan(connection: &mut SqliteConnection, statement: &'static str) -> String {
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let rows = sqlx::query(explain).fetch_all(connection).await.unwrap();
        rows.iter().map(|row| row.get::<String, _>(3) + "; ").collect()
    }

    async fn start_as(shared: &Shared, steps: &[Step], known: i64) -> Result<Start, CatalogError> {
        let mut tx = begin_on(shared, &shared.writers, "BEGIN IMMEDIATE").await?;
        let start = prepare(shared, &mut tx, steps, known).await?;
        tx.commit().await.unwrap();
        Ok(start)
    }

    #[tokio::test]
    async fn an_older_catalog_is_brought_up_to_date_and_an_older_program_refuses_it() {
        crate::sql::install_drivers();
        let folder = tempfile::TempDir::new().unwrap();
        let shared = crate::sql::sqlite::open(&folder.path().join("v.db"), None)
            .await
            .unwrap();
        let first = start_as(&shared, &steps(), 2).await.unwrap();
        sqlx::raw_sql("INSERT INTO bac2_job VALUES ('v1', 'j1', 1, 1, 1, '{}', NULL, NULL, NULL, NULL)")
            .execute(&shared.writers)
            .await
            .unwrap();
        let mut later = steps();
        later.push(Step {
            version: 3,
            name: "extra",
            statements: vec![
                "CREATE TABLE bac2_extra (id TEXT)",
                "UPDATE bac2_job SET a = 'new'",
            ],
        });
        // A step that fails leaves nothing of its start behind.
        later.push(Step {
            version: 3,
            name: "broken",
            statements: vec!["CREATE TABLE bac2_job (id TEXT)"],
        });
        assert!(start_as(&shared, &later, 3).await.is_err());
        later.pop();
        let second = start_as(&shared, &later, 3).await.unwrap();
        assert_eq!((second.generation, first.generation), (2, 1));
        assert_eq!(second.catalog_id, first.catalog_id);
        let row = sqlx::query("SELECT a FROM bac2_job")
            .fetch_one(&shared.writers)
            .await
            .unwrap();
        assert_eq!(row.get::<String, _>(0), "new");
        assert_eq!(start_as(&shared, &later, 3).await.unwrap().generation, 3);
        let older = start_as(&shared, &steps(), 2).await.err().unwrap();
        assert!(
            matches!(
                older,
                CatalogError::Newer {
                    found: 3,
                    known: 2,
                    ..
                }
            ),
            "{older}"
        );
    }

    #[tokio::test]
    async fn scans_walk_an_index_in_order() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        for statement in table(Kind::Job) {
            sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
        }
        for slot in [Slot::Id, Slot::A, Slot::B, Slot::C, Slot::D] {
            for order in [Order::Ascending, Order::Descending] {
                let plan = plan(&mut connection, statements::scan(Kind::Job, slot, order)).await;
                assert!(
                    plan.starts_with("SEARCH bac2_job USING INDEX"),
                    "{slot:?}: {plan}"
                );
                assert!(!plan.contains("TEMP B-TREE"), "sorts: {plan}");
            }
            let plan = plan(&mut connection, statements::count(Kind::Job, slot)).await;
            assert!(
                plan.starts_with("SEARCH bac2_job USING COVERING INDEX"),
                "{slot:?}: {plan}"
            );
        }
        let next = plan(
            &mut connection,
            statements::next_vault(Kind::Job, Order::Ascending),
        )
        .await;
        assert!(next.starts_with("SEARCH bac2_job USING COVERING INDEX"), "{next}");
    }
}

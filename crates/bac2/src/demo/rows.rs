//! The demo's own databases: tables of orders with rows like no other, and all that is in them, to be compared.
//!
//! The rows come from a sequence that is the same in every run, so that sizes are; their text does not compress to nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, Result};
use mssql::Value;

use super::instance::{Instance, literal, quoted};

/// Rows that one INSERT carries: SQL Server takes no more.
const ROWS_AT_ONCE: u32 = 1_000;

/// Characters of a row's note.
const NOTE_CHARACTERS: usize = 1_500;

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 -";

/// A row of a table, its values in the order of the columns.
type Row = Vec<Value>;

/// All that is in a database: the rows of each table, by its name.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Contents(BTreeMap<String, Vec<Row>>);

impl Contents {
    /// Reads all tables of a database, each in the order of its `id`.
    pub(super) async fn of(instance: &Instance, name: &str) -> Result<Self> {
        let names = format!("SELECT name AS v FROM {}.sys.tables ORDER BY name", quoted(name));
        let mut contents = Self(BTreeMap::new());
        for row in instance.query(&names).await?.iter() {
            let table: String = row.get("v").context("a table without a name")?;
            contents.read_again(instance, name, &table).await?;
        }
        Ok(contents)
    }

    /// Reads one table again.
    pub(super) async fn read_again(
        &mut self,
        instance: &Instance,
        database: &str,
        table: &str,
    ) -> Result<()> {
        let (quoted_database, quoted_table) = (quoted(database), quoted(table));
        let all = format!("SELECT * FROM {quoted_database}.dbo.{quoted_table} ORDER BY id");
        self.0.insert(table.to_owned(), instance.query(&all).await?.rows);
        Ok(())
    }

    /// How many rows there are in all.
    pub(super) fn rows(&self) -> u64 {
        self.0.values().map(|rows| rows.len() as u64).sum()
    }

    /// How many rows a table has; 0 where there is none.
    pub(super) fn rows_of(&self, table: &str) -> u64 {
        self.0.get(table).map_or(0, |rows| rows.len() as u64)
    }

    /// Where it first differs from what it should be; none where every row is the same.
    pub(super) fn difference(&self, expected: &Self) -> Option<String> {
        for (table, rows) in &expected.0 {
            let Some(found) = self.0.get(table) else {
                return Some(format!("the table {table} is not there"));
            };
            if found.len() != rows.len() {
                return Some(format!(
                    "{table} has {} rows in place of {}",
                    found.len(),
                    rows.len()
                ));
            }
            if let Some(at) = found.iter().zip(rows).position(|(one, other)| one != other) {
                return Some(format!("row {} of {table} is another", at + 1));
            }
        }
        let more = self.0.keys().find(|table| !expected.0.contains_key(*table));
        more.map(|table| format!("there is a table {table} that should not be"))
    }
}

/// Makes a database in the full recovery model, with these tables of orders, none of which has a row.
pub(super) async fn make_database(instance: &Instance, name: &str, tables: &[&str]) -> Result<()> {
    let quoted_name = quoted(name);
    let path = |ending: &str| {
        let path = instance.data().join("data").join(format!("{name}{ending}"));
        literal(&path.display().to_string())
    };
    // Small files: SQL Server's own default would fill the temporary folder with nothing.
    let create = format!(
        "CREATE DATABASE {quoted_name} \
         ON (NAME = {0}, FILENAME = {1}, SIZE = 16MB, FILEGROWTH = 16MB) \
         LOG ON (NAME = {2}, FILENAME = {3}, SIZE = 16MB, FILEGROWTH = 16MB)",
        quoted(name),
        path(".mdf"),
        quoted(&format!("{name}_log")),
        path("_log.ldf"),
    );
    instance.execute(&create).await?;
    let full = format!("ALTER DATABASE {quoted_name} SET RECOVERY FULL");
    instance.execute(&full).await?;
    for table in tables {
        let create = format!(
            "CREATE TABLE {quoted_name}.dbo.{} (id int IDENTITY(1,1), customer varchar(40), \
             amount decimal(10,2), note varchar(2000), placed datetime2(3) DEFAULT SYSDATETIME())",
            quoted(table)
        );
        instance.execute(&create).await?;
    }
    Ok(())
}

/// Adds rows to a table, a thousand in each transaction. Rows of the same `seed` are the same.
pub(super) async fn add(
    instance: &Instance,
    database: &str,
    table: &str,
    rows: u32,
    seed: u64,
) -> Result<()> {
    let mut chance = Sequence(seed);
    let mut left = rows;
    while left > 0 {
        let now = left.min(ROWS_AT_ONCE);
        left -= now;
        let mut insert = format!(
            "INSERT INTO {}.dbo.{} (customer, amount, note) VALUES ",
            quoted(database),
            quoted(table)
        );
        for row in 0..now {
            let separator = if row == 0 { "" } else { ", " };
            let (customer, note) = (chance.text(12), chance.text(NOTE_CHARACTERS));
            let amount = chance.next() % 1_000_000;
            let (whole, cents) = (amount / 100, amount % 100);
            write!(insert, "{separator}('{customer}', {whole}.{cents:02}, '{note}')")?;
        }
        instance.execute(&insert).await?;
    }
    Ok(())
}

/// Changes the rows of a table from an `id` on, all in one transaction.
pub(super) async fn change(instance: &Instance, database: &str, table: &str, from: u32) -> Result<()> {
    let (database, table) = (quoted(database), quoted(table));
    let update = format!("UPDATE {database}.dbo.{table} SET note = REVERSE(note) WHERE id >= {from}");
    instance.execute(&update).await
}

/// Numbers that look like chance (SplitMix64).
struct Sequence(u64);

impl Sequence {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn text(&mut self, characters: usize) -> String {
        let mut text = String::with_capacity(characters);
        while text.len() < characters {
            let mut bits = self.next();
            // Ten letters of six bits each.
            for _ in 0..10.min(characters - text.len()) {
                text.push(char::from(LETTERS[(bits & 63) as usize]));
                bits >>= 6;
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use mssql::Value;

    use super::{Contents, Sequence};

    fn contents(tables: &[(&str, &[i64])]) -> Contents {
        let rows = |ids: &[i64]| ids.iter().map(|id| vec![Value::Integer(*id)]).collect();
        let tables = tables.iter().map(|(name, ids)| ((*name).to_owned(), rows(ids)));
        Contents(BTreeMap::from_iter(tables))
    }

    #[test]
    fn whatever_differs_is_told() {
        let right = contents(&[("a", &[1, 2]), ("b", &[])]);
        assert_eq!(right.difference(&right), None);
        assert_eq!((right.rows(), right.rows_of("a"), right.rows_of("c")), (2, 2, 0));
        for (wrong, why) in [
            (contents(&[("a", &[1, 2])]), "the table b is not there"),
            (contents(&[("a", &[1]), ("b", &[])]), "a has 1 rows in place of 2"),
            (contents(&[("a", &[1, 3]), ("b", &[])]), "row 2 of a is another"),
            (
                contents(&[("a", &[1, 2]), ("b", &[]), ("c", &[])]),
                "there is a table c that should not be",
            ),
        ] {
            assert_eq!(wrong.difference(&right).as_deref(), Some(why));
        }
    }

    #[test]
    fn text_is_as_long_as_wanted_and_the_same_each_time() {
        for length in [0, 1, 10, 11, 1_500] {
            let text = Sequence(7).text(length);
            assert_eq!(text.len(), length);
            assert_eq!(text, Sequence(7).text(length));
        }
        assert_ne!(Sequence(7).text(20), Sequence(8).text(20));
    }
}

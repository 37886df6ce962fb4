//! INSERT, UPDATE, DELETE, worked out by hand.

use sqlparser::ast::Statement;

use super::{World, shown, statement};
use crate::message::Failure;
use crate::query::Relation;
use crate::query::change::{self, Delete, NewRow, Target, Update};
use crate::value::{Column, Length, SqlType};

fn columns() -> Vec<Column> {
    vec![
        Column::new("id", SqlType::Int),
        Column::new("a", SqlType::Int),
        Column::new("b", SqlType::VarChar(Length::Of(5))),
    ]
}

fn target(columns: &[Column]) -> Target<'_> {
    Target {
        name: "db.dbo.w",
        columns,
        identity: Some(0),
    }
}

/// Rows with `+` for what the session fills in.
fn print(rows: &[NewRow]) -> Vec<String> {
    let columns = columns();
    rows.iter()
        .map(|row| {
            let cells: Vec<String> = row
                .iter()
                .zip(&columns)
                .map(|(value, column)| match value {
                    None => "+".to_owned(),
                    Some(value) => shown(&Relation {
                        columns: vec![column.clone()],
                        rows: vec![vec![value.clone()]],
                    })
                    .remove(0),
                })
                .collect();
            cells.join("|")
        })
        .collect()
}

fn insert(sql: &str) -> Result<Vec<String>, Failure> {
    let Statement::Insert(insert) = statement(sql) else {
        panic!("{sql}");
    };
    let columns = columns();
    change::insert(&insert, target(&columns), &mut World::new()).map(|rows| print(&rows))
}

/// The rows of a table after an UPDATE of them.
fn update(sql: &str) -> Result<Vec<String>, Failure> {
    let Statement::Update(update) = statement(sql) else {
        panic!("{sql}");
    };
    let (mut world, columns) = (World::new(), columns());
    let mut bound = Update::new(&update, target(&columns), &mut world)?;
    let mut changed = Vec::new();
    for row in &rows().rows {
        changed.extend(bound.change(row, &mut world)?);
    }
    Ok(print(&changed))
}

fn delete(sql: &str) -> Vec<usize> {
    let Statement::Delete(delete) = statement(sql) else {
        panic!("{sql}");
    };
    let (mut world, columns) = (World::new(), columns());
    let mut bound = Delete::new(&delete, target(&columns), &mut world).unwrap();
    let rows = rows().rows;
    (0..rows.len())
        .filter(|at| bound.matches(&rows[*at], &mut world).unwrap())
        .collect()
}

fn rows() -> Relation {
    let columns = columns();
    let named: Vec<(&str, SqlType)> = columns.iter().map(|c| (c.name.as_str(), c.sql_type)).collect();
    super::table(&named, &["1|10|x", "2|20|-", "3|-|z"])
}

fn number<T: std::fmt::Debug>(result: Result<T, Failure>) -> i32 {
    result.unwrap_err().messages[0].number
}

#[test]
fn inserts() {
    assert_eq!(
        insert("INSERT INTO w VALUES (1, 'p'), ('2', DEFAULT)").unwrap(),
        ["+|1|p", "+|2|+"]
    );
    assert_eq!(
        insert("INSERT w (b, a) VALUES (NULL, 1 + @n)").unwrap(),
        ["+|3|-"]
    );
    assert_eq!(
        insert("INSERT INTO w (a) SELECT c FROM u WHERE c > 20").unwrap(),
        ["+|30|+", "+|50|+"]
    );
    assert_eq!(insert("INSERT INTO w DEFAULT VALUES").unwrap(), ["+|+|+"]);
    assert_eq!(
        insert("INSERT INTO w (b) VALUES ((SELECT MAX(b) FROM t))").unwrap(),
        ["+|+|two"]
    );
    assert_eq!(number(insert("INSERT INTO w VALUES (1)")), 109);
    assert_eq!(number(insert("INSERT INTO w VALUES (1, 'a', 2)")), 110);
    assert_eq!(number(insert("INSERT INTO w SELECT 1")), 120);
    assert_eq!(number(insert("INSERT INTO w SELECT 1, 'a', 2")), 121);
    assert_eq!(number(insert("INSERT INTO w (a, A) VALUES (1, 2)")), 264);
    assert_eq!(number(insert("INSERT INTO w (z) VALUES (1)")), 207);
    assert_eq!(number(insert("INSERT INTO w (b) VALUES ('abcdef')")), 2628);
    assert_eq!(number(insert("INSERT INTO w (a) VALUES (GETDATE())")), 257);
}

#[test]
fn updates() {
    assert_eq!(
        update("UPDATE w SET a = a + 1 WHERE id < 3").unwrap(),
        ["1|11|x", "2|21|-"]
    );
    // Both sides of SET see the old row.
    assert_eq!(
        update("UPDATE w SET a = id, id = a WHERE b = 'X'").unwrap(),
        ["10|1|x"]
    );
    assert_eq!(
        update("UPDATE w SET b = DEFAULT, a = NULL WHERE id = 3").unwrap(),
        ["3|-|+"]
    );
    assert_eq!(
        update("UPDATE q SET q.a = 0 FROM dbo.w AS q WHERE q.id = 2").unwrap(),
        ["2|0|-"]
    );
    assert_eq!(
        update("UPDATE w SET a = (SELECT SUM(c) FROM u WHERE u.a = w.id) WHERE EXISTS (SELECT 1 FROM u WHERE a = w.id)").unwrap(),
        ["1|21|x", "3|30|z"]
    );
    assert_eq!(update("UPDATE TOP (1) w SET a = 0").unwrap(), ["1|0|x"]);
    assert_eq!(number(update("UPDATE w SET a = 1, a = 2")), 264);
    assert_eq!(number(update("UPDATE w SET b = 'abcdef'")), 2628);
    assert_eq!(
        number(update("UPDATE w SET a = 1 FROM w JOIN t ON 1 = 1")),
        40_510
    );
}

#[test]
fn deletes() {
    assert_eq!(delete("DELETE FROM w"), [0, 1, 2]);
    assert_eq!(delete("DELETE FROM w WHERE a > 5"), [0, 1]);
    assert_eq!(delete("DELETE x FROM dbo.w AS x WHERE x.a IS NULL"), [2]);
    assert_eq!(delete("DELETE FROM w WHERE NOT a = 10"), [1]);
}

#[test]
fn targets() {
    let parts = |sql: &str| change::target(&statement(sql)).unwrap();
    assert_eq!(
        parts("UPDATE q SET a = 1 FROM msdb.dbo.w AS q"),
        ["msdb", "dbo", "w"]
    );
    assert_eq!(parts("DELETE FROM dbo.w WHERE a = 1"), ["dbo", "w"]);
    assert_eq!(parts("INSERT INTO msdb..w VALUES (1)"), ["msdb", "", "w"]);
}

//! Queries that SQLite answered: `tests/sqlite/vectors.txt`, made by the script beside it.

use super::{World, table};
use crate::value::{Length, SqlType};

fn world() -> World {
    let int = SqlType::Int;
    let text = SqlType::VarChar(Length::Of(10));
    let mut world = World::new();
    world.add(
        "p",
        table(
            &[("id", int), ("g", int), ("v", int), ("s", text)],
            &[
                "1|1|10|ab",
                "2|1|-|b",
                "3|2|7|-",
                "4|2|10|abc",
                "5|-|3|c",
                "6|3|-4|b",
            ],
        ),
    );
    world.add(
        "q",
        table(
            &[("id", int), ("pid", int), ("w", int)],
            &["1|1|5", "2|1|6", "3|2|-", "4|4|10", "5|-|7", "6|9|0", "7|4|10"],
        ),
    );
    world.add(
        "r",
        table(
            &[("id", int), ("g", int), ("s", text)],
            &["1|1|ab", "2|2|x", "3|-|b", "4|4|-"],
        ),
    );
    world
}

#[test]
fn answers_are_sqlites() {
    let mut world = world();
    let vectors = include_str!("../../../tests/sqlite/vectors.txt");
    let mut count = 0;
    for block in vectors.split("\n? ").skip(1) {
        let mut lines = block.lines();
        let sql = lines.next().unwrap();
        let expected: Vec<&str> = lines.filter_map(|line| line.strip_prefix("= ")).collect();
        let mut rows = world.rows(sql);
        rows.sort();
        assert_eq!(rows, expected, "{sql}");
        count += 1;
    }
    assert!(count > 500, "{count} vectors");
}

//! FROM, WHERE, GROUP BY, sets, ORDER BY, TOP: worked out by hand over the tables of [`World`].

use super::World;
use crate::query::Answer;
use crate::value::Value;

#[track_caller]
fn check(sql: &str, expected: &[&str]) {
    assert_eq!(World::new().rows(sql), expected, "{sql}");
}

#[test]
fn joins() {
    check(
        "SELECT t.a, u.c FROM t JOIN u ON t.a = u.a ORDER BY u.c",
        &["1|10", "1|11", "3|30"],
    );
    check(
        "SELECT t.a, u.c FROM t LEFT JOIN u ON u.a = t.a ORDER BY t.a, u.c",
        &["-|-", "1|10", "1|11", "2|-", "3|30"],
    );
    check(
        "SELECT t.a, u.c FROM t RIGHT OUTER JOIN u ON t.a = u.a ORDER BY u.c",
        &["-|0", "1|10", "1|11", "3|30", "-|50"],
    );
    check(
        "SELECT x.a, y.c FROM t x FULL JOIN u AS y ON x.a = y.a AND y.c <> 11 ORDER BY 1, 2",
        &["-|-", "-|0", "-|11", "-|50", "1|10", "2|-", "3|30"],
    );
    check("SELECT COUNT(*) FROM t CROSS JOIN u", &["20"]);
    check("SELECT COUNT(*) FROM t, u WHERE t.a = u.a AND u.c > 10", &["2"]);
    // An inequality is not hashed.
    check(
        "SELECT t.a, u.a FROM t JOIN u ON t.a > u.a ORDER BY 1, 2",
        &["2|1", "2|1", "3|1", "3|1"],
    );
    check(
        "SELECT t.a, j.c, j.b FROM t LEFT JOIN (u j1 JOIN (SELECT c, c * 2 AS b FROM u) j ON j1.c = j.c) ON t.a = j1.a \
         WHERE t.a = 3",
        &["3|30|60"],
    );
}

#[test]
fn apply() {
    check(
        "SELECT t.a, n.value FROM t CROSS APPLY dbo.numbers(t.a) AS n ORDER BY 1, 2",
        &["1|1", "2|1", "2|2", "3|1", "3|2", "3|3"],
    );
    check(
        "SELECT t.a, q.c FROM t OUTER APPLY (SELECT TOP (1) c FROM u WHERE u.a = t.a ORDER BY c DESC) q ORDER BY t.a",
        &["-|-", "1|11", "2|-", "3|30"],
    );
    check(
        "SELECT s.value, g.value FROM STRING_SPLIT('a,b', ',') s CROSS JOIN GENERATE_SERIES(1, 3, 2) g ORDER BY 1, 2",
        &["a|1", "a|3", "b|1", "b|3"],
    );
    check(
        "SELECT t.a, s.value FROM t CROSS APPLY STRING_SPLIT(t.b, 'o') s WHERE t.a < 3 ORDER BY 1, 2",
        &["1|", "1|ne", "2|", "2|tw"],
    );
    check("SELECT value FROM numbers(@n)", &["1", "2"]);
}

#[test]
fn filters() {
    check("SELECT a FROM t WHERE b LIKE 'T%'", &["2"]);
    check("SELECT a FROM t WHERE a NOT IN (1, NULL)", &[]);
    check("SELECT a FROM t WHERE a IN (SELECT a FROM u)", &["1", "3"]);
    check(
        "SELECT a FROM t WHERE a NOT IN (SELECT a FROM u WHERE a IS NOT NULL)",
        &["2"],
    );
    check(
        "SELECT a FROM t WHERE EXISTS (SELECT * FROM u WHERE u.a = t.a AND u.c > 10)",
        &["1", "3"],
    );
    check("SELECT a FROM t WHERE a BETWEEN 2 AND 3 AND b IS NULL", &["3"]);
    check("SELECT a FROM t WHERE NOT (a = 1 OR b = 'TWO')", &[]);
    check("SELECT c FROM u WHERE c >= ALL (SELECT c FROM u)", &["50"]);
    check(
        "SELECT a FROM t WHERE a = ANY (SELECT c / 10 FROM u)",
        &["1", "3"],
    );
    check(
        "SELECT a FROM t AS x WHERE (SELECT COUNT(*) FROM u WHERE u.a = x.a) = 2",
        &["1"],
    );
    check("SELECT a FROM t WHERE a IS NOT DISTINCT FROM NULL", &["-"]);
}

#[test]
fn groups() {
    check(
        "SELECT a, COUNT(*), SUM(c), MIN(c), MAX(c), AVG(c) FROM u GROUP BY a ORDER BY a",
        &[
            "-|1|0|0|0|0",
            "1|2|21|10|11|10",
            "3|1|30|30|30|30",
            "5|1|50|50|50|50",
        ],
    );
    check(
        "SELECT COUNT(*), COUNT(x), SUM(x), MAX(y) FROM empty",
        &["0|0|-|-"],
    );
    check("SELECT x, COUNT(*) FROM empty GROUP BY x", &[]);
    check("SELECT COUNT(a), COUNT(DISTINCT a) FROM u", &["4|3"]);
    check("SELECT a FROM u GROUP BY a HAVING COUNT(*) > 1", &["1"]);
    check(
        "SELECT a % 2, COUNT(*) AS n FROM u WHERE a IS NOT NULL GROUP BY a % 2",
        &["1|4"],
    );
    check("SELECT MAX(a) FROM t ORDER BY COUNT(*)", &["3"]);
    check(
        "SELECT CASE WHEN COUNT(*) > 3 THEN 'many' ELSE 'few' END FROM t",
        &["many"],
    );
    check(
        "SELECT STRING_AGG(b, ', ') WITHIN GROUP (ORDER BY b DESC) FROM t WHERE a < 3",
        &["two, one"],
    );
    check(
        "SELECT (SELECT MAX(c) FROM u WHERE u.a = t.a) AS m FROM t GROUP BY t.a ORDER BY m",
        &["-", "-", "11", "30"],
    );
    check("SELECT AVG(a * 1.0) FROM t", &["2.000000"]);
}

#[test]
fn sets() {
    check(
        "SELECT a FROM t UNION SELECT a FROM u ORDER BY a",
        &["-", "1", "2", "3", "5"],
    );
    check(
        "SELECT a FROM t UNION ALL SELECT a FROM u WHERE a = 1",
        &["1", "2", "3", "-", "1", "1"],
    );
    check("SELECT a FROM t EXCEPT SELECT a FROM u", &["2"]);
    check(
        "SELECT a FROM t INTERSECT SELECT a FROM u ORDER BY 1 DESC",
        &["3", "1", "-"],
    );
    check(
        "SELECT NULL AS x UNION ALL SELECT NULL UNION ALL SELECT 'a' UNION ALL SELECT 'b'",
        &["-", "-", "a", "b"],
    );
    check("SELECT NULL AS x UNION ALL SELECT 'a'", &["-", "a"]);
    check(
        "SELECT i, s FROM (VALUES (1, 'a'), (2, NULL)) AS v(i, s)",
        &["1|a", "2|-"],
    );
}

#[test]
fn order_and_limits() {
    check("SELECT TOP 2 a FROM t ORDER BY a DESC", &["3", "2"]);
    check("SELECT TOP (@n) a FROM t ORDER BY a", &["-", "1"]);
    check("SELECT TOP 50 PERCENT c FROM u ORDER BY c", &["0", "10", "11"]);
    check(
        "SELECT TOP 1 WITH TIES a, c FROM u WHERE a > 0 ORDER BY a",
        &["1|10", "1|11"],
    );
    check(
        "SELECT c FROM u ORDER BY c OFFSET 1 ROWS FETCH NEXT 2 ROWS ONLY",
        &["10", "11"],
    );
    check("SELECT DISTINCT a FROM u ORDER BY a DESC", &["5", "3", "1", "-"]);
    check("SELECT a AS k FROM t ORDER BY -a", &["-", "3", "2", "1"]);
    check(
        "SELECT x FROM (VALUES ('b'), ('A'), ('_'), ('1'), ('a')) v(x) ORDER BY x",
        &["_", "1", "A", "a", "b"],
    );
    check(
        "SELECT x FROM (VALUES ('b'), ('B'), ('a')) v(x) ORDER BY x COLLATE Latin1_General_BIN",
        &["B", "a", "b"],
    );
    check(
        "SELECT b FROM t ORDER BY LEN(b), b DESC",
        &["-", "two", "one", "none"],
    );
}

#[test]
fn common_table_expressions() {
    check(
        "WITH x AS (SELECT a, c FROM u WHERE c > 0), y (k, n) AS (SELECT a, COUNT(*) FROM x GROUP BY a) \
         SELECT t.b, y.n FROM y JOIN t ON t.a = y.k ORDER BY y.n DESC",
        &["one|2", "-|1"],
    );
    check(
        "WITH x AS (SELECT TOP 1 a FROM t ORDER BY a DESC) SELECT p.a + q.a FROM x p JOIN x q ON p.a = q.a",
        &["6"],
    );
}

#[test]
fn stars_and_names() {
    let mut world = World::new();
    let Answer::Rows(relation) = world
        .ask("SELECT u.*, t.b AS name, t.a + 1 FROM t JOIN u ON t.a = u.a")
        .unwrap()
    else {
        panic!("rows");
    };
    let names: Vec<&str> = relation
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    assert_eq!(names, ["a", "c", "name", ""]);
    check("SELECT * FROM dbo.t WHERE dbo.t.a = 1", &["1|one"]);
    check("SELECT a FROM t OPTION (RECOMPILE)", &["1", "2", "3", "-"]);
}

#[test]
fn assignments() {
    let mut world = World::new();
    let assigned = |world: &mut World, sql: &str| match world.ask(sql).unwrap() {
        Answer::Assigned { variables, count } => (variables, count),
        Answer::Rows(_) => panic!("{sql}"),
    };
    let (variables, count) = assigned(&mut world, "SELECT @n = MAX(a) FROM t");
    assert_eq!(
        (variables, count),
        (vec![("@n".to_owned(), Value::Integer(3))], 1)
    );
    let (variables, count) = assigned(
        &mut world,
        "SELECT @s = @s + b + ';' FROM t WHERE b IS NOT NULL ORDER BY b DESC",
    );
    assert_eq!(
        (variables, count),
        (vec![("@s".to_owned(), Value::from("two;one;none;"))], 3)
    );
    let (variables, count) = assigned(&mut world, "SELECT @n = x FROM empty");
    assert_eq!((variables, count), (Vec::new(), 0));
    assert_eq!(world.error("SELECT @n = 1, a FROM t"), 141);
}

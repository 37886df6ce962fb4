//! Window functions, worked out by hand.

use super::World;

#[track_caller]
fn check(sql: &str, expected: &[&str]) {
    assert_eq!(World::new().rows(sql), expected, "{sql}");
}

#[test]
fn ranks() {
    check(
        "SELECT a, c, ROW_NUMBER() OVER (PARTITION BY a ORDER BY c DESC) AS n FROM u ORDER BY a, n",
        &["-|0|1", "1|11|1", "1|10|2", "3|30|1", "5|50|1"],
    );
    check(
        "SELECT v, RANK() OVER (ORDER BY v), DENSE_RANK() OVER (ORDER BY v), NTILE(2) OVER (ORDER BY v) \
         FROM (VALUES (1), (1), (2), (3), (3)) x(v) ORDER BY 1",
        &["1|1|1|1", "1|1|1|1", "2|3|2|1", "3|4|3|2", "3|4|3|2"],
    );
}

#[test]
fn neighbours_and_totals() {
    check(
        "SELECT c, LAG(c) OVER (ORDER BY c), LEAD(c, 2, -1) OVER (ORDER BY c) FROM u ORDER BY c",
        &["0|-|11", "10|0|30", "11|10|50", "30|11|-1", "50|30|-1"],
    );
    check(
        "SELECT v, SUM(v) OVER (ORDER BY v), SUM(v) OVER (ORDER BY v ROWS UNBOUNDED PRECEDING), \
         COUNT(*) OVER (), COUNT(*) OVER (ORDER BY v), SUM(v) OVER (ORDER BY v ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) \
         FROM (VALUES (1), (1), (2)) x(v) ORDER BY 3",
        &["1|2|1|3|2|2", "1|2|2|3|2|4", "2|4|4|3|3|3"],
    );
    check(
        "SELECT FIRST_VALUE(c) OVER (ORDER BY c DESC), LAST_VALUE(c) OVER (ORDER BY c ROWS BETWEEN CURRENT ROW AND \
         UNBOUNDED FOLLOWING) FROM u WHERE a = 1",
        &["11|11", "11|11"],
    );
}

#[test]
fn over_groups() {
    check(
        "SELECT a, COUNT(*), RANK() OVER (ORDER BY COUNT(*) DESC, a) FROM u WHERE a > 0 GROUP BY a ORDER BY 3",
        &["1|2|1", "3|1|2", "5|1|3"],
    );
    check("SELECT TOP 1 SUM(COUNT(*)) OVER () FROM u GROUP BY a", &["5"]);
}

//! What is refused, by the number of its message.

use super::World;

#[test]
fn numbers_of_messages() {
    let mut world = World::new();
    for (sql, number) in [
        ("SELECT z FROM t", 207),
        ("SELECT t.z FROM t", 207),
        ("SELECT q.a FROM t", 4104),
        ("SELECT q.* FROM t", 107),
        ("SELECT a FROM t JOIN u ON t.a = u.a", 209),
        ("SELECT 1 FROM nowhere", 208),
        ("SELECT 1 FROM t JOIN t ON 1 = 1", 1013),
        ("SELECT 1 FROM t x JOIN u x ON 1 = 1", 1011),
        ("SELECT a, COUNT(*) FROM t", 8120),
        ("SELECT a FROM t GROUP BY b", 8120),
        ("SELECT a FROM t WHERE COUNT(*) > 1", 147),
        ("SELECT a FROM t WHERE ROW_NUMBER() OVER (ORDER BY a) = 1", 4108),
        ("SELECT ROW_NUMBER() OVER (PARTITION BY a) FROM t", 4112),
        ("SELECT a FROM t WHERE a", 4145),
        ("SELECT (SELECT a FROM t)", 512),
        ("SELECT (SELECT a, b FROM t)", 116),
        ("SELECT a FROM t UNION SELECT a, c FROM u", 205),
        ("SELECT DISTINCT a FROM t ORDER BY b", 145),
        ("SELECT a FROM t ORDER BY 2", 108),
        ("SELECT a FROM t UNION SELECT a FROM u ORDER BY a + 1", 104),
        ("SELECT * FROM (SELECT a FROM t ORDER BY a) x", 1033),
        ("SELECT TOP 1 WITH TIES a FROM t", 1062),
        ("SELECT *", 263),
        ("SELECT @q", 137),
        ("SELECT NO_SUCH(1)", 195),
        ("SELECT LEN()", 174),
        ("SELECT 1 / 0", 8134),
        ("SELECT 1.0 % 0", 8134),
        ("SELECT 2147483647 + 1", 8115),
        ("SELECT CAST(300 AS tinyint)", 220),
        ("SELECT CAST('x' AS int)", 245),
        ("SELECT 'x' + 1", 245),
        ("SELECT CAST('soon' AS datetime)", 241),
        ("SELECT CAST('2026-02-30' AS datetime)", 242),
        ("SELECT CAST(1 AS date)", 529),
        ("SELECT CAST(1e20 AS int)", 232),
        ("SELECT CAST('1.5' AS int)", 245),
        ("SELECT CAST('1e1' AS decimal(5,2))", 8114),
        ("SELECT CAST(1 AS sometype)", 243),
        ("SELECT CAST(1 AS xml)", 40_510),
        ("SELECT a FROM t WHERE a = CAST(NULL AS date)", 206),
        ("SELECT CAST('a' AS varbinary(5)) + 'a'", 8117),
        ("SELECT SERVERPROPERTY('x') + 'a'", 8117),
        ("SELECT SUM(b) FROM t", 8117),
        ("SELECT LEFT('a', -1)", 537),
        ("SELECT DATEADD(month, 100000, '20260101')", 517),
        ("SELECT DATEADD(fortnight, 1, '20260101')", 155),
        ("SELECT DATEDIFF(ms, '19000101', '20260101')", 535),
        ("SELECT a FROM t FOR XML PATH('')", 40_510),
        ("SELECT a INTO x FROM t", 40_510),
        ("SELECT FORMAT(1, 'x')", 40_510),
        (
            "WITH c AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM c) SELECT n FROM c",
            40_510,
        ),
        ("SELECT * FROM (VALUES (1), (2, 3)) v(a)", 10_709),
        ("SELECT * FROM (SELECT 1) x", 8155),
        ("SELECT * FROM (SELECT a, a FROM t) x", 8156),
        ("SELECT * FROM (SELECT a FROM t) x(p, q)", 8159),
        ("SELECT 1 WHERE 'a' LIKE 'a' ESCAPE 'ab'", 506),
    ] {
        assert_eq!(world.error(sql), number, "{sql}");
    }
}

#[test]
fn limits() {
    let mut world = World::new();
    // 20 times 30 MB.
    let wide = "SELECT REPLICATE(CAST('x' AS varchar(max)), 30000000) FROM numbers(20)";
    assert_eq!(world.error(wide), 701);
    assert_eq!(
        world.error("SELECT REPLICATE(CAST('x' AS varchar(max)), 100000000)"),
        701
    );
    let chain = format!("SELECT {}1", "1 + ".repeat(5000));
    assert_eq!(world.error(&chain), 8632);
    let sum = format!("SELECT {}1", "1 + ".repeat(190));
    assert_eq!(world.rows(&sum), ["191"]);
    let union = format!("SELECT 1 {}", "UNION ALL SELECT 1 ".repeat(1500));
    assert_eq!(world.rows(&union).len(), 1501);
    let conditions = format!("SELECT 1 WHERE {}1 = 1", "1 = 2 OR ".repeat(5000));
    assert_eq!(world.rows(&conditions), ["1"]);
}

#[test]
fn a_long_value_is_work_and_so_can_be_cancelled() {
    let mut world = World::new();
    let long = crate::value::Value::Text("x".repeat(300_000));
    world.variables.insert("@long".to_owned(), (long, super::TEXT));
    let asks = ["SELECT LEN(@long)", "SELECT CASE WHEN 'y' LIKE @long THEN 1 END"];
    for sql in asks {
        assert!(world.ask(sql).is_ok() || sql.contains("LIKE"), "{sql}");
    }
    world
        .variables
        .insert("@cancelled".to_owned(), (crate::value::Value::Null, super::TEXT));
    for sql in asks {
        assert!(world.ask(sql).unwrap_err().messages.is_empty(), "{sql}");
    }
}

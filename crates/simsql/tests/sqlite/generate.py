"""Random queries and what SQLite answers, for the test query::tests::sqlite.

SQLite and T-SQL agree on plain SQL: joins, three-valued logic, groups, windows, sets, subqueries over int and lower-case text. What they do not agree on
(division, AVG, types, collations) is left out. Rows are compared without their order, except through TOP and window functions, which are given a total one.

    python3 generate.py > vectors.txt
"""

import random
import sqlite3

TABLES = {
    "p": (["id", "g", "v", "s"], [(1, 1, 10, "ab"), (2, 1, None, "b"), (3, 2, 7, None), (4, 2, 10, "abc"), (5, None, 3, "c"), (6, 3, -4, "b")]),
    "q": (["id", "pid", "w"], [(1, 1, 5), (2, 1, 6), (3, 2, None), (4, 4, 10), (5, None, 7), (6, 9, 0), (7, 4, 10)]),
    "r": (["id", "g", "s"], [(1, 1, "ab"), (2, 2, "x"), (3, None, "b"), (4, 4, None)]),
}
TEXT = {"s"}


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def pick(self, *choices):
        return self.random.choice(choices)

    def number(self, columns, depth=2):
        ints = [c for c in columns if c.split(".")[-1] not in TEXT]
        kind = self.random.random()
        if depth == 0 or kind < 0.45:
            return self.pick(*ints) if ints and self.random.random() < 0.8 else str(self.random.randint(-3, 12))
        if kind < 0.7:
            return f"({self.number(columns, depth - 1)} {self.pick('+', '-', '*')} {self.number(columns, depth - 1)})"
        if kind < 0.8:
            return f"COALESCE({self.number(columns, depth - 1)}, {self.number(columns, depth - 1)})"
        if kind < 0.9:
            return f"CASE WHEN {self.condition(columns, depth - 1)} THEN {self.number(columns, depth - 1)} ELSE {self.number(columns, depth - 1)} END"
        if kind < 0.95:
            return f"NULLIF({self.number(columns, depth - 1)}, {self.number(columns, depth - 1)})"
        return f"ABS({self.number(columns, depth - 1)})"

    def text(self, columns):
        texts = [c for c in columns if c.split(".")[-1] in TEXT]
        return self.pick(*texts) if texts and self.random.random() < 0.8 else self.pick("'b'", "'ab'", "'zz'")

    def condition(self, columns, depth=2):
        kind = self.random.random()
        if depth > 0 and kind < 0.3:
            return f"({self.condition(columns, depth - 1)} {self.pick('AND', 'OR')} {self.condition(columns, depth - 1)})"
        if depth > 0 and kind < 0.38:
            return f"NOT ({self.condition(columns, depth - 1)})"
        if kind < 0.6:
            return f"{self.number(columns, 1)} {self.pick('=', '<>', '<', '<=', '>', '>=')} {self.number(columns, 1)}"
        if kind < 0.68:
            return f"{self.pick(*columns)} IS {self.pick('', 'NOT ')}NULL"
        if kind < 0.76:
            items = ", ".join(self.number(columns, 0) for _ in range(self.random.randint(1, 3)))
            return f"{self.number(columns, 1)} {self.pick('', 'NOT ')}IN ({items})"
        if kind < 0.82:
            return f"{self.number(columns, 1)} {self.pick('', 'NOT ')}BETWEEN {self.number(columns, 0)} AND {self.number(columns, 0)}"
        if kind < 0.88:
            return f"{self.text(columns)} {self.pick('=', '<>', '<', '>=')} {self.text(columns)}"
        if kind < 0.93:
            return f"{self.text(columns)} {self.pick('', 'NOT ')}LIKE '{self.pick('%b', 'a%', '_b%', '%', 'b')}'"
        return self.subquery(columns)

    def subquery(self, columns):
        inner = ["k.id", "k.pid", "k.w"]
        where = self.condition(inner + columns, 1) if self.random.random() < 0.7 else "1 = 1"
        kind = self.random.random()
        if kind < 0.4:
            return f"{self.pick('', 'NOT ')}EXISTS (SELECT 1 FROM q k WHERE {where})"
        if kind < 0.7:
            return f"{self.number(columns, 0)} {self.pick('', 'NOT ')}IN (SELECT {self.pick(*inner)} FROM q k WHERE {where})"
        return f"{self.number(columns, 0)} {self.pick('=', '<', '>=')} (SELECT {self.pick('MAX', 'MIN', 'COUNT', 'SUM')}({self.pick(*inner)}) FROM q k WHERE {where})"

    def source(self):
        tables = [(self.pick("p", "q", "r"), "x")]
        text = f"{tables[0][0]} x"
        columns = [f"x.{c}" for c in TABLES[tables[0][0]][0]]
        for alias in ("y", "z")[: self.pick(0, 0, 1, 1, 2)]:
            table = self.pick("p", "q", "r")
            added = [f"{alias}.{c}" for c in TABLES[table][0]]
            kind = self.pick("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN")
            if kind == "CROSS JOIN":
                text += f" CROSS JOIN {table} {alias}"
            else:
                left = [c for c in columns if c.split(".")[-1] not in TEXT]
                right = [c for c in added if c.split(".")[-1] not in TEXT]
                on = f"{self.pick(*left)} {self.pick('=', '=', '=', '<')} {self.pick(*right)}"
                if self.random.random() < 0.3:
                    on += f" AND {self.condition(columns + added, 1)}"
                text += f" {kind} {table} {alias} ON {on}"
            columns += added
        return text, columns

    def where(self, columns):
        return f" WHERE {self.condition(columns)}" if self.random.random() < 0.6 else ""

    def plain(self):
        source, columns = self.source()
        items = ", ".join(self.pick(self.number(columns), self.pick(*columns), self.text(columns)) for _ in range(self.random.randint(1, 3)))
        return f"SELECT {self.pick('', '', 'DISTINCT ')}{items} FROM {source}{self.where(columns)}"

    def grouped(self):
        source, columns = self.source()
        keys = self.random.sample(columns, self.random.randint(0, 2))
        ints = [c for c in columns if c.split(".")[-1] not in TEXT]
        def aggregate():
            name = self.pick("COUNT", "SUM", "MIN", "MAX")
            if name == "COUNT" and self.random.random() < 0.4:
                return "COUNT(*)"
            return f"{name}({self.pick('', '', 'DISTINCT ')}{self.pick(*ints)})"
        items = keys + [aggregate() for _ in range(self.random.randint(1, 3))]
        text = f"SELECT {', '.join(items)} FROM {source}{self.where(columns)}"
        if keys:
            text += f" GROUP BY {', '.join(keys)}"
            if self.random.random() < 0.4:
                text += f" HAVING {aggregate()} {self.pick('>', '<=', '=')} {self.random.randint(0, 12)}"
        return text

    def windowed(self):
        partition = self.pick("", "PARTITION BY x.g ", "PARTITION BY x.v ")
        order = f"ORDER BY {self.pick('x.v', 'x.g', 'x.s')} {self.pick('', 'DESC')}, x.id"
        function = self.pick(
            "ROW_NUMBER()", "RANK()", "DENSE_RANK()", "NTILE(3)", "LAG(x.v)", "LEAD(x.v, 2)", "LAG(x.id, 1, 0)",
            "SUM(x.v)", "COUNT(*)", "COUNT(x.v)", "MIN(x.v)", "MAX(x.v)", "FIRST_VALUE(x.v)",
        )
        if function.startswith(("RANK", "DENSE", "SUM", "COUNT", "MIN", "MAX")) and self.random.random() < 0.5:
            order = f"ORDER BY {self.pick('x.v', 'x.g')} {self.pick('', 'DESC')}"
        frame = ""
        if function.startswith(("SUM", "MIN", "MAX")) and order.endswith("x.id"):
            frame = self.pick("", " ROWS BETWEEN 1 PRECEDING AND CURRENT ROW", " ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING", " ROWS BETWEEN 1 PRECEDING AND 2 FOLLOWING")
        return f"SELECT x.id, {function} OVER ({partition}{order}{frame}) FROM p x{self.where(['x.id', 'x.g', 'x.v', 'x.s'])}"

    def sets(self):
        def side():
            source, columns = self.source()
            return f"SELECT {self.number(columns, 1)}, {self.number(columns, 0)} FROM {source}{self.where(columns)}"
        return f"{side()} {self.pick('UNION', 'UNION ALL', 'EXCEPT', 'INTERSECT')} {side()}"

    def nested(self):
        inner = f"SELECT x.g AS g, COUNT(*) AS n, MAX(x.v) AS m FROM p x{self.where(['x.id', 'x.g', 'x.v', 'x.s'])} GROUP BY x.g"
        columns = ["d.g", "d.n", "d.m", "e.id", "e.pid", "e.w"]
        join = self.pick("JOIN", "LEFT JOIN", "FULL JOIN")
        if self.random.random() < 0.5:
            return f"WITH c AS ({inner}) SELECT {self.number(columns, 1)}, d.n FROM c d {join} q e ON d.g = e.pid{self.where(columns)}"
        return f"SELECT {self.number(columns, 1)}, d.n FROM ({inner}) d {join} q e ON d.n = e.id{self.where(columns)}"

    def top(self):
        count = self.random.randint(1, 5)
        return (f"SELECT TOP {count} x.id, x.v FROM p x{self.where(['x.id', 'x.g', 'x.v', 'x.s'])} ORDER BY {self.pick('x.v', 'x.g', 'x.s')} {self.pick('', 'DESC')}, x.id", count)


def main():
    base = sqlite3.connect(":memory:")
    for name, (columns, rows) in TABLES.items():
        base.execute(f"CREATE TABLE {name} ({', '.join(c + (' TEXT' if c in TEXT else ' INTEGER') for c in columns)})")
        base.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(columns))})", rows)
    print(f"# SQLite {sqlite3.sqlite_version}; made by generate.py")
    for seed in range(700):
        generator = Generator(seed)
        made = getattr(generator, ["plain", "grouped", "windowed", "sets", "nested", "plain", "top"][seed % 7])()
        query, count = made if isinstance(made, tuple) else (made, None)
        asked = query
        if count is not None:
            asked = query.replace(f"TOP {count} ", "", 1) + f" LIMIT {count}"
        rows = sorted("|".join("-" if v is None else str(v) for v in row) for row in base.execute(asked))
        if len(rows) <= 60:
            print(f"? {query}")
            for row in rows:
                print(f"= {row}")


main()

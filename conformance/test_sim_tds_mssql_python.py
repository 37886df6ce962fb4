"""mssql-python: Microsoft's ODBC driver behind Python. Prepared statements, attention, transactions by request."""

import decimal
import time

import pytest
import sim_table
from sim import PASSWORD, Sim

mssql_python = pytest.importorskip("mssql_python", reason="mssql-python is not installed")


@pytest.fixture(scope="module")
def instance(tmp_path_factory):
    server = Sim(tmp_path_factory.mktemp("sim")).start()
    with login(server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE Judge")
    yield server
    server.kill()


def login(server, password=PASSWORD, database="master", autocommit=False, **how):
    options = {"Encrypt": "no", "TrustServerCertificate": "yes", **how}
    text = "".join(f"{name}={value};" for name, value in options.items())
    return mssql_python.connect(
        f"Server=tcp:127.0.0.1,{server.port};UID=sa;PWD={{{password}}};Database={database};{text}", autocommit=autocommit
    )


@pytest.mark.parametrize("encrypt", ["no", "yes"])
def test_encryption(instance, encrypt):
    with login(instance, Encrypt=encrypt) as connection:
        row = connection.execute("SELECT ?, ?, ?", ("Zażółć 😀", 7, None)).fetchone()
        assert tuple(row) == ("Zażółć 😀", 7, None)


def test_a_wrong_password(instance):
    with pytest.raises(mssql_python.Error) as refused:
        login(instance, "wrong")
    assert "Login failed for user 'sa'" in str(refused.value)


def test_types_there_and_back(instance):
    with login(instance, database="Judge") as connection:
        cursor = connection.cursor()
        cursor.execute(sim_table.create("odbc_types"))
        cursor.execute(sim_table.insert("odbc_types", "?"), (1, *sim_table.values()))
        connection.commit()
        cursor.execute("SELECT * FROM odbc_types ORDER BY id")
        row = list(cursor.fetchone())[1:]
        sim_table.compare(row, sim_table.values())


def test_values_longer_than_a_page(instance):
    with login(instance) as connection:
        blob = bytes(range(256)) * 300
        row = connection.execute("SELECT ?, ?", (sim_table.LONG, blob)).fetchone()
        assert tuple(row) == (sim_table.LONG, blob)


def test_a_statement_prepared_once_and_run_often(instance):
    with login(instance, database="Judge") as connection:
        cursor = connection.cursor()
        cursor.execute("CREATE TABLE odbc_prepared (id int, name nvarchar(40), total decimal(10, 2))")
        rows = [(n, f"wiersz {n} ż", decimal.Decimal(n) / 4) for n in range(50)]
        cursor.executemany("INSERT INTO odbc_prepared VALUES (?, ?, ?)", rows)
        connection.commit()
        for n in (0, 49):
            found = cursor.execute("SELECT name, total FROM odbc_prepared WHERE id = ?", (n,)).fetchall()
            assert [tuple(row) for row in found] == [(f"wiersz {n} ż", decimal.Decimal(n) / 4)]


def test_results_and_errors(instance):
    with login(instance, autocommit=True) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT 1; SELECT 2")
        assert cursor.fetchval() == 1
        assert cursor.nextset()
        assert cursor.fetchval() == 2
        with pytest.raises(mssql_python.Error) as refused:
            cursor.execute("SELECT * FROM nothing_there")
        assert "Invalid object name 'nothing_there'" in str(refused.value)
        assert cursor.execute("SELECT 3").fetchval() == 3


def test_transactions(instance):
    with login(instance, database="Judge") as connection:
        cursor = connection.cursor()
        cursor.execute("CREATE TABLE odbc_transactions (id int)")
        connection.commit()
        cursor.execute("INSERT INTO odbc_transactions VALUES (1)")
        connection.rollback()
        cursor.execute("INSERT INTO odbc_transactions VALUES (2)")
        connection.commit()
        assert [tuple(row) for row in cursor.execute("SELECT id FROM odbc_transactions").fetchall()] == [(2,)]


def test_a_time_out_cancels_and_the_connection_goes_on(instance):
    with login(instance, autocommit=True) as connection:
        connection.timeout = 1
        since = time.monotonic()
        with pytest.raises(mssql_python.Error):
            connection.execute("WAITFOR DELAY '00:00:30'")
        assert time.monotonic() - since < 25
        connection.timeout = 0
        assert connection.execute("SELECT 5").fetchval() == 5

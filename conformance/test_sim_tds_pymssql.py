"""pymssql, over FreeTDS' db-lib: logs in plain and encrypted, in all versions of TDS, and does what programs do."""

import pytest
import sim_table
from sim import PASSWORD, Sim

pymssql = pytest.importorskip("pymssql", reason="pymssql is not installed")


@pytest.fixture(scope="module")
def instance(tmp_path_factory):
    server = Sim(tmp_path_factory.mktemp("sim")).start()
    with login(server, autocommit=True) as connection:
        connection.cursor().execute("CREATE DATABASE Judge")
    yield server
    server.kill()


def login(server, password=PASSWORD, **how):
    how = {"encryption": "off", "login_timeout": 60, "timeout": 120, **how}
    return pymssql.connect("127.0.0.1", "sa", password, port=str(server.port), **how)


@pytest.mark.parametrize("encryption", ["off", "request", "require"])
def test_encryption(instance, encryption):
    with login(instance, encryption=encryption) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT N'Zażółć 😀', 7")
        assert cursor.fetchall() == [("Zażółć 😀", 7)]


@pytest.mark.parametrize("version", ["7.1", "7.2", "7.3", "7.4"])
def test_versions_of_tds(instance, version):
    with login(instance, tds_version=version) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT CAST(N'żółw' AS nvarchar(max)), CAST(5 AS bigint), @@SPID")
        text, number, session = cursor.fetchone()
        assert (text, number) == ("żółw", 5) and session > 50


def test_a_wrong_password(instance):
    with pytest.raises(pymssql.OperationalError) as refused:
        login(instance, "wrong")
    assert "18456" in str(refused.value) and "Login failed for user 'sa'" in str(refused.value)


def test_a_database_that_is_not_there(instance):
    with pytest.raises(pymssql.OperationalError) as refused:
        login(instance, database="nowhere")
    # db-lib shows the last of two messages; the first is 4060.
    assert "18456" in str(refused.value)


def test_types_there_and_back(instance):
    with login(instance, database="Judge") as connection:
        cursor = connection.cursor()
        cursor.execute(sim_table.create("pymssql_types"))
        # pymssql writes values into the text; bytes and guids in its own way.
        cursor.execute(sim_table.insert("pymssql_types", "%s"), (1, *sim_table.values()))
        cursor.execute(sim_table.insert("pymssql_types", "%s"), (2, *sim_table.nulls()))
        connection.commit()
        cursor.execute("SELECT * FROM pymssql_types ORDER BY id")
        full, empty = cursor.fetchall()
        sim_table.compare(full[1:], sim_table.values())
        sim_table.compare(empty[1:], sim_table.nulls())


def test_results_messages_and_errors_in_order(instance):
    said = []
    with login(instance, autocommit=True) as connection:
        connection._conn.set_msghandler(
            lambda state, severity, server, procedure, line, text: said.append((severity, line, text.decode()))
        )
        cursor = connection.cursor()
        cursor.execute("PRINT N'pierwszy ż'\nSELECT 1\nPRINT 'second'\nSELECT 2")
        assert cursor.fetchall() == [(1,)]
        assert cursor.nextset()
        assert cursor.fetchall() == [(2,)]
        assert [text for _, _, text in said] == ["pierwszy ż", "second"]
        with pytest.raises(pymssql.Error) as refused:
            cursor.execute("SELECT 1\n\nSELECT * FROM nothing_there")
            while cursor.nextset():
                pass
        assert refused.value.args[0] == 208
        assert said[-1] == (16, 3, "Invalid object name 'nothing_there'.")
        cursor.execute("SELECT 3")
        assert cursor.fetchall() == [(3,)]


def test_transactions(instance):
    with login(instance, database="Judge") as connection:
        cursor = connection.cursor()
        cursor.execute("CREATE TABLE pymssql_transactions (id int)")
        connection.commit()
        cursor.execute("INSERT INTO pymssql_transactions VALUES (1)")
        connection.rollback()
        cursor.execute("INSERT INTO pymssql_transactions VALUES (2)")
        connection.commit()
        cursor.execute("SELECT id FROM pymssql_transactions")
        assert cursor.fetchall() == [(2,)]


def test_a_statement_that_takes_too_long_is_cancelled(instance):
    with login(instance, timeout=1, autocommit=True) as connection:
        with pytest.raises(pymssql.Error):
            connection.cursor().execute("WAITFOR DELAY '00:00:30'")
    with login(instance, autocommit=True) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT 5")
        assert cursor.fetchone() == (5,)


def test_a_text_longer_than_a_page(instance):
    with login(instance) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT %s", (sim_table.LONG,))
        assert cursor.fetchone() == (sim_table.LONG,)

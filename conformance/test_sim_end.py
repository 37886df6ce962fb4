"""The end of `bac2 sim`: Ctrl-C, SIGTERM and SHUTDOWN end the process in order, whatever runs, and no commit is lost.

A client writes row after row, each its own transaction, and remembers what it was told; another one waits in a long batch, a
third has a transaction open. After the next start all that was told is there, and nothing that was not committed.
"""

import signal
import threading
import time

import pytest
from sim import PASSWORD, Sim

pymssql = pytest.importorskip("pymssql", reason="pymssql is not installed")

# How long an instance may take for its end: batches that run have ten seconds.
PATIENCE = 300


def login(server, **how):
    return pymssql.connect("127.0.0.1", "sa", PASSWORD, port=str(server.port), login_timeout=60, **how)


@pytest.fixture
def instance(tmp_path):
    server = Sim(tmp_path).start()
    with login(server, autocommit=True) as connection:
        cursor = connection.cursor()
        cursor.execute("CREATE DATABASE Shop")
        cursor.execute("CREATE TABLE Shop.dbo.t (id int NOT NULL PRIMARY KEY)")
        cursor.execute("CREATE TABLE Shop.dbo.never (id int NOT NULL PRIMARY KEY)")
    yield server
    server.kill()


def write(server, told):
    """Row after row, until the server ends; `told` are those that it said were in."""
    try:
        with login(server, autocommit=True) as connection:
            cursor = connection.cursor()
            while True:
                cursor.execute(f"INSERT INTO Shop.dbo.t VALUES ({len(told)})")
                told.append(len(told))
    except pymssql.Error:
        pass


def wait(server):
    """A batch that would take an hour."""
    try:
        with login(server, autocommit=True) as connection:
            connection.cursor().execute("WAITFOR DELAY '01:00:00'")
    except pymssql.Error:
        pass


def by_signal(number):
    return lambda server: server.process.send_signal(number)


def by_batch(text):
    def end(server):
        # The connection goes with the server: whether the answer still comes is not the question.
        try:
            with login(server, autocommit=True) as connection:
                connection.cursor().execute(text)
        except pymssql.Error:
            pass

    return end


ENDS = {
    "ctrl-c": by_signal(signal.SIGINT),
    "sigterm": by_signal(signal.SIGTERM),
    "shutdown": by_batch("SHUTDOWN"),
    "shutdown-with-nowait": by_batch("SHUTDOWN WITH NOWAIT"),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_the_process_ends_in_order_and_keeps_what_was_committed(instance, end):
    told = []
    clients = [
        threading.Thread(target=write, args=(instance, told), daemon=True),
        threading.Thread(target=wait, args=(instance,), daemon=True),
    ]
    uncommitted = login(instance)
    uncommitted.cursor().execute("INSERT INTO Shop.dbo.never VALUES (1)")
    for client in clients:
        client.start()
    deadline = time.monotonic() + PATIENCE
    while len(told) < 20:
        assert time.monotonic() < deadline and clients[0].is_alive(), "the writer does not get on"
        time.sleep(0.01)
    end(instance)
    assert instance.process.wait(timeout=PATIENCE) == 0, instance.said()
    for client in clients:
        client.join(PATIENCE)
        assert not client.is_alive(), "a client still waits for a server that is gone"

    instance.start()
    with login(instance) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT id FROM Shop.dbo.t ORDER BY id")
        found = [number for (number,) in cursor.fetchall()]
        cursor.execute("SELECT COUNT(*) FROM Shop.dbo.never")
        assert cursor.fetchone() == (0,), "nobody committed it"
    # The last one may be in although nobody was told.
    assert found in (told, [*told, len(told)])
    instance.stop()

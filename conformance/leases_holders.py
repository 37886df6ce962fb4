"""Holders of leases in processes of their own: backups and restores that live, pause, or are killed.

Made by hand over http.client like the other sequences, so that a connection is exactly what the test says: one that
stays open while its owner pauses, or one that is closed and opened again. What happens is written to a file, a line at
a time: `leased`, `used` (a piece was written or read), `paused`, `done`, or `lost` with what was refused.
"""

import multiprocessing
import random
import time

from sql_server_sequence_client import NEW, RESTORE_LEASE, Client, block_id
from sql_server_sequence_page_client import create, put_page, resize

PIECE = 64 << 10


class Lost(Exception):
    """A request was refused that a holder of a lease may make."""


class Session:
    """What one holder sends, over two connections at most, and what it tells of it."""

    def __init__(self, address, log, seed):
        self.address, self.chance, self.clients = address, random.Random(seed), []
        self.log = open(log, "a", buffering=1)

    def tell(self, word, *more):
        print(word, f"{time.time():.3f}", *more, file=self.log)

    def client(self):
        if len(self.clients) < 2 and self.chance.random() < 0.5 or not self.clients:
            self.clients.append(Client(self.address, NEW))
        # The latest one stands last: it stays open when others are closed.
        self.clients.append(self.clients.pop(self.chance.randrange(len(self.clients))))
        return self.clients[-1]

    def must(self, reply, status):
        if reply.status != status:
            self.tell("lost", reply.status, reply.code)
            raise Lost(reply)
        return reply

    def lease(self, path, action, status, **fields):
        return self.must(self.client().lease(path, action, **fields), status)

    def rest(self, quiet):
        """Between two pieces: a moment; or longer than the limit, a connection open; or shorter than it, none open."""
        dice = self.chance.random()
        if dice < 0.2:
            while len(self.clients) > 1:
                self.clients.pop(0).close()
            lasting = quiet * self.chance.uniform(1.5, 2.5)
            self.tell("paused", f"{lasting:.1f}")
            time.sleep(lasting)
        elif dice < 0.3:
            self.hang_up()
            time.sleep(quiet * 0.4)
        else:
            time.sleep(self.chance.uniform(0.1, 0.6))

    def hang_up(self):
        while self.clients:
            self.clients.pop().close()


def back_up_pages(address, path, lease, data, log, seed, seconds, quiet):
    """A backup of SQL Server 2012: pages under a lease, cut to size, released."""
    session = Session(address, log, seed)
    session.must(create(session.client(), path), 201)
    session.lease(path, "acquire", 201, lease_duration=-1, proposed_lease_id=lease)
    session.tell("leased")
    at = 0
    for at, piece in pieces(data, seconds):
        session.must(put_page(session.client(), at, piece, lease, path), 201)
        session.tell("used")
        session.rest(quiet)
    session.must(resize(session.client(), at + PIECE, lease, path), 200)
    session.lease(path, "release", 200, lease_id=lease)
    session.tell("done")


def back_up_blocks(address, path, lease, data, log, seed, seconds, quiet):
    """A backup of SQL Server 2016: an empty blob, blocks under a lease, their list, released."""
    session = Session(address, log, seed)
    session.must(session.client().put_empty(path), 201)
    session.lease(path, "Acquire", 201, lease_duration=-1, proposed_lease_id=lease)
    session.tell("leased")
    count = 0
    for at, piece in pieces(data, seconds):
        session.must(session.client().put_block(path, block_id(at // PIECE), piece, lease), 201)
        session.tell("used")
        count += 1
        session.rest(quiet)
    entries = [("Latest", block_id(number)) for number in range(count)]
    session.must(session.client().put_block_list(path, entries, lease, "utf-16le"), 201)
    session.lease(path, "Release", 200, lease_id=lease)
    session.tell("done")


def restore(address, path, lease, data, log, seed, seconds, quiet):
    """A restore: reads a whole backup under the well-known lease."""
    session = Session(address, log, seed)
    session.lease(path, "acquire", 201, lease_duration=-1, proposed_lease_id=RESTORE_LEASE)
    session.tell("leased")
    for at, piece in pieces(data, seconds):
        reply = session.must(session.client().read(path, at, at + PIECE - 1, RESTORE_LEASE), 206)
        assert reply.body == piece
        session.tell("used")
        session.rest(quiet)
    session.lease(path, "release", 200, lease_id=RESTORE_LEASE)
    session.tell("done")


def pieces(data, seconds):
    """(offset, bytes) of whole pieces, until the time is over or the data is."""
    ends = time.monotonic() + seconds
    for at in range(0, len(data) - PIECE + 1, PIECE):
        yield at, data[at : at + PIECE]
        if time.monotonic() > ends:
            return


WORK = {"page": back_up_pages, "block": back_up_blocks, "restore": restore}


class Holder:
    """One of them, seen from outside."""

    def __init__(self, address, container, name, kind, data, log, *, lease, seed, seconds, quiet):
        self.name, self.container, self.kind, self.log = name, container, kind, log
        self.died = None
        log.touch()
        work = (address, f"{container}/{name}", lease, data, log, seed, seconds, quiet)
        context = multiprocessing.get_context("spawn")
        self.process = context.Process(target=WORK[kind], args=work, daemon=True)
        self.process.start()

    def told(self, word=None):
        """The lines of its file, of this kind."""
        text = self.log.read_text()
        lines = [line.split() for line in text[: text.rfind("\n") + 1].splitlines()]
        return [line for line in lines if word in (None, line[0])]

    def is_under_way(self):
        return bool(self.told("used"))

    def kill(self):
        """As a power cut, in the middle of whatever it does."""
        self.process.kill()
        self.process.join()
        self.died = time.time()

    def is_alive(self):
        return self.process.is_alive()

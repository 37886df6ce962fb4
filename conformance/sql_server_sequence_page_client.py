"""The page-blob client of SQL Server 2012 SP1 CU2 and later (`WITH CREDENTIAL`), made by hand like the block-blob one.

It signs with the account's key, declares a blob of 1 TB, keeps several Put Pages in flight under an infinite lease,
and cuts the blob to size at the end. A restore takes the one well-known lease id.
"""

import functools
import ssl
import threading
import time
import xml.etree.ElementTree as tree

from sql_server_sequence_client import PATH, RESTORE_LEASE, Client, new_lease, noise

# The oldest version that has infinite leases.
VERSION = "2012-02-12"
DECLARED = 1 << 40
PAGE = 512
# The most that one Put Page may carry.
PIECE = 4 << 20


def create(client, path=PATH, size=DECLARED, lease=None):
    headers = {"x-ms-blob-type": "PageBlob", "x-ms-blob-content-length": str(size)}
    if lease:
        headers["x-ms-lease-id"] = lease
    return client.call("PUT", path, {}, headers)


def put_page(client, offset, data, lease=None, path=PATH):
    headers = {"x-ms-page-write": "update", "x-ms-range": f"bytes={offset}-{offset + len(data) - 1}"}
    if lease:
        headers["x-ms-lease-id"] = lease
    return client.call("PUT", path, {"comp": "page"}, headers, data)


def resize(client, size, lease=None, path=PATH):
    headers = {"x-ms-blob-content-length": str(size)}
    if lease:
        headers["x-ms-lease-id"] = lease
    return client.call("PUT", path, {"comp": "properties"}, headers)


def page_ranges(client, path=PATH):
    """(first, last) pairs, both included, as the server gives them."""
    reply = client.call("GET", path, {"comp": "pagelist"})
    assert reply.status == 200, reply
    root = tree.fromstring(reply.body.decode("utf-8-sig"))
    return [(int(entry.findtext("Start")), int(entry.findtext("End"))) for entry in root.iter("PageRange")]


def put_pages(connect, pieces, lease, path=PATH, connections=4):
    """Puts (offset, bytes) pairs, several in flight; returns when all are answered, as a VDI flush does."""
    pending, lock, failures = list(pieces), threading.Lock(), []

    def worker():
        client = connect()
        try:
            while True:
                with lock:
                    if not pending or failures:
                        return
                    offset, data = pending.pop(0)
                reply = put_page(client, offset, data, lease, path)
                if reply.status != 201:
                    failures.append((offset, reply))
        except Exception as error:  # told to the thread that asked, whatever it is
            failures.append((None, error))
        finally:
            client.close()

    threads = [threading.Thread(target=worker) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]


def back_up_pages(vault, data, *, path=PATH, piece=PIECE, **way):
    """The whole good day. Returns the lease id that was used, which is released by then."""
    assert len(data) % PAGE == 0
    connect = functools.partial(vault.client, VERSION, **way)
    client, lease = connect(), new_lease()
    assert client.call("HEAD", path).status == 404
    assert create(client, path).status == 201
    taken = client.lease(path, "acquire", lease_duration=-1, proposed_lease_id=lease)
    assert taken.status == 201, taken
    put_pages(connect, [(at, data[at : at + piece]) for at in range(0, len(data), piece)], lease, path)
    cut = resize(client, len(data), lease, path)
    assert cut.status == 200, cut
    assert client.lease(path, "release", lease_id=lease).status == 200
    client.close()
    return lease


def restore_pages(vault, *, path=PATH, piece=1 << 20, **way):
    """Lease with the restore's id, size, ranged reads under the lease, release."""
    client = vault.client(VERSION, **way)
    taken = client.lease(path, "acquire", lease_duration=-1, proposed_lease_id=RESTORE_LEASE)
    assert taken.status == 201, taken
    head = client.call("HEAD", path, {}, {"x-ms-lease-id": RESTORE_LEASE})
    assert (head.status, head.headers["x-ms-blob-type"]) == (200, "PageBlob")
    size = int(head.headers["content-length"])
    pieces = []
    for first in range(0, size, piece):
        reply = client.read(path, first, min(first + piece, size) - 1, RESTORE_LEASE)
        assert reply.status == 206, reply
        pieces.append(reply.body)
    assert client.lease(path, "release", lease_id=RESTORE_LEASE).status == 200
    client.close()
    return b"".join(pieces)


# How much of an interrupted backup arrives: eight pieces.
INTERRUPTED_PIECE = 64 << 10
INTERRUPTED = 8 * INTERRUPTED_PIECE


def back_up_until_killed(address, ca, lease, path=PATH):
    """For a process of its own: a page-mode backup that is killed in the middle of its ninth piece.

    Half of that piece is sent and the other half never is: so nothing is on its way that could still arrive whole after the
    death, and what the server has is known to the byte.
    """
    secure = ssl.create_default_context(cafile=ca) if ca else None
    client = Client(address, VERSION, secure=secure)
    assert create(client, path).status == 201
    assert client.lease(path, "acquire", lease_duration=-1, proposed_lease_id=lease).status == 201
    for at in range(0, INTERRUPTED, INTERRUPTED_PIECE):
        assert put_page(client, at, noise(INTERRUPTED_PIECE, at), lease, path).status == 201
    half_a_piece(client, INTERRUPTED, lease, path)
    while True:
        time.sleep(60)


def half_a_piece(client, offset, lease, path):
    """A Put Page that says how long it is and sends the first half."""
    span = f"bytes={offset}-{offset + INTERRUPTED_PIECE - 1}"
    headers = {"x-ms-page-write": "update", "x-ms-range": span, "x-ms-lease-id": lease}
    url, headers = client.prepare("PUT", path, {"comp": "page"}, headers, INTERRUPTED_PIECE)
    client.connection.putrequest("PUT", url)
    for name, value in headers.items():
        client.connection.putheader(name, value)
    client.connection.endheaders()
    client.connection.send(noise(INTERRUPTED_PIECE // 2, offset))


def restore_until_killed(address, ca, path=PATH):
    """For a process of its own: a restore that reads without end."""
    secure = ssl.create_default_context(cafile=ca) if ca else None
    client = Client(address, secure=secure)
    taken = client.lease(path, "acquire", lease_duration=-1, proposed_lease_id=RESTORE_LEASE)
    assert taken.status == 201
    while True:
        assert client.read(path, 0, PAGE - 1, RESTORE_LEASE).status == 206

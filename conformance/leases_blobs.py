"""Blobs and the leases on them, made by Microsoft's SDK for Python in the order in which SQL Server makes them.

No code of the product makes anything here. Every client is closed after use: a connection that stays open is a sign
of life to the product's own server.
"""

import contextlib
import gc
import multiprocessing
import time
import uuid

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.storage.blob import BlobBlock, BlobLeaseClient, BlobServiceClient

# The lease of a RESTORE as SQL Server writes it, and as others do. To Azurite these are two ids.
RESTORE_N = "BAC2BAC2BAC2BAC2BAC2BAC2BAC2BAC2"
RESTORE_D = "bac2bac2-bac2-bac2-bac2-bac2bac2bac2"

# To the product's own server a request that says so is no use of a blob; other servers do not know the header.
ONLOOKER = {"headers": {"x-bac2-look": "1"}}

PIECE = 64 << 10
# The size that SQL Server declares for a page blob before it knows better.
DECLARED = 1 << 40
PAGE = 8192


@contextlib.contextmanager
def at(site, container):
    """A container of the account; `site` is what a process can be given: url, key, certificate to trust."""
    url, key, ca = site
    options = {"credential": key, "retry_total": 0}
    if ca:
        options["connection_verify"] = ca
    with BlobServiceClient(url, **options) as service:
        yield service.get_container_client(container)
    # A request that was refused keeps its connection open until nobody holds its error any more.
    gc.collect()


def site_of(server):
    return server.url, server.key, server.ca


def new_container(server, name="leases"):
    name = f"{name}-{uuid.uuid4().hex[:8]}"
    with server.service() as service:
        service.create_container(name)
    return name


def new_id():
    """A lease id as a backup takes it."""
    return uuid.uuid4().hex.upper()


def begin(blob, mode, lease):
    """The empty blob and its infinite lease. Returns the lease."""
    if mode == "page":
        blob.create_page_blob(DECLARED)
    else:
        blob.upload_blob(b"", overwrite=True)
    holder = BlobLeaseClient(blob, lease_id=lease)
    holder.acquire(lease_duration=-1)
    return holder


def put(blob, mode, lease, number, data):
    """One piece: a page range, or a block with the id that SQL Server gives it."""
    if mode == "page":
        blob.upload_page(data, number * PIECE, len(data), lease=lease)
    else:
        blob.stage_block(f"BLOCKID{number:05}", data, lease=lease)


def commit(blob, mode, lease, size, pieces):
    """The end of the content: cut to size, or the list of blocks."""
    if mode == "page":
        blob.resize_blob(size, lease=lease)
    else:
        blob.commit_block_list([BlobBlock(f"BLOCKID{number:05}") for number in range(pieces)], lease=lease)


def cut(data):
    return [data[at : at + PIECE] for at in range(0, len(data), PIECE)]


def good_backup(server, container, name, mode, data, release=True):
    """A whole backup. Without `release` its holder goes after the last write and before the release."""
    with at(site_of(server), container) as client:
        blob, lease, pieces = client.get_blob_client(name), new_id(), cut(data)
        holder = begin(blob, mode, lease)
        for number, piece in enumerate(pieces):
            put(blob, mode, lease, number, piece)
        commit(blob, mode, lease, len(data), len(pieces))
        if release:
            holder.release()


def back_up_until_killed(site, container, name, mode, lease, data, committed=0):
    """For a process of its own: half of a backup, piece by piece, and then nothing any more."""
    with at(site, container) as client:
        blob = client.get_blob_client(name)
        begin(blob, mode, lease)
        pieces = cut(data)
        for number, piece in enumerate(pieces[: len(pieces) // 2]):
            put(blob, mode, lease, number, piece)
            if number + 1 == committed:
                commit(blob, mode, lease, None, committed)
        while True:
            time.sleep(60)


def back_up_slowly(site, container, name, mode, data, seconds, pause):
    """For a process of its own: a backup that lives, a piece every `pause`. Fails as soon as anything is refused."""
    with at(site, container) as client:
        blob, lease, pieces = client.get_blob_client(name), new_id(), cut(data)
        holder = begin(blob, mode, lease)
        count = min(len(pieces), int(seconds / pause))
        for number in range(count):
            put(blob, mode, lease, number, pieces[number])
            time.sleep(pause)
        commit(blob, mode, lease, count * PIECE, count)
        holder.release()


def dead_backup(server, container, name, mode, data, committed=0):
    """A backup whose process is killed in the middle. Returns its lease id."""
    lease = new_id()
    work = (site_of(server), container, name, mode, lease, data, committed)
    process = in_process(back_up_until_killed, *work)
    try:
        # All that it writes: then nothing is on its way when it dies, which could arrive whenever it likes.
        wait_for_pieces(server, container, name, mode, len(cut(data)) // 2, process)
    finally:
        process.kill()
        process.join()
    time.sleep(1)  # for the server to see that its connection is gone
    return lease


def in_process(work, *arguments):
    process = multiprocessing.get_context("spawn").Process(target=work, args=arguments, daemon=True)
    process.start()
    return process


def wait_for_pieces(server, container, name, mode, count, process):
    """Until so many pieces of the backup have arrived."""
    deadline = time.monotonic() + 300
    with at(site_of(server), container) as client:
        while pieces_of(client.get_blob_client(name), mode) < count:
            assert process.is_alive() and time.monotonic() < deadline, "the backup does not get on"
            time.sleep(0.05)


def pieces_of(blob, mode):
    try:
        if mode == "page":
            return sum(entry.end - entry.start + 1 for entry in blob.list_page_ranges(**ONLOOKER)) // PIECE
        return sum(len(blocks) for blocks in blob.get_block_list("all", **ONLOOKER))
    except ResourceNotFoundError:
        return 0


def pages(server, container, name, data, lease=None, size=None):
    """A page blob with these bytes at its start, leased for ever under `lease`."""
    with at(site_of(server), container) as client:
        blob = client.get_blob_client(name)
        blob.create_page_blob(size or len(data))
        if data:
            blob.upload_page(data, 0, len(data))
    if lease:
        hold(server, container, name, lease)


def hold(server, container, name, lease, duration=-1):
    """Takes a lease; whoever took it is gone."""
    with at(site_of(server), container) as client:
        BlobLeaseClient(client.get_blob_client(name), lease_id=lease).acquire(lease_duration=duration)


def states(server, container):
    """Of every blob: lease status, state and duration, tag, last change, size. By a listing, which touches no blob."""
    with at(site_of(server), container) as client:
        found = {}
        for entry in client.list_blobs(include=["uncommittedblobs"]):
            lease = entry.lease
            words = (lease.status, lease.state, lease.duration)
            found[entry.name] = (*words, entry.etag, entry.last_modified, entry.size)
        return found


def lease_state(server, container, name):
    return states(server, container)[name][1]


def data_file(pages_after=1):
    """The beginning of a SQL Server data file: the file header page and, `pages_after`, the page of free space.

    Of the published page header: byte 0 the version, 1, byte 1 the type, 15 and 11, 32 to 36 the number of the page, 36
    to 38 that of the file.
    """
    header = bytearray(PAGE * (1 + pages_after))
    header[0:2], header[36] = b"\x01\x0f", 1
    if pages_after:
        header[PAGE : PAGE + 2], header[PAGE + 32], header[PAGE + 36] = b"\x01\x0b", 1, 1
    return bytes(header)


def refusal(call, *arguments, **options):
    """Status and code with which something is refused; None where it is not."""
    try:
        call(*arguments, **options)
        return None
    except HttpResponseError as error:
        return error.status_code, error.response.headers.get("x-ms-error-code")

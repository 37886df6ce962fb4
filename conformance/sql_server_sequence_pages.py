"""Backups of SQL Server 2012 to 2014, in page blobs under an infinite lease: the good day, and the interrupted one.

The interrupted backup is the one that Microsoft's "Managing Interrupted Backups" walks through, step by step.
"""

import os
import time
import xml.etree.ElementTree as tree

import pytest
from killed_client import killed
from real_backups import real_backup
from sql_server_sequence_client import (
    CONTAINER,
    NAME,
    NEW,
    PATH,
    RESTORE_LEASE,
    RESTORE_LEASE_DASHED,
    back_up,
    new_lease,
    noise,
    restore,
)
from sql_server_sequence_page_client import (
    DECLARED,
    INTERRUPTED,
    PAGE,
    PIECE,
    VERSION,
    back_up_pages,
    back_up_until_killed,
    create,
    page_ranges,
    put_page,
    resize,
    restore_pages,
    restore_until_killed,
)

MESSAGE = "There is currently a lease on the blob and no lease ID was specified in the request."


def on_disk(folder):
    """Bytes that the data directory really takes."""
    found = (os.path.join(base, name) for base, _, names in os.walk(folder) for name in names)
    return sum(os.lstat(path).st_blocks * 512 for path in found)


@pytest.mark.parametrize("path_style", [True, False])
def test_a_page_backup_goes_in_and_comes_back_to_the_byte(vault, path_style):
    data = noise(2 * PIECE + 12 * PAGE)
    back_up_pages(vault, data, path_style=path_style)
    client = vault.client(VERSION, path_style=path_style)
    head = client.call("HEAD", PATH)
    assert head.headers["x-ms-blob-type"] == "PageBlob"
    assert head.headers["x-ms-blob-sequence-number"] == "0"
    assert head.headers["content-length"] == str(len(data))
    assert (head.headers["x-ms-lease-state"], head.headers["x-ms-lease-status"]) == ("available", "unlocked")
    assert page_ranges(client) == [(0, len(data) - 1)]
    assert restore_pages(vault, path_style=path_style) == data
    assert client.call("HEAD", PATH).headers["x-ms-lease-state"] == "available", "a restore leaves no lease"
    entry = vault.list()[NAME]
    assert (entry["kind"], entry["size"], entry["committed"]) == ("page", len(data), True)


def test_a_terabyte_is_declared_and_not_taken(vault):
    client = vault.client(VERSION)
    before = on_disk(vault.data)
    assert create(client).status == 201
    last = DECLARED - PAGE
    assert put_page(client, last, b"\x17" * PAGE).status == 201
    assert client.call("HEAD", PATH).headers["content-length"] == str(DECLARED)
    assert on_disk(vault.data) - before < 16 << 20
    assert client.read(PATH, 0, 999_999).body == bytes(1_000_000), "a hole reads as zeroes"
    assert client.read(PATH, last - 100, DECLARED - 1).body == bytes(100) + b"\x17" * PAGE
    assert page_ranges(client) == [(last, DECLARED - 1)]


def test_small_pieces_out_of_order_make_one_blob(vault):
    """Compressed backups write in pieces of many sizes; what is written twice is what was written last."""
    client, lease = vault.client(VERSION), new_lease()
    data = noise(300 * PAGE)
    assert create(client).status == 201
    assert client.lease(PATH, "acquire", lease_duration=-1, proposed_lease_id=lease).status == 201
    cuts = [0, 1, 8, 9, 100, 101, 255, 300]
    pieces = [(a * PAGE, data[a * PAGE : b * PAGE]) for a, b in zip(cuts, cuts[1:])]
    assert put_page(client, 0, bytes(120 * PAGE), lease).status == 201
    for offset, piece in reversed(pieces):
        assert put_page(client, offset, piece, lease).status == 201
    assert resize(client, len(data), lease).status == 200
    assert client.lease(PATH, "release", lease_id=lease).status == 200
    assert restore_pages(vault, piece=777) == data


def test_a_page_backup_survives_the_death_of_the_server(vault):
    client, lease = vault.client(VERSION), new_lease()
    data = noise(64 * PAGE)
    assert create(client).status == 201
    assert client.lease(PATH, "acquire", lease_duration=-1, proposed_lease_id=lease).status == 201
    assert put_page(client, 0, data[: 32 * PAGE], lease).status == 201
    vault.kill()
    vault.start()
    client = vault.client(VERSION)
    held = put_page(client, 32 * PAGE, data[32 * PAGE :])
    assert (held.status, held.code) == (412, "LeaseIdMissing")
    assert put_page(client, 32 * PAGE, data[32 * PAGE :], lease).status == 201
    assert resize(client, len(data), lease).status == 200
    assert client.lease(PATH, "release", lease_id=lease).status == 200
    assert restore_pages(vault) == data


# What a client that is no SQL Server may get wrong, with the codes of Microsoft's reference.


def test_pages_must_be_whole_and_inside(vault):
    client = vault.client(NEW)
    assert create(client, size=1000).status == 400
    assert create(client, size=16 * PAGE).status == 201
    beyond = put_page(client, 16 * PAGE, b"x" * PAGE)
    assert (beyond.status, beyond.code) == (416, "InvalidPageRange")
    crooked = put_page(client, 100, b"x" * PAGE)
    assert (crooked.status, crooked.code) == (416, "InvalidPageRange")
    short = client.call(
        "PUT", PATH, {"comp": "page"}, {"x-ms-page-write": "update", "x-ms-range": "bytes=0-1023"}, b"x" * PAGE
    )
    assert (short.status, short.code) == (416, "InvalidPageRange")
    assert resize(client, 100).status == 400
    missing = put_page(client, 0, b"x" * PAGE, path=CONTAINER + "/absent")
    assert (missing.status, missing.code) == (404, "BlobNotFound")
    assert client.put_empty(CONTAINER + "/block").status == 201
    other = put_page(client, 0, b"x" * PAGE, path=CONTAINER + "/block")
    assert (other.status, other.code) == (409, "InvalidBlobType")
    assert page_ranges(client) == [], "what was refused changed nothing"


def test_more_than_four_mebibytes_are_refused(vault):
    client = vault.client(NEW)
    assert create(client).status == 201
    reply = put_page(client, 0, bytes(PIECE + PAGE))
    assert (reply.status, reply.code) == (413, "RequestBodyTooLarge")
    assert put_page(vault.client(NEW), 0, bytes(PIECE)).status == 201


# The bad day


def wait_for_pages(client):
    """Until all has arrived that will."""
    deadline = time.monotonic() + 300
    while client.call("HEAD", PATH).status != 200 or page_ranges(client) != [(0, INTERRUPTED - 1)]:
        assert time.monotonic() < deadline, "the backup does not get on"
        time.sleep(0.02)


def listed(client):
    """What a listing tells of each blob's lease, by name."""
    reply = client.call("GET", CONTAINER, {"restype": "container", "comp": "list", "include": "metadata"})
    assert reply.status == 200, reply
    root = tree.fromstring(reply.body.decode("utf-8-sig"))
    fields = ("LeaseStatus", "LeaseState", "LeaseDuration", "BlobType")
    return {
        blob.findtext("Name"): tuple(blob.findtext("Properties/" + field) for field in fields)
        for blob in root.iter("Blob")
    }


def test_the_interrupted_backup_of_the_walkthrough(vault):
    client = vault.client(VERSION)
    good = CONTAINER + "/good.bak"
    back_up_pages(vault, noise(16 * PAGE), path=good)
    assert listed(client) == {"good.bak": ("unlocked", "available", None, "PageBlob")}, "there are no locked blobs"

    lease = new_lease()
    ca = vault.ca
    killed(back_up_until_killed, vault.address, ca, lease, ready=lambda: wait_for_pages(client))
    assert listed(client)[NAME] == ("locked", "leased", "infinite", "PageBlob")
    written = [(0, INTERRUPTED - 1)]
    assert page_ranges(client) == written, "the partial blob is there, and nothing of the piece that was cut"
    entry = vault.list()[NAME]
    assert (entry["kind"], entry["leaseState"], entry["leaseDuration"]) == ("page", "leased", "infinite")
    assert entry["verdict"] != "ok"

    # Msg 3202 shows the message; the engine takes it from the answer.
    for refused in (create(client), client.call("DELETE", PATH), put_page(client, 0, bytes(PAGE))):
        assert (refused.status, refused.code) == (412, "LeaseIdMissing")
        assert MESSAGE.encode() in refused.body
    wrong = put_page(client, 0, bytes(PAGE), new_lease())
    assert (wrong.status, wrong.code) == (412, "LeaseIdMismatchWithBlobOperation")
    # Neither a restore nor the script's test gets the lease.
    for form in (RESTORE_LEASE, RESTORE_LEASE_DASHED):
        conflict = client.lease(PATH, "acquire", lease_duration=-1, proposed_lease_id=form)
        assert (conflict.status, conflict.code) == (409, "LeaseAlreadyPresent")
        probe = client.call("HEAD", PATH, {}, {"x-ms-lease-id": form})
        assert (probe.status, probe.code) == (412, "LeaseIdMismatchWithBlobOperation")
    assert client.read(PATH, 0, PAGE - 1).status == 206, "reading needs no lease"
    assert page_ranges(client) == written

    broken = client.lease(PATH, "break", lease_break_period=0)
    assert (broken.status, broken.headers["x-ms-lease-time"]) == (202, "0")
    assert listed(client)[NAME] == ("unlocked", "broken", None, "PageBlob")
    late = put_page(client, 0, bytes(PAGE), lease)
    assert (late.status, late.code) == (412, "LeaseNotPresentWithBlobOperation"), "the dead backup cannot come back"
    assert client.call("DELETE", PATH).status == 202
    assert NAME not in listed(client)
    back_up_pages(vault, noise(16 * PAGE))


def test_an_interrupted_backup_may_be_overwritten_after_the_break(vault):
    client = vault.client(VERSION)
    killed(back_up_until_killed, vault.address, vault.ca, new_lease(), ready=lambda: wait_for_pages(client))
    assert client.lease(PATH, "break", lease_break_period=0).status == 202
    assert create(client, size=PAGE).status == 201
    head = client.call("HEAD", PATH).headers
    assert (head["content-length"], head["x-ms-lease-state"]) == (str(PAGE), "available")
    assert page_ranges(client) == []


def test_sql_server_deletes_its_own_failed_page_backup(vault):
    client, lease = vault.client(VERSION), new_lease()
    assert create(client).status == 201
    assert client.lease(PATH, "acquire", lease_duration=-1, proposed_lease_id=lease).status == 201
    assert put_page(client, 0, bytes(PAGE), lease).status == 201
    assert client.call("DELETE", PATH, {}, {"x-ms-lease-id": lease}).status == 202
    assert client.call("HEAD", PATH).status == 404


@pytest.mark.parametrize("mode", ["block", "page"])
def test_a_killed_restore_hinders_overwriting_until_the_next_restore(vault, mode):
    data = noise(64 * PAGE)
    (back_up if mode == "block" else back_up_pages)(vault, data)
    client = vault.client(VERSION)

    def overwrite():
        return client.put_empty(PATH) if mode == "block" else create(client)

    def leased():
        deadline = time.monotonic() + 300
        while client.call("HEAD", PATH).headers["x-ms-lease-state"] != "leased":
            assert time.monotonic() < deadline, "the restore does not begin"
            time.sleep(0.02)

    killed(restore_until_killed, vault.address, vault.ca, ready=leased)
    for refused in (overwrite(), client.call("DELETE", PATH)):
        assert (refused.status, refused.code) == (412, "LeaseIdMissing")
    probe = client.call("HEAD", PATH, {}, {"x-ms-lease-id": RESTORE_LEASE_DASHED})
    assert probe.status == 200, "it is told to be a restore's lease, without touching it"
    if mode == "block":
        taken = client.lease(PATH, "Acquire", lease_duration=-1, proposed_lease_id=RESTORE_LEASE)
        assert taken.status == 201, "the same id again"
        assert restore(vault) == data
        assert client.lease(PATH, "Release", lease_id=RESTORE_LEASE).status == 200
    else:
        assert restore_pages(vault) == data
    assert client.call("HEAD", PATH).headers["x-ms-lease-state"] == "available"
    assert overwrite().status == 201


# Proof


def test_a_made_backup_in_pages_is_proved(vault, made_backup):
    back_up_pages(vault, made_backup, piece=1 << 20)
    entry = vault.verdict(NAME)
    assert entry["verdict"] == "ok", entry
    assert entry["sets"][0]["backupType"] == "full"
    assert restore_pages(vault) == made_backup


def test_one_flipped_bit_in_pages_is_named_by_the_verdict(vault, made_backup):
    data = bytearray(made_backup)
    data[len(data) // 2] ^= 0x10
    back_up_pages(vault, bytes(data), piece=1 << 20)
    entry = vault.verdict(NAME)
    assert entry["verdict"] == "damaged", entry
    assert entry["reasons"], "the verdict says where"


def test_an_interrupted_page_backup_is_not_proved(vault, made_backup):
    """Half of the pages are there, the lease too; a break is all that follows."""
    client, lease = vault.client(VERSION), new_lease()
    assert create(client).status == 201
    assert client.lease(PATH, "acquire", lease_duration=-1, proposed_lease_id=lease).status == 201
    half = len(made_backup) // 2 // PAGE * PAGE
    for at in range(0, half, PIECE):
        assert put_page(client, at, made_backup[at : min(at + PIECE, half)], lease).status == 201
    assert vault.list()[NAME]["verdict"] != "ok"
    assert client.lease(PATH, "break", lease_break_period=0).status == 202
    assert vault.verdict(NAME)["verdict"] in ("truncated", "damaged")


@pytest.mark.parametrize("name", ["misc/2692667768__Northwind.bak.zst", "misc/JoeyCheung__TSQLV4.bak.zst"])
def test_a_real_backup_in_pages_is_proved(vault, name, tmp_path):
    data, expected = real_backup(name)
    data += bytes(-len(data) % PAGE)
    back_up_pages(vault, data)
    entry = vault.verdict(NAME)
    assert entry["verdict"] == "ok", entry["reasons"]
    assert [ours["backupSetGuid"] for ours in entry["sets"]] == [theirs["backup_set_guid"] for theirs in expected["sets"]]
    assert restore_pages(vault) == data

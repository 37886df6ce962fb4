"""A backup the way SQL Server does it, replayed against the product; and the bad day, replayed the same way.

Each test names the behaviour that it stands for. The content is a real backup where BAC2_REAL_BACKUPS names some,
a backup made by the project's own writer, or bytes that are no backup at all where only storage is asked.
"""

import base64
import time

import pytest
from killed_client import killed
from real_backups import real_backup
from sql_server_sequence_client import (
    BLOCK,
    CONTAINER,
    HEADER,
    NAME,
    NEW,
    OLD,
    PATH,
    RESTORE_LEASE,
    RESTORE_LEASE_DASHED,
    back_up,
    back_up_until_killed,
    block_id,
    cut,
    killed_half_way,
    new_lease,
    noise,
    put_blocks,
    restore,
)

# Real backups of different kinds: plain full, compressed full, differential, one family of a stripe set.
REAL = [
    "misc/2692667768__Northwind.bak.zst",
    "misc/JoeyCheung__TSQLV4.bak.zst",
    "dbatools-lab/DoubleDiffing/difftest-diff1.bak.zst",
    "misc/CConocimientos__Northwind.bak.zst",
]


@pytest.mark.parametrize("version", [OLD, NEW])
@pytest.mark.parametrize("encoding", ["utf-16le", "utf-8"])
def test_a_backup_goes_in_and_comes_back_to_the_byte(vault, version, encoding):
    data = noise(HEADER + 3 * BLOCK + 12345)
    back_up(vault, data, version=version, encoding=encoding)
    client = vault.client(version)
    head = client.call("HEAD", PATH)
    assert head.headers["x-ms-blob-type"] == "BlockBlob"
    assert head.headers["x-ms-lease-state"] == "available"
    assert head.headers["x-ms-lease-status"] == "unlocked"
    assert head.headers["x-ms-version"] == version
    assert restore(vault, version=version) == data
    # Headers are read in pieces much smaller than a block.
    assert restore(vault, version=version, piece=HEADER) == data


def test_a_list_that_grows_over_several_commits(vault):
    data = noise(HEADER + 40 * (256 << 10) + 512)
    back_up(vault, data, size=256 << 10, commits=3, encoding="utf-16le")
    assert restore(vault) == data
    assert vault.verdict(NAME)["verdict"] is None, "noise is no backup"
    entry = vault.list()[NAME]
    assert (entry["size"], entry["committed"], entry["kind"]) == (len(data), True, "block")
    assert (entry["leaseState"], entry["leaseStatus"]) == ("available", "unlocked")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16le"])
def test_a_block_list_may_start_with_a_byte_order_mark(vault, encoding):
    client = vault.client()
    assert client.put_block(PATH, block_id(0), b"one").status == 201
    text = f'\ufeff<?xml version="1.0"?><BlockList><Latest>{block_id(0)}</Latest></BlockList>'
    reply = client.call("PUT", PATH, {"comp": "blocklist"}, {}, text.encode(encoding))
    assert reply.status == 201, reply
    assert client.call("GET", PATH).body == b"one"


def test_a_block_list_may_declare_an_encoding_that_it_is_not_in(vault):
    client = vault.client()
    assert client.put_block(PATH, block_id(0), b"one").status == 201
    text = f'<?xml version="1.0" encoding="utf-16"?><BlockList><Latest>{block_id(0)}</Latest></BlockList>'
    assert client.call("PUT", PATH, {"comp": "blocklist"}, {}, text.encode("utf-8")).status == 201
    assert client.call("GET", PATH).body == b"one"


def test_put_block_without_any_put_blob(vault):
    """SQL Server 2025 with trace flag 3012: no empty blob first, so no lease either, and one commit."""
    data = noise(HEADER + BLOCK + 77)
    put_blocks(vault.client, PATH, enumerate(cut(data)))
    client = vault.client()
    assert client.call("HEAD", PATH).status == 404, "not there before the commit"
    listing = {"restype": "container", "comp": "list"}
    assert NAME.encode() not in client.call("GET", CONTAINER, listing).body
    assert NAME.encode() in client.call("GET", CONTAINER, {**listing, "include": "uncommittedblobs"}).body
    assert vault.list()[NAME]["committed"] is False
    reply = client.put_block_list(PATH, [("Latest", block_id(n)) for n in range(len(cut(data)))])
    assert reply.status == 201, reply
    assert restore(vault) == data


def test_block_ids_are_opaque(vault):
    """Ids whose base64 holds every character that a query must escape."""
    client = vault.client()
    ids = [base64.b64encode(raw).decode() for raw in (b"\xfb\xff\xbe\x00", b"\xfb\xef\xbe\xff")]
    assert "+" in ids[0] and "/" in ids[0] and "=" in ids[0]
    for number, name in enumerate(ids):
        assert client.put_block(PATH, name, bytes([number]) * 10).status == 201
    assert client.put_block_list(PATH, [("Latest", ids[1]), ("Latest", ids[0])]).status == 201
    assert client.call("GET", PATH).body == b"\x01" * 10 + b"\x00" * 10


def test_ranges_at_the_end(vault):
    data = noise(100_000)
    back_up(vault, data)
    client = vault.client()
    clipped = client.read(PATH, 99_990, 200_000)
    assert (clipped.status, clipped.body) == (206, data[99_990:])
    beyond = client.read(PATH, 100_000, 100_010)
    assert (beyond.status, beyond.code) == (416, "InvalidRange")
    both = client.call("GET", PATH, {}, {"x-ms-range": "bytes=5-9", "Range": "bytes=0-1"})
    assert (both.status, both.body) == (206, data[5:10]), "x-ms-range wins"


def test_a_killed_client_leaves_a_locked_blob_that_is_no_recovery_point(vault):
    killed_half_way(vault)
    client = vault.client()
    head = client.call("HEAD", PATH)
    assert (head.headers["x-ms-lease-state"], head.headers["x-ms-lease-status"]) == ("leased", "locked")
    assert head.headers["x-ms-lease-duration"] == "infinite"
    assert head.headers["content-length"] == "0", "only the empty blob is committed"
    entry = vault.list()[NAME]
    assert (entry["leaseState"], entry["leaseStatus"], entry["leaseDuration"]) == ("leased", "locked", "infinite")
    assert entry["verdict"] != "ok"

    # The next BACKUP, and anybody who tidies up, meets the lease.
    overwrite = client.put_empty(PATH)
    assert (overwrite.status, overwrite.code) == (412, "LeaseIdMissing")
    block = client.put_block(PATH, block_id(9), b"x")
    assert (block.status, block.code) == (412, "LeaseIdMissing")
    other = client.put_empty(PATH, lease=new_lease())
    assert (other.status, other.code) == (412, "LeaseIdMismatchWithBlobOperation")
    delete = client.call("DELETE", PATH)
    assert (delete.status, delete.code) == (412, "LeaseIdMissing")
    assert b"<Code>LeaseIdMissing</Code>" in delete.body
    # The probe of the published clean-up script: is it the lease of a restore?
    for form in (RESTORE_LEASE, RESTORE_LEASE_DASHED):
        probe = client.lease(PATH, "acquire", lease_duration=-1, proposed_lease_id=form)
        assert (probe.status, probe.code) == (409, "LeaseAlreadyPresent")
    assert client.call("GET", PATH).status == 200, "reading needs no lease"

    broken = client.lease(PATH, "break", lease_break_period=0)
    assert (broken.status, broken.headers["x-ms-lease-time"]) == (202, "0")
    assert client.call("HEAD", PATH).headers["x-ms-lease-state"] == "broken"
    assert client.call("DELETE", PATH).status == 202
    assert client.call("HEAD", PATH).status == 404
    assert NAME not in vault.list()


def test_a_killed_process_leaves_its_lease_and_its_blocks(vault):
    client, lease = vault.client(), new_lease()

    def under_way():
        deadline = time.monotonic() + 300
        listing = {"comp": "blocklist", "blocklisttype": "uncommitted"}
        while client.call("GET", PATH, listing).body.count(b"<Block>") < 4:
            assert time.monotonic() < deadline, "the backup does not get on"
            time.sleep(0.02)

    killed(back_up_until_killed, vault.address, vault.ca, lease, ready=under_way)
    refused = client.put_empty(PATH)
    assert (refused.status, refused.code) == (412, "LeaseIdMissing")
    restore_lease = client.lease(PATH, "Acquire", lease_duration=-1, proposed_lease_id=RESTORE_LEASE)
    assert (restore_lease.status, restore_lease.code) == (409, "LeaseAlreadyPresent")
    assert client.lease(PATH, "break", lease_break_period=0).status == 202
    data = noise(HEADER + 1000)
    assert client.call("DELETE", PATH).status == 202
    back_up(vault, data)
    assert restore(vault) == data


def test_sql_server_cleans_up_after_itself_with_its_lease(vault):
    """A failed BACKUP whose server lives deletes its blob, the lease held."""
    lease = killed_half_way(vault)
    client = vault.client()
    assert client.call("DELETE", PATH, {}, {"x-ms-lease-id": lease}).status == 202
    assert client.call("HEAD", PATH).status == 404


def test_a_restore_lease_is_one_id_in_every_form(vault):
    """Taken without dashes, recognised with them: a restore in progress is told from a dead backup."""
    back_up(vault, noise(100_000))
    client = vault.client()
    assert client.lease(PATH, "Acquire", lease_duration=-1, proposed_lease_id=RESTORE_LEASE).status == 201
    for form in (RESTORE_LEASE, RESTORE_LEASE_DASHED, "{" + RESTORE_LEASE_DASHED + "}"):
        assert client.call("HEAD", PATH, {}, {"x-ms-lease-id": form}).status == 200
    wrong = client.call("HEAD", PATH, {}, {"x-ms-lease-id": new_lease()})
    assert (wrong.status, wrong.code) == (412, "LeaseIdMismatchWithBlobOperation")
    delete = client.call("DELETE", PATH)
    assert (delete.status, delete.code) == (412, "LeaseIdMissing")
    assert client.lease(PATH, "Release", lease_id=RESTORE_LEASE_DASHED).status == 200


def test_a_backup_survives_the_death_of_the_server(vault):
    """kill -9 in the middle: lease and blocks are there after the restart, and the same client goes on."""
    data = noise(HEADER + 2 * BLOCK + 99)
    client, lease = vault.client(), new_lease()
    blocks = list(enumerate(cut(data)))
    assert client.put_empty(PATH).status == 201
    assert client.lease(PATH, "Acquire", lease_duration=-1, proposed_lease_id=lease).status == 201
    put_blocks(vault.client, PATH, blocks[:2], lease)
    vault.kill()
    vault.start()
    client = vault.client()
    held = client.put_block(PATH, block_id(2), blocks[2][1])
    assert (held.status, held.code) == (412, "LeaseIdMissing")
    put_blocks(vault.client, PATH, blocks[2:], lease)
    entries = [("Latest", block_id(number)) for number, _ in blocks]
    assert client.put_block_list(PATH, entries, lease, "utf-16le").status == 201
    assert client.lease(PATH, "Release", lease_id=lease).status == 200
    assert restore(vault) == data


def test_a_block_list_with_an_unknown_block_changes_nothing(vault):
    data = noise(HEADER + 1000)
    back_up(vault, data)
    client = vault.client()
    reply = client.put_block_list(PATH, [("Latest", block_id(0)), ("Latest", block_id(99))])
    assert (reply.status, reply.code) == (400, "InvalidBlockList")
    assert restore(vault) == data


def test_a_made_backup_is_proved_on_the_way(vault, made_backup):
    back_up(vault, made_backup, commits=2, encoding="utf-16le")
    entry = vault.verdict(NAME)
    assert entry["verdict"] == "ok", entry
    assert entry["sets"][0]["backupType"] == "full"
    assert restore(vault) == made_backup


def test_one_flipped_bit_is_named_by_the_verdict(vault, made_backup):
    data = bytearray(made_backup)
    data[len(data) // 2] ^= 0x10
    back_up(vault, bytes(data))
    entry = vault.verdict(NAME)
    assert entry["verdict"] == "damaged", entry
    assert entry["reasons"], "the verdict says where"


def test_a_small_committed_beginning_is_truncated(vault, made_backup):
    """Killed after a first commit: a blob of kilobytes with a good header, seen in the field (OS error 87)."""
    client, lease = vault.client(), new_lease()
    assert client.put_empty(PATH).status == 201
    assert client.lease(PATH, "Acquire", lease_duration=-1, proposed_lease_id=lease).status == 201
    assert client.put_block(PATH, block_id(0), made_backup[:HEADER], lease).status == 201
    assert client.put_block_list(PATH, [("Latest", block_id(0))], lease).status == 201
    assert client.put_block(PATH, block_id(1), made_backup[HEADER : HEADER + BLOCK], lease).status == 201
    client.close()
    assert vault.verdict(NAME)["verdict"] == "truncated"


@pytest.mark.parametrize("name", REAL)
def test_a_real_backup_is_proved_on_the_way(vault, name):
    data, expected = real_backup(name)
    back_up(vault, data, size=256 << 10, encoding="utf-16le", commits=2)
    entry = vault.verdict(NAME)
    striped = any(backup_set["stripes"] > 1 for backup_set in expected["sets"])
    assert entry["verdict"] == ("incomplete" if striped else "ok"), entry["reasons"]
    assert len(entry["sets"]) == len(expected["sets"])
    for ours, theirs in zip(entry["sets"], expected["sets"]):
        assert ours["databaseName"] == theirs["database"]
        assert ours["backupSetGuid"] == theirs["backup_set_guid"]
        assert ours["firstLsn"] == str(theirs["first_lsn"])
        assert ours["lastLsn"] == str(theirs["last_lsn"])
        assert ours["complete"] is True
    assert restore(vault, piece=200_000) == data


def test_the_stripes_of_a_real_backup_are_proved_together(vault):
    """Two URLs at once: neither family is a recovery point, both are."""
    folder = "dbatools-lab/RestoreTimeStripe/"
    families = ["Stripe1/RestoreTimeStripe.bak.zst", "Stripe2/RestoreTimeStripe1.bak.zst"]
    first, second = (real_backup(folder + family)[0] for family in families)
    back_up(vault, first, size=256 << 10, path=CONTAINER + "/set/1.bak")
    assert vault.verdict("set/1.bak")["verdict"] == "incomplete"
    back_up(vault, second, size=256 << 10, path=CONTAINER + "/set/2.bak")
    deadline = time.monotonic() + 300
    while {entry["verdict"] for entry in vault.list().values()} != {"ok"}:
        assert time.monotonic() < deadline, vault.list()
        time.sleep(0.1)


# Both are covered by checksums in every byte that matters: of the pages, and of the compressed records.
@pytest.mark.parametrize("name", ["misc/DimMartynov__School.bak.zst", "misc/JoeyCheung__TSQLV4.bak.zst"])
def test_a_real_backup_with_one_flipped_bit_is_damaged(vault, name):
    data, _ = real_backup(name)
    damaged = bytearray(data)
    damaged[len(data) // 2] ^= 1
    back_up(vault, bytes(damaged), size=256 << 10)
    entry = vault.verdict(NAME)
    assert entry["verdict"] == "damaged", entry
    assert entry["reasons"], "the verdict says where"

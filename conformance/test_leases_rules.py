"""Whose lease the guard never breaks, whose only by name, and what it does not delete.

Against the product's own server and Azurite. The holders' leases are infinite and their processes gone, as the lease of
a dead backup is; only what they hold, who they say they are, or that they still write, speaks for them.
"""

import pytest
from azure.storage.blob import BlobLeaseClient
from leases_blobs import (
    DECLARED,
    PAGE,
    RESTORE_D,
    RESTORE_N,
    at,
    back_up_slowly,
    cut,
    data_file,
    dead_backup,
    good_backup,
    hold,
    in_process,
    lease_state,
    new_container,
    new_id,
    pages,
    pieces_of,
    site_of,
    states,
    wait_for_pieces,
)
from leases_command import Guard
from real_backups import real_backup
from sql_server_sequence_client import noise


@pytest.fixture
def container(server):
    return new_container(server, "rules")


@pytest.fixture
def guard(server, container, tmp_path):
    return Guard(server, tmp_path, container=container)


def log_file():
    """The beginning of a log file: a file header page, then the first virtual log file (0xAB)."""
    content = bytearray(data_file())
    content[PAGE:] = bytes(PAGE)
    content[PAGE] = 0xAB
    return bytes(content)


# By name of the blob: its content, and why it is kept. Names count whatever is in it, content whatever it is called.
PROTECTED = {
    "data/Sales.mdf": (data_file(), "dataFile"),
    "data/second.NDF": (noise(PAGE), "dataFile"),
    "data/renamed.bin": (data_file(), "dataFile"),
    "data/header-only.bin": (data_file(0) + bytes(7 * PAGE), "dataFile"),
    "data/Sales_log.ldf": (noise(PAGE), "logFile"),
    "data/renamed-log.bin": (log_file(), "logFile"),
    "disks/os.vhd": (noise(PAGE), "disk"),
    "disks/os.VHDX": (noise(PAGE), "disk"),
}
UNKNOWN = {"notes.bin": noise(PAGE), "empty-page": b""}


def zoo(server, container, backup):
    """Everything that holds a lease and is no dead backup."""
    for name, (content, _) in PROTECTED.items():
        pages(server, container, name, content, new_id())
    # What looks like a backup and is called a disk; what a restore holds and is a data file.
    pages(server, container, "disks/looks-like-a-backup.vhd", backup[: 8 * PAGE], new_id())
    pages(server, container, "data/restoring.mdf", data_file(), RESTORE_N)
    for name, content in UNKNOWN.items():
        pages(server, container, name, content, new_id(), size=1 << 20)
    with at(site_of(server), container) as client:
        client.upload_blob("empty-block", b"")
        client.upload_blob("released.bak", backup)
        client.get_blob_client("released.bak").create_snapshot()
    hold(server, container, "empty-block", new_id())
    pages(server, container, "fixed.bak", backup[: 8 * PAGE])
    hold(server, container, "fixed.bak", new_id(), duration=60)
    pages(server, container, "breaking.bak", backup[: 8 * PAGE], new_id())
    with at(site_of(server), container) as client:
        BlobLeaseClient(client.get_blob_client("breaking.bak")).break_lease(lease_break_period=60)


def test_what_is_not_a_backups_is_never_broken(server, container, guard, small_backup):
    zoo(server, container, small_backup)
    before = states(server, container)
    done = guard.run("break", "--yes", "--min-quiet", "1s")
    assert done.code == 0, done.err
    assert {row["action"] for row in done.rows} == {"skipped"}
    assert "released.bak" not in done.actions()
    reasons = {row["blob"]: row["reason"] for row in done.rows}
    expected = {name: why for name, (_, why) in PROTECTED.items()}
    expected |= {name: "unknownHolder" for name in [*UNKNOWN, "empty-block"]}
    expected |= {"disks/looks-like-a-backup.vhd": "disk", "data/restoring.mdf": "dataFile"}
    expected |= {"fixed.bak": "fixedLease", "breaking.bak": "breaking"}
    assert reasons == expected
    assert states(server, container) == before

    # Not either when they are named one by one, restore leases included.
    untouchable = [name for name in expected if expected[name] not in ("unknownHolder",)]
    named = [word for name in untouchable for word in ("--blob", f"{container}/{name}")]
    for deed in ("break", "delete"):
        done = guard.run(deed, "--yes", "--min-quiet", "1s", "--include-restore", *named)
        assert set(done.actions()) == set(untouchable), done.err
        assert {row["action"] for row in done.rows} == {"skipped"}
    assert states(server, container) == before

    # An unknown one: when it is named, and then only that one.
    done = guard.did("break", "--yes", "--min-quiet", "1s", "--blob", f"{container}/notes.bin")
    assert done.actions() == {"notes.bin": "broken"}
    assert done.row("notes.bin")["reason"] == "namedByUser"
    after = states(server, container)
    assert after.pop("notes.bin")[1] == "broken"
    assert after == {name: state for name, state in before.items() if name != "notes.bin"}


@pytest.mark.parametrize("mode", ["page", "block"])
def test_what_still_grows_is_left_alone(server, container, guard, mode, small_backup):
    """A backup that writes every half second, and a dead one beside it."""
    dead_backup(server, container, "dead.bak", mode, small_backup)
    live = in_process(back_up_slowly, site_of(server), container, "live.bak", mode, small_backup, 6, 0.5)
    try:
        wait_for_pieces(server, container, "live.bak", mode, 2, live)
        done = guard.did("break", "--yes", "--min-quiet", "2s")
        assert live.is_alive(), "the test itself was too slow"
        assert done.actions() == {"dead.bak": "broken", "live.bak": "skipped"}
        assert done.row("live.bak")["reason"] in ("growing", "connectionOpen", "notQuietYet")
        live.join(30)
        assert live.exitcode == 0, "the live backup met no error"
    finally:
        live.kill()
    assert lease_state(server, container, "live.bak") == "available"
    with at(site_of(server), container) as client:
        assert pieces_of(client.get_blob_client("live.bak"), mode) == 12


@pytest.mark.parametrize("mode", ["page", "block"])
def test_a_complete_backup_is_not_deleted_unasked(server, container, guard, mode, small_backup):
    """Killed after the last byte and before the release: nothing is lost, and nobody shall lose it."""
    good_backup(server, container, "whole.bak", mode, small_backup, release=False)
    dead_backup(server, container, "half.bak", mode, small_backup)
    before = states(server, container)["whole.bak"]
    done = guard.run("delete", "--yes", "--min-quiet", "2s")
    assert done.actions() == {"half.bak": "deleted", "whole.bak": "skipped"}
    assert done.row("whole.bak")["reason"] == "completeBackup"
    assert states(server, container) == {"whole.bak": before}
    told = guard.did("delete", "--yes", "--min-quiet", "2s", "--complete-too")
    assert told.actions() == {"whole.bak": "deleted"}
    assert states(server, container) == {}


def test_a_restore_lease_is_known_in_every_spelling(server, container, guard):
    for spelling in (RESTORE_N, RESTORE_D, RESTORE_D.upper(), RESTORE_N.lower()):
        pages(server, container, spelling, noise(PAGE), spelling)
    rows = guard.did("list").rows
    assert len(rows) == 4
    assert {(row["holder"], row["ruling"]) for row in rows} == {("restore", "keep")}, "whatever they hold"


# Plain, and in SQL Server's compressed container.
@pytest.mark.parametrize(
    ("name", "evidence"),
    [
        ("misc/2692667768__Northwind.bak.zst", "tapeHeader"),
        ("misc/JoeyCheung__TSQLV4.bak.zst", "compressedHeader"),
        ("dbatools-lab/DoubleDiffing/difftest-diff1.bak.zst", None),
    ],
)
def test_what_real_backups_hold_is_read(server, container, guard, name, evidence):
    """Cut off in the middle and whole, in pages and in blocks."""
    data, expected = real_backup(name)
    data += bytes(-len(data) % 512)
    first = expected["sets"][0]
    half = data[: len(data) // 2 // 512 * 512]
    pages(server, container, "half-pages", half, new_id(), size=DECLARED)
    good_backup(server, container, "whole-blocks", "block", data, release=False)
    good_backup(server, container, "whole-pages", "page", data, release=False)
    with at(site_of(server), container) as client:
        client.upload_blob("half-blocks", half)
    hold(server, container, "half-blocks", new_id())
    ran = guard.did("list")
    for row in ran.rows:
        assert (row["holder"], row["content"]) == ("backup", "backup"), row
        assert row["complete"] is row["blob"].startswith("whole"), row
        assert row["databaseName"] == first["database"]
        assert row["serverName"] == first["server"]
        assert evidence is None or row["evidence"] == evidence
    assert len(ran.rows) == 4


def test_pieces_are_as_small_as_they_are_said_to_be(small_backup):
    assert len(cut(small_backup)) > 32, "a dead backup has enough of them to die in the middle"

"""The walkthrough of "SQL Server Backup to Cloud - Managing Interrupted backups", step by step, with `bac2 leases` in
the place of its script: against the product's own server and against Azurite, with page blobs and with block blobs.

The blobs are made by Microsoft's SDK. What is expected is what that article and the reference of Lease Blob say.
"""

import time

import pytest
from azure.storage.blob import BlobLeaseClient
from leases_blobs import (
    DECLARED,
    RESTORE_D,
    RESTORE_N,
    at,
    begin,
    dead_backup,
    good_backup,
    hold,
    lease_state,
    new_container,
    new_id,
    refusal,
    site_of,
    states,
)
from leases_command import Guard

MISSING = (412, "LeaseIdMissing")
PRESENT = (409, "LeaseAlreadyPresent")
QUIET = 5
TERMS = ["--yes", "--min-quiet", f"{QUIET}s"]
DEAD = "srv/dead FULL 20261121.bak"
# A restore's lease as SQL Server writes it, and with dashes.
RESTORES = {"restoring.bak": RESTORE_N, "restoring-dashed.bak": RESTORE_D}


@pytest.fixture
def container(server):
    return new_container(server, "walk")


@pytest.fixture
def guard(server, container, tmp_path):
    return Guard(server, tmp_path, container=container)


def overwrite(server, container, mode):
    """What the next BACKUP does first."""
    with at(site_of(server), container) as client:
        blob = client.get_blob_client(DEAD)
        if mode == "page":
            return refusal(blob.create_page_blob, 512)
        return refusal(blob.upload_blob, b"", overwrite=True)


def delete(server, container):
    with at(site_of(server), container) as client:
        return refusal(client.get_blob_client(DEAD).delete_blob)


def acquire(server, container, lease):
    with at(site_of(server), container) as client:
        return refusal(BlobLeaseClient(client.get_blob_client(DEAD), lease_id=lease).acquire, lease_duration=-1)


@pytest.mark.parametrize("mode", ["page", "block"])
def test_the_walkthrough(server, container, guard, mode, small_backup):
    # "Create a SQL Server Backup to Windows Azure blob storage which completes successfully.
    #  It returns a message that says that there are no locked blobs."
    good_backup(server, container, "good.bak", mode, small_backup)
    none = guard.did("list")
    assert none.rows == [] and none.out.strip() == "[]"

    # "Now run another SQL Server backup but stop it before it can complete ... Check to see if the file was created."
    dead_backup(server, container, DEAD, mode, small_backup)
    assert states(server, container)[DEAD][:3] == ("locked", "leased", "infinite")

    # "Try to overwrite the file - see error. Try to delete - see error." Nor does a restore get it.
    assert overwrite(server, container, mode) == MISSING
    assert delete(server, container) == MISSING
    for lease in RESTORES.values():
        assert acquire(server, container, lease) == PRESENT

    # Beside it: restores that were interrupted.
    for name, lease in RESTORES.items():
        good_backup(server, container, name, mode, small_backup)
        hold(server, container, name, lease)

    it_tells_them_apart_and_touches_nothing(server, container, guard, mode)
    it_does_nothing_without_consent(server, container, guard)
    started = time.monotonic()
    done = guard.did("break", *TERMS)
    if server.name == "azurite":
        assert time.monotonic() - started >= QUIET, "the command itself watched for quiet"
    assert done.row(DEAD)["action"] == "broken"
    expected = "abandonedAtOurDoor" if server.name == "bac2" else "quietBackup"
    assert (done.row(DEAD)["ruling"], done.row(DEAD)["reason"]) == ("break", expected)
    for name in RESTORES:
        row = done.row(name)
        assert (row["holder"], row["action"], row["ruling"], row["reason"]) == ("restore", "skipped", "keep", "restore")
        assert lease_state(server, container, name) == "leased"
    assert states(server, container)[DEAD][:3] == ("unlocked", "broken", None)

    # "Try overwriting or deleting the file. It should work!"
    assert overwrite(server, container, mode) is None
    assert delete(server, container) is None
    assert DEAD not in states(server, container)
    good_backup(server, container, DEAD, mode, small_backup)

    # Without its name only where the server can tell that nobody reads: elsewhere reads leave no trace.
    if server.name == "azurite":
        unnamed = guard.run("break", "--yes", "--min-quiet", "1s", "--include-restore")
        assert unnamed.actions() == dict.fromkeys(RESTORES, "skipped")
        assert {lease_state(server, container, name) for name in RESTORES} == {"leased"}

    # "The same, but remove the filter for restore lease": one blob of them, named.
    named = guard.did("break", *TERMS, "--include-restore", "--blob", f"{container}/restoring.bak")
    assert named.actions() == {"restoring.bak": "broken"}
    assert named.row("restoring.bak")["reason"] == "includedRestore"
    assert lease_state(server, container, "restoring.bak") == "broken"
    assert lease_state(server, container, "restoring-dashed.bak") == "leased"
    assert [row["blob"] for row in guard.did("list").rows] == ["restoring-dashed.bak"]


def it_tells_them_apart_and_touches_nothing(server, container, guard, mode):
    before = states(server, container)
    ran = guard.did("list")
    assert states(server, container) == before, "a list changes nothing"
    assert sorted(row["blob"] for row in ran.rows) == sorted([DEAD, *RESTORES]), "and the good one is not in it"
    for row in ran.rows:
        assert (row["container"], row["kind"], row["action"]) == (container, mode, "listed")
        assert (row["leaseState"], row["leaseDuration"]) == ("leased", "infinite")
    dead = ran.row(DEAD)
    assert dead["holder"] == "backup"
    assert (dead["activity"], dead["ruling"]) == ("quiet", "wait"), "nobody writes it, and an hour is not over"
    if mode == "page":
        assert (dead["evidence"], dead["content"], dead["complete"]) == ("tapeHeader", "backup", False)
        assert (dead["databaseName"], dead["backupType"], dead["size"]) == ("Sample", "full", DECLARED)
        assert dead["backupStartDate"] == "2026-03-15T02:00:07", "as `make-backup` sets it"
    else:
        # Nothing is committed yet: the ids of the blocks are what tells.
        assert (dead["evidence"], dead["content"], dead["size"]) == ("blockIds", "empty", 0)
        assert dead["uncommittedBlocks"] >= 4
        assert dead["uncommittedBytes"] == dead["uncommittedBlocks"] * (64 << 10)
    for name in RESTORES:
        row = ran.row(name)
        assert (row["holder"], row["content"], row["complete"], row["ruling"]) == ("restore", "backup", True, "keep")
        assert row["databaseName"] == "Sample"
        assert row["activity"] == ("quiet" if server.name == "bac2" else "unknown"), "reads leave no trace elsewhere"


def it_does_nothing_without_consent(server, container, guard):
    before = states(server, container)
    refused = guard.run("break", "--min-quiet", "1s", said="")
    assert refused.code != 0, "nobody said yes"
    assert states(server, container) == before
    dry = guard.did("break", "--min-quiet", "1s", "--dry-run")
    assert dry.row(DEAD)["action"] == "wouldBreak"
    dry = guard.did("delete", "--min-quiet", "1s", "--dry-run")
    assert dry.row(DEAD)["action"] == "wouldDelete"
    assert states(server, container) == before, "a dry run changes nothing"


@pytest.mark.parametrize("mode", ["page", "block"])
def test_the_orphan_is_deleted(server, container, guard, mode, small_backup):
    """ "Delete the blobs with active backup leases and report out the list." """
    dead_backup(server, container, DEAD, mode, small_backup)
    good_backup(server, container, "restoring.bak", mode, small_backup)
    hold(server, container, "restoring.bak", RESTORE_N)
    kept = {name: state for name, state in states(server, container).items() if name != DEAD}
    done = guard.did("delete", "--yes", "--min-quiet", "2s")
    assert done.actions() == {DEAD: "deleted", "restoring.bak": "skipped"}
    assert states(server, container) == kept
    # The name is free again.
    with at(site_of(server), container) as client:
        begin(client.get_blob_client(DEAD), mode, new_id()).release()


def test_a_small_committed_beginning_is_a_backup_cut_short(server, container, guard, small_backup):
    """Killed between two commits: the header is there, the rest is not."""
    dead_backup(server, container, DEAD, "block", small_backup, committed=2)
    row = guard.did("list").row(DEAD)
    assert (row["holder"], row["content"], row["databaseName"]) == ("backup", "backup", "Sample")
    assert (row["size"], row["complete"]) == (2 * (64 << 10), False)
    assert row["evidence"] in ("tapeHeader", "blockIds")

"""The walkthrough of "SQL Server Backup to Cloud - Managing Interrupted backups" from the side of the SQL Server: a
simulated instance, driven by pymssql, whose process dies in the middle of a backup; `bac2 leases` for the script.
"""

import pytest
from leases_blobs import DECLARED, refusal
from leases_command import Guard
from sim_url import Instance, azurite_target, own_target, target, verdict, verify  # noqa: F401

DEAD = "dead.bak"
QUIET = ["--yes", "--min-quiet", "2s"]
LEASED = "There is currently a lease on the blob and no lease ID was specified in the request."
ABNORMALLY = "BACKUP DATABASE is terminating abnormally."


@pytest.fixture(params=["page", "block"])
def instance(request, target, tmp_path):  # noqa: F811
    instance = Instance(tmp_path, target, request.param)
    yield instance
    instance.sim.kill()


def kill_half_way(instance):
    """ "Now run another SQL Server backup but stop it before it can complete." """
    # Eight writes of a mebibyte can be on their way: the first ones are there by then.
    instance.did(f"EXEC sim_fault 'kill after 8500000 bytes to {instance.target.host}'")
    instance.dies(f"BACKUP DATABASE Shop TO {instance.device(DEAD)}{instance.options('FORMAT')}")
    assert instance.count("Shop") == Instance.ROWS, "recovery brought everything back"


def test_the_walkthrough(instance, tmp_path):
    target = instance.target  # noqa: F811
    guard = Guard(target.server, tmp_path, container=instance.container)

    # "Create a SQL Server Backup ... which completes successfully." No locked blobs then.
    instance.back_up("good.bak")
    assert guard.did("list").rows == []

    # "Check to see if the file was created on the storage account."
    kill_half_way(instance)
    found = target.look(instance.container, DEAD)
    assert (found.lease.status, found.lease.state, found.lease.duration) == ("locked", "leased", "infinite")
    assert found.size == (0 if instance.mode == "block" else DECLARED)

    it_cannot_be_used(instance)

    # "Run the PowerShell script again. This time you should see that locked blob is identified."
    row = guard.did("list").row(DEAD)
    assert (row["holder"], row["kind"], row["leaseState"]) == ("backup", instance.mode, "leased")
    if instance.mode == "page":
        assert (row["databaseName"], row["backupType"]) == ("Shop", "full")
    else:
        assert row["uncommittedBlocks"] >= 1
    assert guard.did("break", *QUIET).actions() == {DEAD: "broken"}

    # "Try overwriting or deleting the file. It should work!"
    instance.back_up(DEAD, "FORMAT")
    instance.restore(DEAD, "Again")
    assert instance.count("Again") == Instance.ROWS
    verify(tmp_path, target.content(instance.container, DEAD))
    if target.vault:
        assert verdict(instance, DEAD)["verdict"] == "ok"

    # "Delete the blobs with active backup leases and report out the list."
    kill_half_way(instance)
    assert guard.did("delete", *QUIET).actions() == {DEAD: "deleted"}
    assert guard.did("list").rows == []
    # Its name is free: no FORMAT is needed.
    instance.back_up(DEAD)


def it_cannot_be_used(instance):
    """ "Try to overwrite the file - see error. Try to delete - see error." Nor does a restore get it."""
    url = instance.url(DEAD)
    overwrite = f"BACKUP DATABASE Shop TO {instance.device(DEAD)}"
    said = instance.refused(overwrite + instance.options())
    assert "exists on the remote endpoint, and WITH FORMAT was not specified" in said[0] and said[-1] == ABNORMALLY
    said = instance.refused(overwrite + instance.options("FORMAT"))
    assert said[-1] == ABNORMALLY
    restore = instance.refused(f"RESTORE DATABASE Again FROM {instance.device(DEAD)}{instance.options()}")
    assert restore[-1] == "RESTORE DATABASE is terminating abnormally."
    if instance.mode == "page":
        # As the article prints it.
        assert said[0] == (
            f'Write on "{url}" failed: Backup to URL received an exception from the remote endpoint. '
            f"Exception Message: The remote server returned an error: (412) {LEASED}"
        )
        assert "The remote server returned an error: (409) Conflict." in restore[0]
    else:
        # The block blob client prints numbers of the operating system: 32 in use, 87 no content.
        assert said[0].startswith(f"Cannot open backup device '{url}'. Operating system error 32(")
        assert restore[0].startswith(f"Cannot open backup device '{url}'. Operating system error 87(")
    delete = instance.target.ask(instance.container, DEAD, lambda blob: refusal(blob.delete_blob))
    assert delete == (412, "LeaseIdMissing")

"""`bac2 leases` over https with the product's own authority, as an operator sets it up."""

import pytest
from leases_blobs import dead_backup, lease_state, new_container
from leases_command import Guard


@pytest.mark.parametrize("mode", ["page", "block"])
def test_over_https(door, small_backup, tmp_path, mode):
    if not door.ca:
        pytest.skip("plain http is walked elsewhere")
    container = new_container(door, "tls")
    dead_backup(door, container, "dead.bak", mode, small_backup)
    blind = Guard(door, tmp_path, container=container, ca=False).run("list")
    assert blind.code == 2 and "--ca" in blind.err
    guard = Guard(door, tmp_path, container=container)
    assert guard.did("list").row("dead.bak")["holder"] == "backup"
    done = guard.did("break", "--yes", "--min-quiet", "1s")
    assert done.actions() == {"dead.bak": "broken"}
    assert lease_state(door, container, "dead.bak") == "broken"

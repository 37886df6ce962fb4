"""What the product's own server tells of those who use a locked blob, seen from outside: over http and https.

The header is bac2's own addition: `connections` open ones whose latest request about a blob was about this one, `write`
and `read` the milliseconds since then, `watched` for how long the server has looked.
"""

import time

from sql_server_sequence_client import PATH, block_id, new_lease, noise
from sql_server_sequence_page_client import create, put_page, resize

HEADER = "x-bac2-lease-witness"
LOOK = {"x-bac2-look": "1"}
OTHER = PATH + ".other"


def witness(client, path=PATH):
    """Asks as an onlooker does. None where nothing is told."""
    told = client.call("HEAD", path, {}, LOOK).headers.get(HEADER)
    if told is None:
        return None
    fields = dict(field.split("=") for field in told.split(";"))
    return {name: int(value) if value else None for name, value in fields.items()}


def begun(vault, path=PATH):
    """A backup under way, and its one connection."""
    client, lease = vault.client(), new_lease()
    assert client.put_empty(path).status == 201
    assert client.lease(path, "Acquire", lease_duration=-1, proposed_lease_id=lease).status == 201
    assert client.put_block(path, block_id(0), noise(1000), lease).status == 201
    return client, lease


def since_then(moment):
    """The milliseconds since that moment."""
    return (time.monotonic() - moment) * 1000


def wait_for(client, connections, path=PATH):
    deadline = time.monotonic() + 300
    while (told := witness(client, path))["connections"] != connections:
        assert time.monotonic() < deadline, told
        time.sleep(0.05)
    return told


def test_a_holder_that_pauses_is_seen_and_one_that_left_is_not(vault):
    onlooker = vault.client()
    holder, lease = begun(vault)
    told = witness(onlooker)
    assert (told["connections"], told["jobs"]) == (1, 0)
    assert told["write"] <= told["watched"]
    time.sleep(1.5)
    paused = witness(onlooker)
    assert paused["connections"] == 1, "its connection is open, whatever it does"
    assert paused["write"] >= 1500 and paused["watched"] >= told["watched"] + 1500
    second, since = vault.client(), time.monotonic()
    assert second.put_block(PATH, block_id(1), noise(1000), lease).status == 201
    told = witness(onlooker)
    assert told["connections"] == 2 and told["write"] <= since_then(since)
    second.close()
    wait_for(onlooker, 1)
    holder.close()
    left = wait_for(onlooker, 0)
    time.sleep(1)
    assert witness(onlooker)["write"] >= left["write"] + 1000


def test_only_who_uses_the_blob_counts(vault):
    """Onlookers do not, nor who is refused, nor a listing, nor who went on to another blob."""
    onlooker, stranger = vault.client(), vault.client()
    holder, lease = begun(vault)
    time.sleep(1.1)
    assert stranger.call("DELETE", PATH).status == 412
    assert stranger.put_empty(PATH).status == 412
    assert stranger.put_block(PATH, block_id(5), b"x", new_lease()).status == 412
    assert stranger.call("HEAD", PATH, {}, {"x-ms-lease-id": new_lease()}).status == 412
    assert stranger.call("GET", "backups", {"restype": "container", "comp": "list"}).status == 200
    assert stranger.call("GET", PATH, {"comp": "blocklist"}, LOOK).status == 200
    assert stranger.call("GET", PATH, {}, LOOK).status == 200
    told = witness(onlooker)
    assert told["connections"] == 1, "the holder's"
    assert told["write"] >= 1100 and told["read"] is None
    since = time.monotonic()
    assert stranger.call("GET", PATH).status == 200
    told = witness(onlooker)
    assert told["connections"] == 2 and told["read"] <= since_then(since) and told["write"] >= 1100, "a reader"
    assert stranger.put_empty(OTHER).status == 201
    assert holder.put_empty(OTHER).status == 201
    wait_for(onlooker, 0)


def test_pages_and_cuts_are_writes(vault):
    onlooker, holder, lease = vault.client(), vault.client(), new_lease()
    assert create(holder, size=1 << 20).status == 201
    assert holder.lease(PATH, "acquire", lease_duration=-1, proposed_lease_id=lease).status == 201
    for use in (lambda: put_page(holder, 0, bytes(512), lease), lambda: resize(holder, 4096, lease)):
        time.sleep(0.5)
        assert witness(onlooker)["write"] >= 500
        since = time.monotonic()
        assert use().status in (200, 201)
        assert witness(onlooker)["write"] <= since_then(since)


def test_nothing_is_told_of_what_nobody_holds(vault):
    onlooker = vault.client()
    holder, lease = begun(vault)
    assert witness(onlooker) is not None
    assert holder.lease(PATH, "Release", lease_id=lease).status == 200
    assert witness(onlooker) is None


def test_a_server_that_starts_anew_has_seen_nothing(vault):
    holder, _ = begun(vault)
    time.sleep(1)
    vault.kill()
    started = time.monotonic()
    vault.start()
    told = witness(vault.client())
    assert (told["connections"], told["jobs"]) == (0, 0)
    assert told["watched"] <= (time.monotonic() - started) * 1000, "it tells of its own time alone"
    holder.close()
    assert told["write"] is None or told["write"] <= told["watched"]

"""What the guard sends, and what happens when the world changes between its look and its act.

A listener stands on the wire between the guard and the server: it writes every request down, and in the right moment
lets somebody else act, or answers as a server in trouble does.
"""

import re
import time
from datetime import datetime, timedelta, timezone

import pytest
from azure.storage.blob import (
    AccountSasPermissions,
    BlobLeaseClient,
    ContainerSasPermissions,
    ResourceTypes,
    generate_account_sas,
    generate_container_sas,
)
from leases_blobs import (
    RESTORE_D,
    RESTORE_N,
    at,
    dead_backup,
    lease_state,
    new_container,
    new_id,
    pages,
    site_of,
    states,
)
from leases_command import Guard
from leases_wire import Wire

TERMS = ["--yes", "--min-quiet", "1s"]
DEAD = "dead.bak"


@pytest.fixture
def wire(server):
    wire = Wire(server.origin)
    yield wire
    wire.close()


@pytest.fixture
def container(server):
    return new_container(server, "races")


@pytest.fixture
def guard(server, container, wire, tmp_path):
    return Guard(server, tmp_path, container=container, through=wire.origin)


@pytest.fixture
def dead(server, container, small_backup):
    """A dead backup in pages, of which the test knows the lease."""
    lease = new_id()
    pages(server, container, DEAD, small_backup[: 10 * 65536], lease, size=1 << 30)
    return lease


def once(wire, when, act):
    """Does `act` before the first request of which `when` is true reaches the server."""
    done = []

    def before(request):
        if not done and when(request):
            done.append(request)
            return act(request)
        return None

    wire.before = before
    return done


def is_break(request):
    return request.lease_action is not None


def is_delete(request):
    return request.method == "DELETE"


def is_content(request):
    return request.method == "GET" and request.blob == DEAD and "comp" not in request.query


def test_it_only_looks_breaks_and_deletes(server, container, guard, wire, dead, small_backup):
    dead_backup(server, container, "in-blocks.bak", "block", small_backup)
    guard.did("list")
    guard.did("break", "--min-quiet", "1s", "--dry-run")
    assert {request.method for request in wire.seen} == {"GET", "HEAD"}, "a look is nothing but a look"
    probes = {request.headers["x-ms-lease-id"] for request in wire.seen if "x-ms-lease-id" in request.headers}
    spellings = {probe if "-" not in probe else probe.lower() for probe in probes}
    # A server that compares ids as text needs both; bac2's own compares numbers and says who it is.
    assert {RESTORE_N, RESTORE_D} <= spellings or (server.name == "bac2" and spellings == {RESTORE_N})
    assert len({probe.replace("-", "").upper() for probe in probes}) == 1
    tags = {name: state[3] for name, state in states(server, container).items()}
    wire.seen.clear()
    done = guard.did("delete", *TERMS)
    assert done.actions() == {DEAD: "deleted", "in-blocks.bak": "deleted"}
    changes = [request for request in wire.seen if request.method not in ("GET", "HEAD")]
    assert sorted((one.blob, one.method, one.lease_action) for one in changes) == [
        (DEAD, "DELETE", None),
        (DEAD, "PUT", "break"),
        ("in-blocks.bak", "DELETE", None),
        ("in-blocks.bak", "PUT", "break"),
    ]
    for one in changes:
        assert one.headers["if-match"].strip('"') == tags[one.blob], "only the blob that was judged"
        assert "x-ms-lease-id" not in one.headers and "x-ms-delete-snapshots" not in one.headers
        if one.method == "PUT":
            assert one.headers["x-ms-lease-break-period"] == "0"
    assert all(request.headers.get("x-bac2-look") == "1" for request in wire.seen), "no use of the blob"


def test_a_write_between_look_and_break(server, container, guard, wire, dead):
    """The backup that was taken for dead writes after all, in the last moment."""

    def write(_):
        with at(site_of(server), container) as client:
            client.get_blob_client(DEAD).upload_page(bytes(512), 1 << 20, 512, lease=dead)

    happened = once(wire, is_break, write)
    done = guard.run("break", *TERMS)
    assert happened
    assert done.row(DEAD)["action"] in ("skipped", "failed")
    assert lease_state(server, container, DEAD) == "leased"
    assert sum(is_break(request) for request in wire.seen) == 1, "a break is sent once"


def test_a_new_backup_between_break_and_delete(server, container, guard, wire, dead, small_backup):
    def overwrite(_):
        pages(server, container, DEAD, small_backup[: 3 * 65536], new_id())

    happened = once(wire, is_delete, overwrite)
    done = guard.run("delete", *TERMS)
    assert happened and done.code == 1
    assert done.row(DEAD)["action"] == "brokenNotDeleted"
    assert states(server, container)[DEAD][:2] == ("locked", "leased"), "the new backup lives"


def test_a_new_backup_between_look_and_break(server, container, guard, wire, dead, small_backup):
    """The dead one was cleaned up by somebody else, and the next one has begun under the same name."""

    def anew(_):
        with at(site_of(server), container) as client:
            client.get_blob_client(DEAD).delete_blob(lease=dead)
        pages(server, container, DEAD, small_backup[: 10 * 65536], new_id(), size=1 << 30)

    happened = once(wire, is_break, anew)
    done = guard.run("break", *TERMS)
    assert happened
    assert done.row(DEAD)["action"] in ("skipped", "failed")
    assert lease_state(server, container, DEAD) == "leased"


def test_a_holder_that_changes(server, container, guard, wire, dead):
    """The same tag, another holder: the backup is done and a restore has it now."""

    def hand_over(_):
        with at(site_of(server), container) as client:
            BlobLeaseClient(client.get_blob_client(DEAD), lease_id=dead).change(RESTORE_N)

    happened = once(wire, is_content, hand_over)
    done = guard.did("break", *TERMS)
    assert happened
    assert done.row(DEAD)["action"] == "skipped"
    assert lease_state(server, container, DEAD) == "leased"


@pytest.mark.parametrize("end", ["released", "gone"])
def test_a_blob_that_is_free_or_gone(server, container, guard, wire, dead, end):
    def finish(_):
        with at(site_of(server), container) as client:
            blob = client.get_blob_client(DEAD)
            if end == "gone":
                blob.delete_blob(lease=dead)
            else:
                BlobLeaseClient(blob, lease_id=dead).release()

    # By its own holder, after it was seen and before anything is done to it.
    happened = once(wire, is_content, finish)
    done = guard.did("break", *TERMS)
    assert happened
    assert done.rows == [] or done.row(DEAD)["action"] == "skipped"
    assert not any(is_break(request) for request in wire.seen)


def test_a_container_that_disappears(server, container, guard, wire, tmp_path):
    """Between the listing of the account and its own."""
    other = new_container(server, "vanishes")

    def vanish(_):
        with server.service() as service:
            service.delete_container(other)

    happened = once(wire, lambda one: one.path.endswith(other), vanish)
    everywhere = Guard(server, tmp_path, through=wire.origin)
    ran = everywhere.did("list")
    assert happened
    assert other not in {row["container"] for row in ran.rows}


@pytest.mark.parametrize(
    ("status", "headers"), [(503, {"Retry-After": "1"}), (429, {"x-ms-retry-after-ms": "1100"}), (500, {})]
)
def test_a_service_in_trouble_is_asked_again(server, container, guard, wire, dead, status, headers):
    """Looks are; a break never is."""
    refused = once(wire, lambda one: one.query.get("comp") == "list", lambda _: (status, headers))
    started = time.monotonic()
    ran = guard.did("list")
    assert refused and [row["blob"] for row in ran.rows] == [DEAD]
    assert not headers or time.monotonic() - started >= 1, "as long as the service asks for"
    wire.seen.clear()
    refused = once(wire, is_break, lambda _: (status, headers))
    done = guard.run("break", *TERMS)
    assert refused and done.code == 1
    assert done.row(DEAD)["action"] == "failed"
    assert sum(is_break(request) for request in wire.seen) == 1
    assert lease_state(server, container, DEAD) == "leased"


# Credentials


def container_sas(server, container, permissions, lasting=timedelta(hours=1)):
    allowed = ContainerSasPermissions.from_string(permissions)
    ends = datetime.now(timezone.utc) + lasting
    begins = datetime.now(timezone.utc) - timedelta(hours=1)
    terms = {"permission": allowed, "start": begins, "expiry": ends}
    return generate_container_sas(server.account, container, account_key=server.key, **terms)


def account_sas(server, permissions):
    kinds = ResourceTypes(service=True, container=True, object=True)
    ends = datetime.now(timezone.utc) + timedelta(hours=1)
    allowed = AccountSasPermissions.from_string(permissions)
    return generate_account_sas(server.account, server.key, kinds, allowed, ends)


def test_a_sas_that_ends_in_the_middle(server, container, wire, dead, tmp_path):
    sas = container_sas(server, container, "rwdl", timedelta(seconds=15))
    ended = time.monotonic() + 16

    def too_late(_):
        time.sleep(max(0, ended - time.monotonic()))

    guard = Guard(server, tmp_path, sas=sas, container=container, through=wire.origin)
    happened = once(wire, is_break, too_late)
    done = guard.run("break", *TERMS)
    assert happened and done.code == 1, done.err
    row = done.row(DEAD)
    assert row["action"] == "failed"
    if server.name == "bac2":
        assert "past" in row["detail"] or "expired" in row["detail"], row["detail"]
    assert lease_state(server, container, DEAD) == "leased"


@pytest.mark.parametrize("missing", ["l", "r", "w"])
def test_a_missing_permission_is_named(server, container, dead, tmp_path, missing):
    """By the letter of the SAS that has it. A break takes w or d."""
    letters = {"l": "rwd", "r": "l", "w": "rl"}[missing]
    guard = Guard(server, tmp_path, sas=container_sas(server, container, letters), container=container)
    done = guard.run("break", *TERMS)
    assert done.code in (1, 2), done.err
    assert re.search(rf"(?<![A-Za-z]){missing}(?![A-Za-z])", done.err), done.err
    assert lease_state(server, container, DEAD) == "leased"


def test_the_sas_of_an_account_and_of_a_container(server, container, dead, tmp_path):
    everywhere = Guard(server, tmp_path, sas=account_sas(server, "rwdl")).did("list")
    assert (container, DEAD) in {(row["container"], row["blob"]) for row in everywhere.rows}
    # As people paste it.
    here = Guard(server, tmp_path, sas="?" + container_sas(server, container, "rwdl"), container=container)
    assert here.did("list").row(DEAD)["holder"] == "backup"
    assert here.did("delete", *TERMS).actions() == {DEAD: "deleted"}


def test_a_credential_that_is_wrong(server, container, dead, tmp_path):
    ended = container_sas(server, container, "rwdl", timedelta(minutes=-5))
    done = Guard(server, tmp_path, sas=ended, container=container).run("list")
    assert done.code == 2 and done.err
    server_with = type(server)(server.name, server.origin, server.account, "QUJD" * 20 + "QUJDQUI=", server.ca)
    done = Guard(server_with, tmp_path, container=container).run("list")
    # Azurite calls it a lack of permission (AuthorizationFailure), so there it is the container that cannot be read.
    assert done.code == (2 if server.name == "bac2" else 1) and done.err
    narrow = Guard(server, tmp_path, sas=container_sas(server, container, "rwdl")).run("list")
    assert narrow.code == 2 and "--container" in narrow.err, "a container's SAS lists no account"
    absent = Guard(server, tmp_path, container="absent-container").run("list")
    assert absent.code in (1, 2) and "absent-container" in absent.err + absent.out


def test_an_account_that_does_not_answer(tmp_path, server):
    closed = Guard(server, tmp_path, through="http://127.0.0.1:1").run("list")
    assert closed.code == 2 and "--account-url" in closed.err


# The words of the command line


def test_what_cannot_be_asked_for(server, container, tmp_path):
    guard = Guard(server, tmp_path, container=container)
    asked = guard.run("break", *TERMS, "--ask", "SQL1:1433")
    assert asked.code == 2 and "SQL1,1433" in asked.err, "SQL Server's addresses have a comma"
    two = guard.run("list", "--sas-file", tmp_path / "guard.key")
    assert two.code == 2
    none = Guard(server, tmp_path, key=False).run("list")
    assert none.code == 2
    entra = Guard(server, tmp_path, key=False).run("list", "--entra")
    assert entra.code == 2 and "https" in entra.err, "a token is not sent in the clear"

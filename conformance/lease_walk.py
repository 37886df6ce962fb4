"""The lease table, walked over HTTP with the real Python SDK.

The tables are those of Microsoft's "Lease Blob" and "Lease Container" reference (outcomes of use attempts by lease
state), with the codes of "Blob service error codes"; the product's own unit test holds the same tables in Rust. They
are walked against the product and against Azurite: where Azurite leaves the documented behaviour, the cell is left
out for Azurite, with the reason.

A is the id that the lease has or had, B and C are others. A cell reads `status [code | id] [time=N] -> state`.
"""

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobLeaseClient, BlobServiceClient, ContentSettings, SequenceNumberAction
from sql_server_sequence_client import ACCOUNT, KEY
from vault import Vault, find_binary

A = "aaaaaaaa-0000-4000-8000-00000000000a"
B = "bbbbbbbb-0000-4000-8000-00000000000b"
C = "cccccccc-0000-4000-8000-00000000000c"
IDS = {"A": A, "B": B, "C": C, "-": None}

STATES = ["available", "leased infinite", "leased fixed", "breaking", "broken", "expired"]
COLUMNS = ["available", "leased", "breaking", "broken", "expired"]

MISMATCH = "409 LeaseIdMismatchWithLeaseOperation"
NO_LEASE = "409 LeaseNotPresentWithLeaseOperation"
PRESENT = "409 LeaseAlreadyPresent"

# Operation: available, leased, breaking, broken, expired. `a | b`: infinite lease | fixed lease.
# A fixed lease is taken for 60 s and looked at at once; a breaking one was broken with a period of 40 s.
OPERATIONS = {
    "acquire -": ["201 new -> leased", PRESENT, PRESENT, "201 new -> leased", "201 new -> leased"],
    "acquire A": [
        "201 A -> leased",
        "201 A -> leased",
        "409 LeaseIsBreakingAndCannotBeAcquired",
        "201 A -> leased",
        "201 A -> leased",
    ],
    "acquire B": ["201 B -> leased", PRESENT, PRESENT, "201 B -> leased", "201 B -> leased"],
    "renew A": [
        MISMATCH,
        "200 A -> leased",
        "409 LeaseIsBrokenAndCannotBeRenewed",
        "409 LeaseIsBrokenAndCannotBeRenewed",
        "200 A -> leased",
    ],
    "renew B": [MISMATCH, MISMATCH, MISMATCH, MISMATCH, MISMATCH],
    "change A B": [NO_LEASE, "200 B -> leased", "409 LeaseIsBreakingAndCannotBeChanged", NO_LEASE, NO_LEASE],
    "change B A": [NO_LEASE, "200 A -> leased", MISMATCH, NO_LEASE, NO_LEASE],
    "change B C": [NO_LEASE, MISMATCH, MISMATCH, NO_LEASE, NO_LEASE],
    "release A": [MISMATCH, "200 -> available", "200 -> available", "200 -> available", "200 -> available"],
    "release B": [MISMATCH, MISMATCH, MISMATCH, MISMATCH, MISMATCH],
    "break -": [
        NO_LEASE,
        "202 time=0 -> broken | 202 time=60 -> breaking",
        "202 time=40 -> breaking",
        "202 time=0 -> broken",
        "202 time=0 -> broken",
    ],
    "break 0": [NO_LEASE] + ["202 time=0 -> broken"] * 4,
    "break 20": [
        NO_LEASE,
        "202 time=20 -> breaking",
        "202 time=20 -> breaking",
        "202 time=0 -> broken",
        "202 time=0 -> broken",
    ],
    "break 60": [
        NO_LEASE,
        "202 time=60 -> breaking | 202 time=60 -> breaking",
        "202 time=40 -> breaking",
        "202 time=0 -> broken",
        "202 time=0 -> broken",
    ],
}

NOT_PRESENT = "412 LeaseNotPresentWithBlobOperation"
WRONG = "412 LeaseIdMismatchWithBlobOperation"
MISSING = "412 LeaseIdMissing"

# Use of a leased blob, by the id that comes with it. `ok` alone leaves the state as it was.
WRITES = {
    "A": [NOT_PRESENT, "ok", "ok", NOT_PRESENT, NOT_PRESENT],
    "B": [NOT_PRESENT, WRONG, WRONG, NOT_PRESENT, NOT_PRESENT],
    "-": ["ok", MISSING, MISSING, "ok -> available", "ok -> available"],
}
READS = {
    "A": [NOT_PRESENT, "ok", "ok", NOT_PRESENT, NOT_PRESENT],
    "B": [NOT_PRESENT, WRONG, WRONG, NOT_PRESENT, NOT_PRESENT],
    "-": ["ok"] * 5,
}

C_NOT_PRESENT = "412 LeaseNotPresentWithContainerOperation"
C_WRONG = "412 LeaseIdMismatchWithContainerOperation"

# Use of a leased container: only its deletion needs the id, but one that is given must be right.
CONTAINER_USES = {
    ("delete", "-"): ["ok", MISSING, MISSING, "ok", "ok"],
    ("delete", "A"): [C_NOT_PRESENT, "ok", "ok", C_NOT_PRESENT, C_NOT_PRESENT],
    ("delete", "B"): [C_NOT_PRESENT, C_WRONG, C_WRONG, C_NOT_PRESENT, C_NOT_PRESENT],
    ("properties", "-"): ["ok"] * 5,
    ("properties", "A"): [C_NOT_PRESENT, "ok", "ok", C_NOT_PRESENT, C_NOT_PRESENT],
    ("properties", "B"): [C_NOT_PRESENT, C_WRONG, C_WRONG, C_NOT_PRESENT, C_NOT_PRESENT],
    ("set metadata", "-"): ["ok"] * 5,
    ("set metadata", "A"): [C_NOT_PRESENT, "ok", "ok", C_NOT_PRESENT, C_NOT_PRESENT],
    ("set metadata", "B"): [C_NOT_PRESENT, C_WRONG, C_WRONG, C_NOT_PRESENT, C_NOT_PRESENT],
}

# Cells in which Azurite 3.35 leaves the documented behaviour, and how.
AZURITE_IS_WRONG = {
    ("renew B", "expired"): "Azurite renews an expired lease under any id",
}

BLOCK = "QkxPQ0tJRDAwMDAx"


def lease(blob, who):
    return {"lease": IDS[who]} if IDS[who] else {}


# Every operation that writes a blob, and every one that reads it.
BLOB_WRITES = {
    "put blob": lambda b, who: b.upload_blob(b"new", overwrite=True, **lease(b, who)),
    "put block": lambda b, who: b.stage_block(BLOCK, b"block", **lease(b, who)),
    "put block list": lambda b, who: b.commit_block_list([], **lease(b, who)),
    "set metadata": lambda b, who: b.set_blob_metadata({"a": "b"}, **lease(b, who)),
    "set properties": lambda b, who: b.set_http_headers(ContentSettings(content_type="x/y"), **lease(b, who)),
    "delete": lambda b, who: b.delete_blob(**lease(b, who)),
}
BLOB_READS = {
    "get": lambda b, who: b.download_blob(**lease(b, who)).readall(),
    "get range": lambda b, who: b.download_blob(offset=1, length=1, **lease(b, who)).readall(),
    "properties": lambda b, who: b.get_blob_properties(**lease(b, who)),
    "block list": lambda b, who: b.get_block_list("all", **lease(b, who)),
}
# A snapshot needs no lease id, but one that is given must be right: it behaves as a read.
BLOB_READS["snapshot"] = lambda b, who: b.create_snapshot(**lease(b, who))

# The same for page blobs and append blobs, which the table's words are about as well.
PAGE_WRITES = {
    "put page": lambda b, who: b.upload_page(bytes(512), 0, 512, **lease(b, who)),
    "clear page": lambda b, who: b.clear_page(0, 512, **lease(b, who)),
    "resize": lambda b, who: b.resize_blob(1024, **lease(b, who)),
    "sequence number": lambda b, who: b.set_sequence_number(SequenceNumberAction.Increment, **lease(b, who)),
    "put blob": lambda b, who: b.create_page_blob(512, **lease(b, who)),
    "delete": lambda b, who: b.delete_blob(**lease(b, who)),
}
PAGE_READS = {
    "page ranges": lambda b, who: list(b.list_page_ranges(**lease(b, who))),
    "get range": lambda b, who: b.download_blob(offset=1, length=1, **lease(b, who)).readall(),
}
APPEND_WRITES = {
    "append block": lambda b, who: b.append_block(b"more", **lease(b, who)),
    "put blob": lambda b, who: b.create_append_blob(**lease(b, who)),
}
OTHER_KINDS = {
    **{("page", operation): (call, WRITES) for operation, call in PAGE_WRITES.items()},
    **{("page", operation): (call, READS) for operation, call in PAGE_READS.items()},
    **{("append", operation): (call, WRITES) for operation, call in APPEND_WRITES.items()},
}
CONTAINER_OPERATIONS = {
    "delete": lambda c, who: c.delete_container(**lease(c, who)),
    "properties": lambda c, who: c.get_container_properties(**lease(c, who)),
    "set metadata": lambda c, who: c.set_container_metadata({"a": "b"}, **lease(c, who)),
}


def cell(row, state):
    column, _, term = state.partition(" ")
    text = row[COLUMNS.index(column)]
    infinite, bar, fixed = text.partition(" | ")
    return (fixed if bar and term == "fixed" else infinite).strip()


def put_into(target, state):
    """Brings a fresh blob or container, unleased, into a state. An expired one is done only after 15 s."""
    held = BlobLeaseClient(target, lease_id=A)
    if state == "available":
        return
    duration = {"expired": 15, "leased fixed": 60}.get(state, -1)
    held.acquire(lease_duration=duration)
    if state == "breaking":
        assert held.break_lease(lease_break_period=40) == 40
    elif state == "broken":
        assert held.break_lease(lease_break_period=0) == 0


class Rack:
    """Blobs or containers for the expired cells of one server, all leased at the start, so that the wait is shared."""

    WAIT_S = 15.5

    def __init__(self, make, count):
        self.lock = threading.Lock()
        with ThreadPoolExecutor(8) as pool:
            self.ready = list(pool.map(lambda _: self.expiring(make), range(count)))
        self.until = time.monotonic() + self.WAIT_S

    @staticmethod
    def expiring(make):
        target = make()
        put_into(target, "expired")
        return target

    def take(self):
        time.sleep(max(0, self.until - time.monotonic()))
        with self.lock:
            return self.ready.pop()


class Walk:
    """One server's walk: how blobs and containers are made, and those that are left to expire."""

    def __init__(self, server):
        self.server = server
        self.container = server.service().create_container(f"walk-{uuid.uuid4().hex[:8]}")
        self.blobs = {
            "block": Rack(self.make_blob, len(OPERATIONS) + 3 * (len(BLOB_WRITES) + len(BLOB_READS)) + 1),
            "page": Rack(self.make_page_blob, 3 * (len(PAGE_WRITES) + len(PAGE_READS))),
            "append": Rack(self.make_append_blob, 3 * len(APPEND_WRITES)),
        }
        self.containers = None
        if offers_container_leases(self.make_container()):
            self.containers = Rack(self.make_container, len(OPERATIONS) + len(CONTAINER_USES) + 1)

    def make_blob(self):
        blob = self.container.get_blob_client(f"blob/{uuid.uuid4().hex}")
        blob.upload_blob(b"content")
        return blob

    def make_page_blob(self):
        blob = self.container.get_blob_client(f"page/{uuid.uuid4().hex}")
        blob.create_page_blob(2048)
        return blob

    def make_append_blob(self):
        blob = self.container.get_blob_client(f"append/{uuid.uuid4().hex}")
        blob.create_append_blob()
        return blob

    def make_container(self):
        return self.server.service().create_container(f"walk-{uuid.uuid4().hex[:12]}")


@pytest.fixture(scope="session")
def walks():
    """The walks of all servers. They outlive the turns of the servers, so that leases expire meanwhile."""
    return {}


@pytest.fixture
def walk(server, walks):
    if server.name not in walks:
        walks[server.name] = Walk(server)
    return walks[server.name]


def offers_container_leases(container):
    try:
        BlobLeaseClient(container, lease_id=A).acquire()
        return True
    except HttpResponseError as error:
        if error.status_code != 501:
            raise
        return False


@pytest.fixture
def blob_in(walk):
    make = {"block": walk.make_blob, "page": walk.make_page_blob, "append": walk.make_append_blob}

    def give(state, kind="block"):
        if state == "expired":
            return walk.blobs[kind].take()
        blob = make[kind]()
        put_into(blob, state)
        return blob

    return give


@pytest.fixture
def container_in(walk):
    if walk.containers is None:
        pytest.skip(f"{walk.server.name} does not offer container leases yet")

    def give(state):
        if state == "expired":
            return walk.containers.take()
        container = walk.make_container()
        put_into(container, state)
        return container

    return give


def properties(target):
    read = getattr(target, "get_blob_properties", None) or target.get_container_properties
    return read()


def shown(target):
    """State, status and duration as a reader sees them, which must fit together."""
    seen = properties(target).lease
    locked = seen.state in ("leased", "breaking")
    assert seen.status == ("locked" if locked else "unlocked")
    assert (seen.duration is not None) == (seen.state == "leased")
    return seen.state


def attempt(call):
    """Carries it out: the refusal as the tables write it, or None and the answer where the call keeps it."""
    answers = []

    def keep(answer):
        answers.append(answer.http_response)

    try:
        call(keep)
    except HttpResponseError as error:
        code = getattr(error.error_code, "value", error.error_code)
        return f"{error.status_code} {code}", None
    return None, answers[-1] if answers else None


def lease_operation(target, words):
    name, *ids = words
    client = BlobLeaseClient(target, lease_id=IDS.get(ids[0]) or A)
    if name == "acquire":
        # The SDK makes an id of its own where none is given; this takes it away again, so that the server must.
        client.id = IDS[ids[0]]
        return lambda keep: client.acquire(lease_duration=-1, raw_response_hook=keep)
    if name == "renew":
        return lambda keep: client.renew(raw_response_hook=keep)
    if name == "change":
        return lambda keep: client.change(IDS[ids[1]], raw_response_hook=keep)
    if name == "release":
        return lambda keep: client.release(raw_response_hook=keep)
    period = None if ids[0] == "-" else int(ids[0])
    return lambda keep: client.break_lease(lease_break_period=period, raw_response_hook=keep)


def check_operation(server, target, operation, state, row):
    if server.name == "azurite" and (operation, state) in AZURITE_IS_WRONG:
        pytest.skip(AZURITE_IS_WRONG[(operation, state)])
    expected = cell(row, state)
    before = properties(target)
    refused, answer = attempt(lease_operation(target, operation.split()))
    after = properties(target)
    assert (before.etag, before.last_modified) == (after.etag, after.last_modified), "a lease changes no ETag"
    if "->" not in expected:
        assert refused == expected
        assert shown(target) == state.split()[0], "a refused operation leaves the state"
        return
    assert refused is None
    said, _, then = expected.partition(" -> ")
    status, *rest = said.split()
    assert answer.status_code == int(status)
    assert shown(target) == then
    id_given = answer.headers.get("x-ms-lease-id")
    for word in rest:
        if word == "new":
            assert uuid.UUID(id_given) not in {uuid.UUID(A), uuid.UUID(B)}
        elif word in IDS:
            assert uuid.UUID(id_given) == uuid.UUID(IDS[word])
        else:
            time_left = int(answer.headers["x-ms-lease-time"])
            wanted = int(word.removeprefix("time="))
            # A second or two may have passed since the lease was taken.
            assert wanted - 3 <= time_left <= wanted


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_lease_operation_on_a_blob(server, blob_in, operation, state):
    check_operation(server, blob_in(state), operation, state, OPERATIONS[operation])


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_lease_operation_on_a_container(server, container_in, operation, state):
    check_operation(server, container_in(state), operation, state, OPERATIONS[operation])


def check_use(target, call, expected, state, gone_if_ok):
    refused, _ = attempt(call)
    if not expected.startswith("ok"):
        assert refused == expected
        assert shown(target) == state.split()[0], "a refused use leaves the state"
        return
    assert refused is None
    if not gone_if_ok:
        assert shown(target) == (expected.partition(" -> ")[2] or state.split()[0])


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("who", WRITES)
@pytest.mark.parametrize("operation", BLOB_WRITES)
def test_write_to_a_leased_blob(blob_in, operation, who, state):
    blob = blob_in(state)
    call = BLOB_WRITES[operation]
    check_use(blob, lambda _: call(blob, who), cell(WRITES[who], state), state, operation == "delete")


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("who", READS)
@pytest.mark.parametrize("operation", BLOB_READS)
def test_read_of_a_leased_blob(blob_in, operation, who, state):
    blob = blob_in(state)
    call = BLOB_READS[operation]
    check_use(blob, lambda _: call(blob, who), cell(READS[who], state), state, False)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("who", WRITES)
@pytest.mark.parametrize(("kind", "operation"), OTHER_KINDS)
def test_use_of_a_leased_blob_of_another_kind(blob_in, kind, operation, who, state):
    blob = blob_in(state, kind)
    call, table = OTHER_KINDS[(kind, operation)]
    check_use(blob, lambda _: call(blob, who), cell(table[who], state), state, operation == "delete")


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(("operation", "who"), CONTAINER_USES)
def test_use_of_a_leased_container(container_in, operation, who, state):
    container = container_in(state)
    call = CONTAINER_OPERATIONS[operation]
    expected = cell(CONTAINER_USES[(operation, who)], state)
    check_use(container, lambda _: call(container, who), expected, state, operation == "delete")


def test_a_container_goes_with_the_leased_blobs_in_it(server):
    container = server.service().create_container(f"walk-{uuid.uuid4().hex[:12]}")
    blob = container.get_blob_client("leased")
    blob.upload_blob(b"content")
    BlobLeaseClient(blob).acquire()
    container.delete_container()
    assert not container.exists()


def test_an_expired_lease_is_renewed_only_while_the_blob_is_unmodified(blob_in):
    blob = blob_in("expired")
    blob.set_blob_metadata({"touched": "yes"})
    with pytest.raises(HttpResponseError) as refused:
        BlobLeaseClient(blob, lease_id=A).renew()
    assert (refused.value.status_code, refused.value.error_code) == (409, "LeaseIdMismatchWithLeaseOperation")


def test_a_container_may_be_used_and_its_expired_lease_still_renewed(container_in):
    container = container_in("expired")
    container.set_container_metadata({"touched": "yes"})
    BlobLeaseClient(container, lease_id=A).renew()
    assert shown(container) == "leased"


def test_breaking_ends_by_time_alone(blob_in):
    blob = blob_in("leased infinite")
    assert BlobLeaseClient(blob, lease_id=A).break_lease(lease_break_period=5) == 5
    assert shown(blob) == "breaking"
    time.sleep(5.2)
    assert shown(blob) == "broken"


def test_acquiring_again_switches_the_term(blob_in):
    blob = blob_in("leased infinite")
    BlobLeaseClient(blob, lease_id=A).acquire(lease_duration=60)
    assert blob.get_blob_properties().lease.duration == "fixed"
    BlobLeaseClient(blob, lease_id=A).acquire(lease_duration=-1)
    assert blob.get_blob_properties().lease.duration == "infinite"


def test_a_missing_blob_has_no_lease(walk):
    blob = walk.make_blob()
    blob.delete_blob()
    with pytest.raises(HttpResponseError) as refused:
        BlobLeaseClient(blob).acquire()
    assert (refused.value.status_code, refused.value.error_code) == (404, "BlobNotFound")


# What Azurite gets wrong is asked of the product alone.


def test_leases_outlive_a_killed_server(tmp_path):
    """Azurite saves leases every five seconds, so what it acknowledged may be gone."""
    binary = find_binary()
    if not binary:
        pytest.skip("bac2 is not built (set BAC2_BIN)")
    vault = Vault(binary, tmp_path / "data").start()
    try:
        origin = f"http://127.0.0.1:{vault.address[1]}/{ACCOUNT}"
        container = BlobServiceClient(origin, credential=KEY, retry_total=0).create_container("walk")
        blobs = {}
        for state in STATES[:-1]:
            blobs[state] = container.get_blob_client(state)
            blobs[state].upload_blob(b"content")
            put_into(blobs[state], state)
        BlobLeaseClient(container, lease_id=B).acquire()
        vault.kill()
        vault.start()
        for state, blob in blobs.items():
            assert shown(blob) == state.split()[0]
        assert shown(container) == "leased"
        held = BlobLeaseClient(blobs["leased fixed"], lease_id=A)
        held.renew()
        assert 55 <= held.break_lease() <= 60, "the term is remembered too"
        BlobLeaseClient(container, lease_id=B).release()
    finally:
        vault.kill()


def test_lease_ids_are_numbers_not_text(bac2):
    """SQL Server writes its restore lease without dashes; a clean-up tool may probe with them."""
    blob = bac2.service().create_container(f"walk-{uuid.uuid4().hex[:12]}").get_blob_client("db.bak")
    blob.upload_blob(b"content")
    plain, dashed = "BAC2" * 8, "bac2bac2-bac2-bac2-bac2-bac2bac2bac2"
    BlobLeaseClient(blob, lease_id=plain).acquire()
    for form in (plain, dashed, "{" + dashed + "}", "(" + dashed.upper() + ")"):
        assert blob.get_blob_properties(lease=form).lease.state == "leased"
        again = BlobLeaseClient(blob, lease_id=form)
        again.acquire()
        assert again.id == dashed, "printed with dashes, in lower case"
    BlobLeaseClient(blob, lease_id=dashed).release()
    assert shown(blob) == "available"


@pytest.mark.parametrize(
    "call",
    [
        lambda lease: lease.acquire(lease_duration=14),
        lambda lease: lease.acquire(lease_duration=61),
        lambda lease: lease.acquire(lease_duration=0),
        lambda lease: lease.break_lease(lease_break_period=61),
        lambda lease: lease.break_lease(lease_break_period=-1),
    ],
)
def test_periods_out_of_bounds(bac2, call):
    blob = bac2.service().create_container(f"walk-{uuid.uuid4().hex[:12]}").get_blob_client("b")
    blob.upload_blob(b"content")
    with pytest.raises(HttpResponseError) as refused:
        call(BlobLeaseClient(blob, lease_id=A))
    assert (refused.value.status_code, refused.value.error_code) == (400, "InvalidHeaderValue")
    assert shown(blob) == "available"


def test_an_id_that_is_no_guid(bac2):
    blob = bac2.service().create_container(f"walk-{uuid.uuid4().hex[:12]}").get_blob_client("b")
    blob.upload_blob(b"content")
    with pytest.raises(HttpResponseError) as refused:
        BlobLeaseClient(blob, lease_id="not-a-guid").acquire()
    assert (refused.value.status_code, refused.value.error_code) == (400, "InvalidHeaderValue")


def test_a_lease_id_for_a_blob_that_is_not_there(bac2):
    blob = bac2.service().create_container(f"walk-{uuid.uuid4().hex[:12]}").get_blob_client("b")
    with pytest.raises(HttpResponseError) as refused:
        blob.upload_blob(b"content", lease=A)
    assert (refused.value.status_code, refused.value.error_code) == (412, "LeaseNotPresentWithBlobOperation")


def test_the_lease_is_judged_before_if_none_match(bac2):
    blob = bac2.service().create_container(f"walk-{uuid.uuid4().hex[:12]}").get_blob_client("b")
    blob.upload_blob(b"content")
    BlobLeaseClient(blob, lease_id=A).acquire()
    with pytest.raises(HttpResponseError) as refused:
        blob.upload_blob(b"other")
    assert (refused.value.status_code, refused.value.error_code) == (412, "LeaseIdMissing")

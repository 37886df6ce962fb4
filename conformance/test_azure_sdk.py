"""Everyday use of the Python SDK azure-storage-blob, against the product and, where it is right, against Azurite."""

import base64
import http.client
import random
import threading
import uuid
from datetime import timedelta
from email.utils import formatdate
from types import SimpleNamespace
from urllib.parse import unquote

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.core.pipeline.transport import HttpRequest
from azure.storage.blob import BlobBlock, BlobPrefix, BlobType, ContentSettings
from azure.storage.blob._shared.authentication import SharedKeyCredentialPolicy

MIB = 1 << 20
OTHER_KEY = base64.b64encode(b"another key of sixty-four bytes, which no server here has got 00").decode()


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


@pytest.fixture
def container(server):
    made = server.service(max_block_size=MIB, max_single_put_size=MIB).create_container(f"sdk-{uuid.uuid4().hex[:12]}")
    yield made
    made.delete_container()


@pytest.fixture
def own(bac2):
    """A container of the product, for what Azurite gets wrong or cannot do."""
    made = bac2.service().create_container(f"own-{uuid.uuid4().hex[:12]}")
    yield made
    made.delete_container()


def refused(call, *arguments, **options):
    """Status and code of a call that must fail."""
    with pytest.raises(HttpResponseError) as error:
        call(*arguments, **options)
    code = error.value.error_code
    return error.value.status_code, getattr(code, "value", code)


# Upload and download


def test_a_large_upload_in_blocks_comes_back(container):
    data = noise(9 * MIB + 12345)
    blob = container.upload_blob("db/full 1+2 ü.bak", data, max_concurrency=4)
    seen = blob.get_blob_properties()
    assert (seen.size, seen.blob_type) == (len(data), BlobType.BlockBlob)
    committed, uncommitted = blob.get_block_list("all")
    assert [block.size for block in committed] == [MIB] * 9 + [12345]
    assert uncommitted == []
    assert blob.download_blob(max_concurrency=4).readall() == data


def test_an_upload_of_unknown_length(container):
    data = noise(3 * MIB + 5)
    pieces = (data[at : at + 100_000] for at in range(0, len(data), 100_000))
    blob = container.upload_blob("stream", pieces)
    assert blob.download_blob().readall() == data


@pytest.mark.parametrize("size", [0, 1, 511, MIB])
def test_small_uploads(container, size):
    data = noise(size)
    blob = container.upload_blob(f"small-{size}", data)
    assert blob.download_blob().readall() == data
    assert blob.get_blob_properties().size == size


@pytest.mark.parametrize(("offset", "length"), [(0, 1), (5, 10), (MIB - 1, 2), (2 * MIB, 77), (3 * MIB - 1, 1), (0, None)])
def test_ranges(container, offset, length):
    data = noise(3 * MIB)
    blob = container.upload_blob("ranges", data)
    got = blob.download_blob(offset=offset, length=length).readall()
    assert got == data[offset : None if length is None else offset + length]


def test_a_range_past_the_end(container):
    blob = container.upload_blob("short", b"0123456789")
    assert blob.download_blob(offset=8, length=100).readall() == b"89"
    assert refused(blob.download_blob, offset=11, length=1) == (416, "InvalidRange")


def test_a_range_that_begins_at_the_end(own):
    """Azurite answers 206 with nothing in it."""
    blob = own.upload_blob("short", b"0123456789")
    assert refused(blob.download_blob, offset=10, length=1) == (416, "InvalidRange")
    empty = own.upload_blob("empty", b"")
    assert refused(empty.download_blob, offset=0, length=1)[0] == 416
    assert empty.download_blob().readall() == b""


ODD_NAMES = [
    "with space",
    "a+b%20c%2Fd",
    "?query#fragment&amp;=",
    "<tag attribute=\"x\">'",
    "ünï/€/\U0001f600",
    "double//slash/",
    "dot.",
    "x" * 1024,
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names(container, name):
    blob = container.upload_blob(name, name.encode())
    assert blob.download_blob().readall() == name.encode()
    assert [b.name for b in container.list_blobs()] == [name]
    assert [b.name for b in container.list_blobs(name_starts_with=name)] == [name]
    lease = blob.acquire_lease(15)
    assert refused(blob.delete_blob) == (412, "LeaseIdMissing")
    blob.delete_blob(lease=lease)
    assert list(container.list_blobs()) == []


@pytest.mark.parametrize("name", ["not a character \uffff", "line\u2028separator", "\u0085next line", "\ufeffmark"])
def test_names_that_xml_can_hardly_hold(own, name):
    own.upload_blob(name, b"x")
    assert [b.name for b in own.list_blobs()] == [name]


def test_checksums_are_checked_and_returned(container):
    data = noise(100_000)
    blob = container.upload_blob("checked", data, validate_content=True)
    assert blob.download_blob(validate_content=True).readall() == data


def test_a_body_that_is_not_what_was_summed_up(own):
    """Azurite refuses it too, but as InvalidOperation."""
    data = noise(1000)
    blob = own.upload_blob("checked", data)

    def sum_up_wrongly(request):
        request.http_request.headers["Content-MD5"] = base64.b64encode(bytes(16)).decode()

    answer = refused(blob.stage_block, "QUFB", b"abc", raw_request_hook=sum_up_wrongly)
    assert answer == (400, "Md5Mismatch")
    assert refused(blob.upload_blob, b"abc", overwrite=True, raw_request_hook=sum_up_wrongly) == answer
    assert blob.get_block_list("uncommitted")[1] == []
    assert blob.download_blob().readall() == data


# Blocks


def test_blocks_committed_again_in_another_order(container):
    blob = container.get_blob_client("blocks")
    ids = [base64.b64encode(f"BLOCKID{n:05}".encode()).decode() for n in range(4)]
    for number, block in enumerate(ids[:3]):
        blob.stage_block(block, bytes([number]) * 10)
    blob.commit_block_list([BlobBlock(ids[2]), BlobBlock(ids[0])])
    assert blob.download_blob().readall() == b"\x02" * 10 + b"\x00" * 10
    committed, uncommitted = blob.get_block_list("all")
    assert [b.id for b in committed] == [ids[2], ids[0]]
    assert uncommitted == [], "what a commit leaves out is gone"
    blob.stage_block(ids[3], b"\x03")
    _, uncommitted = blob.get_block_list("all")
    assert [(b.id, b.size) for b in uncommitted] == [(ids[3], 1)]
    blob.commit_block_list([BlobBlock(ids[3]), BlobBlock(ids[0])])
    assert blob.download_blob().readall() == b"\x03" + b"\x00" * 10


def test_the_last_block_of_an_id_wins(container):
    blob = container.get_blob_client("again")
    blob.stage_block("QUFB", b"first")
    blob.stage_block("QUFB", b"second")
    blob.commit_block_list([BlobBlock("QUFB")])
    assert blob.download_blob().readall() == b"second"


def test_a_block_list_with_an_unknown_block(container):
    blob = container.get_blob_client("unknown")
    blob.stage_block("QUFB", b"abc")
    assert refused(blob.commit_block_list, [BlobBlock("QUFB"), BlobBlock("QkJC")]) == (400, "InvalidBlockList")
    assert blob.get_block_list("uncommitted")[1][0].size == 3, "a refused commit loses nothing"


def test_block_ids_of_unequal_length(container):
    blob = container.get_blob_client("unequal")
    blob.stage_block("QUFB", b"abc")
    assert refused(blob.stage_block, "QUFBQUFB", b"abc") == (400, "InvalidBlobOrBlock")


def test_blocks_alone_are_no_blob(container):
    blob = container.get_blob_client("uncommitted")
    blob.stage_block("QUFB", b"abc")
    assert not blob.exists()
    assert [b.name for b in container.list_blobs()] == []
    listed = list(container.list_blobs(include=["uncommittedblobs"]))
    assert [b.name for b in listed] == ["uncommitted"]


# Listing


def test_lists_with_prefix_and_delimiter(container):
    names = ["a.bak", "db1/full.bak", "db1/log/1.trn", "db1/log/2.trn", "db2/full.bak", "z & <z> \"ü\".bak"]
    for name in names:
        container.upload_blob(name, b"x")
    assert [b.name for b in container.list_blobs()] == sorted(names)
    assert [b.name for b in container.list_blobs(name_starts_with="db1/")] == names[1:4]
    walked = list(container.walk_blobs(name_starts_with="db1/"))
    assert sorted(entry.name for entry in walked) == ["db1/full.bak", "db1/log/"]
    assert [entry.name for entry in walked if isinstance(entry, BlobPrefix)] == ["db1/log/"]
    assert sorted(entry.name for entry in container.walk_blobs()) == ["a.bak", "db1/", "db2/", names[5]]


def test_lists_in_pages(container):
    names = [f"blob-{n:03}" for n in range(25)]
    for name in names:
        container.upload_blob(name, b"x")
    pages = container.list_blobs(results_per_page=10).by_page()
    assert [[b.name for b in page] for page in pages] == [names[:10], names[10:20], names[20:]]
    first = container.list_blobs(results_per_page=10).by_page()
    next(first)
    resumed = container.list_blobs().by_page(continuation_token=first.continuation_token)
    assert [b.name for page in resumed for b in page] == names[10:]


def test_a_list_tells_what_a_reader_wants_to_know(container):
    blob = container.upload_blob("told", b"12345", metadata={"database": "Sales"})
    blob.acquire_lease()
    (listed,) = container.list_blobs(include=["metadata"])
    seen = blob.get_blob_properties()
    assert (listed.size, listed.metadata) == (5, {"database": "Sales"})
    assert (listed.lease.state, listed.lease.status, listed.lease.duration) == ("leased", "locked", "infinite")
    assert listed.etag == seen.etag.strip('"')
    assert listed.last_modified == seen.last_modified
    assert listed.content_settings.content_type == "application/octet-stream"


def test_containers(server):
    service = server.service()
    stem = uuid.uuid4().hex[:10]
    names = [f"{stem}-{letter}" for letter in "abc"]
    for name in names:
        service.create_container(name, metadata={"is": name[-1]})
    assert refused(service.create_container, names[0]) == (409, "ContainerAlreadyExists")
    listed = list(service.list_containers(name_starts_with=stem, include_metadata=True))
    assert [(c.name, c.metadata) for c in listed] == [(name, {"is": name[-1]}) for name in names]
    client = service.get_container_client(names[1])
    client.set_container_metadata({"now": "this"})
    assert client.get_container_properties().metadata == {"now": "this"}
    for name in names:
        service.delete_container(name)
    assert refused(service.delete_container, names[0]) == (404, "ContainerNotFound")
    assert not client.exists()


# Properties, metadata, conditions


def test_properties_and_metadata(container):
    settings = ContentSettings(
        content_type="application/x-bak",
        content_encoding="identity",
        content_language="de",
        content_disposition="attachment",
        cache_control="no-cache",
    )
    blob = container.upload_blob("described", b"x", content_settings=settings, metadata={"a": "1", "b_2": "zwei"})
    seen = blob.get_blob_properties()
    for name in ("content_type", "content_encoding", "content_language", "content_disposition", "cache_control"):
        assert seen.content_settings[name] == settings[name], name
    assert seen.metadata == {"a": "1", "b_2": "zwei"}
    blob.set_blob_metadata({"c": "3"})
    assert blob.get_blob_properties().metadata == {"c": "3"}
    blob.set_http_headers(ContentSettings(content_type="text/plain"))
    seen = blob.get_blob_properties().content_settings
    assert (seen.content_type, seen.cache_control) == ("text/plain", None)
    blob.upload_blob(b"y", overwrite=True)
    assert blob.get_blob_properties().metadata == {}, "an overwrite sets everything anew"


def test_every_change_changes_the_etag(container):
    blob = container.get_blob_client("tags")
    tags = [blob.upload_blob(b"1")["etag"]]
    tags.append(blob.upload_blob(b"2", overwrite=True)["etag"])
    tags.append(blob.set_blob_metadata({"a": "b"})["etag"])
    tags.append(blob.set_http_headers(ContentSettings())["etag"])
    blob.stage_block("QUFB", b"3")
    assert blob.get_blob_properties().etag == tags[-1], "a staged block changes nothing yet"
    tags.append(blob.commit_block_list([BlobBlock("QUFB")])["etag"])
    assert len(set(tags)) == len(tags)
    assert blob.get_blob_properties().etag == tags[-1]


def test_conditions(container):
    blob = container.get_blob_client("conditional")
    first = blob.upload_blob(b"1")["etag"]
    with pytest.raises(ResourceExistsError):
        blob.upload_blob(b"other")
    second = blob.upload_blob(b"2", overwrite=True, etag=first, match_condition=MatchConditions.IfNotModified)["etag"]
    with pytest.raises(ResourceModifiedError):
        blob.upload_blob(b"3", overwrite=True, etag=first, match_condition=MatchConditions.IfNotModified)
    with pytest.raises(ResourceModifiedError):
        blob.delete_blob(etag=first, match_condition=MatchConditions.IfNotModified)
    with pytest.raises(HttpResponseError) as unchanged:
        blob.download_blob(etag=second, match_condition=MatchConditions.IfModified)
    assert unchanged.value.status_code == 304
    changed = blob.get_blob_properties().last_modified
    assert refused(blob.get_blob_properties, if_modified_since=changed)[0] == 304
    assert refused(blob.set_blob_metadata, {}, if_unmodified_since=changed - timedelta(seconds=1)) == (412, "ConditionNotMet")
    assert blob.download_blob(if_unmodified_since=changed).readall() == b"2"
    blob.delete_blob(etag=second, match_condition=MatchConditions.IfNotModified)
    assert not blob.exists()


# What must be refused


def test_what_is_not_there(container):
    blob = container.get_blob_client("absent")
    assert refused(blob.download_blob) == (404, "BlobNotFound")
    assert refused(blob.get_blob_properties) == (404, "BlobNotFound")
    assert refused(blob.delete_blob) == (404, "BlobNotFound")
    assert refused(blob.get_block_list) == (404, "BlobNotFound")
    missing = container._get_blob_service_client() if hasattr(container, "_get_blob_service_client") else None
    if missing is not None:
        other = missing.get_blob_client("no-such-container", "b")
        assert refused(other.upload_blob, b"x") == (404, "ContainerNotFound")
        assert refused(other.stage_block, "QUFB", b"x") == (404, "ContainerNotFound")


def test_a_deleted_blob_is_gone(container):
    blob = container.upload_blob("gone", b"x")
    blob.delete_blob()
    with pytest.raises(ResourceNotFoundError):
        blob.download_blob()
    assert list(container.list_blobs()) == []
    blob.upload_blob(b"again")
    assert blob.download_blob().readall() == b"again"


def test_a_wrong_key(server):
    service = server.service(credential=OTHER_KEY)
    # Azurite has the other code.
    code = {"bac2": "AuthenticationFailed", "azurite": "AuthorizationFailure"}[server.name]
    assert refused(service.create_container, "never-made") == (403, code)
    assert not server.service().get_container_client("never-made").exists()


def test_an_unsigned_request(bac2, own):
    connection = http.client.HTTPConnection(bac2.origin.removeprefix("http://"))
    connection.request("GET", f"/{bac2.account}/{own.container_name}?restype=container&comp=list")
    answer = connection.getresponse()
    assert answer.status in (401, 403)
    assert b"<Blobs>" not in answer.read()


def test_bad_container_names(own, bac2):
    service = bac2.service()
    assert refused(service.create_container, "Upper")[0] == 400
    assert refused(service.create_container, "a")[0] == 400
    service.create_container("with_underscore").delete_container()


def test_a_body_shorter_than_announced_leaves_nothing(bac2, own):
    """The head is signed by the SDK; the body stops short and the connection is closed."""
    blob = own.get_blob_client("short")
    blob.upload_blob(b"before")
    caught = {}

    class Caught(Exception):
        pass

    def catch(request):
        caught["request"] = request.http_request
        raise Caught

    for call in (
        lambda hook: blob.upload_blob(b"x" * 1000, overwrite=True, raw_request_hook=hook),
        lambda hook: blob.stage_block("QUFB", b"x" * 1000, raw_request_hook=hook),
    ):
        # The hook runs before the signature is made, so the signing is done here, by the SDK's own policy.
        with pytest.raises(Caught):
            call(catch)
        request = caught["request"]
        head = signed_by_the_sdk(bac2, request)
        connection = http.client.HTTPConnection(bac2.origin.removeprefix("http://"))
        connection.putrequest(request.method, request.url.removeprefix(bac2.origin), skip_accept_encoding=True)
        for name, value in head.items():
            connection.putheader(name, value)
        connection.endheaders(b"x" * 500)
        connection.close()
    assert blob.download_blob().readall() == b"before"
    assert blob.get_block_list("uncommitted")[1] == []


def signed_by_the_sdk(server, request):
    policy = SharedKeyCredentialPolicy(server.account, server.key)
    if "x-ms-date" not in request.headers:
        request.headers["x-ms-date"] = formatdate(usegmt=True)
    context = SimpleNamespace(transport=None)
    policy.on_request(SimpleNamespace(http_request=request, context=context))
    return dict(request.headers)


@pytest.mark.parametrize("name", ["..", "a/../../b", "./c", "%2e%2e/%2e%2e/d"])
def test_dots_in_names_are_only_dots(bac2, own, name):
    """The SDK's own HTTP library would resolve them, so these requests are signed by the SDK and sent as they are."""

    def send(method, body=None):
        url = f"{bac2.origin}/{bac2.account}/{own.container_name}/{name}"
        head = {"x-ms-version": "2021-12-02", "x-ms-blob-type": "BlockBlob", "Content-Length": str(len(body or b""))}
        request = HttpRequest(method, url, headers=head)
        connection = http.client.HTTPConnection(bac2.origin.removeprefix("http://"))
        path = url.removeprefix(bac2.origin)
        connection.request(method, path, body=body, headers=signed_by_the_sdk(bac2, request))
        answer = connection.getresponse()
        return answer.status, answer.read()

    assert send("PUT", b"dotted")[0] == 201
    assert send("GET") == (200, b"dotted")
    assert [b.name for b in own.list_blobs()] == [unquote(name)]
    assert send("DELETE")[0] == 202


def test_errors_carry_what_azure_says(own):
    blob = own.upload_blob("leased", b"x")
    blob.acquire_lease()
    with pytest.raises(HttpResponseError) as error:
        blob.delete_blob()
    said = str(error.value)
    assert "There is currently a lease on the blob and no lease ID was specified in the request." in said
    assert "RequestId:" in said and "Time:" in said
    # SQL Server shows the reason of the status line, not the body.
    assert error.value.reason.startswith("There is currently a lease on the blob")


def test_many_at_once(container):
    """Readers and writers on their own blobs do not disturb each other."""
    failures = []

    def work(number):
        try:
            data = noise(2 * MIB + number, number)
            for _ in range(3):
                blob = container.upload_blob(f"worker-{number}", data, overwrite=True)
                if blob.download_blob().readall() != data:
                    failures.append(number)
        except Exception as error:  # told to the thread that asked, whatever it is
            failures.append((number, error))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(list(container.list_blobs())) == 8

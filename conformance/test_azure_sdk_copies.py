"""Snapshots, copies inside the server and tags with the Python SDK azure-storage-blob, over http and https."""

import random
import time
import uuid
from datetime import datetime, timedelta, timezone

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobSasPermissions, BlobType, generate_blob_sas


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


@pytest.fixture
def container(door):
    return door.service().create_container(f"copies-{uuid.uuid4().hex[:8]}")


def refused(call, *arguments, **options):
    """Status and code of a call that must fail."""
    with pytest.raises(HttpResponseError) as error:
        call(*arguments, **options)
    code = error.value.error_code
    return error.value.status_code, getattr(code, "value", code)


def readable(door, blob, **more):
    """The blob's URL with a SAS that reads it, as the source of a copy."""
    until = datetime.now(timezone.utc) + timedelta(hours=1)
    sas = generate_blob_sas(
        door.account, blob.container_name, blob.blob_name, account_key=door.key,
        permission=BlobSasPermissions(read=True), expiry=until, **more,
    )  # fmt: skip
    return f"{blob.url}{'&' if '?' in blob.url else '?'}{sas}"


def finished(blob):
    """The properties once no copy is pending any more."""
    deadline = time.monotonic() + 300
    while True:
        seen = blob.get_blob_properties()
        if seen.copy.status != "pending":
            return seen
        assert time.monotonic() < deadline
        time.sleep(0.05)


# Snapshots


def test_a_snapshot_keeps_what_was(door, container):
    before, after = noise(100_000, 1), noise(5, 2)
    blob = container.upload_blob("base", before, metadata={"of": "base"})
    etag = blob.get_blob_properties().etag
    first = blob.create_snapshot()
    second = blob.create_snapshot(metadata={"own": "words"})
    assert first["snapshot"] < second["snapshot"]
    blob.upload_blob(after, overwrite=True)
    assert blob.download_blob().readall() == after

    def at(moment):
        return door.service().get_blob_client(container.container_name, "base", snapshot=moment["snapshot"])

    assert at(first).download_blob().readall() == before
    assert at(first).download_blob(offset=10, length=20).readall() == before[10:30]
    assert at(first).get_blob_properties().metadata == {"of": "base"}
    assert at(first).get_blob_properties().etag == etag
    assert at(second).get_blob_properties().metadata == {"own": "words"}
    listed = [(one.name, one.snapshot) for one in container.list_blobs(include=["snapshots"])]
    assert sorted(listed, key=str) == sorted(
        [("base", first["snapshot"]), ("base", second["snapshot"]), ("base", None)], key=str
    )
    assert [one.name for one in container.list_blobs()] == ["base"]
    # A snapshot is only read and deleted.
    at(first).delete_blob()
    assert refused(at(first).download_blob) == (404, "BlobNotFound")
    assert at(second).download_blob().readall() == before


def test_deleting_a_blob_with_snapshots(container):
    blob = container.upload_blob("base", b"1")
    blob.create_snapshot()
    assert refused(blob.delete_blob) == (409, "SnapshotsPresent")
    blob.delete_blob(delete_snapshots="only")
    assert blob.download_blob().readall() == b"1"
    assert len(list(container.list_blobs(include=["snapshots"]))) == 1
    blob.create_snapshot()
    blob.delete_blob(delete_snapshots="include")
    assert list(container.list_blobs(include=["snapshots"])) == []


def test_a_snapshot_needs_no_lease(container):
    blob = container.upload_blob("leased", b"1")
    lease = blob.acquire_lease()
    moment = blob.create_snapshot()["snapshot"]
    other = "aaaaaaaa-0000-4000-8000-00000000000a"
    assert refused(blob.create_snapshot, lease=other) == (412, "LeaseIdMismatchWithBlobOperation")
    blob.create_snapshot(lease=lease)
    listed = {one.snapshot: one for one in container.list_blobs(include=["snapshots"])}
    assert listed[None].lease.state == "leased"
    assert listed[moment].lease.status != "locked", "the lease is not copied"


def test_snapshots_of_pages(door, container):
    blob = container.get_blob_client("pages")
    blob.create_page_blob(4096)
    blob.upload_page(b"\x01" * 1024, offset=0, length=1024)
    moment = blob.create_snapshot()["snapshot"]
    blob.upload_page(b"\x02" * 512, offset=512, length=512)
    blob.clear_page(offset=0, length=512)
    old = door.service().get_blob_client(container.container_name, "pages", snapshot=moment)
    assert old.download_blob().readall() == b"\x01" * 1024 + bytes(3072)
    assert blob.download_blob().readall() == bytes(512) + b"\x02" * 512 + bytes(3072)
    assert [(one.start, one.end) for one in old.list_page_ranges()] == [(0, 1023)]


# Copies


def test_a_copy_carries_content_properties_and_metadata(container):
    data = noise(3_000_000)
    source = container.get_blob_client("source")
    source.upload_blob(data, metadata={"from": "source"}, max_concurrency=2)
    target = container.get_blob_client("target")
    started = target.start_copy_from_url(source.url)
    assert started["copy_id"] and started["copy_status"] in ("success", "pending")
    seen = finished(target)
    assert (seen.copy.status, seen.copy.id) == ("success", started["copy_id"])
    assert seen.copy.source.startswith(source.url)
    assert seen.copy.progress == f"{len(data)}/{len(data)}"
    assert seen.metadata == {"from": "source"}
    assert target.download_blob().readall() == data
    with_words = container.get_blob_client("with words")
    with_words.start_copy_from_url(source.url, metadata={"own": "words"})
    assert finished(with_words).metadata == {"own": "words"}
    (listed,) = container.list_blobs(name_starts_with="target", include=["copy"])
    assert (listed.copy.id, listed.copy.status) == (started["copy_id"], "success")


def test_a_synchronous_copy(door, container):
    data = noise(1_000_000)
    source = container.upload_blob("source", data)
    target = container.get_blob_client("target")
    done = target.start_copy_from_url(readable(door, source), requires_sync=True)
    assert done["copy_status"] == "success"
    assert target.download_blob().readall() == data


def test_a_copy_from_a_snapshot_promotes_it(door, container):
    blob = container.upload_blob("base", b"before")
    moment = blob.create_snapshot()["snapshot"]
    blob.upload_blob(b"after", overwrite=True)
    old = door.service().get_blob_client(container.container_name, "base", snapshot=moment)
    blob.start_copy_from_url(old.url)
    assert finished(blob).copy.status == "success"
    assert blob.download_blob().readall() == b"before"


def test_a_copy_of_pages(container):
    source = container.get_blob_client("pages")
    source.create_page_blob(1 << 40)
    source.upload_page(b"\x07" * 512, offset=1 << 30, length=512)
    target = container.get_blob_client("copy of pages")
    target.start_copy_from_url(source.url)
    seen = finished(target)
    assert (seen.blob_type, seen.size) == (BlobType.PageBlob, 1 << 40)
    assert [(one.start, one.end) for one in target.list_page_ranges()] == [(1 << 30, (1 << 30) + 511)]


def test_copies_and_conditions(container):
    source = container.upload_blob("source", b"1")
    target = container.upload_blob("target", b"2")
    etag = source.get_blob_properties().etag
    unmet = refused(target.start_copy_from_url, source.url, source_etag=etag, source_match_condition=MatchConditions.IfModified)
    assert unmet[0] == 412, "a write that is not done, not a read of what is unchanged"
    target.start_copy_from_url(source.url, source_etag=etag, source_match_condition=MatchConditions.IfNotModified)
    lease = target.acquire_lease()
    assert refused(target.start_copy_from_url, source.url) == (412, "LeaseIdMissing")
    target.start_copy_from_url(source.url, destination_lease=lease)
    lease.release()
    absent = container.get_blob_client("absent")
    assert refused(target.start_copy_from_url, absent.url)[0] == 404
    assert target.download_blob().readall() == b"1"
    assert refused(target.abort_copy, str(uuid.uuid4()))[0] == 409


def test_put_from_url(door, container):
    data = noise(300_000)
    source = container.upload_blob("source", data)
    url = readable(door, source)
    whole = container.get_blob_client("whole")
    whole.upload_blob_from_url(url)
    assert whole.download_blob().readall() == data
    blocks = container.get_blob_client("blocks")
    blocks.stage_block_from_url("QUFB", url, source_offset=1000, source_length=5000)
    blocks.commit_block_list(["QUFB"])
    assert blocks.download_blob().readall() == data[1000:6000]


def test_pages_and_appends_from_url(door, container):
    data = noise(10_000)
    url = readable(door, container.upload_blob("source", data))
    pages = container.get_blob_client("pages")
    pages.create_page_blob(2048)
    pages.upload_pages_from_url(url, offset=512, length=1024, source_offset=1024)
    assert pages.download_blob().readall() == bytes(512) + data[1024:2048] + bytes(512)
    log = container.get_blob_client("log")
    log.create_append_blob()
    log.append_block_from_url(url, source_offset=10, source_length=20)
    assert log.download_blob().readall() == data[10:30]


def test_a_source_elsewhere_is_refused(container):
    """The server fetches nothing from other machines, and says so."""
    target = container.get_blob_client("target")
    status, code = refused(target.start_copy_from_url, "https://elsewhere.blob.core.windows.net/c/b")
    assert 400 <= status < 600 and code
    assert not target.exists()


# Tags


def test_tags(container):
    blob = container.upload_blob("tagged", b"x", tags={"kind": "log", "keep until": "2030-01-01"})
    assert blob.get_blob_tags() == {"kind": "log", "keep until": "2030-01-01"}
    assert blob.get_blob_properties().tag_count == 2
    blob.set_blob_tags({"kind": "full"})
    assert blob.get_blob_tags() == {"kind": "full"}
    (listed,) = container.list_blobs(include=["tags"])
    assert listed.tags == {"kind": "full"}
    assert refused(blob.set_blob_tags, {f"t{n}": "x" for n in range(11)})[0] == 400
    assert refused(blob.set_blob_tags, {"a": "no!"})[0] == 400
    assert blob.get_blob_tags() == {"kind": "full"}
    blob.set_blob_tags({})
    assert blob.get_blob_tags() == {}
    lease = blob.acquire_lease()
    assert refused(blob.set_blob_tags, {"a": "b"}) == (412, "LeaseIdMissing")
    blob.set_blob_tags({"a": "b"}, lease=lease)

"""Page blobs and append blobs with the Python SDK azure-storage-blob, over http and https."""

import random
import uuid

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobType, SequenceNumberAction

TB = 1 << 40


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


@pytest.fixture(scope="module")
def container(door):
    return door.service().create_container(f"pages-{uuid.uuid4().hex[:8]}")


@pytest.fixture
def blob(container):
    return container.get_blob_client(f"blob {uuid.uuid4().hex}")


def refused(call, *arguments, **options):
    """Status and code of a call that must fail."""
    with pytest.raises(HttpResponseError) as error:
        call(*arguments, **options)
    code = error.value.error_code
    return error.value.status_code, getattr(code, "value", code)


def ranges(blob, **options):
    """(first, last) of every range, both included."""
    return [(one.start, one.end) for one in blob.list_page_ranges(**options)]


# Page blobs


def test_a_terabyte_with_a_few_pages(blob):
    blob.create_page_blob(TB, metadata={"a": "b"}, sequence_number=5)
    seen = blob.get_blob_properties()
    assert (seen.blob_type, seen.size, seen.page_blob_sequence_number) == (BlobType.PageBlob, TB, 5)
    assert seen.metadata == {"a": "b"}
    data = noise(3 * 512)
    blob.upload_page(data, offset=1024, length=len(data), validate_content=True)
    blob.upload_page(data, offset=TB - len(data), length=len(data))
    assert ranges(blob) == [(1024, 2559), (TB - 1536, TB - 1)]
    assert ranges(blob, offset=0, length=2048) == [(1024, 2047)]
    assert blob.download_blob(offset=0, length=4096).readall() == bytes(1024) + data + bytes(1536)
    assert blob.download_blob(offset=TB - 1536).readall() == data


def test_clearing_makes_holes(blob):
    blob.create_page_blob(8192)
    blob.upload_page(b"\x01" * 8192, offset=0, length=8192)
    blob.clear_page(offset=1024, length=1024)
    blob.clear_page(offset=7680, length=512)
    assert ranges(blob) == [(0, 1023), (2048, 7679)]
    assert blob.download_blob().readall() == b"\x01" * 1024 + bytes(1024) + b"\x01" * 5632 + bytes(512)
    blob.clear_page(offset=0, length=8192)
    assert ranges(blob) == []


def test_the_sdk_uploads_a_file_as_pages(container):
    data = noise(5 * (1 << 20))
    data = data[: 1 << 20] + bytes(1 << 20) + data[2 << 20 :]
    blob = container.upload_blob("as pages", data, blob_type=BlobType.PageBlob, max_concurrency=4, overwrite=True)
    assert blob.download_blob(max_concurrency=4).readall() == data
    assert ranges(blob)[0][0] == 0


def test_many_ranges_come_in_pages(blob):
    blob.create_page_blob(512 * 100)
    wanted = [(at, at + 511) for at in range(0, 512 * 100, 1024)]
    for first, _ in wanted:
        blob.upload_page(b"\x05" * 512, offset=first, length=512)
    assert ranges(blob) == wanted
    assert ranges(blob, results_per_page=7) == wanted
    pages = blob.list_page_ranges(results_per_page=20).by_page()
    assert [len(list(page)) for page in pages] == [20, 20, 10]


def test_resizing_cuts_and_grows(blob):
    blob.create_page_blob(4096)
    blob.upload_page(b"\x02" * 4096, offset=0, length=4096)
    blob.resize_blob(1024)
    assert blob.get_blob_properties().size == 1024
    blob.resize_blob(2048)
    assert blob.download_blob().readall() == b"\x02" * 1024 + bytes(1024), "what was cut off stays gone"
    assert ranges(blob) == [(0, 1023)]
    assert refused(blob.resize_blob, 100)[0] == 400


def test_sequence_numbers(blob):
    blob.create_page_blob(512)
    blob.set_sequence_number(SequenceNumberAction.Update, "7")
    blob.set_sequence_number(SequenceNumberAction.Max, "3")
    assert blob.get_blob_properties().page_blob_sequence_number == 7
    blob.set_sequence_number(SequenceNumberAction.Max, "9")
    blob.set_sequence_number(SequenceNumberAction.Increment)
    assert blob.get_blob_properties().page_blob_sequence_number == 10
    page = {"page": b"x" * 512, "offset": 0, "length": 512}
    unmet = (412, "SequenceNumberConditionNotMet")
    assert refused(blob.upload_page, **page, if_sequence_number_lte=9) == unmet
    assert refused(blob.upload_page, **page, if_sequence_number_lt=10) == unmet
    assert refused(blob.upload_page, **page, if_sequence_number_eq=9) == unmet
    assert refused(blob.clear_page, 0, 512, if_sequence_number_eq=9) == unmet
    done = blob.upload_page(**page, if_sequence_number_lte=10, if_sequence_number_lt=11, if_sequence_number_eq=10)
    assert done["blob_sequence_number"] == 10


def test_pages_have_etags_and_leases(blob):
    first = blob.create_page_blob(1024)["etag"]
    second = blob.upload_page(b"a" * 512, offset=0, length=512)["etag"]
    assert first != second
    lease = blob.acquire_lease()
    page = {"page": b"b" * 512, "offset": 512, "length": 512}
    assert refused(blob.upload_page, **page) == (412, "LeaseIdMissing")
    assert refused(blob.clear_page, 0, 512) == (412, "LeaseIdMissing")
    assert refused(blob.resize_blob, 512) == (412, "LeaseIdMissing")
    assert refused(blob.create_page_blob, 512) == (412, "LeaseIdMissing")
    third = blob.upload_page(**page, lease=lease)["etag"]
    assert third not in (first, second)
    lease.release()
    assert blob.download_blob().readall() == b"a" * 512 + b"b" * 512


def test_creating_again_begins_anew(blob):
    blob.create_page_blob(1024, metadata={"old": "1"})
    blob.upload_page(b"a" * 512, offset=0, length=512)
    blob.create_page_blob(512)
    seen = blob.get_blob_properties()
    assert (seen.size, seen.metadata) == (512, {})
    assert ranges(blob) == []


def test_kinds_do_not_mix(container):
    plain = container.upload_blob("plain", b"x", overwrite=True)
    wrong = (409, "InvalidBlobType")
    assert refused(plain.upload_page, b"x" * 512, 0, 512) == wrong
    assert refused(plain.append_block, b"x") == wrong
    assert refused(plain.get_page_ranges) == wrong
    pages = container.get_blob_client("pages only")
    pages.create_page_blob(512)
    assert refused(pages.append_block, b"x") == wrong
    assert refused(pages.commit_block_list, []) == wrong
    assert pages.get_blob_properties().blob_type == BlobType.PageBlob


def test_a_listing_names_the_kinds(door):
    container = door.service().create_container(f"kinds-{uuid.uuid4().hex[:8]}")
    container.get_blob_client("a").create_append_blob()
    container.upload_blob("b", b"x")
    container.get_blob_client("p").create_page_blob(TB, sequence_number=3)
    listed = {one.name: one for one in container.list_blobs()}
    assert {name: one.blob_type for name, one in listed.items()} == {
        "a": BlobType.AppendBlob,
        "b": BlobType.BlockBlob,
        "p": BlobType.PageBlob,
    }
    assert listed["p"].size == TB
    assert listed["p"].page_blob_sequence_number == 3


# Append blobs


def test_appending(blob):
    blob.create_append_blob(metadata={"log": "yes"})
    pieces = [noise(size, size) for size in (1, 70_000, 512)]
    offset = 0
    for count, piece in enumerate(pieces, 1):
        done = blob.append_block(piece, validate_content=True)
        assert (int(done["blob_append_offset"]), done["blob_committed_block_count"]) == (offset, count)
        offset += len(piece)
    assert blob.download_blob().readall() == b"".join(pieces)
    seen = blob.get_blob_properties()
    assert (seen.blob_type, seen.size, seen.append_blob_committed_block_count) == (BlobType.AppendBlob, offset, 3)
    assert seen.metadata == {"log": "yes"}
    assert blob.download_blob(offset=1, length=10).readall() == pieces[1][:10]


def test_append_conditions(blob):
    blob.create_append_blob()
    blob.append_block(b"12345")
    assert refused(blob.append_block, b"x", appendpos_condition=4) == (412, "AppendPositionConditionNotMet")
    assert refused(blob.append_block, b"123", maxsize_condition=7) == (412, "MaxBlobSizeConditionNotMet")
    blob.append_block(b"67", appendpos_condition=5, maxsize_condition=7)
    lease = blob.acquire_lease()
    assert refused(blob.append_block, b"8") == (412, "LeaseIdMissing")
    blob.append_block(b"8", lease=lease)
    assert blob.download_blob().readall() == b"12345678"


def test_a_sealed_append_blob_takes_no_more(blob):
    blob.create_append_blob()
    blob.append_block(b"all")
    assert blob.seal_append_blob()["blob_sealed"] is True
    assert refused(blob.append_block, b"more") == (409, "BlobIsSealed")
    assert blob.get_blob_properties().is_append_blob_sealed is True
    assert blob.download_blob().readall() == b"all"


def test_the_sdk_uploads_and_extends_an_append_blob(container):
    first, second = noise(300_000, 1), noise(5, 2)
    blob = container.upload_blob("appended", first, blob_type=BlobType.AppendBlob)
    blob.upload_blob(second, blob_type=BlobType.AppendBlob)
    assert blob.download_blob().readall() == first + second
    blob.upload_blob(second, blob_type=BlobType.AppendBlob, overwrite=True)
    assert blob.download_blob().readall() == second

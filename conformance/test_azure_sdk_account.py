"""What an account offers besides blobs, with the Python SDK: properties, information, batches, preflights, checks."""

import base64
import hashlib
import http.client
import random
import ssl
import urllib.parse
import uuid

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.storage.blob import CorsRule, Metrics, PartialBatchErrorException, RetentionPolicy


@pytest.fixture
def container(door):
    return door.service().create_container(f"account-{uuid.uuid4().hex[:8]}")


def refused(call, *arguments, **options):
    """Status and code of a call that must fail."""
    with pytest.raises(HttpResponseError) as error:
        call(*arguments, **options)
    code = error.value.error_code
    return error.value.status_code, getattr(code, "value", code)


def test_account_information_is_given_everywhere(door, container):
    told = [place.get_account_information() for place in (door.service(), container, container.get_blob_client("b"))]
    assert told[0]["account_kind"] and told[0]["sku_name"]
    assert told[0]["account_kind"] == told[1]["account_kind"] == told[2]["account_kind"]


def test_service_properties_are_kept(door):
    service = door.service()
    rules = [
        CorsRule(
            ["https://example.org", "https://example.com"],
            ["GET", "PUT"],
            allowed_headers=["x-ms-*"],
            exposed_headers=["x-ms-request-id"],
            max_age_in_seconds=77,
        )
    ]
    service.set_service_properties(cors=rules)
    (kept,) = service.get_service_properties()["cors"]
    assert kept.allowed_origins == "https://example.org,https://example.com"
    assert (kept.allowed_methods, kept.max_age_in_seconds) == ("GET,PUT", 77)
    service.set_service_properties(cors=[])
    assert service.get_service_properties()["cors"] == []


def test_service_properties_that_would_be_a_lie(door):
    """To keep deleted blobs for days, or to count for metrics, is not offered: it is refused, not promised."""
    service = door.service()
    status, code = refused(service.set_service_properties, delete_retention_policy=RetentionPolicy(True, 7))
    assert status in (400, 409, 501) and code
    assert service.get_service_properties()["delete_retention_policy"].enabled is False
    # Switched off is what they are.
    off = Metrics(enabled=False, retention_policy=RetentionPolicy(False))
    service.set_service_properties(delete_retention_policy=RetentionPolicy(False), hour_metrics=off)


def preflight(door, container, origin, method):
    where = urllib.parse.urlsplit(door.origin)
    if door.ca:
        secure = ssl.create_default_context(cafile=door.ca)
        connection = http.client.HTTPSConnection(where.netloc, context=secure, timeout=60)
    else:
        connection = http.client.HTTPConnection(where.netloc, timeout=60)
    fields = {"Origin": origin, "Access-Control-Request-Method": method}
    connection.request("OPTIONS", f"/{door.account}/{container.container_name}/b", headers=fields)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def test_a_browsers_preflight_is_answered(door, container):
    door.service().set_service_properties(cors=[CorsRule(["https://example.org"], ["GET"], max_age_in_seconds=55)])
    allowed = preflight(door, container, "https://example.org", "GET")
    assert allowed.status == 200
    assert allowed.getheader("Access-Control-Allow-Origin") == "https://example.org"
    assert allowed.getheader("Access-Control-Max-Age") == "55"
    assert preflight(door, container, "https://example.net", "GET").status == 403
    assert preflight(door, container, "https://example.org", "PUT").status == 403
    door.service().set_service_properties(cors=[])
    assert preflight(door, container, "https://example.org", "GET").status == 403


def test_a_batch_deletes_many(container):
    names = [f"batch/{n:03}" for n in range(256)]
    for name in names[:20]:
        container.upload_blob(name, b"x")
    done = list(container.delete_blobs(*names[:20]))
    assert [one.status_code for one in done] == [202] * 20
    assert list(container.list_blobs()) == []


def test_a_batch_tells_of_each(container):
    for name in ("free", "also free"):
        container.upload_blob(name, b"x")
    held = container.upload_blob("held", b"x")
    held.acquire_lease()
    with pytest.raises(PartialBatchErrorException) as error:
        container.delete_blobs("free", "held", "absent", "also free")
    parts = list(error.value.parts)
    assert [part.status_code for part in parts] == [202, 412, 404, 202]
    assert [part.headers.get("x-ms-error-code") for part in parts] == [None, "LeaseIdMissing", "BlobNotFound", None]
    assert [one.name for one in container.list_blobs()] == ["held"]


def test_a_batch_that_is_too_long(container):
    status, code = refused(container.delete_blobs, *[f"{n}" for n in range(257)])
    assert (status, code) == (400, "ExceedsMaxBatchRequestCount")


# Checks on the way in and out


def test_md5_is_kept_and_given(container):
    data = random.Random(3).randbytes(100_000)
    blob = container.upload_blob("summed", data, validate_content=True)
    whole = hashlib.md5(data).digest()
    assert bytes(blob.get_blob_properties().content_settings.content_md5) == whole
    assert blob.download_blob(validate_content=True).readall() == data
    part = blob.download_blob(offset=10, length=1000, validate_content=True)
    assert part.readall() == data[10:1010]


# CRC-64/NVME, by the definition: reflected polynomial, all ones before and after.
def crc64(data):
    crc = 0xFFFFFFFFFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x9A6C9329AC4BC9B5 if crc & 1 else 0)
    return base64.b64encode((crc ^ 0xFFFFFFFFFFFFFFFF).to_bytes(8, "little")).decode()


def test_the_checksum_of_this_file_is_the_published_one():
    assert base64.b64decode(crc64(b"123456789"))[::-1].hex() == "ae8b14860a799888"


def test_crc64_is_checked_and_given(container):
    blob = container.get_blob_client("crc")
    data = b"a block of a backup"

    def with_crc(value):
        return {"raw_request_hook": lambda request: request.http_request.headers.update({"x-ms-content-crc64": value})}

    given = {}
    blob.stage_block("QUFB", data, **with_crc(crc64(data)), raw_response_hook=lambda r: given.update(r.http_response.headers))
    assert given["x-ms-content-crc64"] == crc64(data)
    assert refused(blob.stage_block, "QUFB", data, **with_crc(crc64(b"other"))) == (400, "Crc64Mismatch")
    blob.commit_block_list(["QUFB"])
    hook = {"raw_request_hook": lambda r: r.http_request.headers.update({"x-ms-range-get-content-crc64": "true"})}
    got = {}
    blob.download_blob(0, 5, raw_response_hook=lambda r: got.update(r.http_response.headers), **hook).readall()
    assert got["x-ms-content-crc64"] == crc64(data[:5])


# What is not offered says so


def test_what_is_not_offered_says_so(door, container):
    blob = container.upload_blob("plain", b"x")
    for call in (
        lambda: blob.set_standard_blob_tier("Archive"),
        lambda: list(door.service().find_blobs_by_tags("\"a\"='b'")),
        lambda: blob.undelete_blob(),
        lambda: blob.set_legal_hold(True),
    ):
        # Not every client of the SDK reads the code; it is in the header.
        with pytest.raises(HttpResponseError) as error:
            call()
        assert error.value.status_code in (400, 409, 501)
        assert error.value.response.headers["x-ms-error-code"]
    with pytest.raises(ResourceNotFoundError):
        container.get_blob_client("absent").download_blob()
    assert blob.download_blob().readall() == b"x"


def test_there_is_one_tier(container):
    blob = container.upload_blob("plain", b"x")
    blob.set_standard_blob_tier("Hot")
    assert blob.get_blob_properties().blob_tier == "Hot"
    with pytest.raises(HttpResponseError) as error:
        blob.set_standard_blob_tier("Cool")
    assert error.value.status_code in (400, 409, 501)
    assert blob.get_blob_properties().blob_tier == "Hot"

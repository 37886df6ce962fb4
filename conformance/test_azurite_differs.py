"""Where Azurite leaves what Microsoft documents: the product follows the documents. Both are asked the same.

Azurite's answer is asserted too, so that this list stays true; where its next version is right, the case goes.
"""

import uuid

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobLeaseClient

A = "aaaaaaaa-0000-4000-8000-00000000000a"


@pytest.fixture
def container(server):
    """Gone afterwards: Azurite answers every listing with 500 that meets a lease which it took without a duration."""
    container = server.service().create_container(f"differs-{uuid.uuid4().hex[:8]}")
    yield container
    container.delete_container()


def answer(call, **options):
    """`ok`, or status and code as they come."""
    try:
        call(**options)
        return "ok"
    except HttpResponseError as error:
        code = error.response.headers.get("x-ms-error-code")
        return f"{error.status_code} {code}"


def without(*names):
    """Takes headers away before the SDK signs."""

    def hook(request):
        for name in names:
            request.http_request.headers.pop(name, None)

    return {"raw_request_hook": hook}


def instead(**headers):
    def hook(request):
        request.http_request.headers.update({name.replace("_", "-"): value for name, value in headers.items()})

    return {"raw_request_hook": hook}


def acquire_without_duration(container):
    blob = container.upload_blob("b", b"x")
    return answer(BlobLeaseClient(blob).acquire, **without("x-ms-lease-duration"))


def renew_without_id(container):
    blob = container.upload_blob("b", b"x")
    lease = blob.acquire_lease()
    return answer(lease.renew, **without("x-ms-lease-id"))


def break_over_the_limit(container):
    blob = container.upload_blob("b", b"x")
    return answer(blob.acquire_lease().break_lease, lease_break_period=61)


def an_id_that_is_no_guid(container):
    blob = container.upload_blob("b", b"x")
    return answer(BlobLeaseClient(blob, lease_id="not-a-guid").acquire)


def an_id_in_another_form(container):
    blob = container.get_blob_client("b")
    blob.create_page_blob(512)
    BlobLeaseClient(blob, lease_id="BAC2" * 8).acquire()
    dashed = "bac2bac2-bac2-bac2-bac2-bac2bac2bac2"
    return answer(BlobLeaseClient(blob, lease_id=dashed).acquire)


def an_id_for_a_blob_that_is_not_there(container):
    return answer(lambda: container.get_blob_client("p").create_page_blob(512, lease=A))


def none_match_on_a_leased_blob(container):
    blob = container.get_blob_client("p")
    blob.create_page_blob(512)
    blob.acquire_lease()
    return answer(lambda: blob.create_page_blob(512, match_condition=MatchConditions.IfMissing))


def five_mebibytes_of_pages(container):
    blob = container.get_blob_client("p")
    size = 5 << 20
    blob.create_page_blob(size)
    return answer(lambda: blob.upload_page(bytes(size), 0, size))


def pages_past_the_end(container):
    blob = container.get_blob_client("p")
    blob.create_page_blob(512)
    return answer(lambda: blob.upload_page(bytes(512), 512, 512))


def page_ranges_say_when_the_blob_changed(container):
    blob = container.get_blob_client("p")
    blob.create_page_blob(512)
    changed = blob.get_blob_properties().etag
    seen = []
    blob.get_page_ranges(raw_response_hook=lambda one: seen.append(one.http_response.headers.get("ETag")))
    return "same" if seen == [changed] else "other"


def the_version_is_that_of_the_request(container):
    seen = []
    container.get_container_properties(
        raw_response_hook=lambda one: seen.append(one.http_response.headers["x-ms-version"]),
        **instead(x_ms_version="2019-12-12"),
    )
    return seen[0] if seen[0] == "2019-12-12" else "its own"


def a_range_behind_the_end(container):
    return answer(container.upload_blob("b", b"0123456789").download_blob, offset=10, length=1)


def anonymous_access(container):
    return answer(container.set_container_access_policy, signed_identifiers={}, public_access="container")


DIFFERENCES = [
    (acquire_without_duration, "400 MissingRequiredHeader", "ok"),
    (renew_without_id, "400 MissingRequiredHeader", "400 None"),
    (break_over_the_limit, "400 InvalidHeaderValue", "ok"),
    (an_id_that_is_no_guid, "400 InvalidHeaderValue", "ok"),
    (an_id_in_another_form, "ok", "409 LeaseAlreadyPresent"),
    (an_id_for_a_blob_that_is_not_there, "412 LeaseNotPresentWithBlobOperation", "ok"),
    (none_match_on_a_leased_blob, "412 LeaseIdMissing", "409 BlobAlreadyExists"),
    (five_mebibytes_of_pages, "413 RequestBodyTooLarge", "ok"),
    (pages_past_the_end, "416 InvalidPageRange", "416 Requested Range Not Satisfiable"),
    (page_ranges_say_when_the_blob_changed, "same", "same"),
    (the_version_is_that_of_the_request, "2019-12-12", "its own"),
    (a_range_behind_the_end, "416 InvalidRange", "ok"),
    # As an account at Azure answers that allows no anonymous access; nothing here is ever open to everybody.
    (anonymous_access, "409 PublicAccessNotPermitted", "ok"),
]


@pytest.mark.parametrize(("case", "documented", "theirs"), DIFFERENCES, ids=lambda value: getattr(value, "__name__", ""))
def test_difference(server, container, case, documented, theirs):
    assert case(container) == (documented if server.name == "bac2" else theirs)

"""Shared access signatures that the Python SDK makes, and stored access policies, over http and https."""

import uuid
from datetime import datetime, timedelta, timezone

import pytest
from azure.core.credentials import AzureSasCredential
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import (
    AccessPolicy,
    AccountSasPermissions,
    BlobClient,
    BlobSasPermissions,
    BlobServiceClient,
    ContainerClient,
    ContainerSasPermissions,
    ContentSettings,
    ResourceTypes,
    generate_account_sas,
    generate_blob_sas,
    generate_container_sas,
)

NOW = datetime.now(timezone.utc)
HOUR = timedelta(hours=1)
FORBIDDEN = (403, "AuthorizationPermissionMismatch")
UNPROVED = (403, "AuthenticationFailed")


@pytest.fixture
def container(door):
    return door.service().create_container(f"sas-{uuid.uuid4().hex[:8]}")


def outcome(call):
    """None where it went through, otherwise status and code."""
    try:
        call()
        return None
    except HttpResponseError as error:
        code = error.error_code
        return error.status_code, getattr(code, "value", code)


def options(door):
    return {key: value for key, value in door.options().items() if key != "credential"}


def blob_by(door, container, name, permissions="", **fields):
    """The blob as one sees it who has nothing but a SAS of it."""
    fields = {"expiry": NOW + HOUR, **fields} if "policy_id" not in fields else fields
    allowed = BlobSasPermissions.from_string(permissions) if permissions else None
    sas = generate_blob_sas(
        door.account, container.container_name, name, account_key=door.key, permission=allowed, **fields
    )
    return BlobClient(door.url, container.container_name, name, credential=AzureSasCredential(sas), **options(door))


def container_by(door, container, permissions="", **fields):
    fields = {"expiry": NOW + HOUR, **fields} if "policy_id" not in fields else fields
    allowed = ContainerSasPermissions.from_string(permissions) if permissions else None
    sas = generate_container_sas(
        door.account, container.container_name, account_key=door.key, permission=allowed, **fields
    )
    return ContainerClient(door.url, container.container_name, credential=AzureSasCredential(sas), **options(door))


def account_by(door, permissions, **types):
    sas = generate_account_sas(
        door.account, door.key, ResourceTypes(**types), AccountSasPermissions.from_string(permissions), NOW + HOUR
    )
    return BlobServiceClient(door.url, credential=AzureSasCredential(sas), **options(door))


# What each permission of a service SAS allows on a blob that is there.
BLOB_DEEDS = {
    "read": lambda blob: blob.download_blob().readall(),
    "properties": lambda blob: blob.get_blob_properties(),
    "overwrite": lambda blob: blob.upload_blob(b"new", overwrite=True),
    "block": lambda blob: blob.stage_block("QUFB", b"block"),
    "metadata": lambda blob: blob.set_blob_metadata({"a": "b"}),
    "headers": lambda blob: blob.set_http_headers(ContentSettings(content_type="a/b")),
    "lease": lambda blob: blob.acquire_lease().release(),
    "snapshot": lambda blob: blob.create_snapshot(),
    "tags": lambda blob: blob.get_blob_tags(),
    "delete": lambda blob: blob.delete_blob(delete_snapshots="include"),
}
WRITES = {"overwrite", "block", "metadata", "headers", "lease", "snapshot"}


@pytest.mark.parametrize(
    ("permissions", "may"),
    [
        ("r", {"read", "properties"}),
        ("w", WRITES),
        ("d", {"delete"}),
        ("t", {"tags"}),
        ("a", set()),
        ("rw", {"read", "properties"} | WRITES),
        ("racwdt", set(BLOB_DEEDS)),
    ],
)
def test_permissions_on_a_blob(door, container, permissions, may):
    container.upload_blob("b", b"content")
    guest = blob_by(door, container, "b", permissions)
    seen = {deed: outcome(lambda call=call: call(guest)) for deed, call in BLOB_DEEDS.items()}
    # Create and add are for blocks and snapshots too, the reference's table says so.
    lenient = {"c": {"snapshot", "block"}, "a": set()}
    allowed = {deed for deed, said in seen.items() if said is None}
    assert allowed - lenient.get(permissions, set()) == may
    assert {said for said in seen.values() if said} <= {FORBIDDEN}


def test_create_is_not_overwrite(door, container):
    container.upload_blob("there", b"content")
    assert outcome(lambda: blob_by(door, container, "there", "c").upload_blob(b"x", overwrite=True)) == (
        403,
        "UnauthorizedBlobOverwrite",
    )
    assert outcome(lambda: blob_by(door, container, "new", "c").upload_blob(b"x", overwrite=True)) is None
    assert container.download_blob("there").readall() == b"content"
    assert container.download_blob("new").readall() == b"x"


def test_a_sas_of_a_blob_is_for_that_blob(door, container):
    container.upload_blob("mine", b"m")
    container.upload_blob("other", b"o")
    sas = generate_blob_sas(
        door.account, container.container_name, "mine", account_key=door.key,
        permission=BlobSasPermissions(read=True, delete=True, write=True), expiry=NOW + HOUR,
    )  # fmt: skip
    astray = BlobClient(
        door.url, container.container_name, "other", credential=AzureSasCredential(sas), **options(door)
    )
    assert outcome(lambda: astray.download_blob()) == UNPROVED
    assert outcome(lambda: astray.delete_blob()) == UNPROVED
    listing = ContainerClient(door.url, container.container_name, credential=AzureSasCredential(sas), **options(door))
    assert outcome(lambda: list(listing.list_blobs()))[0] == 403


@pytest.mark.parametrize(
    ("permissions", "may"),
    [("l", {"list"}), ("r", {"read"}), ("w", {"write"}), ("d", {"delete"}), ("rwdl", {"list", "read", "write", "delete"})],
)
def test_permissions_on_a_container(door, container, permissions, may):
    container.upload_blob("b", b"content")
    guest = container_by(door, container, permissions)
    deeds = {
        "list": lambda: list(guest.list_blobs()),
        "read": lambda: guest.download_blob("b").readall(),
        "write": lambda: guest.upload_blob("b", b"new", overwrite=True),
        "delete": lambda: guest.delete_blob("b"),
    }
    seen = {deed: outcome(call) for deed, call in deeds.items()}
    assert {deed for deed, said in seen.items() if said is None} == may
    assert {said for said in seen.values() if said} <= {FORBIDDEN}
    # No service SAS reaches the container itself.
    assert outcome(guest.delete_container)[0] == 403
    assert outcome(lambda: guest.set_container_metadata({"a": "b"}))[0] == 403
    assert outcome(guest.acquire_lease)[0] == 403
    assert container.exists()


def test_an_account_sas(door, container):
    container.upload_blob("b", b"content")
    name = container.container_name
    reader = account_by(door, "rl", service=True, container=True, object=True)
    assert name in [one.name for one in reader.list_containers()]
    assert [one.name for one in reader.get_container_client(name).list_blobs()] == ["b"]
    assert reader.get_blob_client(name, "b").download_blob().readall() == b"content"
    assert outcome(lambda: reader.create_container("never-made")) == FORBIDDEN
    assert outcome(lambda: reader.get_blob_client(name, "b").delete_blob()) == FORBIDDEN
    wrong_type = (403, "AuthorizationResourceTypeMismatch")
    objects = account_by(door, "rwdlc", object=True)
    assert objects.get_blob_client(name, "b").download_blob().readall() == b"content"
    assert outcome(lambda: list(objects.list_containers())) == wrong_type
    assert outcome(lambda: objects.create_container("never-made")) == wrong_type
    maker = account_by(door, "rwdlc", service=True, container=True, object=True)
    made = maker.create_container(f"made-{uuid.uuid4().hex[:8]}")
    made.acquire_lease().release()
    made.delete_container()


def test_time(door, container):
    container.upload_blob("b", b"content")

    def read(**fields):
        return outcome(lambda: blob_by(door, container, "b", "r", **fields).download_blob())

    assert read(expiry=NOW - HOUR) == UNPROVED
    assert read(start=NOW + HOUR, expiry=NOW + 2 * HOUR) == UNPROVED
    assert read(start=NOW - HOUR, expiry=NOW + HOUR) is None


def test_protocol_and_address(door, container):
    container.upload_blob("b", b"content")
    only_https = outcome(lambda: blob_by(door, container, "b", "r", protocol="https").download_blob())
    assert only_https == (None if door.ca else (403, "AuthorizationProtocolMismatch"))
    assert outcome(lambda: blob_by(door, container, "b", "r", protocol="https,http").download_blob()) is None
    assert outcome(lambda: blob_by(door, container, "b", "r", ip="127.0.0.1").download_blob()) is None
    assert outcome(lambda: blob_by(door, container, "b", "r", ip="127.0.0.0-127.0.0.9").download_blob()) is None
    elsewhere = outcome(lambda: blob_by(door, container, "b", "r", ip="10.1.2.3").download_blob())
    assert elsewhere == (403, "AuthorizationSourceIPMismatch")


def test_a_sas_overrides_headers_of_the_answer(door, container):
    container.upload_blob("b", b"content")
    guest = blob_by(door, container, "b", "r", content_type="text/x-told", content_disposition="attachment; filename=x")
    seen = guest.download_blob().properties.content_settings
    assert (seen.content_type, seen.content_disposition) == ("text/x-told", "attachment; filename=x")
    assert container.get_blob_client("b").get_blob_properties().content_settings.content_type != "text/x-told"


def test_a_signature_of_another_key(door, container):
    container.upload_blob("b", b"content")
    wrong = type(door)(door.name, door.origin, door.account, "QUJD" * 21 + "QQ==", door.ca)
    assert outcome(lambda: blob_by(wrong, container, "b", "r").download_blob()) == UNPROVED
    assert outcome(lambda: container_by(wrong, container, "l").get_container_properties())[0] == 403


# Stored access policies


def test_a_policy_is_kept_used_and_revoked(door, container):
    container.upload_blob("b", b"content")
    policies = {
        "readers": AccessPolicy(ContainerSasPermissions(read=True), NOW + HOUR, NOW - HOUR),
        "open": AccessPolicy(permission=ContainerSasPermissions(read=True, list=True)),
    }
    container.set_container_access_policy(policies)
    kept = container.get_container_access_policy()
    assert {one.id for one in kept["signed_identifiers"]} == {"readers", "open"}
    assert kept["public_access"] is None
    guest = blob_by(door, container, "b", policy_id="readers")
    assert guest.download_blob().readall() == b"content"
    assert outcome(guest.delete_blob) == FORBIDDEN
    # What the policy leaves open comes with the SAS.
    with_expiry = container_by(door, container, policy_id="open", expiry=NOW + HOUR)
    assert [one.name for one in with_expiry.list_blobs()] == ["b"]
    late = container_by(door, container, policy_id="open", expiry=NOW - HOUR)
    assert outcome(lambda: list(late.list_blobs())) == UNPROVED
    # Changed rights count at once, and a policy that is gone takes its SAS along.
    container.set_container_access_policy({"readers": AccessPolicy(ContainerSasPermissions(delete=True), NOW + HOUR)})
    assert outcome(guest.download_blob) == FORBIDDEN
    container.set_container_access_policy({})
    assert outcome(guest.download_blob) == UNPROVED
    assert container.get_container_access_policy()["signed_identifiers"] == []


def test_six_policies_are_too_many(container):
    policies = {f"p{n}": AccessPolicy(ContainerSasPermissions(read=True), NOW + HOUR) for n in range(5)}
    container.set_container_access_policy(policies)
    policies["p5"] = policies["p0"]
    # The SDK itself refuses six; what it would have sent is asked of the server by hand elsewhere.
    with pytest.raises(ValueError):
        container.set_container_access_policy(policies)
    assert len(container.get_container_access_policy()["signed_identifiers"]) == 5


def test_no_anonymous_access(door, container):
    container.upload_blob("b", b"content")
    anyone = BlobClient(door.url, container.container_name, "b", **options(door))
    assert outcome(anyone.download_blob)[0] in (401, 403, 404)
    with pytest.raises(HttpResponseError):
        container.set_container_access_policy({}, public_access="container")
    assert outcome(anyone.download_blob)[0] in (401, 403, 404)

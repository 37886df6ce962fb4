"""SQL Server 2016 to 2025 as it signs in truth: a SAS of the container, in URLs that name no account."""

import functools
import json
import random

import pytest
from real_backups import real_backup
from sql_server_sequence_client import (
    BLOCK,
    CONTAINER,
    HEADER,
    NAME,
    NEW,
    OLD,
    PATH,
    back_up,
    block_id,
    cut,
    new_lease,
    noise,
    put_blocks,
    restore,
    service_sas,
)


def engine(**fields):
    """How a SQL Server speaks: its SAS in any order among the query, the container right behind the host."""
    return {"sas": service_sas(CONTAINER, **fields), "path_style": False}


@pytest.mark.parametrize("version", [OLD, NEW])
@pytest.mark.parametrize("seed", [None, 1, 2])
def test_a_backup_with_a_sas_goes_in_and_comes_back(vault, version, seed):
    way = {"version": version, **engine(), "shuffle": random.Random(seed) if seed else None}
    data = noise(HEADER + 2 * BLOCK + 12345)
    back_up(vault, data, encoding="utf-16le", commits=2, **way)
    assert restore(vault, **way) == data
    assert restore(vault, piece=HEADER) == data, "the same blob under the account's key and in path style"


@pytest.mark.parametrize("layout", ["2012-02-12", "2014-02-14", "2015-04-05", "2018-11-09", "2020-12-06", "2025-01-05"])
def test_every_layout_of_a_container_sas(vault, layout):
    data = noise(HEADER)
    way = {"sas": service_sas(CONTAINER, version=layout), "path_style": False}
    back_up(vault, data, **way)
    assert restore(vault, **way) == data


def test_a_minted_sas_is_short_enough_for_sql_server_2019(vault):
    """`bac2 sas create` makes the text of a credential; up to 2019 at most 256 characters of it are taken."""
    said = vault.run("sas", "create", "--accounts-file", vault.accounts, "--container", CONTAINER, "-o", "json").stdout
    sas = json.loads(said)["token"]
    assert len(sas) <= 256
    assert not sas.startswith("?")
    way = {"sas": sas, "path_style": False}
    data = noise(HEADER + 4321)
    back_up(vault, data, **way)
    assert restore(vault, **way) == data


def test_put_block_without_any_put_blob_with_a_sas(vault):
    """SQL Server 2025 with trace flag 3012: no empty blob first, so no lease either, and one commit."""
    way = engine()
    data = noise(HEADER + BLOCK + 77)
    put_blocks(functools.partial(vault.client, **way), PATH, enumerate(cut(data)))
    client = vault.client(**way)
    assert client.call("HEAD", PATH).status == 404, "not there before the commit"
    reply = client.put_block_list(PATH, [("Latest", block_id(n)) for n in range(len(cut(data)))])
    assert reply.status == 201, reply
    assert restore(vault, **way) == data


def test_a_failed_backup_tidies_up_with_its_sas(vault):
    client, lease = vault.client(**engine()), new_lease()
    assert client.put_empty(PATH).status == 201
    assert client.lease(PATH, "Acquire", lease_duration=-1, proposed_lease_id=lease).status == 201
    assert client.put_block(PATH, block_id(0), b"x" * HEADER, lease).status == 201
    assert client.call("DELETE", PATH).code == "LeaseIdMissing"
    assert client.call("DELETE", PATH, {}, {"x-ms-lease-id": lease}).status == 202
    assert client.call("HEAD", PATH).status == 404


# What a SAS must not let through, with the codes of Microsoft's reference.


def test_one_containers_sas_opens_no_other(vault):
    owner = vault.client()
    assert owner.call("PUT", "other", {"restype": "container"}).status == 201
    assert owner.call("PUT", "other/b", {}, {"x-ms-blob-type": "BlockBlob"}, b"secret").status == 201
    stranger = vault.client(**engine())
    for method in ("GET", "HEAD", "DELETE"):
        assert stranger.call(method, "other/b").status == 403
    assert stranger.put_empty("other/c").status == 403
    assert owner.call("GET", "other/b").body == b"secret"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"expiry": "2020-01-01T00:00:00Z"}, "AuthenticationFailed"),
        ({"start": "2039-01-01T00:00:00Z"}, "AuthenticationFailed"),
        ({"policy": "no-such-policy"}, "AuthenticationFailed"),
    ],
)
def test_a_sas_out_of_its_time(vault, fields, code):
    client = vault.client(**engine(**fields))
    reply = client.put_empty(PATH)
    assert (reply.status, reply.code) == (403, code)
    assert vault.client().call("HEAD", PATH).status == 404


def test_a_changed_sas_is_no_sas(vault):
    fields = service_sas(CONTAINER, permissions="r")
    for changed in (fields.replace("sp=r", "sp=rwdl"), fields.replace("2040", "2041"), fields.replace("sig=", "sig=A")):
        assert changed != fields
        reply = vault.client(sas=changed, path_style=False).put_empty(PATH)
        assert (reply.status, reply.code) == (403, "AuthenticationFailed")


def test_a_sas_for_https_only(vault):
    reply = vault.client(**engine(protocol="https")).put_empty(PATH)
    if vault.tls:
        assert reply.status == 201
    else:
        assert (reply.status, reply.code) == (403, "AuthorizationProtocolMismatch")


@pytest.mark.parametrize(
    ("permissions", "may"),
    [("r", {"read"}), ("l", {"list"}), ("d", {"delete"}), ("w", {"overwrite", "block", "lease"}), ("rl", {"read", "list"})],
)
def test_permissions_one_by_one(vault, permissions, may):
    """The rights of the reference's table; what they do not name is refused as AuthorizationPermissionMismatch."""
    assert vault.client().call("PUT", PATH, {}, {"x-ms-blob-type": "BlockBlob"}, b"content").status == 201
    client = vault.client(**engine(permissions=permissions))
    tries = {
        "read": lambda: client.call("GET", PATH),
        "list": lambda: client.call("GET", CONTAINER, {"restype": "container", "comp": "list"}),
        "block": lambda: client.put_block(PATH, block_id(1), b"x"),
        "lease": lambda: client.lease(PATH, "Acquire", lease_duration=15),
        "overwrite": lambda: client.put_empty(CONTAINER + "/another"),
        "delete": lambda: client.call("DELETE", PATH),
    }
    done = set()
    for deed, call in tries.items():
        # What a lease of 15 seconds would hinder comes on a blob of its own, or after it.
        if deed == "delete" and "lease" in done:
            assert vault.client().lease(PATH, "break", lease_break_period=0).status == 202
        reply = call()
        if reply.status < 300:
            done.add(deed)
        else:
            assert (reply.status, reply.code) == (403, "AuthorizationPermissionMismatch"), deed
    assert done == may


def test_a_real_backup_with_a_sas_shows_the_same_verdict_as_verify(vault, tmp_path):
    data, _ = real_backup("misc/JoeyCheung__TSQLV4.bak.zst")
    back_up(vault, data, size=256 << 10, **engine())
    file = tmp_path / "same.bak"
    file.write_bytes(data)
    (verified,) = json.loads(vault.run("verify", str(file), "-o", "json").stdout)
    entry = vault.verdict(NAME)
    assert (entry["verdict"], entry["reasons"]) == (verified["verdict"], verified["reasons"])
    (inspected,) = json.loads(vault.run("inspect", str(file), "-o", "json").stdout)
    assert entry["sets"] == inspected["sets"]

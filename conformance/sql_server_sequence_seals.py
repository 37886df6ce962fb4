"""Write-once and Backup to URL together: a server that seals what is proved, and a SQL Server that never notices."""

import functools

import pytest
from conftest import SCHEMES, make_container, product
from sql_server_sequence_client import (
    BLOCK,
    CONTAINER,
    HEADER,
    NAME,
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
from sql_server_sequence_page_client import PAGE, back_up_pages, create, put_page, resize, restore_pages

SEALED = (409, "BlobImmutableDueToPolicy")


@pytest.fixture(params=SCHEMES)
def vault(request, tmp_path):
    server = product(tmp_path, tls=request.param == "https", arguments=["--seal-proved"]).start()
    make_container(server)
    yield server
    server.kill()


def answers(*replies):
    return {(reply.status, reply.code) for reply in replies}


def test_a_proved_backup_is_sealed_and_restores(vault, made_backup):
    way = {"sas": service_sas(CONTAINER), "path_style": False}
    back_up(vault, made_backup, commits=3, encoding="utf-16le", **way)
    assert vault.sealed(NAME)["verdict"] == "ok"
    for client in (vault.client(**way), vault.client()):
        refused = answers(
            client.put_empty(PATH),
            client.put_block(PATH, block_id(1), b"x"),
            client.put_block_list(PATH, [("Latest", block_id(0))]),
            client.call("PUT", PATH, {"comp": "metadata"}, {"x-ms-meta-a": "b"}),
            client.call("PUT", PATH, {"comp": "properties"}, {"x-ms-blob-content-type": "a/b"}),
            client.call("DELETE", PATH),
        )
        assert refused == {SEALED}
    assert vault.client().call("DELETE", CONTAINER, {"restype": "container"}).status == 409
    assert restore(vault, **way) == made_backup

    # The owner lifts the seal on the server, not over the protocol; a retention policy would do the same.
    vault.run("blob", "unseal", "--data", str(vault.data), "--container", CONTAINER, "--yes", NAME)
    assert vault.client().call("DELETE", PATH).status == 202
    back_up(vault, made_backup)


def test_a_restore_takes_its_lease_on_a_sealed_page_backup(vault, made_backup):
    back_up_pages(vault, made_backup)
    assert vault.sealed(NAME)["verdict"] == "ok"
    client = vault.client()
    assert answers(
        create(client), put_page(client, 0, bytes(PAGE)), resize(client, PAGE), client.call("DELETE", PATH)
    ) == {SEALED}
    assert restore_pages(vault) == made_backup


def test_a_failed_backup_is_never_sealed(vault, made_backup):
    """The empty first blob, and a half one, stay what SQL Server may delete."""
    client, lease = vault.client(), new_lease()
    assert client.put_empty(PATH).status == 201
    assert vault.list()[NAME]["sealed"] is False
    assert client.lease(PATH, "Acquire", lease_duration=-1, proposed_lease_id=lease).status == 201
    half = list(enumerate(cut(made_backup)))[:3]
    put_blocks(functools.partial(vault.client), PATH, half, lease)
    assert client.put_block_list(PATH, [("Latest", block_id(n)) for n, _ in half], lease).status == 201
    assert client.lease(PATH, "Release", lease_id=lease).status == 200
    entry = vault.verdict(NAME)
    assert (entry["verdict"], entry["sealed"]) == ("truncated", False)
    assert client.call("DELETE", PATH).status == 202


def test_what_is_no_backup_is_not_sealed(vault):
    back_up(vault, noise(HEADER + BLOCK))
    entry = vault.verdict(NAME)
    assert (entry["verdict"], entry["sealed"]) == (None, False)
    assert vault.client().put_empty(PATH).status == 201

"""Listings of ten thousand blobs with the Python SDK: pages, prefixes, folders, all of them and in order."""

import concurrent.futures
import itertools

import pytest
from conftest import SCHEMES, Server, make_container, product
from sql_server_sequence_client import ACCOUNT, KEY

SERVERS, DATABASES, BACKUPS = 10, 20, 50
NAMES = sorted(
    f"server{s:02}/db{d:02}/{kind}-{n:03}.bak"
    for s, d, n in itertools.product(range(SERVERS), range(DATABASES), range(BACKUPS))
    for kind in ("full" if n % 10 == 0 else "log",)
)


@pytest.fixture(scope="module", params=SCHEMES)
def container(request, tmp_path_factory):
    """Filled by a client that spares the SDK's time; only the listing is what is asked here."""
    vault = product(tmp_path_factory.mktemp("listing"), tls=request.param == "https").start()
    make_container(vault, "many")

    def fill(names):
        client = vault.client()
        for name in names:
            assert client.call("PUT", "many/" + name, {}, {"x-ms-blob-type": "BlockBlob"}, name.encode()).status == 201
        client.close()

    # Half as many over https: what differs there is the transport.
    wanted = NAMES if request.param == "http" else NAMES[: len(NAMES) // 10]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(fill, [wanted[at::8] for at in range(8)]))
    made = Server("bac2", vault.origin, ACCOUNT, KEY, vault.ca).service().get_container_client("many")
    made.names = wanted
    yield made
    vault.kill()


def test_all_of_them_in_order(container):
    listed = [(blob.name, blob.size) for blob in container.list_blobs()]
    assert listed == [(name, len(name)) for name in container.names]


@pytest.mark.parametrize("size", [5000, 777])
def test_pages(container, size):
    pages = [[blob.name for blob in page] for page in container.list_blobs(results_per_page=size).by_page()]
    assert list(itertools.chain(*pages)) == container.names
    assert [len(page) for page in pages[:-1]] == [size] * (len(pages) - 1)


def test_a_listing_goes_on_where_it_stopped(container):
    pages = container.list_blobs(results_per_page=300).by_page()
    first = [blob.name for blob in next(pages)]
    rest = container.list_blobs().by_page(continuation_token=pages.continuation_token)
    assert first + [blob.name for page in rest for blob in page] == container.names


def test_prefixes(container):
    for prefix in ("server00/", "server00/db07/", "server00/db07/full", "server00/db07/full-010.bak", "nothing/"):
        listed = [blob.name for blob in container.list_blobs(name_starts_with=prefix)]
        assert listed == [name for name in container.names if name.startswith(prefix)]


def test_folders_are_walked(container):
    servers = sorted({name.split("/")[0] + "/" for name in container.names})
    assert [one.name for one in container.walk_blobs()] == servers
    databases = [one.name for one in container.walk_blobs(name_starts_with="server00/")]
    assert databases == [f"server00/db{d:02}/" for d in range(DATABASES)]
    backups = [one.name for one in container.walk_blobs(name_starts_with="server00/db03/")]
    assert backups == [name for name in container.names if name.startswith("server00/db03/")]
    paged = container.walk_blobs(name_starts_with="server00/", results_per_page=3).by_page()
    assert [len(list(page)) for page in paged] == [3] * 6 + [2]


def test_names_alone(container):
    assert sum(1 for _ in container.list_blob_names(name_starts_with="server00/")) == DATABASES * BACKUPS

"""The servers that the real clients talk to: the product, and Azurite as the judge of the judges."""

import os
import subprocess
import time
from dataclasses import dataclass

import pytest
from azure.core.exceptions import HttpResponseError, ServiceRequestError
from azure.storage.blob import BlobServiceClient
from sql_server_sequence_client import ACCOUNT, CONTAINER, KEY
from vault import Vault, find_binary, free_port

# The account that Azurite always has; its key is published.
EMULATOR = "devstoreaccount1"
EMULATOR_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

# What the product is asked over.
SCHEMES = ["http", "https"]


@dataclass
class Server:
    """A running server and how to reach it."""

    name: str
    origin: str
    account: str
    key: str
    # The certificate to trust, where the origin is https.
    ca: str | None = None

    @property
    def url(self):
        return f"{self.origin}/{self.account}"

    def options(self, **options):
        """Those of a client of the SDK that never retries: a refusal is to be seen as it comes."""
        options = {"credential": self.key, "retry_total": 0, **options}
        if self.ca:
            options["connection_verify"] = self.ca
        return options

    def service(self, **options):
        return BlobServiceClient(self.url, **self.options(**options))


def product(folder, **how):
    """A server of the product with a data directory of its own, not yet started."""
    binary = find_binary()
    if not binary:
        pytest.skip("bac2 is not built (set BAC2_BIN)")
    return Vault(binary, folder / "data", **how)


@pytest.fixture(scope="session")
def bac2(tmp_path_factory):
    """The product over plain http."""
    vault = product(tmp_path_factory.mktemp("bac2")).start()
    yield Server("bac2", vault.origin, ACCOUNT, KEY)
    vault.kill()


@pytest.fixture(scope="module", params=SCHEMES)
def door(request, tmp_path_factory):
    """The product over http and then over https, fresh for every file of tests."""
    vault = product(tmp_path_factory.mktemp("door"), tls=request.param == "https").start()
    yield Server("bac2", vault.origin, ACCOUNT, KEY, vault.ca)
    vault.kill()


@pytest.fixture(params=SCHEMES)
def vault(request, tmp_path):
    """A server for one replay, with the container that a SQL Server expects to be there."""
    server = product(tmp_path, tls=request.param == "https").start()
    make_container(server)
    yield server
    server.kill()


def make_container(vault, name=CONTAINER):
    client = vault.client()
    assert client.call("PUT", name, {"restype": "container"}).status == 201
    client.close()


@pytest.fixture(scope="session")
def made_backup(tmp_path_factory):
    """A backup of some 40 MiB from the project's own writer, which the bench program hands out."""
    program = os.environ.get("BAC2_BENCH_BIN")
    if not program:
        pytest.skip("the bench program, which writes backups, is not built (set BAC2_BENCH_BIN)")
    path = tmp_path_factory.mktemp("made") / "made.bak"
    subprocess.run([program, "make-backup", "--mib", "40", str(path)], check=True, stdin=subprocess.DEVNULL)
    return path.read_bytes()


@pytest.fixture(scope="session")
def small_backup(tmp_path_factory):
    """One of some 2 MiB, of the database Sample."""
    program = os.environ.get("BAC2_BENCH_BIN")
    if not program:
        pytest.skip("the bench program, which writes backups, is not built (set BAC2_BENCH_BIN)")
    path = tmp_path_factory.mktemp("made") / "small.bak"
    subprocess.run([program, "make-backup", "--mib", "2", str(path)], check=True, stdin=subprocess.DEVNULL)
    return path.read_bytes()


@pytest.fixture(scope="session")
def azurite(tmp_path_factory):
    """Azurite, an independent server of the same protocol. Never told to check versions: the SDK is newer."""
    program = os.environ.get("AZURITE_BIN")
    if not program:
        pytest.skip("Azurite is not installed (set AZURITE_BIN to azurite-blob of npm's azurite@3.35.0)")
    port = free_port()
    command = [program, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--silent", "--skipApiVersionCheck"]
    command += ["--disableTelemetry", "--location", str(tmp_path_factory.mktemp("azurite"))]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    server = Server("azurite", f"http://127.0.0.1:{port}", EMULATOR, EMULATOR_KEY)
    wait_until_it_answers(server, process)
    yield server
    process.kill()
    process.wait()


@pytest.fixture(scope="session", params=["bac2", "azurite"])
def server(request):
    """Each of the two in turn."""
    return request.getfixturevalue(request.param)


# Files whose tests take a minute or more together, the longest first: begun last, they would keep everybody waiting alone.
LONG = [
    "test_azure_cli.py",
    "test_leases_walkthrough.py",
    "test_leases_run.py",
    "test_leases_rules.py",
    "test_sim_walkthrough.py",
]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Long files first; and what waits for leases to expire last: they are taken at the beginning, and nobody waits twice."""

    def order(item):
        place = LONG.index(item.path.name) if item.path.name in LONG else len(LONG)
        return place, "expired" in item.nodeid

    items.sort(key=order)


def wait_until_it_answers(server, process):
    deadline = time.monotonic() + 300
    while True:
        try:
            list(server.service().list_containers())
            return
        except (ServiceRequestError, HttpResponseError):
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.1)

"""The servers that the real clients talk to: the product, and Azurite as the judge of the judges."""

import os
import subprocess
import time
from dataclasses import dataclass

import pytest
from azure.core.exceptions import HttpResponseError, ServiceRequestError
from azure.storage.blob import BlobServiceClient
from sql_server_sequence_client import ACCOUNT, KEY, Vault, find_binary, free_port

# The account that Azurite always has; its key is published.
EMULATOR = "devstoreaccount1"
EMULATOR_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@dataclass
class Server:
    """A running server and how to reach it."""

    name: str
    origin: str
    account: str
    key: str

    def service(self, **options):
        """A client of the SDK that never retries: a refusal is to be seen as it comes."""
        options = {"credential": self.key, "retry_total": 0, **options}
        return BlobServiceClient(f"{self.origin}/{self.account}", **options)


@pytest.fixture(scope="session")
def bac2(tmp_path_factory):
    """The product, with a data directory of its own."""
    binary = find_binary()
    if not binary:
        pytest.skip("bac2 is not built (set BAC2_BIN)")
    vault = Vault(binary, tmp_path_factory.mktemp("bac2") / "data").start()
    yield Server("bac2", f"http://127.0.0.1:{vault.address[1]}", ACCOUNT, KEY)
    vault.kill()


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


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """What waits for leases to expire comes last: they are taken at the beginning, and nobody waits twice."""
    items.sort(key=lambda item: "expired" in item.nodeid)


def wait_until_it_answers(server, process):
    deadline = time.monotonic() + 30
    while True:
        try:
            list(server.service().list_containers())
            return
        except (ServiceRequestError, HttpResponseError):
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.1)

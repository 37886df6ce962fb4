"""Accounts in the host name, as at Azure: https://ACCOUNT.blob.SUFFIX/container/blob, with two accounts on one server.

No name server knows the names; each client goes through a tunnel that leads them to the server, TLS inside.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient
from conftest import product
from sql_server_sequence_client import ACCOUNT, KEY
from test_azcopy import AzCopy
from test_azure_cli import Az
from test_javascript_sdk import CHECKS, SCRIPT
from tunnel import Tunnel

SUFFIX = "bac2.test"
HOST = f"{ACCOUNT}.blob.{SUFFIX}"
OTHER = "second"


class Named:
    """What the clients need to know of the server."""

    def __init__(self, vault, tunnel):
        self.origin = self.url = f"https://{HOST}"
        self.account, self.key, self.ca = ACCOUNT, KEY, vault.ca
        self.tunnel = tunnel

    def environment(self, base=os.environ, **more):
        # Whatever proxy this machine has is not the way to names that do not exist.
        clean = {name: value for name, value in base.items() if name.lower() not in ("no_proxy", "https_proxy")}
        return {**clean, "HTTPS_PROXY": self.tunnel.url, "https_proxy": self.tunnel.url, **more}

    def service(self, account=ACCOUNT):
        return BlobServiceClient(
            f"https://{account}.blob.{SUFFIX}",
            credential={"account_name": account, "account_key": KEY},
            retry_total=0,
            connection_verify=self.ca,
            proxies={"https": self.tunnel.url},
        )


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    hosts = ["--host", HOST, "--host", f"{OTHER}.blob.{SUFFIX}"]
    folder = tmp_path_factory.mktemp("named")
    vault = product(folder, tls=True, arguments=[*hosts, "--account", f"{OTHER}={KEY}"]).start()
    tunnel = Tunnel(vault.address)
    yield Named(vault, tunnel)
    tunnel.close()
    vault.kill()


def test_the_host_tells_the_accounts_apart(named):
    first, second = named.service().create_container("same"), named.service(OTHER).create_container("same")
    first.upload_blob("folder/b", b"first")
    second.upload_blob("folder/b", b"second")
    assert first.download_blob("folder/b").readall() == b"first"
    assert second.download_blob("folder/b").readall() == b"second"
    assert [one.name for one in named.service(OTHER).list_containers()] == ["same"]
    assert {f"{HOST}:443", f"{OTHER}.blob.{SUFFIX}:443"} <= named.tunnel.asked


def test_javascript(named):
    folder = os.environ.get("STORAGE_BLOB_JS")
    if not folder:
        pytest.skip("the JavaScript SDK is not installed (set STORAGE_BLOB_JS to a folder that npm put it into)")
    environment = named.environment(NODE_EXTRA_CA_CERTS=named.ca)
    command = ["node", str(SCRIPT), folder, named.url, ACCOUNT, KEY]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    told = {line["check"]: line["error"] for line in map(json.loads, done.stdout.splitlines())}
    assert told == dict.fromkeys(CHECKS)


def test_rclone(named, tmp_path):
    program = os.environ.get("RCLONE_BIN")
    if not program:
        pytest.skip("rclone is not installed (set RCLONE_BIN)")
    settings = {"TYPE": "azureblob", "ACCOUNT": ACCOUNT, "KEY": KEY, "ENDPOINT": f"blob.{SUFFIX}"}
    environment = named.environment(SSL_CERT_FILE=named.ca, RCLONE_CONFIG=str(tmp_path / "none"), RCLONE_RETRIES="1")
    environment.update({f"RCLONE_CONFIG_BAC2_{name}": value for name, value in settings.items()})
    source = tmp_path / "source" / "folder"
    source.mkdir(parents=True)
    (source / "a.bak").write_bytes(os.urandom(100_000))
    for arguments in (["copy", source.parent, "bac2:with-rclone"], ["check", source.parent, "bac2:with-rclone"]):
        done = subprocess.run([program, *arguments], env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
    kept = named.service().get_blob_client("with-rclone", "folder/a.bak").download_blob().readall()
    assert kept == (source / "a.bak").read_bytes()


def test_azcopy(named, tmp_path):
    program = os.environ.get("AZCOPY_BIN")
    if not program:
        pytest.skip("azcopy is not built (set AZCOPY_BIN)")
    azcopy = AzCopy(program, named, tmp_path)
    azcopy.environment = named.environment(azcopy.environment)
    container = named.service().create_container("with-azcopy")
    file = tmp_path / "a.bak"
    file.write_bytes(os.urandom(100_000))
    # By the name of the host azcopy knows what it talks to.
    azcopy("copy", file, azcopy.url("with-azcopy", "/folder/a.bak"))
    assert container.download_blob("folder/a.bak").readall() == file.read_bytes()
    assert "folder/a.bak" in azcopy("list", azcopy.url("with-azcopy"))
    azcopy("remove", azcopy.url("with-azcopy", "/folder/a.bak"))
    assert list(container.list_blobs()) == []


def test_azure_cli(named, tmp_path):
    program = os.environ.get("AZ_BIN")
    if not program:
        pytest.skip("azure-cli is not installed (set AZ_BIN)")
    az = Az(program, named, tmp_path)
    # The ends of the service follow from the account and the suffix.
    ends = f"DefaultEndpointsProtocol=https;AccountName={ACCOUNT};AccountKey={KEY};EndpointSuffix={SUFFIX}"
    az.environment = named.environment(az.environment, AZURE_STORAGE_CONNECTION_STRING=ends)
    assert az("container", "create", "--name", "with-az")["created"] is True
    file = Path(tmp_path) / "a.bak"
    file.write_bytes(os.urandom(1000))
    where = ["--container-name", "with-az", "--name", "folder/a.bak"]
    az("blob", "upload", *where, "--file", str(file), "--no-progress")
    assert az("blob", "show", *where)["properties"]["contentLength"] == 1000

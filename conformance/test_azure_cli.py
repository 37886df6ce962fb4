"""`az storage` of azure-cli, every command a process of its own, over http and https."""

import json
import os
import subprocess

import pytest


class Az:
    """Runs az with a connection string, in a folder of settings of its own."""

    def __init__(self, program, door, home):
        self.program, self.door = program, door
        self.environment = {
            **os.environ,
            "AZURE_CONFIG_DIR": str(home),
            "AZURE_CORE_COLLECT_TELEMETRY": "false",
            "AZURE_CORE_ONLY_SHOW_ERRORS": "true",
            "AZURE_STORAGE_CONNECTION_STRING": self.connection(f"AccountKey={door.key}"),
        }
        if door.ca:
            self.environment["REQUESTS_CA_BUNDLE"] = door.ca

    def connection(self, secret):
        scheme = self.door.origin.partition(":")[0]
        account = self.door.account
        return f"DefaultEndpointsProtocol={scheme};AccountName={account};{secret};BlobEndpoint={self.door.url};"

    def run(self, *arguments):
        command = [self.program, "storage", *arguments, "--output", "json"]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=300)

    def __call__(self, *arguments):
        """What it prints, read as JSON; it must succeed."""
        done = self.run(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None

    def refused(self, *arguments):
        """What it complains of; it must fail."""
        done = self.run(*arguments)
        assert done.returncode != 0, f"{arguments}: {done.stdout}"
        return done.stderr


# Every command takes a second or so: what was asked over one of the two is not asked again over the other.
HTTP_ONLY = pytest.mark.parametrize("door", ["http"], indirect=True, scope="module")
HTTPS_ONLY = pytest.mark.parametrize("door", ["https"], indirect=True, scope="module")


@pytest.fixture(scope="module")
def az(door, tmp_path_factory):
    program = os.environ.get("AZ_BIN")
    if not program:
        pytest.skip("azure-cli is not installed (set AZ_BIN)")
    made = Az(program, door, tmp_path_factory.mktemp("az"))
    assert made("container", "create", "--name", "cli")["created"] is True
    return made


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "full.bak"
    path.write_bytes(os.urandom(300_000))
    return path


def names(az, *more):
    return [blob["name"] for blob in az("blob", "list", "--container-name", "cli", *more)]


def test_up_list_down_and_delete(az, file, tmp_path):
    where = ["--container-name", "cli", "--name", "day/full 1.bak"]
    az("blob", "upload", *where, "--file", str(file), "--metadata", "database=Sales", "--no-progress")
    shown = az("blob", "show", *where)
    assert shown["properties"]["contentLength"] == 300_000
    assert shown["metadata"] == {"database": "Sales"}
    assert names(az, "--prefix", "day/") == ["day/full 1.bak"]
    back = tmp_path / "back.bak"
    az("blob", "download", *where, "--file", str(back), "--no-progress")
    assert back.read_bytes() == file.read_bytes()
    assert az("blob", "exists", *where) == {"exists": True}
    az("blob", "delete", *where)
    assert az("blob", "exists", *where) == {"exists": False}
    assert "BlobNotFound" in az.refused("blob", "delete", *where)


@HTTPS_ONLY
def test_leases(az, file):
    where = ["--container-name", "cli", "--name", "leased.bak"]
    held = ["--container-name", "cli", "--blob-name", "leased.bak"]
    az("blob", "upload", *where, "--file", str(file), "--no-progress")
    lease = az("blob", "lease", "acquire", *held, "--lease-duration", "-1")
    assert "LeaseIdMissing" in az.refused("blob", "delete", *where)
    az("blob", "lease", "renew", *held, "--lease-id", lease)
    assert az("blob", "lease", "break", *held, "--lease-break-period", "0") == 0
    assert az("blob", "show", *where)["properties"]["lease"]["state"] == "broken"
    az("blob", "delete", *where)


@HTTP_ONLY
def test_snapshots_and_copies(az, door, file):
    where = ["--container-name", "cli", "--name", "base.bak"]
    az("blob", "upload", *where, "--file", str(file), "--no-progress")
    snapshot = az("blob", "snapshot", *where)["snapshot"]
    assert snapshot
    # As a URI: from the source's names az makes one at Microsoft's own host, whatever server it talks to.
    started = az(
        "blob", "copy", "start", "--destination-container", "cli", "--destination-blob", "copy.bak",
        "--source-uri", f"{door.url}/cli/base.bak",
    )  # fmt: skip
    assert started["copy_status"] == "success"
    copied = az("blob", "show", "--container-name", "cli", "--name", "copy.bak")
    assert copied["properties"]["contentLength"] == 300_000
    assert copied["properties"]["copy"]["status"] == "success"
    assert "SnapshotsPresent" in az.refused("blob", "delete", *where)
    az("blob", "delete", *where, "--delete-snapshots", "include")
    assert az("blob", "exists", *where) == {"exists": False}


def test_a_sas_that_az_makes(az, file, tmp_path):
    where = ["--container-name", "cli", "--name", "by sas.bak"]
    az("blob", "upload", *where, "--file", str(file), "--no-progress")
    sas = az("blob", "generate-sas", *where, "--permissions", "r", "--expiry", "2040-01-01T00:00Z")
    guest = Az(az.program, az.door, az.environment["AZURE_CONFIG_DIR"])
    guest.environment["AZURE_STORAGE_CONNECTION_STRING"] = az.connection(f"SharedAccessSignature={sas}")
    back = tmp_path / "back.bak"
    guest("blob", "download", *where, "--file", str(back), "--no-progress")
    assert back.read_bytes() == file.read_bytes()
    assert "You do not have the required permissions" in guest.refused("blob", "delete", *where)
    wide = az("container", "generate-sas", "--name", "cli", "--permissions", "rwdl", "--expiry", "2040-01-01T00:00Z")
    guest.environment["AZURE_STORAGE_CONNECTION_STRING"] = az.connection(f"SharedAccessSignature={wide}")
    assert "by sas.bak" in names(guest)
    guest("blob", "delete", *where)
    assert az("blob", "exists", *where) == {"exists": False}


@HTTPS_ONLY
def test_a_page_blob(az, tmp_path):
    path = tmp_path / "disk"
    path.write_bytes(os.urandom(8192))
    where = ["--container-name", "cli", "--name", "disk"]
    az("blob", "upload", *where, "--file", str(path), "--type", "page", "--no-progress")
    shown = az("blob", "show", *where)["properties"]
    assert (shown["blobType"], shown["contentLength"]) == ("PageBlob", 8192)
    back = tmp_path / "back"
    az("blob", "download", *where, "--file", str(back), "--no-progress")
    assert back.read_bytes() == path.read_bytes()


@HTTP_ONLY
def test_containers(az):
    az("container", "create", "--name", "second", "--metadata", "a=b")
    assert {"cli", "second"} <= {entry["name"] for entry in az("container", "list")}
    assert az("container", "metadata", "show", "--name", "second") == {"a": "b"}
    assert az("container", "delete", "--name", "second") == {"deleted": True}
    assert az("container", "exists", "--name", "second") == {"exists": False}

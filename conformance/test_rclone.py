"""rclone's azureblob backend, each step a process of its own, with the account's key and with a SAS."""

import json
import os
import random
import subprocess
import uuid
from datetime import datetime, timedelta, timezone

import pytest
from azure.storage.blob import AccountSasPermissions, ResourceTypes, generate_account_sas
from conftest import EMULATOR, EMULATOR_KEY, SCHEMES, Server, product

MIB = 1 << 20

# Folders, odd names, an empty file, and one that goes up in several blocks.
FILES = {
    "master/full.bak": 9 * MIB + 12345,
    "master/log/20261121 0800.trn": 70_000,
    "master/log/20261121 0815.trn": 1,
    "model/ü & <b> +%.bak": 1000,
    "model/empty": 0,
    "readme.txt": 42,
}


@pytest.fixture(scope="module", params=SCHEMES)
def door(request, tmp_path_factory):
    """With the account that rclone knows for an endpoint of one's own: the emulator's, whose name it never changes."""
    arguments = ["--account", f"{EMULATOR}={EMULATOR_KEY}"]
    folder = tmp_path_factory.mktemp("rclone")
    vault = product(folder, tls=request.param == "https", arguments=arguments).start()
    yield Server("bac2", vault.origin, EMULATOR, EMULATOR_KEY, vault.ca)
    vault.kill()


@pytest.fixture(scope="module")
def program():
    found = os.environ.get("RCLONE_BIN")
    if not found:
        pytest.skip("rclone is not installed (set RCLONE_BIN)")
    return found


@pytest.fixture(params=["key", "sas"])
def rclone(request, program, door, tmp_path):
    """Runs rclone with the remote `bac2:` and gives what it prints; it must end as expected."""
    environment = {**os.environ, "RCLONE_CONFIG": str(tmp_path / "no.conf"), "RCLONE_CONFIG_BAC2_TYPE": "azureblob"}
    # One failed attempt is a failure, and what is said about it is not repeated.
    environment.update({"RCLONE_RETRIES": "1", "RCLONE_LOW_LEVEL_RETRIES": "1"})
    if request.param == "key":
        settings = {"USE_EMULATOR": "true", "ENDPOINT": door.url}
    else:
        settings = {"SAS_URL": f"{door.url}?{account_sas(door)}"}
    environment.update({f"RCLONE_CONFIG_BAC2_{name}": value for name, value in settings.items()})
    if door.ca:
        environment["SSL_CERT_FILE"] = door.ca

    def run(*arguments, code=0):
        command = [program, *arguments, "--azureblob-chunk-size", "4M"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == code, f"{arguments}: {done.stderr}"
        return done.stdout

    run.container = f"rclone-{uuid.uuid4().hex[:8]}"
    door.service().create_container(run.container)
    return run


def account_sas(door):
    return generate_account_sas(
        door.account,
        door.key,
        ResourceTypes(service=True, container=True, object=True),
        AccountSasPermissions(read=True, write=True, delete=True, list=True, add=True, create=True),
        datetime.now(timezone.utc) + timedelta(hours=1),
    )


@pytest.fixture
def folder(tmp_path):
    for number, (name, size) in enumerate(FILES.items()):
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(random.Random(number).randbytes(size))
    return tmp_path / "source"


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def sizes(rclone, remote):
    listed = json.loads(rclone("lsjson", "--recursive", "--files-only", remote))
    return {entry["Path"]: entry["Size"] for entry in listed}


def test_a_day_with_rclone(rclone, door, folder, tmp_path):
    """copy, lsjson, check, copy back, sync, delete, purge: one after the other on one container."""
    remote = f"bac2:{rclone.container}"
    rclone("copy", str(folder), remote)
    assert sizes(rclone, remote) == FILES
    rclone("check", str(folder), remote)
    rclone("check", "--download", str(folder), remote)
    rclone("copy", remote, str(tmp_path / "back"))
    assert contents(tmp_path / "back") == contents(folder)

    # MD5 and modification time came along, so nothing is sent twice and a changed byte is seen.
    hashes = rclone("md5sum", f"{remote}/master/log")
    assert len(hashes.split()) >= 4, hashes
    stamp = (folder / "readme.txt").stat().st_mtime
    (listed,) = json.loads(rclone("lsjson", f"{remote}/readme.txt"))
    assert abs(datetime.fromisoformat(listed["ModTime"][:19] + "+00:00").timestamp() - stamp) < 2
    (folder / "model/empty").write_bytes(b"no longer")
    rclone("check", str(folder), remote, code=1)

    # sync makes the remote side equal: changed, new and vanished files.
    (folder / "readme.txt").unlink()
    (folder / "new.bak").write_bytes(b"new")
    rclone("sync", str(folder), remote)
    rclone("check", str(folder), remote)
    assert set(sizes(rclone, remote)) == set(contents(folder))

    # A copy inside the server, then deletions.
    rclone("copyto", f"{remote}/master/full.bak", f"{remote}/copies/full.bak")
    assert sizes(rclone, f"{remote}/copies") == {"full.bak": FILES["master/full.bak"]}
    rclone("delete", "--include", "*.trn", remote)
    assert not [name for name in sizes(rclone, remote) if name.endswith(".trn")]
    rclone("purge", remote)
    assert not door.service().get_container_client(rclone.container).exists()


def test_rclone_makes_and_lists_containers(rclone):
    rclone("mkdir", f"bac2:{rclone.container}-made")
    listed = rclone("lsd", "bac2:")
    assert f"{rclone.container}-made" in listed
    rclone("rmdir", f"bac2:{rclone.container}-made")
    assert f"{rclone.container}-made" not in rclone("lsd", "bac2:")


def test_a_leased_blob_is_not_overwritten_by_rclone(rclone, door, folder):
    blob = door.service().get_blob_client(rclone.container, "readme.txt")
    blob.upload_blob(b"held")
    blob.acquire_lease()
    rclone("copyto", str(folder / "readme.txt"), f"bac2:{rclone.container}/readme.txt", code=1)
    rclone("deletefile", f"bac2:{rclone.container}/readme.txt", code=1)
    assert blob.download_blob().readall() == b"held"

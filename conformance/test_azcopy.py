"""azcopy v10 with a SAS: whole folders up, down, in step and away, every command a process of its own."""

import os
import random
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from azure.storage.blob import ContainerSasPermissions, generate_container_sas

FILES = {"full.bak": 9_000_000, "log/0800.trn": 70_000, "log/0815.trn": 1, "log/odd ü +%.trn": 500, "empty": 0}


class AzCopy:
    def __init__(self, program, door, home):
        self.program, self.door = program, door
        self.environment = {
            **os.environ,
            "AZCOPY_LOG_LOCATION": str(home / "log"),
            "AZCOPY_JOB_PLAN_LOCATION": str(home / "plan"),
            "AZCOPY_DISABLE_SYSLOG": "true",
            "HOME": str(home),
        }
        if door.ca:
            self.environment["SSL_CERT_FILE"] = door.ca

    def url(self, container, path="", permissions="racwdl"):
        allowed = ContainerSasPermissions.from_string(permissions)
        until = datetime.now(timezone.utc) + timedelta(hours=1)
        sas = generate_container_sas(
            self.door.account, container, account_key=self.door.key, permission=allowed, expiry=until
        )
        return f"{self.door.url}/{container}{path}?{sas}"

    def run(self, *arguments):
        command = [self.program, *map(str, arguments), "--skip-version-check"]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=300)

    def __call__(self, *arguments):
        done = self.run(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.stdout} {done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def azcopy(door, tmp_path_factory):
    program = os.environ.get("AZCOPY_BIN")
    if not program:
        pytest.skip("azcopy is not built (set AZCOPY_BIN)")
    return AzCopy(program, door, tmp_path_factory.mktemp("azcopy"))


@pytest.fixture
def container(door, request):
    made = door.service().create_container("azcopy-" + request.node.originalname.replace("_", "-")[5:40])
    yield made
    made.delete_container()


@pytest.fixture
def folder(tmp_path):
    for number, (name, size) in enumerate(FILES.items()):
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(random.Random(number).randbytes(size))
    return tmp_path / "source"


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def sizes(container):
    return {blob.name: blob.size for blob in container.list_blobs()}


def test_a_folder_up_and_down(azcopy, container, folder, tmp_path):
    to = azcopy.url(container.container_name)
    azcopy(
        "copy", f"{folder}/*", to, "--recursive", "--from-to", "LocalBlob", "--put-md5", "--block-size-mb", "4",
        "--check-length=true",
    )  # fmt: skip
    assert sizes(container) == FILES
    assert len(container.get_blob_client("full.bak").get_block_list()[0]) == 3
    back = tmp_path / "back"
    back.mkdir()
    source = azcopy.url(container.container_name, "/*", "rl")
    azcopy("copy", source, back, "--recursive", "--from-to", "BlobLocal", "--check-md5", "FailIfDifferentOrMissing")
    assert contents(back) == contents(folder)


def test_sync_and_remove(azcopy, container, folder):
    to = azcopy.url(container.container_name)
    azcopy("sync", folder, to, "--from-to", "LocalBlob", "--delete-destination", "true")
    assert sizes(container) == FILES
    (folder / "empty").unlink()
    (folder / "new").write_bytes(b"new")
    azcopy("sync", folder, to, "--from-to", "LocalBlob", "--delete-destination", "true")
    assert set(sizes(container)) == set(contents(folder))
    azcopy("remove", azcopy.url(container.container_name, "/log"), "--recursive", "--from-to", "BlobTrash")
    assert not [name for name in sizes(container) if name.startswith("log/")]
    assert "full.bak" in sizes(container)


def test_from_container_to_container(azcopy, container, door):
    """The server reads for itself: Put Blob From URL and Put Block From URL."""
    data = random.Random(5).randbytes(3_000_000)
    container.upload_blob("a/big.bak", data)
    container.upload_blob("a/small.bak", b"small")
    other = door.service().create_container("azcopy-target")
    source = azcopy.url(container.container_name, "/a", "rl")
    azcopy("copy", source, azcopy.url("azcopy-target"), "--recursive", "--from-to", "BlobBlob", "--block-size-mb", "1")
    assert sizes(other) == {"a/big.bak": len(data), "a/small.bak": 5}
    assert other.download_blob("a/big.bak").readall() == data
    other.delete_container()


def test_a_sas_that_only_reads_removes_nothing(azcopy, container):
    container.upload_blob("kept", b"kept")
    done = azcopy.run("remove", azcopy.url(container.container_name, "/kept", "rl"), "--from-to", "BlobTrash")
    assert done.returncode != 0
    assert "AuthorizationPermissionMismatch" in done.stdout + done.stderr + logged(azcopy)
    assert sizes(container) == {"kept": 4}


def test_a_leased_backup_is_not_removed(azcopy, container):
    blob = container.upload_blob("leased.bak", b"held")
    lease = blob.acquire_lease()
    done = azcopy.run("remove", azcopy.url(container.container_name, "/leased.bak"), "--from-to", "BlobTrash")
    assert done.returncode != 0
    assert "There is currently a lease on the blob" in done.stdout + done.stderr + logged(azcopy)
    assert sizes(container) == {"leased.bak": 4}
    lease.break_lease(0)


def logged(azcopy):
    folder = Path(azcopy.environment["AZCOPY_LOG_LOCATION"])
    return "".join(path.read_text(errors="replace") for path in folder.glob("*.log"))

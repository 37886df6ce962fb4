"""BACKUP TO URL and RESTORE FROM URL of a simulated SQL Server, driven by pymssql, over https: with a SAS into block
blobs and with an account's key into page blobs, at the product's own server and at Azurite.
"""

import time

import pytest
from sim_url import Instance, azurite_target, own_target, target, verdict, verify  # noqa: F401

# Blocks of real backups to URLs are multiples of it; a page of a page blob.
UNITS = {"block": 65_536, "page": 512}


@pytest.fixture(scope="module", params=["block", "page"])
def instance(request, target, tmp_path_factory):  # noqa: F811
    instance = Instance(tmp_path_factory.mktemp("instance"), target, request.param)
    yield instance
    instance.sim.kill()


def check(instance, folder, name):
    """The blob as it lies there: free, of a plausible size, a backup by two judgements."""
    found = instance.target.look(instance.container, name)
    assert (found.lease.status, found.lease.state) == ("unlocked", "available")
    assert found.blob_type == ("BlockBlob" if instance.mode == "block" else "PageBlob")
    assert found.size % UNITS[instance.mode] == 0 and found.size > 0
    content = instance.target.content(instance.container, name)
    assert len(content) == found.size
    verify(folder, content)
    entry = verdict(instance, name)
    if entry:
        assert (entry["verdict"], entry["size"], entry["committed"]) == ("ok", found.size, True), entry
    return content


def test_a_chain_goes_there_and_comes_back(instance, tmp_path):
    said = instance.back_up("full.bak", "CHECKSUM", "STATS = 20")
    assert said[-1].startswith("BACKUP DATABASE successfully processed ")
    instance.add_rows(50)
    said = instance.back_up("diff.bak", "DIFFERENTIAL")
    assert said[-1].startswith("BACKUP DATABASE WITH DIFFERENTIAL successfully processed ")
    instance.add_rows(30)
    said = instance.back_up("log.trn", what="LOG")
    assert said[-1].startswith("BACKUP LOG successfully processed ")
    rows = instance.count("Shop")
    instance.add_rows(7)
    sizes = [len(check(instance, tmp_path, name)) for name in ("full.bak", "diff.bak", "log.trn")]
    assert sizes[0] > Instance.ROWS * 3000 > sizes[1], sizes

    instance.restore("full.bak", "Again", "NORECOVERY")
    instance.restore("diff.bak", "Again", "NORECOVERY")
    instance.restore("log.trn", "Again", "RECOVERY", what="LOG")
    assert instance.count("Again") == rows
    instance.did("DBCC CHECKDB (Again) WITH NO_INFOMSGS")
    for name in ("full.bak", "diff.bak", "log.trn"):
        instance.did(f"RESTORE VERIFYONLY FROM {instance.device(name)}{instance.options()}")
        found = instance.target.look(instance.container, name)
        assert found.lease.state == "available", "a restore lets go"


def test_a_backup_is_overwritten_with_format_alone(instance, tmp_path):
    instance.back_up("again.bak")
    said = instance.refused(f"BACKUP DATABASE Shop TO {instance.device('again.bak')}{instance.options()}")
    assert "exists on the remote endpoint, and WITH FORMAT was not specified. Backup cannot proceed." in said[0]
    assert said[-1] == "BACKUP DATABASE is terminating abnormally."
    before = check(instance, tmp_path, "again.bak")
    instance.back_up("again.bak", "FORMAT", "COMPRESSION", "COPY_ONLY")
    after = check(instance, tmp_path, "again.bak")
    assert len(after) < len(before)
    instance.restore("again.bak", "Packed")
    assert instance.count("Packed") == instance.count("Shop")


def test_stripes(instance):
    if instance.mode == "page":
        refused = instance.refused(f"BACKUP DATABASE Shop TO {instance.device('1', '2')}{instance.options()}")
        assert refused[-1] == "BACKUP DATABASE is terminating abnormally."
        return
    names = [f"stripe{number}.bak" for number in range(4)]
    instance.did(f"BACKUP DATABASE Shop TO {instance.device(*names)} WITH MAXTRANSFERSIZE = 4194304, BLOCKSIZE = 65536")
    folder = instance.sim.data / "data"
    instance.did(
        f"RESTORE DATABASE Striped FROM {instance.device(*names)} WITH "
        f"MOVE 'Shop' TO '{folder}/Striped.mdf', MOVE 'Shop_log' TO '{folder}/Striped.ldf'"
    )
    assert instance.count("Striped") == instance.count("Shop")
    # Each family is judged for itself first; that the set is complete is found out when all are there.
    deadline = time.monotonic() + 300
    while instance.target.vault:
        verdicts = {name: verdict(instance, name)["verdict"] for name in names}
        if set(verdicts.values()) == {"ok"}:
            break
        assert time.monotonic() < deadline, verdicts
        time.sleep(0.1)


def test_the_network_fails_on_the_way(instance):
    """Nothing can be cleaned up then: the blob stays under its lease, and the next backup to another name works."""
    instance.did(f"EXEC sim_fault 'network lost {instance.target.host} after 2000000 bytes'")
    said = instance.refused(f"BACKUP DATABASE Shop TO {instance.device('lost.bak')}{instance.options()}")
    assert said[-1] == "BACKUP DATABASE is terminating abnormally."
    instance.did(f"EXEC sim_fault 'network back {instance.target.host}'")
    found = instance.target.look(instance.container, "lost.bak")
    assert found.lease.state == "leased" and found.lease.duration == "infinite"
    instance.back_up("found.bak")


@pytest.mark.parametrize("trouble", ["nobody is trusted", "another name"])
def test_certificates(own_target, tmp_path, trouble):  # noqa: F811
    address, ca = own_target.address, own_target.server.ca
    host = own_target.host if trouble == "nobody is trusted" else "other.example"
    where = ["--host-at", f"{host}={address}"]
    trust = [] if trouble == "nobody is trusted" else ["--trust-ca", ca]
    instance = Instance(tmp_path, own_target, "block", *where, *trust)
    try:
        url = f"https://{host}/{instance.container}"
        if host != own_target.host:
            instance.did(f"CREATE CREDENTIAL [{url}] WITH IDENTITY = 'SHARED ACCESS SIGNATURE', SECRET = 'x'")
        said = instance.refused(f"BACKUP DATABASE Shop TO URL = '{url}/a.bak'")
        # WinHTTP's number for a certificate that it does not trust.
        assert said[0].startswith(f"Cannot open backup device '{url}/a.bak'. Operating system error 12175("), said
        assert said[-1] == "BACKUP DATABASE is terminating abnormally."
    finally:
        instance.sim.kill()

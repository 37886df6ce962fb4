"""A simulated SQL Server that backs up to URLs over https: to the product's own server, and to Azurite.

The instance speaks to names on port 443 alone, as SQL Server does; `--host-at` says where they are. pymssql drives it.
"""

import datetime
import json
import os
import subprocess
import time
import uuid
from dataclasses import dataclass

import pytest
from azure.storage.blob import generate_container_sas
from conftest import EMULATOR, EMULATOR_KEY, Server, product, wait_until_it_answers
from leases_blobs import at, site_of
from sim import PASSWORD, Sim
from sql_server_sequence_client import ACCOUNT, KEY
from vault import Vault, find_binary, free_port

pymssql = pytest.importorskip("pymssql", reason="pymssql is not installed")

SUFFIX = "bac2.test"


@dataclass
class Target:
    """A server of blobs, the name that backups go to, and the product behind it where it is the product."""

    server: Server
    host: str
    address: str
    vault: Vault | None = None

    def new_container(self):
        name = f"sim-{uuid.uuid4().hex[:8]}"
        with self.server.service() as service:
            service.create_container(name)
        return name

    def sas(self, container):
        """What a credential of the container holds."""
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
        server = self.server
        return generate_container_sas(server.account, container, server.key, permission="rwdl", expiry=end)

    def ask(self, container, name, question):
        """The SDK's answer about a blob. Its connections end with it: an open one is a sign of life to the product."""
        with at(site_of(self.server), container) as client:
            return question(client.get_blob_client(name))

    def look(self, container, name):
        return self.ask(container, name, lambda blob: blob.get_blob_properties())

    def content(self, container, name):
        return self.ask(container, name, lambda blob: blob.download_blob().readall())


@pytest.fixture(scope="module")
def own_target(tmp_path_factory):
    host = f"{ACCOUNT}.blob.{SUFFIX}"
    vault = product(tmp_path_factory.mktemp("vault"), tls=True, arguments=["--host", host]).start()
    server = Server("bac2", vault.origin, ACCOUNT, KEY, vault.ca)
    yield Target(server, host, f"127.0.0.1:{vault.address[1]}", vault)
    vault.kill()


@pytest.fixture(scope="module")
def azurite_target(tmp_path_factory):
    """Azurite over https, which takes the account from the first label of a host's name."""
    program = os.environ.get("AZURITE_BIN")
    if not program:
        pytest.skip("Azurite is not installed (set AZURITE_BIN to azurite-blob of npm's azurite@3.35.0)")
    folder, port = tmp_path_factory.mktemp("azurite"), free_port()
    host = f"{EMULATOR}.blob.{SUFFIX}"
    certificate, key = folder / "cert.pem", folder / "key.pem"
    self_sign(host, certificate, key)
    command = [program, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--silent", "--skipApiVersionCheck"]
    command += ["--disableTelemetry", "--location", str(folder), "--cert", str(certificate), "--key", str(key)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    server = Server("azurite", f"https://127.0.0.1:{port}", EMULATOR, EMULATOR_KEY, str(certificate))
    wait_until_it_answers(server, process)
    yield Target(server, host, f"127.0.0.1:{port}")
    process.kill()
    process.wait()


def self_sign(host, certificate, key):
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=Azurite for tests", "-keyout", str(key), "-out", str(certificate)]
    command += ["-addext", f"subjectAltName=DNS:{host},IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed: Azurite has no certificate for https")


@pytest.fixture(scope="module", params=["bac2", "azurite"])
def target(request):
    return request.getfixturevalue({"bac2": "own_target", "azurite": "azurite_target"}[request.param])


class Instance:
    """A simulated instance with a database `Shop` and a credential for a container: a SAS, or the account's key."""

    # Rows of some 3 KB: a backup of some 10 MB.
    ROWS = 2400

    def __init__(self, folder, target, mode, *arguments):
        self.target, self.mode = target, mode
        # Azurite knows the signature of 2015-02-21 and later alone, which SQL Server 2014 does not make.
        page = "2014" if target.vault else "2016"
        version = "2022" if mode == "block" else page
        trust = ["--trust-ca", target.server.ca, "--host-at", f"{target.host}={target.address}"]
        self.sim = Sim(folder, "--version", version, *(arguments or trust)).start()
        self.container = target.new_container()
        if mode == "block":
            name, identity = f"https://{target.host}/{self.container}", "SHARED ACCESS SIGNATURE"
            secret = target.sas(self.container)
        else:
            name, identity, secret = "vault", target.server.account, target.server.key
        self.did(f"CREATE CREDENTIAL [{name}] WITH IDENTITY = '{identity}', SECRET = '{secret}'")
        self.did("CREATE DATABASE Shop", "ALTER DATABASE Shop SET RECOVERY FULL")
        self.did("CREATE TABLE Shop.dbo.Orders (id int NOT NULL, what varchar(4000))")
        self.add_rows(self.ROWS)

    def url(self, name):
        return f"https://{self.target.host}/{self.container}/{name}"

    def device(self, *names):
        return ", ".join(f"URL = '{self.url(name)}'" for name in names)

    def options(self, *options):
        """The WITH clause; page mode names its credential in it."""
        options = list(options) + (["CREDENTIAL = 'vault'"] if self.mode == "page" else [])
        return f" WITH {', '.join(options)}" if options else ""

    def add_rows(self, count):
        self.did(
            "USE Shop; DECLARE @n int = 0; BEGIN TRANSACTION; WHILE @n < "
            f"{count} BEGIN INSERT INTO dbo.Orders VALUES (@n, REPLICATE('x', 3000)); SET @n = @n + 1 END; COMMIT"
        )

    def count(self, database):
        with self.login() as connection:
            cursor = connection.cursor()
            cursor.execute(f"SELECT COUNT(*), MIN(LEN(what)) FROM [{database}].dbo.Orders")
            rows, shortest = cursor.fetchone()
        assert shortest == 3000
        return rows

    def login(self):
        how = {"encryption": "off", "login_timeout": 20, "timeout": 180, "autocommit": True}
        return pymssql.connect("127.0.0.1", "sa", PASSWORD, port=str(self.sim.port), **how)

    def attempt(self, text):
        """What a batch says, and the error that it ends with."""
        said = []
        with self.login() as connection:
            connection._conn.set_msghandler(lambda *message: said.append(message[-1].decode()))
            try:
                cursor = connection.cursor()
                cursor.execute(text)
                while cursor.nextset():
                    pass
            except pymssql.Error as error:
                return said, error
        return said, None

    def did(self, *batches):
        """What batches say that must succeed."""
        all_said = []
        for text in batches:
            said, error = self.attempt(text)
            assert error is None, f"{text[:300]}: {error} {said}"
            all_said += said
        return all_said

    def refused(self, text):
        """What a batch says that must fail."""
        said, error = self.attempt(text)
        assert error is not None, said
        return said

    def dies(self, text):
        """A batch during which the process goes; then it is started again."""
        _, error = self.attempt(text)
        assert error is not None
        assert self.sim.process.wait(timeout=300) != 0
        self.sim.start()

    def back_up(self, name, *options, what="DATABASE"):
        return self.did(f"BACKUP {what} Shop TO {self.device(name)}{self.options(*options)}")

    def restore(self, name, database, *options, what="DATABASE"):
        moves = []
        if what == "DATABASE":
            folder = self.sim.data / "data"
            moves = [f"MOVE 'Shop' TO '{folder}/{database}.mdf'", f"MOVE 'Shop_log' TO '{folder}/{database}.ldf'"]
        self.did(f"RESTORE {what} [{database}] FROM {self.device(name)}{self.options(*moves, *options)}")


def verdict(instance, name, patience=300):
    """What the product's own server thinks of a blob; None at others."""
    vault, deadline = instance.target.vault, time.monotonic() + patience
    while vault:
        entries = json.loads(vault.run("blob", "list", "--data", str(vault.data), "-o", "json").stdout)
        entry = next(e for e in entries if (e["container"], e["name"]) == (instance.container, name))
        if entry["verdict"] != "pending":
            return entry
        assert time.monotonic() < deadline, f"still pending: {entry}"
        time.sleep(0.1)
    return None


def verify(folder, content):
    """What `bac2 verify` says of the bytes of a blob."""
    path = folder / f"{uuid.uuid4().hex}.bak"
    path.write_bytes(content)
    done = subprocess.run([find_binary(), "verify", str(path)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr

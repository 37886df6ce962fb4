"""`bac2 blob serve` in a process of its own, over http or https, and what the command line says about its data."""

import json
import os
import signal
import socket
import ssl
import subprocess
import time
import urllib.parse

from sql_server_sequence_client import ACCOUNT, KEY, NEW, Client

# The one line that tells whoever started it that it serves.
READY = '"ready":true'


class Vault:
    """A server on a port that it takes itself at its first start. `arguments` are further ones of `bac2 blob serve`."""

    def __init__(self, binary, data, *, tls=False, arguments=()):
        self.binary, self.data, self.tls, self.process = binary, data, tls, None
        self.address = ("127.0.0.1", 0)
        self.log = str(data) + ".log"
        self.arguments = list(arguments) + (["--tls"] if tls else [])
        self.ca = str(data) + ".ca.pem" if tls else None
        self.accounts = str(data) + ".accounts"
        with open(os.open(self.accounts, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(f"{ACCOUNT}={KEY}\n")

    @property
    def origin(self):
        return f"{'https' if self.tls else 'http'}://{self.address[0]}:{self.address[1]}"

    def start(self):
        listen = f"{self.address[0]}:{self.address[1]}"
        command = [self.binary, "blob", "serve", "--data", str(self.data), "--listen", listen]
        command += ["--accounts-file", self.accounts, *self.arguments]
        with open(self.log, "ab") as log:
            before = log.tell()
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 300
        while READY not in (said := self.said(before)):
            ended = self.process.poll()
            if ended is not None or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"the server does not get ready (exit {ended}): {said}")
            time.sleep(0.02)
        ready = json.loads(next(line for line in said.splitlines() if READY in line))
        self.address = (self.address[0], urllib.parse.urlsplit(ready["urls"][0]).port)
        if self.tls:
            self.export_ca()
        return self

    def said(self, since=0):
        with open(self.log, errors="replace") as log:
            log.seek(since)
            return log.read()

    def export_ca(self):
        """What whoever sets up a client does: the certificate to trust, from the command line."""
        done = self.run("ca", "export", "--data", str(self.data))
        assert done.stdout.startswith("-----BEGIN CERTIFICATE-----"), done.stdout
        with open(self.ca, "w") as file:
            file.write(done.stdout)

    def kill(self):
        """As a power cut ends it, as far as a process can be ended so."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def run(self, *arguments):
        """A command of the product that must succeed."""
        done = subprocess.run([self.binary, *arguments], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done

    def client(self, version=NEW, **way):
        """A connection; `way` says how it signs and how it writes URLs."""
        secure = ssl.create_default_context(cafile=self.ca) if self.tls else None
        return Client(self.address, version, secure=secure, **way)

    def list(self):
        """What `bac2 blob list` says, by name."""
        said = self.run("blob", "list", "--data", str(self.data), "-o", "json").stdout
        return {entry["name"]: entry for entry in json.loads(said)}

    def verdict(self, name, patience=300):
        """The entry of a blob once its verdict is no longer pending."""
        return self.entry_when(name, lambda entry: entry["verdict"] != "pending", patience)

    def sealed(self, name, patience=300):
        """The entry of a blob once it is sealed.

        Whoever waits for the verdict alone may be too early: a backup can be judged while its writer still holds the
        lease. Final, and with it the seal, that verdict becomes soon after the lease has ended, in one step."""
        return self.entry_when(name, lambda entry: entry["sealed"], patience)

    def entry_when(self, name, holds, patience):
        """The entry of a blob once that holds of it."""
        deadline = time.monotonic() + patience
        while not holds(entry := self.list()[name]):
            assert time.monotonic() < deadline, f"not so after {patience} s: {entry}"
            time.sleep(0.1)
        return entry


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def find_binary():
    """The product under test, or None."""
    given = os.environ.get("BAC2_BIN")
    if given:
        return given
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(root, "target"))
    candidates = [os.path.join(target, profile, "bac2") for profile in ("release", "debug")]
    return next((path for path in candidates if os.access(path, os.X_OK)), None)

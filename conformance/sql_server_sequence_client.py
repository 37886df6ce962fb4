"""SQL Server's side of a backup to a URL, made by hand: http.client, SharedKey signatures and nothing else.

No SQL Server and no Azure library takes part, and no code of bac2: a second, independent reading of the documents.
The order of requests and their oddities (capitalised lease actions, GUIDs without dashes, UTF-16LE block lists)
are those that were found out about SQL Server 2016 to 2025; ARCHITECTURE.md says from where. SQL Server itself
signs with a SAS; the signature is the one thing that differs here.
"""

import base64
import email.utils
import hashlib
import hmac
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.parse
import uuid
from dataclasses import dataclass

ACCOUNT = "vault"
KEY = base64.b64encode(bytes(range(64))).decode()

# What the engine speaks, as far as is known, and a recent version: the two sign an empty body differently.
OLD, NEW = "2014-02-14", "2021-12-02"

# The lease that a RESTORE takes, in the two forms in which clients write it.
RESTORE_LEASE = "BAC2BAC2BAC2BAC2BAC2BAC2BAC2BAC2"
RESTORE_LEASE_DASHED = "bac2bac2-bac2-bac2-bac2-bac2bac2bac2"

HEADER = 64 << 10
BLOCK = 4 << 20


@dataclass
class Reply:
    """An answer. `code` is Azure's error code, from the header that also HEAD has."""

    status: int
    headers: dict
    body: bytes

    @property
    def code(self):
        return self.headers.get("x-ms-error-code")


class Client:
    """One keep-alive connection. Not for several threads."""

    def __init__(self, address, version=NEW, account=ACCOUNT, key=KEY):
        self.version, self.account, self.key = version, account, key
        self.connection = http.client.HTTPConnection(*address, timeout=60)

    def close(self):
        self.connection.close()

    def call(self, method, path, query=None, headers=None, body=b""):
        """Sends a request to /account/path and reads the whole answer."""
        url, sent = self.prepare(method, path, query or {}, headers or {}, len(body))
        self.connection.request(method, url, body=body if body else None, headers=sent)
        answer = self.connection.getresponse()
        fields = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(answer.status, fields, answer.read())

    def prepare(self, method, path, query, headers, length):
        """The request target and its signed headers."""
        sent = {"x-ms-version": self.version, "x-ms-date": email.utils.formatdate(usegmt=True)}
        sent.update({name.lower(): value for name, value in headers.items()})
        if length or method == "PUT":
            sent["content-length"] = str(length)
        target = "/" + self.account + "/" + urllib.parse.quote(path)
        # From version 2015-02-21 on a length of 0 is signed as nothing; before, as "0".
        counted = sent.get("content-length", "")
        if counted == "0" and self.version >= "2015-02-21":
            counted = ""
        plain = ["content-encoding", "content-language", None, "content-md5", "content-type", "date"]
        plain += ["if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range"]
        lines = [method] + [counted if name is None else sent.get(name, "") for name in plain]
        lines += [f"{name}:{sent[name]}" for name in sorted(sent) if name.startswith("x-ms-")]
        resource = "/" + self.account + target
        resource += "".join(f"\n{name}:{query[name]}" for name in sorted(query))
        text = "\n".join(lines) + "\n" + resource
        digest = hmac.new(base64.b64decode(self.key), text.encode(), hashlib.sha256).digest()
        sent["authorization"] = f"SharedKey {self.account}:{base64.b64encode(digest).decode()}"
        escaped = urllib.parse.urlencode(query, quote_via=urllib.parse.quote)
        return target + ("?" + escaped if escaped else ""), sent

    def lease(self, path, action, **fields):
        """A lease action; keyword names become headers: proposed_lease_id -> x-ms-proposed-lease-id."""
        headers = {"x-ms-lease-action": action}
        headers.update({"x-ms-" + name.replace("_", "-"): str(value) for name, value in fields.items()})
        return self.call("PUT", path, {"comp": "lease"}, headers)

    def put_empty(self, path, lease=None):
        """The empty Put Blob that opens every backup."""
        headers = {"x-ms-blob-type": "BlockBlob"}
        if lease:
            headers["x-ms-lease-id"] = lease
        return self.call("PUT", path, {}, headers)

    def put_block(self, path, block_id, data, lease=None):
        headers = {"x-ms-lease-id": lease} if lease else {}
        return self.call("PUT", path, {"comp": "block", "blockid": block_id}, headers, data)

    def put_block_list(self, path, entries, lease=None, encoding="utf-8"):
        headers = {"x-ms-lease-id": lease} if lease else {}
        return self.call("PUT", path, {"comp": "blocklist"}, headers, block_list(entries, encoding))

    def read(self, path, first, last, lease=None):
        headers = {"x-ms-range": f"bytes={first}-{last}"}
        if lease:
            headers["x-ms-lease-id"] = lease
        return self.call("GET", path, {}, headers)


def block_list(entries, encoding):
    """The body of Put Block List: (tag, id) pairs, in the encoding that it declares."""
    items = "".join(f"<{tag}>{block_id}</{tag}>" for tag, block_id in entries)
    text = f'<?xml version="1.0" encoding="{encoding.removesuffix("le")}"?>\r\n<BlockList>{items}</BlockList>'
    return text.encode(encoding)


def block_id(number):
    """`BLOCKIDnnnnn` in base64."""
    return base64.b64encode(f"BLOCKID{number:05}".encode()).decode()


def new_lease():
    """A GUID as SQL Server writes it: 32 capital digits, no dashes."""
    return uuid.uuid4().hex.upper()


def cut(data, size=BLOCK):
    """The blocks of a backup: its header of 64 KiB, then pieces of `size`."""
    return [data[:HEADER]] + [data[at : at + size] for at in range(HEADER, len(data), size)]


def put_blocks(address, path, numbered, lease=None, connections=4, version=NEW, seed=1):
    """Puts (number, bytes) pairs over several connections, nearly but not quite in order."""
    pending = list(numbered)
    shuffle = random.Random(seed)
    lock, failures = threading.Lock(), []

    def worker():
        client = Client(address, version)
        try:
            while True:
                with lock:
                    if not pending or failures:
                        return
                    number, data = pending.pop(shuffle.randrange(min(4, len(pending))))
                reply = client.put_block(path, block_id(number), data, lease)
                if reply.status != 201:
                    failures.append((number, reply))
        except Exception as error:  # told to the thread that asked, whatever it is
            failures.append((None, error))
        finally:
            client.close()

    threads = [threading.Thread(target=worker) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]


class Vault:
    """`bac2 blob serve` in a process of its own."""

    def __init__(self, binary, data):
        self.binary, self.data, self.process = binary, data, None
        self.address = ("127.0.0.1", free_port())
        self.log = str(data) + ".log"

    def start(self):
        listen = f"{self.address[0]}:{self.address[1]}"
        command = [self.binary, "blob", "serve", "--data", str(self.data), "--listen", listen]
        command += ["--account", f"{ACCOUNT}={KEY}"]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(self.address, timeout=1).close()
                return self
            except OSError:
                ended = self.process.poll()
                if ended is not None or time.monotonic() > deadline:
                    self.kill()
                    said = open(self.log, errors="replace").read()
                    raise AssertionError(f"the server does not listen (exit {ended}): {said}") from None
                time.sleep(0.05)

    def kill(self):
        """As a power cut ends it, as far as a process can be ended so."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def client(self, version=NEW):
        return Client(self.address, version)

    def list(self):
        """What `bac2 blob list` says, by name."""
        command = [self.binary, "blob", "list", "--data", str(self.data), "-o", "json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return {entry["name"]: entry for entry in json.loads(done.stdout)}

    def verdict(self, name, patience=60):
        """The entry of a blob once its verdict is no longer pending."""
        deadline = time.monotonic() + patience
        while True:
            entry = self.list()[name]
            if entry["verdict"] != "pending":
                return entry
            assert time.monotonic() < deadline, f"still pending after {patience} s: {entry}"
            time.sleep(0.1)


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


def unpack(path):
    """The bytes of a .zst file, by the Python package or by the command; None when neither is here."""
    try:
        import zstandard

        with open(path, "rb") as packed:
            return zstandard.ZstdDecompressor().stream_reader(packed).read()
    except ImportError:
        if not shutil.which("zstd"):
            return None
        return subprocess.run(["zstd", "-dcq", path], capture_output=True, check=True).stdout

"""SQL Server's side of a backup to a URL, made by hand: http.client, its signatures and nothing else.

No SQL Server and no Azure library takes part, and no code of bac2: a second, independent reading of the documents.
The order of requests and their oddities (capitalised lease actions, GUIDs without dashes, UTF-16LE block lists)
are those that were found out about SQL Server 2012 to 2025, from what others published about it.
"""

import base64
import email.utils
import functools
import hashlib
import hmac
import http.client
import random
import ssl
import threading
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

CONTAINER = "backups"
PATH = CONTAINER + "/srv/master FULL 20261121.bak"
NAME = "srv/master FULL 20261121.bak"

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

    def __init__(self, address, version=NEW, *, secure=None, sas=None, shuffle=None, path_style=True, host=None):
        """`secure`: the TLS context of https. `sas`: sent as it is instead of a signature, its parts mixed among the
        other parts of the query by `shuffle`. `path_style`: whether URLs name the account before the container.
        `host`: the name in the URL; `address` is then that of a tunnel which leads there."""
        self.version, self.sas, self.shuffle, self.path_style = version, sas, shuffle, path_style
        self.connection = (
            http.client.HTTPSConnection(*address, timeout=60, context=secure)
            if secure
            else http.client.HTTPConnection(*address, timeout=60)
        )
        if host:
            self.connection.set_tunnel(host, 443)

    def close(self):
        self.connection.close()

    def call(self, method, path, query=None, headers=None, body=b""):
        """Sends a request and reads the whole answer."""
        url, sent = self.prepare(method, path, query or {}, headers or {}, len(body))
        self.connection.request(method, url, body=body if body else None, headers=sent)
        answer = self.connection.getresponse()
        fields = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(answer.status, fields, answer.read())

    def prepare(self, method, path, query, headers, length):
        """The request target and its headers, signed unless a SAS speaks for them."""
        sent = {"x-ms-version": self.version, "x-ms-date": email.utils.formatdate(usegmt=True)}
        sent.update({name.lower(): value for name, value in headers.items()})
        if length or method == "PUT":
            sent["content-length"] = str(length)
        target = ("/" + ACCOUNT if self.path_style else "") + "/" + urllib.parse.quote(path)
        escaped = urllib.parse.urlencode(query, quote_via=urllib.parse.quote)
        if self.sas is not None:
            parts = [part for part in (escaped + "&" + self.sas).split("&") if part]
            if self.shuffle:
                self.shuffle.shuffle(parts)
            return target + "?" + "&".join(parts), sent
        # From version 2015-02-21 on a length of 0 is signed as nothing; before, as "0".
        counted = sent.get("content-length", "")
        if counted == "0" and self.version >= "2015-02-21":
            counted = ""
        plain = ["content-encoding", "content-language", None, "content-md5", "content-type", "date"]
        plain += ["if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range"]
        lines = [method] + [counted if name is None else sent.get(name, "") for name in plain]
        lines += [f"{name}:{sent[name]}" for name in sorted(sent) if name.startswith("x-ms-")]
        resource = "/" + ACCOUNT + target
        resource += "".join(f"\n{name}:{query[name]}" for name in sorted(query))
        text = "\n".join(lines) + "\n" + resource
        sent["authorization"] = f"SharedKey {ACCOUNT}:{signed(text)}"
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


def signed(text):
    """A signature with the account's key, in base64."""
    return base64.b64encode(hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()).decode()


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


def service_sas(container, *, permissions="rwdl", expiry=None, start="", policy="", version="2018-11-09", protocol=""):
    """The SAS of a container. What is signed grew with the versions, as Microsoft's reference lists it."""
    if expiry is None:
        expiry = "" if policy else "2040-01-01T00:00:00Z"
    permissions = "" if policy else permissions
    resource = ("/blob" if version >= "2015-02-21" else "") + f"/{ACCOUNT}/{container}"
    lines = [permissions, start, expiry, resource, policy]
    if version >= "2015-04-05":
        lines += ["", protocol]
    lines.append(version)
    if version >= "2018-11-09":
        lines += ["c", ""]
    if version >= "2020-12-06":
        lines.append("")
    if version >= "2013-08-15":
        lines += [""] * 5
    fields = {"sv": version, "sr": "c", "sig": signed("\n".join(lines)), "st": start, "se": expiry, "sp": permissions}
    fields.update({"si": policy, "spr": protocol})
    return urllib.parse.urlencode({name: value for name, value in fields.items() if value})


def put_blocks(connect, path, numbered, lease=None, connections=4, seed=1):
    """Puts (number, bytes) pairs over several connections, nearly but not quite in order. `connect` makes one."""
    pending = list(numbered)
    shuffle = random.Random(seed)
    lock, failures = threading.Lock(), []

    def worker():
        client = connect()
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


def noise(size, seed=7):
    return random.Random(seed).randbytes(size)


def back_up(vault, data, *, encoding="utf-8", size=BLOCK, commits=1, path=PATH, **way):
    """The whole good day. Returns the lease id that was used, which is released by then."""
    connect = functools.partial(vault.client, **way)
    client = connect()
    lease = new_lease()
    # SQL Server refuses to overwrite: it looks first.
    assert client.call("HEAD", path).status == 404
    assert client.put_empty(path).status == 201
    taken = client.lease(path, "Acquire", lease_duration=-1, proposed_lease_id=lease)
    assert taken.status == 201
    assert taken.headers["x-ms-lease-id"].replace("-", "").upper() == lease
    blocks = list(enumerate(cut(data, size)))
    done = 0
    for commit in range(1, commits + 1):
        upto = len(blocks) * commit // commits
        put_blocks(connect, path, blocks[done:upto], lease, seed=commit)
        # A growing list: what was committed before, and what came since.
        entries = [("Committed", block_id(n)) for n in range(done)]
        entries += [("Uncommitted" if done else "Latest", block_id(n)) for n in range(done, upto)]
        reply = client.put_block_list(path, entries, lease, encoding)
        assert reply.status == 201, reply
        done = upto
        assert client.lease(path, "Renew", lease_id=lease).status == 200
    assert client.lease(path, "Release", lease_id=lease).status == 200
    client.close()
    return lease


def back_up_until_killed(address, ca, lease, path=PATH):
    """For a process of its own: a backup without end."""
    client = Client(address, secure=ssl.create_default_context(cafile=ca) if ca else None)
    assert client.put_empty(path).status == 201
    assert client.lease(path, "Acquire", lease_duration=-1, proposed_lease_id=lease).status == 201
    number = 0
    while True:
        assert client.put_block(path, block_id(number), noise(HEADER, number), lease).status == 201
        number += 1


def restore(vault, *, path=PATH, piece=1 << 20, **way):
    """HEAD for the size, then closed ranges over x-ms-range, as RESTORE reads."""
    client = vault.client(**way)
    head = client.call("HEAD", path)
    assert head.status == 200
    size = int(head.headers["content-length"])
    pieces = []
    for first in range(0, size, piece):
        reply = client.read(path, first, min(first + piece, size) - 1)
        assert reply.status == 206, reply
        assert reply.headers["content-range"] == f"bytes {first}-{min(first + piece, size) - 1}/{size}"
        pieces.append(reply.body)
    client.close()
    return b"".join(pieces)


def killed_half_way(vault, blocks=6):
    """The client of an interrupted backup is gone; its lease is not. Returns the lease id."""
    client = vault.client()
    lease = new_lease()
    assert client.put_empty(PATH).status == 201
    assert client.lease(PATH, "Acquire", lease_duration=-1, proposed_lease_id=lease).status == 201
    for number in range(blocks):
        assert client.put_block(PATH, block_id(number), noise(HEADER, number), lease).status == 201
    # In the middle of a block the connection dies.
    url, headers = client.prepare(
        "PUT", PATH, {"comp": "block", "blockid": block_id(blocks)}, {"x-ms-lease-id": lease}, BLOCK
    )
    client.connection.putrequest("PUT", url)
    for name, value in headers.items():
        client.connection.putheader(name, value)
    client.connection.endheaders()
    client.connection.send(noise(1 << 20))
    client.close()
    return lease

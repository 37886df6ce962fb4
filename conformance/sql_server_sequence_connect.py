"""A SQL Server that knows only what `bac2 blob connect` prints: the authority, the credential, the URLs.

What is printed is read as SQL Server reads it, and used; the name in the URLs is reached through a tunnel.
"""

import json
import re
import ssl
import urllib.parse

import pytest
from conftest import product
from sql_server_sequence_client import ACCOUNT, HEADER, KEY, NEW, Client, back_up, noise, restore
from sql_server_sequence_page_client import PAGE, back_up_pages, restore_pages
from tunnel import Tunnel

HOST = "backup.bac2.test"


class Instance:
    """Speaks to the host of its URLs, trusts what it was told to trust, signs with what its credential holds."""

    def __init__(self, tunnel, printed):
        self.tunnel, self.printed = tunnel, printed

    def client(self, version=NEW, **way):
        secure = ssl.create_default_context(cadata="".join(one["pem"] for one in self.printed["authorities"]))
        # HTTP/1.1 is all that is agreed upon, whatever is offered.
        secure.set_alpn_protocols(["h2", "http/1.1"])
        return Client(self.tunnel.listener.getsockname(), version, secure=secure, host=HOST, path_style=False, **way)

    def target(self):
        """Container and name of the blob that the BACKUP statement names."""
        url = re.search(r"TO URL = N'([^']+)'", self.printed["statements"]["backup"])[1]
        parts = urllib.parse.urlsplit(url)
        assert (parts.scheme, parts.netloc) == ("https", HOST), "no port: SQL Server takes none"
        assert len(url) <= 259
        return urllib.parse.unquote(parts.path.removeprefix("/"))


@pytest.fixture
def served(tmp_path):
    vault = product(tmp_path, tls=True, arguments=["--host", HOST]).start()
    tunnel = Tunnel(vault.address)

    def connect(*more):
        arguments = ["--data", str(vault.data), "--accounts-file", vault.accounts, "--container", "backups"]
        said = vault.run("blob", "connect", *arguments, "--create-container", *more, "-o", "json").stdout
        return Instance(tunnel, json.loads(said))

    connect.vault = vault
    yield connect
    tunnel.close()
    vault.kill()


def credential(printed):
    """Name, identity and secret, read out of the T-SQL and not out of the fields beside it."""
    text = printed["statements"]["credential"]
    name = re.search(r"CREATE CREDENTIAL \[([^\]]+)\]", text)[1]
    return name, re.search(r"IDENTITY = '([^']+)'", text)[1], re.search(r"SECRET = '([^']+)'", text)[1]


def test_a_block_backup_with_what_is_printed(served):
    instance = served()
    name, identity, secret = credential(instance.printed)
    assert (name, identity) == (f"https://{HOST}/backups", "SHARED ACCESS SIGNATURE")
    assert len(secret) <= 256 and not secret.startswith("?")
    path, data = instance.target(), noise(HEADER + 300_000)
    back_up(instance, data, path=path, sas=secret, encoding="utf-16le")
    assert restore(instance, path=path, sas=secret) == data
    assert path.removeprefix("backups/") in served.vault.list()


def test_a_page_backup_with_what_is_printed(served):
    instance = served("--mode", "page", "--database", "Sales's [odd] ü")
    _, identity, secret = credential(instance.printed)
    assert (identity, secret) == (ACCOUNT, KEY)
    path, data = instance.target(), noise(64 * PAGE)
    back_up_pages(instance, data, path=path)
    assert restore_pages(instance, path=path) == data
    assert served.vault.list()[path.removeprefix("backups/")]["kind"] == "page"


def test_a_name_that_the_certificate_does_not_have(served):
    instance = served()
    secure = ssl.create_default_context(cadata=instance.printed["authorities"][0]["pem"])
    stranger = Client(instance.tunnel.listener.getsockname(), secure=secure, host="other.bac2.test", path_style=False)
    with pytest.raises(ssl.SSLCertVerificationError):
        stranger.call("HEAD", "backups/b")

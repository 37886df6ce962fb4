"""`bac2 leases` run as its users run it: in a process, with a credential from a file, answering in json."""

import json
import os
import subprocess
from dataclasses import dataclass

from vault import find_binary

PATIENCE = 300
# Between the two looks of a list; the default is longer.
APART = "1s"


@dataclass
class Ran:
    """How a run ended. `rows`: the array that list, break and delete print."""

    code: int
    rows: list
    out: str
    err: str

    def row(self, blob):
        """The one row about a blob."""
        found = [row for row in self.rows if row["blob"] == blob]
        assert len(found) == 1, f"{len(found)} rows about {blob}: {self.out} {self.err}"
        return found[0]

    def actions(self):
        """What was done, by blob."""
        for row in self.rows:
            print(row["blob"], row["action"], row["ruling"], row["reason"], row["detail"])
        return {row["blob"]: row["action"] for row in self.rows}


class Guard:
    """The command with an account and a credential. `through`: an address that stands before the server."""

    def __init__(self, server, folder, *, through=None, key=True, sas=None, container=None, ca=True):
        self.binary, self.secrets = find_binary(), []
        url = f"{through}/{server.account}" if through else server.url
        self.terms = ["--account-url", url]
        if sas:
            self.terms += ["--sas-file", self.secret(folder, "guard.sas", sas)]
            self.secrets.append(signature(sas))
        elif key:
            self.terms += ["--account-key-file", self.secret(folder, "guard.key", server.key)]
            self.secrets.append(server.key)
        # A container, or blobs by name: one of the two says where to look.
        self.place = ["--container", container] if container else []
        if ca and server.ca:
            self.terms += ["--ca", server.ca]

    @staticmethod
    def secret(folder, name, text):
        """A file that only its owner reads."""
        path = folder / name
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text + "\n")
        return str(path)

    def command(self, deed, *arguments):
        place = [] if "--blob" in arguments else self.place
        looks = ["--apart", APART] if deed == "list" and "--apart" not in arguments else []
        return [self.binary, "leases", deed, *self.terms, *place, *looks, "-o", "json", *map(str, arguments)]

    def run(self, deed, *arguments, said=""):
        """Runs it to its end; nobody sits at a terminal. No secret may be said."""
        command = self.command(deed, *arguments)
        done = subprocess.run(command, input=said, capture_output=True, text=True, timeout=PATIENCE)
        for secret in self.secrets:
            assert secret not in done.stdout + done.stderr
        rows = json.loads(done.stdout) if done.stdout.strip().startswith("[") else []
        return Ran(done.returncode, rows, done.stdout, done.stderr)

    def did(self, deed, *arguments):
        """A run in which nothing fails."""
        ran = self.run(deed, *arguments)
        assert ran.code == 0, f"exit {ran.code}: {ran.err} {ran.out}"
        return ran

    def start(self, deed, *arguments, out=subprocess.PIPE):
        """A run that goes on; `out` takes what it says."""
        command = self.command(deed, *arguments)
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, text=True)


def signature(sas):
    """The secret part of a SAS."""
    return next(part for part in sas.split("&") if part.startswith("sig="))

"""`bac2 sim` in a process of its own: a simulated SQL Server instance for its real clients."""

import json
import signal
import subprocess
import time

import pytest
from vault import find_binary

PASSWORD = "Zażółć-1234"
READY = '"ready":true'


class Sim:
    """An instance on a port that it takes itself. `arguments` are further ones of `bac2 sim`."""

    def __init__(self, folder, *arguments):
        self.data, self.log, self.process, self.port = folder / "sim", folder / "sim.log", None, 0
        self.password_file = folder / "sa"
        self.password_file.write_text(PASSWORD + "\n")
        self.arguments = arguments

    def start(self):
        binary = find_binary()
        if not binary:
            pytest.skip("bac2 is not built (set BAC2_BIN)")
        self.data.mkdir(exist_ok=True)
        command = [binary, "sim", "--data", str(self.data), "--listen", f"127.0.0.1:{self.port}", "-o", "json"]
        command += ["--sa-password-file", str(self.password_file), *self.arguments]
        with open(self.log, "ab") as log:
            before = log.tell()
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 300
        while READY not in (said := self.said(before)):
            ended = self.process.poll()
            if ended is not None or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"the instance does not get ready (exit {ended}): {said}")
            time.sleep(0.02)
        ready = json.loads(next(line for line in said.splitlines() if READY in line))
        self.port = int(ready["address"].rsplit(":", 1)[1])
        return self

    def said(self, since=0):
        with open(self.log, errors="replace") as log:
            log.seek(since)
            return log.read()

    def stop(self):
        """In order, as Ctrl-C does it."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=300) == 0, self.said()

    def kill(self):
        """As a power cut ends it, as far as a process can be ended so."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

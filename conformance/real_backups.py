"""Real SQL Server backups, which are no part of the project: a folder that BAC2_REAL_BACKUPS names has them."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest


def real_backup(name):
    """The bytes of a backup and what is expected of it; skips the test where there are none."""
    folder = os.environ.get("BAC2_REAL_BACKUPS")
    if not folder:
        pytest.skip("BAC2_REAL_BACKUPS is not set")
    data = unpack(Path(folder) / name)
    if data is None:
        pytest.skip("neither the zstandard package nor the zstd command is here")
    expected = json.loads((Path(folder) / "expected.json").read_text())
    return data, next(entry for entry in expected if entry["file"] == name)


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

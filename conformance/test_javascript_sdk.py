"""The JavaScript SDK @azure/storage-blob in a node process, over http and https: javascript_sdk.mjs holds its checks."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("javascript_sdk.mjs")
CHECKS = re.findall(r'^  async "([^"]+)"\(\)', SCRIPT.read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def told(door):
    """How every check went: None, or what was wrong."""
    folder = os.environ.get("STORAGE_BLOB_JS")
    if not folder:
        pytest.skip("the JavaScript SDK is not installed (set STORAGE_BLOB_JS to a folder that npm put it into)")
    environment = {**os.environ, **({"NODE_EXTRA_CA_CERTS": door.ca} if door.ca else {})}
    command = ["node", str(SCRIPT), folder, door.url, door.account, door.key]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return {line["check"]: line["error"] for line in map(json.loads, done.stdout.splitlines())}


def test_every_check_was_run(told):
    assert len(CHECKS) >= 15
    assert sorted(told) == sorted(CHECKS)


@pytest.mark.parametrize("check", CHECKS)
def test_javascript(told, check):
    assert told[check] is None, told[check]

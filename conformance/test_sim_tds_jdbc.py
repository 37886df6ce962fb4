"""Microsoft's JDBC driver, by a program in Java that prints a line for each check."""

import os
import shutil
import subprocess

import pytest
from sim import PASSWORD, Sim

CHECKS = [
    "encryption",
    "a wrong password",
    "prepared statements and types",
    "results and warnings",
    "transactions",
    "cancel",
    "output parameters",
]


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    driver, java = os.environ.get("MSSQL_JDBC_JAR"), shutil.which("java")
    if not driver:
        pytest.skip("Microsoft's JDBC driver is not here (set MSSQL_JDBC_JAR)")
    if not java:
        pytest.skip("java is not installed")
    server = Sim(tmp_path_factory.mktemp("sim")).start()
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "SimJdbc.java")
    command = [java, "-cp", driver, program, str(server.port), PASSWORD]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    finally:
        server.kill()
    return done.stdout + done.stderr


@pytest.mark.parametrize("check", CHECKS)
def test_check(said, check):
    assert f"ok {check}\n" in said, said

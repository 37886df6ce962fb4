"""FreeTDS' own programs: tsql, over all versions of TDS, and bsqldb."""

import os
import shutil
import subprocess

import pytest
from sim import PASSWORD, Sim


@pytest.fixture(scope="module")
def instance(tmp_path_factory):
    server = Sim(tmp_path_factory.mktemp("sim")).start()
    yield server
    server.kill()


def run(program, *arguments, text, **environment):
    found = shutil.which(program)
    if not found:
        pytest.skip(f"{program} is not installed (Debian: apt-get install freetds-bin)")
    environment = {**os.environ, "LC_ALL": "C.UTF-8", **environment}
    done = subprocess.run(
        [found, *arguments], input=text, capture_output=True, text=True, timeout=300, env=environment
    )
    return done.returncode, done.stdout + done.stderr


def tsql(instance, text, password=PASSWORD, **environment):
    place = ["-H", "127.0.0.1", "-p", str(instance.port), "-U", "sa", "-P", password]
    return run("tsql", *place, text=text, **environment)


@pytest.mark.parametrize("version", ["7.1", "7.2", "7.3", "7.4"])
def test_a_batch_in_every_version(instance, version):
    code, said = tsql(instance, "SELECT N'Zażółć', 12345 AS n\nGO\nEXIT\n", TDSVER=version)
    assert code == 0 and "Zażółć" in said and "12345" in said, said


def test_messages_and_errors(instance):
    code, said = tsql(instance, "PRINT 'hello there'\nSELECT 1 FROM nothing_there\nGO\nSELECT 41 + 1\nGO\nEXIT\n")
    assert "hello there" in said and "42" in said, said
    assert "Msg 208 (severity 16, state 1) from BAC2SIM Line 2" in said, said


def test_a_wrong_password(instance):
    code, said = tsql(instance, "EXIT\n", password="wrong")
    assert code != 0 and "18456" in said, said


def test_bsqldb(instance, tmp_path):
    configuration = tmp_path / "freetds.conf"
    place = f"[sim]\n host = 127.0.0.1\n port = {instance.port}\n tds version = 7.4\n client charset = UTF-8\n"
    configuration.write_text(place)
    code, said = run(
        "bsqldb", "-S", "sim", "-U", "sa", "-P", PASSWORD, "-h", "-t", "|",
        text="SELECT 'a', N'żółw', 3\nSELECT 4\ngo\n", FREETDSCONF=str(configuration),
    )  # fmt: skip
    assert code == 0 and "żółw" in said and "4" in said, said

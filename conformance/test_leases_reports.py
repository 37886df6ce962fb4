"""The reports that the article on interrupted backups asks for, and the standing watch.

"Output the list of all blobs that are locked to a report (ex: excel file). Break the active leases and report out the
list. Break the active leases and report out the list, but remove the filter for restore lease. Delete the blobs with
active backup leases and report out the list."
"""

import csv
import json
import signal
import time

import pytest
from leases_blobs import (
    RESTORE_N,
    data_file,
    dead_backup,
    good_backup,
    hold,
    new_container,
    new_id,
    pages,
    states,
)
from leases_command import Guard
from leases_sheet import Workbook

TERMS = ["--yes", "--min-quiet", "1s"]
# A name that a careless writer of sheets would take for a formula.
FORMULA = '=HYPERLINK("x").bak'


@pytest.fixture
def container(server):
    return new_container(server, "report")


@pytest.fixture
def guard(server, container, tmp_path):
    return Guard(server, tmp_path, container=container)


def locked_blobs(server, container, backup):
    """One of each: a dead backup, an interrupted restore, a database file, one with a strange name."""
    dead_backup(server, container, "dead.bak", "page", backup)
    good_backup(server, container, "restoring.bak", "block", backup)
    hold(server, container, "restoring.bak", RESTORE_N)
    pages(server, container, "Sales.mdf", data_file(), new_id())
    pages(server, container, FORMULA, backup[:65536], new_id())
    return {"dead.bak", "restoring.bak", "Sales.mdf", FORMULA}


def test_the_list_as_an_excel_file(server, container, guard, small_backup, tmp_path):
    names = locked_blobs(server, container, small_backup)
    path = tmp_path / "locked.xlsx"
    ran = guard.did("list", "--report", path)
    book = Workbook(path)
    assert len(book.sheets) >= 2, "the rows and a summary"
    sheet = next(one for one in book.sheets.values() if names <= one.texts())
    assert sheet.has_filter and sheet.frozen == ["frozen"]
    assert len(sheet.rows) == 1 + len(names) == 1 + len(ran.rows)
    assert all(one.formulas == 0 or names.isdisjoint(one.texts()) for one in book.sheets.values())
    assert sheet.formulas == 0
    dead = list(sheet.row_of("dead.bak").values())
    assert float(1 << 40) in dead, "a size is a number"
    assert any(isinstance(value, tuple) for value in dead), "a time is a date"
    assert "Sample" in dead
    assert sheet.rows[0] and all(isinstance(value, str) for value in sheet.rows[0].values()), "a header"


# In turn, so that each form is once the report of a break and once that of a deletion.
FORMS = {"bac2": ["csv", "json", "xlsx"], "azurite": ["xlsx", "csv", "csv"]}


def test_break_and_report(server, container, guard, small_backup, tmp_path):
    """All three later wishes, one after another, each into a report of its own."""
    first, second, third = FORMS[server.name]
    locked_blobs(server, container, small_backup)
    broken = {"dead.bak": "broken", FORMULA: "broken", "restoring.bak": "skipped", "Sales.mdf": "skipped"}
    assert reported(guard, tmp_path / f"break.{first}", "break", *TERMS) == broken
    restoring = ["--include-restore", "--blob", f"{container}/restoring.bak"]
    assert reported(guard, tmp_path / f"all.{second}", "break", *TERMS, *restoring) == {"restoring.bak": "broken"}
    hold(server, container, "dead.bak", new_id())
    deleted = {"dead.bak": "deleted", "Sales.mdf": "skipped"}
    assert reported(guard, tmp_path / f"delete.{third}", "delete", *TERMS) == deleted
    assert set(states(server, container)) == {"restoring.bak", "Sales.mdf", FORMULA}


def reported(guard, path, deed, *arguments):
    """What the report says was done, by blob; it must be what the run says."""
    ran = guard.did(deed, *arguments, "--report", path)
    if path.suffix == ".json":
        rows = json.loads(path.read_text())
        rows = rows["rows"] if isinstance(rows, dict) else rows
        assert rows == ran.rows
    if path.suffix == ".xlsx":
        book = Workbook(path)
        told = {}
        for name, action in ran.actions().items():
            sheet = next(one for one in book.sheets.values() if name in one.texts())
            told[name] = action if action in sheet.row_of(name).values() else None
        return told
    if path.suffix == ".csv":
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
        # A sheet program takes = at the start of a cell for a formula, so a mark may stand before it.
        told = {row["blob"].lstrip("'\t "): row["action"] for row in rows}
        assert len(rows) == len(ran.rows)
        return told
    assert len(ran.rows) == len(ran.actions())
    return ran.actions()


def test_a_report_that_cannot_be_written_is_said_first(server, container, guard, small_backup, tmp_path):
    """Before anything is broken."""
    dead_backup(server, container, "dead.bak", "page", small_backup)
    for path in (tmp_path / "absent" / "x.csv", tmp_path / "report.pdf"):
        ran = guard.run("break", *TERMS, "--report", path)
        assert ran.code != 0
        assert states(server, container)["dead.bak"][1] == "leased", ran.err


# The standing watch


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def test_once_tells_a_timer_what_it_found(server, container, guard, small_backup):
    nothing = guard.run("watch", "--once", "--min-quiet", "2s")
    assert (nothing.code, lines(nothing.out)) == (0, [])
    pages(server, container, "Sales.mdf", data_file(), new_id())
    kept = guard.run("watch", "--once", "--min-quiet", "2s")
    assert kept.code == 0, "a database file is no finding that calls for anybody"
    assert {row["blob"]: row["ruling"] for row in lines(kept.out)} == {"Sales.mdf": "keep"}
    dead_backup(server, container, "dead.bak", "page", small_backup)
    before = states(server, container)
    found = guard.run("watch", "--once", "--min-quiet", "2s")
    told = {row["blob"]: row for row in lines(found.out)}
    assert set(told) == {"Sales.mdf", "dead.bak"}
    assert told["dead.bak"]["holder"] == "backup"
    assert states(server, container) == before, "it only reports"
    assert (found.code, told["dead.bak"]["ruling"]) == (1, "break"), "an abandoned backup, and it is locked still"


def test_the_watch_acts_only_on_the_word_of_servers_or_after_hours(guard):
    for terms in (["--min-quiet", "1h"], ["--min-quiet", "3h59m"], []):
        refused = guard.run("watch", "--once", "--act", "break", "--yes", *terms)
        assert refused.code == 2, refused.err
        assert "4" in refused.err and "--min-quiet" in refused.err
    allowed = guard.run("watch", "--once", "--act", "break", "--yes", "--min-quiet", "4h")
    assert allowed.code == 0, allowed.err


@pytest.mark.parametrize("word", [signal.SIGTERM, signal.SIGINT])
def test_the_watch_goes_on_until_it_is_told(server, container, guard, small_backup, tmp_path, word):
    with open(tmp_path / "said", "w+") as said:
        watch = guard.start("watch", "--interval", "1s", "--min-quiet", "1s", out=said)
        try:
            time.sleep(1.5)
            assert watch.poll() is None
            dead_backup(server, container, "dead.bak", "block", small_backup)
            deadline = time.monotonic() + 300
            while "break" not in [row["ruling"] for row in found_so_far(tmp_path / "said")]:
                assert time.monotonic() < deadline, (tmp_path / "said").read_text()
                time.sleep(0.2)
            watch.send_signal(word)
            assert watch.wait(300) == 0, watch.stderr.read()
        finally:
            watch.kill()
            watch.wait()
    assert states(server, container)["dead.bak"][1] == "leased", "it only reports"
    rows = found_so_far(tmp_path / "said")
    assert {row["blob"] for row in rows} == {"dead.bak"}


def found_so_far(path):
    """Whole lines only: the last one may be on its way."""
    text = path.read_text()
    return lines(text[: text.rfind("\n") + 1])

"""The real run: live and dead backups and restores, and leases of others, while `bac2 leases` cleans up behind them.

Real processes against the product's own server, which sees connections. No live holder may lose its lease, however
long it pauses with a connection open; every orphan must be free soon. `break` works in one container and `delete` in
another, in a loop, with a limit of seconds; a watch that only reports looks at all of it, and no line of it may call
for the break of a lease whose holder lives.
"""

import json
import random
import signal
import threading
import time
from datetime import datetime

import pytest
from conftest import Server, product
from leases_blobs import RESTORE_N, data_file, dead_backup, good_backup, new_container, new_id, pages, states
from leases_command import Guard
from leases_holders import Holder
from sql_server_sequence_client import ACCOUNT, KEY, noise

# Seconds: how long holders are started, how long a live one works, the limit of quiet, and how soon an orphan must be
# free: it is seen to be dead after the limit, by the run that is under way or the one after it.
RUN, WORK, QUIET, IN_TIME = 40, 12, 3, 20
# Started one after another in this rhythm; a third of them live.
EVERY = 0.9
SEED = 20261121


@pytest.fixture
def server(tmp_path):
    """A server of its own: what others do beside it would be in the figures."""
    vault = product(tmp_path).start()
    server = Server("bac2", vault.origin, ACCOUNT, KEY)
    server.address, server.vault = vault.address, vault
    yield server
    vault.kill()


class Loop(threading.Thread):
    """A deed again and again, as a timer starts it."""

    def __init__(self, guard, deed, *terms):
        super().__init__(daemon=True)
        self.guard, self.arguments = guard, (deed, "--yes", "--min-quiet", f"{QUIET}s", *terms)
        self.enough, self.rows, self.runs, self.failed = threading.Event(), [], 0, []

    def run(self):
        while not self.enough.is_set():
            ran = self.guard.run(*self.arguments)
            self.runs += 1
            self.rows += ran.rows
            if ran.code != 0:
                self.failed.append((ran.code, ran.err))
            self.enough.wait(0.5)

    def stop(self):
        self.enough.set()
        self.join(60)
        assert not self.is_alive()


class World:
    """All holders, and when each orphan was seen to be free."""

    def __init__(self, server, folder, data, containers):
        self.server, self.folder, self.data = server, folder, data
        self.containers, self.chance = containers, random.Random(SEED)
        self.live, self.dead, self.dying, self.freed, self.number = [], [], [], {}, 0

    def start(self):
        """The next holder. A restore gets a backup to read; it is in the container where nothing is deleted."""
        self.number += 1
        kind = ["page", "block", "restore"][self.number % 3]
        lives = self.chance.random() < 0.35
        container = self.containers[0] if kind == "restore" else self.chance.choice(self.containers)
        name = f"{kind}-{self.number:03}.bak"
        if kind == "restore":
            good_backup(self.server, container, name, "block", self.data)
        holder = Holder(
            self.server.address,
            container,
            name,
            kind,
            self.data,
            self.folder / f"{name}.log",
            lease=new_id(),
            seed=self.number,
            seconds=WORK if lives else 600,
            quiet=QUIET,
        )
        if lives:
            self.live.append(holder)
        else:
            self.dying.append((holder, time.monotonic() + self.chance.uniform(1, 6)))

    def reap(self, now=None):
        """Kills those whose time has come, and looks which orphans are free."""
        for entry in list(self.dying):
            holder, when = entry
            if time.monotonic() > when and holder.is_under_way():
                holder.kill()
                self.dying.remove(entry)
                self.dead.append(holder)
        found = {container: states(self.server, container) for container in self.containers}
        for holder in self.dead:
            state = found[holder.container].get(holder.name)
            if holder.name not in self.freed and (state is None or state[0] == "unlocked"):
                self.freed[holder.name] = time.time() - holder.died

    def is_settled(self):
        return not self.dying and len(self.freed) == len(self.dead) and not any(one.is_alive() for one in self.live)

    def go_on(self, seconds):
        ends, next_one = time.monotonic() + seconds, time.monotonic()
        while time.monotonic() < ends:
            if time.monotonic() >= next_one:
                self.start()
                next_one += EVERY
            self.reap()
            time.sleep(0.2)
        while not self.is_settled() and time.monotonic() < ends + WORK + 3 * QUIET + IN_TIME:
            self.reap()
            time.sleep(0.2)

    def end(self):
        for holder in [*self.live, *self.dead, *(one for one, _ in self.dying)]:
            holder.process.kill()
            holder.process.join()


def foreign(server, container, data):
    """Others hold leases too, and are gone; nobody may touch them."""
    leases = {"os.vhd": noise(8192), "Sales.mdf": data_file(), "other.bin": noise(8192), "nothing.bak": b""}
    for name, content in leases.items():
        pages(server, container, name, content, new_id(), size=1 << 20)
    pages(server, container, "restoring.mdf", data_file(), RESTORE_N)
    return {*leases, "restoring.mdf"}


def test_no_live_holder_is_broken_and_every_orphan_is_freed(server, small_backup, tmp_path, record_property):
    containers = [new_container(server, "breaks"), new_container(server, "deletes")]
    others = {container: foreign(server, container, small_backup) for container in containers}
    folders = [tmp_path / name for name in ("breaks", "deletes", "watches", "logs")]
    for folder in folders:
        folder.mkdir()
    loops = [
        Loop(Guard(server, folders[0], container=containers[0]), "break", "--include-restore"),
        Loop(Guard(server, folders[1], container=containers[1]), "delete"),
    ]
    world = World(server, folders[3], small_backup, containers)
    lines = tmp_path / "watch.jsonl"
    with open(lines, "w") as said:
        watch = Guard(server, folders[2]).start("watch", "--interval", "2s", "--min-quiet", f"{QUIET}s", out=said)
        try:
            for loop in loops:
                loop.start()
            world.go_on(RUN)
            for loop in loops:
                loop.stop()
            watch.send_signal(signal.SIGTERM)
            assert watch.wait(300) == 0, watch.stderr.read()
        finally:
            watch.kill()
            watch.wait()
            world.end()
            for loop in loops:
                loop.enough.set()
    told = [json.loads(line) for line in lines.read_text().splitlines()]
    record_property("figures", figures(world, loops, told))
    every_live_holder_was_left_alone(world, loops)
    every_orphan_was_freed_in_time(world)
    for container, names in others.items():
        now = states(server, container)
        assert {name: now[name][1] for name in names} == dict.fromkeys(names, "leased")
    the_watch_told_the_truth(world, told)
    assert [loop.failed for loop in loops] == [[], []]


def test_a_server_that_starts_anew_is_believed_for_its_own_time_alone(server, small_backup, tmp_path):
    """It knows nothing of connections before its start, so the quiet begins there, however old the blob is."""
    container = new_container(server, "restarts")
    dead_backup(server, container, "dead.bak", "page", small_backup)
    time.sleep(QUIET + 1)
    server.vault.kill()
    before = time.monotonic()
    server.vault.start()
    guard = Guard(server, tmp_path, container=container)
    done = guard.did("break", "--yes", "--min-quiet", f"{QUIET}s")
    assert done.row("dead.bak")["action"] == "broken"
    assert time.monotonic() - before >= QUIET


def test_the_watch_outlives_the_server(server, small_backup, tmp_path):
    """While nothing answers nothing is taken for gone; when it answers again the watch goes on."""
    container = new_container(server, "outlives")
    dead_backup(server, container, "dead.bak", "block", small_backup)
    lines = tmp_path / "watch.jsonl"
    with open(lines, "w") as said:
        watch = Guard(server, tmp_path).start("watch", "--interval", "1s", out=said)
        try:
            wait_for(lines, lambda row: row["blob"] == "dead.bak")
            server.vault.kill()
            wait_for(lines, lambda row: row["blob"] is None)
            server.vault.start()
            dead_backup(server, container, "second.bak", "block", small_backup)
            wait_for(lines, lambda row: row["blob"] == "second.bak")
            watch.send_signal(signal.SIGTERM)
            assert watch.wait(300) == 0, watch.stderr.read()
        finally:
            watch.kill()
            watch.wait()
    told = [json.loads(line) for line in lines.read_text().splitlines()]
    assert not {row["action"] for row in told} & {"gone", "released"}, told


def wait_for(lines, wanted, patience=300):
    """Until a line says so; whole lines only, the last may be on its way."""
    deadline = time.monotonic() + patience
    while True:
        text = lines.read_text()
        rows = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
        if any(wanted(row) for row in rows):
            return
        assert time.monotonic() < deadline, text
        time.sleep(0.2)


def every_live_holder_was_left_alone(world, loops):
    for holder in world.live:
        assert not holder.told("lost"), f"{holder.name}: {holder.log.read_text()}"
        assert holder.process.exitcode == 0 and holder.told("done"), holder.log.read_text()
    living = {holder.name for holder in world.live}
    acted = [row for loop in loops for row in loop.rows if row["action"] in ("broken", "deleted")]
    assert not [row for row in acted if row["blob"] in living]
    assert len([holder for holder in world.live if long_pauses(holder)]) >= 3, "enough of them paused beyond the limit"
    assert {holder.kind for holder in world.live} == {"page", "block", "restore"}


def every_orphan_was_freed_in_time(world):
    assert not world.dying
    assert {holder.kind for holder in world.dead} == {"page", "block", "restore"}
    late = {holder.name: world.freed.get(holder.name) for holder in world.dead}
    late = {name: after for name, after in late.items() if after is None or after > IN_TIME}
    assert not late, late


def the_watch_told_the_truth(world, told):
    """It calls for a break only where the holder was dead by then, and it saw orphans before they were free."""
    died = {(holder.container, holder.name): holder.died for holder in world.dead}
    calls = [row for row in told if row["ruling"] == "break"]
    for row in calls:
        at = datetime.fromisoformat(row["time"]).timestamp()
        assert at >= died[row["container"], row["blob"]], row
    seen = {(row["container"], row["blob"]) for row in told}
    assert {(holder.container, holder.name) for holder in world.live} & seen, "it saw living ones"
    assert {row["action"] for row in told} <= {"listed", "gone", "released"}, "it only reports"


def long_pauses(holder):
    return [float(line[2]) for line in holder.told("paused") if float(line[2]) > QUIET]


def figures(world, loops, told):
    after = sorted(world.freed.values())
    middle, last = (after[len(after) // 2], after[-1]) if after else (0, 0)
    runs = sum(loop.runs for loop in loops)
    pauses = sum(len(long_pauses(holder)) for holder in world.live)
    paused = sum(bool(long_pauses(holder)) for holder in world.live)
    lost = sum(bool(holder.told("lost")) for holder in world.live)
    deeds = [row["action"] for loop in loops for row in loop.rows if row["action"] in ("broken", "deleted")]
    return (
        f"the lease guard: {len(world.live)} live holders, {lost} broken; {paused} of them paused, {pauses} times in "
        f"all, beyond the limit of {QUIET} s with a connection open: observation alone would have taken these {paused} "
        f"for dead. {len(world.dead)} orphans, {len(after)} freed: half within {middle:.1f} s, all within {last:.1f} s. "
        f"{deeds.count('broken')} broken, {deeds.count('deleted')} deleted, in {runs} runs; "
        f"{len(told)} lines of the watch."
    )

"""Whoever is left without a parent below the launcher is reaped by it, also as process 1.

A worker's helpers outlive it now and then; as zombies they would fill the table of processes of a
host that is never restarted, and of a container whose first process is the launcher.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench.installation import ROOT, environment
from handoff.processes import identity_of, watch
from handoff.wire import Kind
from tests.process.hurt import ENTRY, Hurt, verify_counts

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives orphans to a subreaper"),
]

# The shell is gone at once and leaves the other one without a parent.
ORPHAN = """
import subprocess
subprocess.run(["/bin/sh", "-c", "sleep 1.5 & echo $! > {note}"], check=True)
"""
AS_INIT = (
    "unshare",
    "--user",
    "--map-root-user",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
)


def parents(state: str = "") -> Iterator[tuple[int, int]]:
    """Yield each process of this host, in this state if one is named, with its parent."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            _, _, rest = path.read_text(encoding="utf-8", errors="replace").rpartition(")")
        except OSError:
            continue
        found, parent, *_ = rest.split()
        if not state or found == state:
            yield int(path.parent.name), int(parent)


def children_of(pid: int, state: str = "") -> list[int]:
    return [child for child, parent in parents(state) if parent == pid]


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def orphaning(hurt: Hurt) -> Path:
    """Return the tree of a release whose import leaves an orphan."""
    tree = hurt.release("v0")
    module = tree / "faulty_worker.py"
    orphan = ORPHAN.format(note=hurt.directory / "orphan")
    module.write_text(module.read_text("utf-8") + orphan, encoding="utf-8")
    return tree


def orphans_of(pid: int) -> list[int]:
    return [child for child in children_of(pid) if b"sleep\0" in command_of(child)]


def check_reaps(hurt: Hurt, launcher: int) -> None:
    hurt.wait(lambda: orphans_of(launcher) != [], "an orphan that the launcher was given")
    hurt.wait(lambda: orphans_of(launcher) == [], "its end")
    hurt.wait(lambda: children_of(launcher, "Z") == [], "its burial")
    hurt.wait_cycles(2)
    verify_counts(hurt)


def test_a_launcher_is_given_the_orphans_below_it_and_reaps_them(tmp_path: Path) -> None:
    with Hurt(tmp_path) as hurt:
        hurt.launcher = hurt.run(orphaning(hurt), ENTRY)
        check_reaps(hurt, hurt.launcher.pid)


@pytest.fixture
def namespaces() -> None:
    able = shutil.which("unshare") is not None
    if not able or subprocess.run([*AS_INIT, "true"], check=False, capture_output=True).returncode:
        pytest.skip("user namespaces are not permitted")


def container(hurt: Hurt, *words: str) -> subprocess.Popen[bytes]:
    """Start a command as process 1 of its own processes; they all end with it."""
    with hurt.output.open("ab") as output:
        return subprocess.Popen(
            [*AS_INIT, *words], cwd=ROOT, env=environment(), stdout=output, stderr=output
        )


@pytest.mark.usefixtures("namespaces")
def test_a_container_that_was_killed_is_followed_by_the_next_one(tmp_path: Path) -> None:
    """Nobody can name the processes of the one before; the kernel gave their locks back."""
    hurt = Hurt(tmp_path)
    words = hurt.command("run", ENTRY, "--tree", str(hurt.release("v0")), "--app", "bench")
    first = container(hurt, *words)
    try:
        hurt.wait_cycles(3)
        old = hurt.the_owner()
    finally:
        first.kill()
        first.wait(30)
    second = container(hurt, *words)
    try:
        new = hurt.wait_other_owner(old)
        assert (new.boot_id, new.pid_namespace) != (old.boot_id, old.pid_namespace)
        hurt.wait_cycles(3)
    finally:
        second.kill()
        second.wait(30)
    verify_counts(hurt)


@pytest.mark.usefixtures("namespaces")
def test_a_launcher_that_is_process_1_reaps_and_stops_in_order(tmp_path: Path) -> None:
    hurt = Hurt(tmp_path)
    words = hurt.command("run", ENTRY, "--tree", str(orphaning(hurt)), "--app", "bench")
    init = container(hurt, *words)
    try:
        hurt.wait(lambda: children_of(init.pid) != [], "process 1")
        (launcher,) = children_of(init.pid)
        check_reaps(hurt, launcher)
        assert hurt.ask(Kind.STATUS)["pid"] == 1
        identity = identity_of(launcher)
        assert identity is not None
        watched = watch(identity)
        assert watched is not None
        assert watched.send(signal.SIGTERM)
        watched.close()
        assert init.wait(30) == 0
    finally:
        init.kill()  # takes process 1 along, and with it everything in there
        init.wait(30)
    record = hurt.record()
    assert record is not None
    assert record.ownership.owner is None, "the owner drained and let go"
    verify_counts(hurt)

"""A bot that ran yesterday comes up by a plain `foresight up`, and nobody has to help it.

Reboot, a new container over the same volume, `/tmp` cleaned, logout: a project as `init` makes it,
one home for all of these, and a record that goes on through each of them.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from handoff.processes import HAS_PIDFD
from state.cycle_audit import audit_cycles, effective
from state.errors import RecordMissing
from state.journal_reader import read_lines
from state.local_store import read_only_snapshot
from tests.process.other_hosts import LIMIT_S, PATH, Host, can_be

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from state.record import Record, WorkerId

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not HAS_PIDFD, reason="nothing can be looked into here"),
    pytest.mark.skipif(not can_be(), reason="user namespaces are not permitted"),
]

ONE: Final = "1" * 32
CYCLES: Final = 2  # that are waited for each time
PATIENCE_S: Final = 90.0
POLL_S: Final = 0.05
UNTRIED: Final = {"FORESIGHT_ENGINE_WATCH": "true", "FORESIGHT_ENGINE_BACKTEST": "3"}


class Kept:
    """What outlives a host: a project, and the home that its bot has."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.tree = place / "bot"
        self.home = place / "state" / "foresight" / "bot"
        words = [sys.executable, "-m", "foresight", "init", "--name", "bot", str(self.tree)]
        subprocess.run(words, check=True, capture_output=True, timeout=LIMIT_S)
        self._hosts = 0

    def host(self, *, boot: str, name: str = "one", machine: str = ONE) -> Host:
        """Return a host that is not there yet; it has nothing of an earlier one but this disk."""
        self._hosts += 1
        return Host(self.place / f"host-{self._hosts}", name, boot=boot, machine=machine)

    def words(self, *words: str) -> tuple[str, ...]:
        """Return the command line of one of the project's commands, said from anywhere."""
        return (sys.executable, "-m", "foresight", "-C", str(self.tree), *words)

    def variables(self, **more: str) -> dict[str, str]:
        """Return all variables that a command has: hardly any."""
        return {
            "PATH": PATH,
            "XDG_STATE_HOME": str(self.place / "state"),
            "FORESIGHT_ENGINE_PAGE": "127.0.0.1:0",
            **more,
        }

    def up(self, host: Host, **variables: str) -> None:
        """Start it there as its user does, with no word about what happened."""
        done = host.run(*self.words("up", "-d"), variables=self.variables(**variables))
        assert done.returncode == 0, done.stderr + host.output.read_text("utf-8")

    def record(self) -> Record | None:
        """Return the record; None before the first."""
        try:
            return read_only_snapshot(self.home / "state")
        except RecordMissing:
            return None

    def owner(self) -> WorkerId | None:
        """Return who owns by the record."""
        record = self.record()
        return record.ownership.owner if record is not None else None

    def the_owner(self) -> WorkerId:
        """Return who owns; somebody does."""
        owner = self.owner()
        assert owner is not None
        return owner

    def settled(self) -> set[int]:
        """Return the cycles that were settled, by the journal, whose chain is checked."""
        lines = effective(read_lines(self.home / "journal"))
        return {line.cycle for line in lines if line.kind == "settle"}

    def wait(self, is_so: Callable[[], bool], what: str) -> None:
        """Wait for something."""
        until_s = time.monotonic() + PATIENCE_S
        while not is_so():
            assert time.monotonic() < until_s, f"{what} did not come\n{self.last_words()}"
            time.sleep(POLL_S)

    def wait_cycles(self) -> int:
        """Wait until a few more cycles are settled; return the newest one."""
        wanted = len(self.settled()) + CYCLES
        self.wait(lambda: len(self.settled()) >= wanted, "more cycles")
        return max(self.settled())

    def wait_other_owner(self, old: WorkerId) -> WorkerId:
        """Wait until somebody else owns; return who."""
        self.wait(lambda: self.owner() not in (None, old), "another owner")
        return self.the_owner()

    def last_words(self) -> str:
        """Return the ends of the newest logs."""
        logs = sorted((self.home / "logs").glob("*.log"), key=lambda path: path.stat().st_mtime)
        return "\n".join(path.read_text("utf-8", "replace")[-1500:] for path in logs[-3:])


@pytest.fixture(scope="module")
def kept() -> Iterator[Kept]:
    """The project, its environment installed by a first start in the world as it is.

    Not below `/tmp`, which each host here has for itself and which is cleaned.
    """
    place = Path(tempfile.mkdtemp(prefix="foresight-again-", dir="/var/tmp"))
    try:
        found = Kept(place)
        with found.host(boot="boot-0") as host:
            found.up(host)
            found.wait_cycles()
        yield found
    finally:
        for folder, _, _ in os.walk(place):
            os.chmod(folder, 0o700)  # noqa: PTH101 - releases are read-only
        shutil.rmtree(place)


def assert_record_goes_on(kept: Kept, before: int) -> None:
    """See more cycles than there were; by the whole journal none twice and none without a word."""
    assert kept.wait_cycles() > before
    report = audit_cycles(list(effective(read_lines(kept.home / "journal"))))
    assert report.doubled == ()
    assert report.missing == ()
    assert report.gaps == ()


def test_after_a_reboot(kept: Kept) -> None:
    """Whoever owned is of a boot that is over: nothing that its pid says now is about it."""
    with kept.host(boot="boot-1") as host:
        kept.up(host)
        before, old = kept.wait_cycles(), kept.the_owner()
    with kept.host(boot="boot-2") as host:
        kept.up(host)
        new = kept.wait_other_owner(old)
        assert (old.boot_id, new.boot_id) == ("boot-1", "boot-2")
        assert new.release == old.release
        assert_record_goes_on(kept, before)


def test_after_a_reboot_amid_a_change_that_was_never_deployed(kept: Kept) -> None:
    """Each gate refused it and the bot went on; the file is wrong in what a release reads.

    A merge that stopped half-way leaves no configuration at all: it is halted all the same.
    """
    file, old = kept.tree / "foresight.toml", kept.the_owner()
    before, said = max(kept.settled()), file.read_text("utf-8")
    file.write_text(said.replace("[risk]", "[rsik]"), encoding="utf-8")
    try:
        with kept.host(boot="boot-2a") as host:
            # Neither whom to tell of a deploy nor what to try one over has to be there.
            kept.up(host, FORESIGHT_ENGINE_NOTIFY="gone", **UNTRIED)
            kept.wait_other_owner(old)
            assert_record_goes_on(kept, before)
            file.write_text(f"<<<<<<< HEAD\n{said}", encoding="utf-8")
            for word in ("halt", "status"):
                done = host.run(*kept.words(word), variables=kept.variables())
                assert done.returncode == 0, done.stderr
                assert "which runs here" in done.stderr
            record = kept.record()
            assert record is not None
            assert record.control.halted
            file.write_text(said, encoding="utf-8")
            done = host.run(*kept.words("resume"), variables=kept.variables())
            assert done.returncode == 0, done.stderr
            # A shell without its variables names another home, under which nothing ever ran.
            elsewhere = kept.variables(XDG_STATE_HOME=str(kept.place / "elsewhere"))
            done = host.run(*kept.words("pause"), variables=elsewhere)
            assert done.returncode == 0, done.stderr
            record = kept.record()
            assert record is not None
            assert record.control.paused
            done = host.run(*kept.words("resume"), variables=kept.variables())
            assert done.returncode == 0, done.stderr
    finally:
        file.write_text(said, encoding="utf-8")


def test_in_a_new_container_over_the_same_volume(kept: Kept) -> None:
    """The first process of each is the launcher, and pids begin anew: the owner's is taken."""
    up = kept.words("up")
    with kept.host(boot="boot-3", name="c1", machine="").start(up, kept.variables()):
        before, old = kept.wait_cycles(), kept.the_owner()
    with kept.host(boot="boot-3", name="c2", machine="").start(up, kept.variables()):
        new = kept.wait_other_owner(old)
        assert (old.host, new.host, old.boot_id) == ("c1", "c2", new.boot_id)
        assert old.pid_namespace != new.pid_namespace
        assert_record_goes_on(kept, before)


def test_while_the_container_before_still_ends(kept: Kept) -> None:
    """The next one is refused until it has, and is started again by whoever started it."""
    up = kept.words("up")
    first = kept.host(boot="boot-3", name="c3", machine="")
    with first.start(up, kept.variables()):
        before, old = kept.wait_cycles(), kept.the_owner()
        with kept.host(boot="boot-3", name="c4", machine="") as second:
            refused = second.run(*up, variables=kept.variables())
            assert refused.returncode != 0
            assert len([line for line in refused.stderr.splitlines() if "error: " in line]) == 1
            assert kept.the_owner() == old
            first.end()
            kept.up(second)
            kept.wait_other_owner(old)
            assert_record_goes_on(kept, before)


def test_after_tmp_was_cleaned(kept: Kept) -> None:
    """While it runs, so that a crash finds nothing there either."""
    with kept.host(boot="boot-4") as host:
        (host.tmp / "of-a-session").mkdir()
        kept.up(host, TMPDIR="/tmp/of-a-session")  # noqa: S108 - it is what is cleaned
        kept.wait_cycles()
        for path in host.tmp.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        old = kept.the_owner()
        for _ in range(2):  # one successor stood by already, the next is started now
            kill(host, old)
            old = kept.wait_other_owner(old)
        before = kept.wait_cycles()
        host.end_all_but_the_first()
        kept.up(host)
        kept.wait_other_owner(old)
        assert_record_goes_on(kept, before)


@pytest.fixture
def session(kept: Kept) -> Iterator[tuple[Host, subprocess.Popen[bytes], Path]]:
    """A login on a host: its first process, and the directory that goes with it."""
    with kept.host(boot="boot-5") as host:
        runtime = host.tmp.parent / "runtime"
        runtime.mkdir(mode=0o700)
        script = '"$@" && echo up && exec sleep infinity'
        words = ("sh", "-c", script, "sh", *kept.words("up", "-d"))
        variables = kept.variables(XDG_RUNTIME_DIR=str(runtime), TMPDIR=str(runtime))
        with subprocess.Popen(
            host.command(*words), env=variables, stdout=subprocess.PIPE, start_new_session=True
        ) as login:
            try:
                assert login.stdout is not None
                assert b"up\n" in login.stdout, "it did not start"
                yield host, login, runtime
            finally:
                login.kill()


def log_out(login: subprocess.Popen[bytes], runtime: Path) -> None:
    """End a login as a terminal that closes and its manager do: hang up, kill, clear away."""
    for number in (signal.SIGHUP, signal.SIGKILL):
        os.killpg(login.pid, number)
    login.wait()
    shutil.rmtree(runtime)


def kill(host: Host, worker: WorkerId) -> None:
    """Kill a worker by the pid that it has on its host."""
    done = host.run("kill", "-KILL", str(worker.pid), variables=os.environ)
    assert done.returncode == 0, done.stderr


def test_after_a_logout_that_leaves_it_running(
    kept: Kept, session: tuple[Host, subprocess.Popen[bytes], Path]
) -> None:
    """Its session, terminal and directories are gone; it must need none of them."""
    host, login, runtime = session
    old = kept.the_owner()
    log_out(login, runtime)
    before = kept.wait_cycles()
    assert kept.the_owner() == old, "a logout ended it"
    kill(host, old)
    kept.wait_other_owner(old)
    assert_record_goes_on(kept, before)
    again = host.run(*kept.words("up", "-d"), variables=kept.variables())
    assert again.returncode != 0
    assert "a launcher holds" in again.stderr


def test_after_a_logout_that_ended_everything(
    kept: Kept, session: tuple[Host, subprocess.Popen[bytes], Path]
) -> None:
    """The host, its boot and its processes are the same: the pids of the dead may be others'."""
    host, login, runtime = session
    before, old = kept.wait_cycles(), kept.the_owner()
    log_out(login, runtime)
    host.end_all_but_the_first()
    kept.up(host)
    assert kept.wait_other_owner(old).pid_namespace == old.pid_namespace
    assert_record_goes_on(kept, before)

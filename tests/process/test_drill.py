"""`foresight drill` against an installation that really runs: a few faults, and what is refused.

All faults together are the command itself; here it is shown to begin, to judge and to mend.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from deploy import frozen_directory
from handoff.errors import NotRunning
from handoff.exit_codes import ExitCode
from handoff.processes import identity_of
from handoff.rollout.launcher_client import LauncherClient
from handoff.wire import Kind
from state.local_store import read_only_snapshot
from tests.shared_environment import share_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

    from state.record import WorkerId

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 200

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(LIMIT_S + 100),
    pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this tree is no git checkout"),
]


# What a drill says where other programs keep the machine busy; that is not what is asked here.
LATE = re.compile(r"cycle \d+ was late although its owner was not touched")


def against(cell: dict[str, Any]) -> list[str]:
    """Return what speaks against a fault's being survived, but for what any busy machine does."""
    return [each for each in cell["problems"] if not LATE.fullmatch(each)]


class Demonstration:
    """A clone of the project with a home of its own; it is stopped with the context."""

    def __init__(self, place: Path) -> None:
        self.tree = place / "a project"
        self.home = place / "state" / "foresight" / "foresight"
        self._variables = os.environ | {
            "XDG_STATE_HOME": str(place / "state"),
            "FORESIGHT_ENGINE_PAGE": "127.0.0.1:0",
        }
        self.git("clone", "-q", str(ROOT), str(self.tree), at=place)
        share_environment(self.home, self.tree)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()
        frozen_directory.remove(self.home)  # read-only directories are not pytest's to remove

    def git(self, *words: str, at: Path | None = None) -> str:
        identity = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
        command = ["git", *identity, *words]
        done = subprocess.run(
            command, cwd=at or self.tree, check=True, capture_output=True, text=True, timeout=60
        )
        return done.stdout

    def configure(self, before: str, after: str) -> None:
        """Change a line of the configuration and commit it."""
        path = self.tree / "foresight.toml"
        text = path.read_text(encoding="utf-8")
        assert before in text
        path.write_text(text.replace(before, after), encoding="utf-8")
        self.git("commit", "-qam", "Configure")

    def up(self) -> None:
        done = self.run("up", "--detach")
        assert done.returncode == ExitCode.DONE, done.stderr

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-I", "-m", "foresight", *words]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*words),
            cwd=self.tree,
            env=self._variables,
            check=False,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=LIMIT_S,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def begin(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*words),
            cwd=self.tree,
            env=self._variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def drill(self, *names: str) -> dict[str, Any]:
        """Run some faults; return what the command found."""
        only = [word for name in names for word in ("--only", name)]
        done = self.run("drill", "--yes", "--json", *only)
        assert done.returncode in {ExitCode.DONE, ExitCode.FAILED}, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        assert found["ok"] == (done.returncode == ExitCode.DONE)
        assert found["ok"] == all(cell["holds"] for cell in found["cells"])
        return found

    def owner(self) -> WorkerId:
        owner = read_only_snapshot(self.home / "state").ownership.owner
        assert owner is not None
        return owner

    def heads(self) -> tuple[int, int]:
        """Return the pids of launcher and owner; a standby comes and goes."""
        return self.pids()[0], self.owner().pid

    def end(self) -> None:
        """Kill everything, the launcher first so that it starts nothing again."""
        if not (self.home / "run").exists():
            return
        with contextlib.suppress(NotRunning):
            for pid in self.pids():
                os.kill(pid, signal.SIGKILL)

    def pids(self) -> list[int]:
        """Return who runs, the launcher first."""
        with LauncherClient(self.home) as client:
            status = client.ask(Kind.STATUS)
        return [int(status["pid"]), *(int(child["pid"]) for child in status["children"])]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    """Return one that runs: each test leaves it running."""
    with Demonstration(tmp_path_factory.mktemp("shared")) as made:
        made.up()
        yield made


def test_what_is_survived_gets_its_ticks_and_everything_is_as_before(
    shared: Demonstration,
) -> None:
    before, pids = shared.owner().release, shared.pids()
    objects = shared.git("count-objects", "-v")
    found = shared.drill(
        "candidate-killed", "deployer-killed", "owner-killed-decided", "all-killed", "record-cut"
    )
    cells = {cell["name"]: cell for cell in found["cells"]}
    assert {name: against(cell) for name, cell in cells.items()} == {name: [] for name in cells}
    assert len(cells) == 5
    assert "deploy refused: killed by SIGKILL" in cells["candidate-killed"]["seen"]
    assert "deploy permanent" in cells["deployer-killed"]["seen"]
    assert "decided" in cells["owner-killed-decided"]["seen"]
    assert "0 missed, 0 doubled" in cells["all-killed"]["evidence"]
    assert shared.owner().release == found["release"] == before
    assert not {*pids} & {*shared.pids()}, "every process was killed once"
    assert shared.run("cycles", "--check").returncode == ExitCode.DONE
    assert shared.git("count-objects", "-v") == objects, "the user's repository is only read"


def test_what_is_not_survived_gets_a_cross(tmp_path: Path) -> None:
    """An installation that gives late cycles up does not run what fell due while it hung."""
    with Demonstration(tmp_path) as demonstration:
        demonstration.configure("period_s = 60.0", "period_s = 60.0\ncatch_up_s = 60.0")
        demonstration.up()
        found = demonstration.drill("owner-stopped", "launcher-second")
    stopped, second = found["cells"]
    assert not found["ok"]
    assert not stopped["holds"]
    assert stopped["evidence"].startswith("cycles missed: ")
    assert stopped["problems"][0] not in second["problems"], "the next one is judged by itself"


def test_a_drill_that_is_interrupted_leaves_what_runs_running(shared: Demonstration) -> None:
    """It has faults left for a minute, so that it has not ended however late it is interrupted."""
    launcher, owner = shared.heads()
    faults = ("launcher-killed", "launcher-replaced", "launcher-second", "home-copied")
    only = [word for name in faults for word in ("--only", name)]
    with shared.begin("drill", "--yes", *only) as drill:
        deadline_s = time.monotonic() + LIMIT_S
        while identity_of(launcher) is not None and time.monotonic() < deadline_s:
            time.sleep(0.02)
        drill.send_signal(signal.SIGINT)
        assert drill.wait(LIMIT_S) == ExitCode.INTERRUPTED
    assert shared.run("status").returncode == ExitCode.DONE
    assert shared.heads()[0] != launcher
    assert shared.heads()[1] == owner


def test_without_a_yes_nothing_is_touched(shared: Demonstration) -> None:
    heads = shared.heads()
    assert shared.run("drill").returncode == ExitCode.USAGE
    planned = shared.run("drill", "--dry-run", "--only", "all-killed")
    assert planned.returncode == ExitCode.DONE
    assert "all-killed" in planned.stdout
    assert shared.run("drill", "--only", "no-such-fault").returncode == ExitCode.USAGE
    assert shared.heads() == heads


def test_the_table_also_says_what_is_proven_elsewhere(shared: Demonstration) -> None:
    table = shared.run("drill", "--yes", "--only", "journal-changed")
    assert table.returncode == ExitCode.DONE
    assert "line of the journal changed" in table.stderr
    assert "all 1 hold" in table.stdout
    assert "not drilled here" in table.stdout
    assert "`make crash`" in table.stdout


def test_what_was_started_with_real_money_is_refused_whatever_the_file_says_now(
    shared: Demonstration,
) -> None:
    engine = shared.home / "run" / "engine.json"
    before, heads = engine.read_bytes(), shared.heads()
    plain = json.loads(before)
    plain["environment"].append(["FORESIGHT_LIVE", "1"])
    engine.write_text(json.dumps(plain), encoding="utf-8")
    try:
        refused = shared.run("drill", "--yes")
    finally:
        engine.write_bytes(before)
    assert refused.returncode == ExitCode.REFUSED
    assert "real money" in refused.stderr
    assert shared.heads() == heads


def test_real_money_and_nothing_that_runs_are_refused(tmp_path: Path) -> None:
    with Demonstration(tmp_path) as demonstration:
        missing = demonstration.run("drill", "--yes")
        assert missing.returncode == ExitCode.NOT_RUNNING
        assert "make run" in missing.stderr
        demonstration.configure('kind = "local"', 'kind = "live"\nlive = true')
        demonstration.configure("speed = 60", "speed = 1")
        refused = demonstration.run("drill", "--yes")
        assert refused.returncode == ExitCode.REFUSED
        assert "real money" in refused.stderr

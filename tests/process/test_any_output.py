"""Whoever reads what a command prints, in whatever encoding, or nobody: it does what was asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from deploy import history, jobs, requests
from deploy.git_tree import GitTree
from foresight.cli import deploy_steps
from foresight.cli.deploy_steps import DRIVER_LOOK_S, UNDRIVEN_S_MAX, DriverWatch
from foresight.errors import DeployUndriven
from handoff.errors import NotRunning
from handoff.exit_codes import ExitCode
from handoff.launcher.supervision import Child, Role
from handoff.launcher.written_down import to_plain
from handoff.processes import identity_of
from state.local_store import read_only_snapshot
from tests.process.bot import Bot
from tests.process.cli_project import Project, record_of
from tests.process.git_project import Project as Repository

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(60)
NOTE = "Ärger \udc80"  # no ASCII, and a byte that is no UTF-8


class Spoken(Project):
    """A project whose commands are started with other streams."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.record(record_of())

    def shell(self, line: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
        """Run a line of shell, in which `$F` is the command."""
        command = f'"{sys.executable}" -m foresight'
        variables = os.environ | {"XDG_STATE_HOME": str(self.place / "state")} | environment
        return subprocess.run(
            ["/bin/sh", "-c", line.replace("$F", command)],
            cwd=self.tree,
            env=variables,
            check=False,
            capture_output=True,
            timeout=50,
        )

    def is_halted(self) -> bool:
        return read_only_snapshot(self.home / "state").control.halted


@pytest.fixture
def spoken(tmp_path: Path) -> Spoken:
    return Spoken(tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "$F halt <&- >&- 2>&-",
        "$F halt 2>/dev/full",
        '$F halt --note "$NOTE" 2>&1 | true',
    ],
)
def test_a_halt_that_nobody_reads_halts(spoken: Spoken, line: str) -> None:
    """A job without streams is how a supervisor calls it; the bot must stand all the same."""
    done = spoken.shell(f"{line}; exit $?", NOTE=NOTE)
    assert (done.returncode, spoken.is_halted()) == (ExitCode.DONE, True), done.stderr
    assert b"Traceback" not in done.stderr


def test_the_engine_alone_speaks_to_nobody_as_well(spoken: Spoken) -> None:
    """A program without Foresight has the same shell around it."""
    line = f'"{sys.executable}" -m handoff status --home "{spoken.place}/none"'
    for streams in ("<&- >&- 2>&-", "2>/dev/full", ""):
        done = spoken.shell(f"{line} {streams}")
        assert done.returncode == ExitCode.NOT_RUNNING, done.stderr
        assert b"Traceback" not in done.stderr


def test_a_disk_that_refuses_what_is_printed_is_an_error(spoken: Spoken) -> None:
    """Data that somebody asked for is not there: that is said, and once."""
    done = spoken.shell("$F state show --json >/dev/full")
    assert done.returncode == ExitCode.FAILED
    assert done.stderr.decode().splitlines() == ["error: system: No space left on device"]


def test_a_branch_whose_name_is_no_text_is_refused(spoken: Spoken) -> None:
    """Escaped it would be another branch; the hook's settings are text."""
    spoken.git("checkout", "-qb", "caf\udc80")
    done = spoken.shell("$F hook install")
    assert done.returncode == ExitCode.USAGE
    complaint, hint = done.stderr.decode().splitlines()
    assert complaint == "error: caf\\udc80: a name in it is no text in UTF-8"
    assert hint.startswith("hint: rename it")
    assert not (spoken.tree / ".git" / "hooks" / "post-merge").exists()


def test_output_in_another_encoding_is_escaped(spoken: Spoken) -> None:
    """JSON stays JSON, text stays readable, and no letter ends a command halfway."""
    asked = history.requested("d1", now_ns=1, by="mia", ref="HEAD", from_release="old")
    history.finish(spoken.home, structs.replace(asked, outcome="refused", reason=NOTE))
    for encoding in ("ascii", "latin-1"):
        done = spoken.shell("$F deploys --json && $F deploys", PYTHONIOENCODING=encoding)
        assert done.returncode == ExitCode.DONE, done.stderr
        shown, _, table = done.stdout.decode(encoding).partition("\n")
        assert json.loads(shown)["reason"] == "Ärger \\udc80"
        assert "rger \\udc80" in table


def test_what_git_says_is_read_as_utf_8(tmp_path: Path) -> None:
    """A user's terminal may want another encoding; the history holds what was written."""
    project = Repository(tmp_path / "project")
    project.git("config", "i18n.logOutputEncoding", "ISO-8859-1")
    project.commit("Größer werden")

    tree = GitTree(project.path)
    assert tree.commit("HEAD").subject == "Größer werden"
    assert tree.message("HEAD").strip() == "Größer werden"


def _open_deploy(home: Path) -> None:
    (home / "run").mkdir(parents=True)
    requests.write_request(home, requests.Request(deploy="d1", by="mia", requested_ns=1))


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often, and miss a deployer after an instant."""
    monkeypatch.setattr(deploy_steps, "DRIVER_LOOK_S", 0.0)
    monkeypatch.setattr(deploy_steps, "UNDRIVEN_S_MAX", 0.1)


@pytest.mark.usefixtures("soon")
def test_whoever_waits_for_a_deploy_where_nothing_runs_is_told(tmp_path: Path) -> None:
    """The launcher was stopped from another terminal, and its deployer with it."""
    _open_deploy(tmp_path)
    with pytest.raises(NotRunning, match="deploy d1 has not ended"):
        deploy_steps.follow(tmp_path, "d1", wait_s=30)


@pytest.mark.usefixtures("soon")
def test_a_deployer_that_outlives_its_launcher_drives_on(tmp_path: Path) -> None:
    """It waits for the next launcher, as the workers do: nobody is told that it is over."""
    _open_deploy(tmp_path)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as deployer:
        identity = identity_of(deployer.pid)
        assert identity is not None
        child = to_plain(Child("deploy-d1", Role.JOB), identity, (), 0)
        written = tmp_path / "run" / "launcher.json"
        written.write_text(json.dumps({"children": [child]}), encoding="utf-8")
        assert deploy_steps.follow(tmp_path, "d1", wait_s=1) is None
    with pytest.raises(NotRunning):
        deploy_steps.follow(tmp_path, "d1", wait_s=30)


@pytest.mark.process
@pytest.mark.timeout(180)
def test_a_deploy_whose_deployer_cannot_live_is_given_up_within_seconds(tmp_path: Path) -> None:
    """It cannot read how far it came, at every start: it writes no line, and says why."""
    with Bot(tmp_path) as bot:
        bot.up()
        (bot.home / "run" / "deploy.json").write_text("no deploy at all", encoding="utf-8")
        request = requests.Request(deploy="d1", by="mia", requested_ns=1, commit="HEAD")
        jobs.submit(bot.home, request, sys.executable)
        with pytest.raises(DeployUndriven, match=r"deploy d1 any more: error: .*deploy\.json"):
            deploy_steps.follow(bot.home, "d1", wait_s=120)


def test_that_nobody_drives_a_deploy_is_noticed_within_seconds() -> None:
    """A deployer that died for good writes no line; whoever waits would wait for an hour."""
    driven = True
    looks: list[float] = []
    now_s = 100.0

    def look() -> bool:
        looks.append(now_s)
        return driven

    watch = DriverWatch(look)
    assert not watch.is_gone(now_s)
    assert not watch.is_gone(now_s + DRIVER_LOOK_S / 2)
    assert len(looks) == 1  # the launcher is not asked at every turn
    driven = False
    assert not watch.is_gone(now_s + DRIVER_LOOK_S)
    assert not watch.is_gone(now_s + DRIVER_LOOK_S + UNDRIVEN_S_MAX * 0.9)
    driven = True  # it was started again
    assert not watch.is_gone(now_s + 2 * DRIVER_LOOK_S + UNDRIVEN_S_MAX * 0.9)
    driven = False
    assert not watch.is_gone(now_s + 20)
    assert not watch.is_gone(now_s + 20 + UNDRIVEN_S_MAX * 0.9)
    assert watch.is_gone(now_s + 20 + UNDRIVEN_S_MAX)

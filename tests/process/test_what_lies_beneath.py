"""What lies beneath a running bot moves: its interpreter, the installation that started it.

`git clean -xdf`, `make setup` after a change, a distribution's new Python: what runs goes on, what
crashes comes up again or says what to do, and the doctor sees it before.
"""

from __future__ import annotations

import json
import shutil
import site
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from deploy import engine, frozen_directory, history, interpreters, requests
from handoff.exit_codes import ExitCode
from handoff.release_files import read_manifest
from state.local_store import read_only_snapshot
from tests.process.bot import end, end_together
from tests.process.own_project import Project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.process, pytest.mark.timeout(400)]

PATIENCE_S: Final = 90.0
ROOT: Final = Path(__file__).resolve().parents[2]
NEITHER: Final = "3.98"  # a Python that is on no host
GONE: Final = Path("/nowhere/bin/python3")


class Beneath(Project):
    """A project with a bot, and what can be taken away beneath it."""

    def up(self) -> str:
        """Start it; return what was said."""
        done = self.run("up", "-d")
        assert done.returncode == ExitCode.DONE, done.stderr
        return done.stderr

    def owner(self) -> int:
        """Return the pid of the worker that owns; 0 while nobody does."""
        owner = read_only_snapshot(self.home / "state").ownership.owner
        return owner.pid if owner is not None else 0

    def cycle(self) -> int:
        return read_only_snapshot(self.home / "state").progress.cycle

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline_s, f"{what} did not come\n{self.launcher_log()}"
            time.sleep(0.1)

    def wait_cycles(self, count: int) -> None:
        wanted = self.cycle() + count
        self.wait(lambda: self.cycle() >= wanted, "cycles")

    def launcher_log(self) -> str:
        return (self.home / "logs" / "launcher.log").read_text("utf-8")

    def finding(self, check: str) -> dict[str, Any]:
        """Return what the doctor says of one thing."""
        rows = [json.loads(line) for line in self.run("doctor", "--json").stdout.splitlines()]
        (found,) = (row for row in rows if row["check"] == check)
        return dict(found)

    def link(self) -> Path:
        """Return the link to the interpreter of the release that owns, in a directory to change."""
        release = read_only_snapshot(self.home / "state").ownership.release
        link = Path(read_manifest(self.home, release).python)
        link.parent.chmod(0o755)
        return link

    def lose_interpreter(self) -> None:
        """Let the link lead nowhere, as where a distribution removed that Python."""
        link = self.link()
        link.unlink()
        link.symlink_to(GONE)

    def lose_version(self) -> None:
        """Let no Python of the version that the owning release was made for be on this host."""
        self.lose_interpreter()
        library = self.link().parents[1] / "lib"
        library.chmod(0o755)
        (place,) = library.iterdir()
        place.rename(library / f"python{NEITHER}")

    def crash(self) -> None:
        """Kill everything, as a reboot does."""
        table = json.loads((self.home / "run" / "launcher.json").read_bytes())
        end_together([table["pid"], *(each["pid"] for each in table["children"])])

    def companion(self, name: str) -> int:
        """Return the pid of a companion; 0 where none lives."""
        status = json.loads(self.run("status", "--json").stdout)
        found = [int(each["pid"]) for each in status["children"] if each["name"] == name]
        return found[0] if found else 0


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Beneath]:
    found = Beneath(tmp_path)
    found.begin()
    yield found
    found.python = sys.executable
    found.run("down")
    frozen_directory.remove(found.state)


def install(tree: Path) -> str:
    """Install Foresight into a project as `make setup` does; return the interpreter."""
    venv = tree / ".venv"
    others = [Path(each) for each in site.getsitepackages()]
    interpreters.make(venv, others, others[0], interpreters.this_base())
    (packages,) = (venv / "lib").glob("python*/site-packages")
    for name in engine.PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, packages / name, ignore=ignored)
    return str(venv / "bin" / "python")


def test_a_bot_whose_interpreter_is_gone_comes_up_at_the_next_start(project: Beneath) -> None:
    """Over night the distribution took its Python away: it was started for ever, and never ran."""
    project.up()
    assert project.run("down").returncode == ExitCode.DONE
    assert project.finding("release")["verdict"] == "good"
    project.lose_interpreter()
    found = project.finding("release")
    assert found["verdict"] == "bad"
    assert str(GONE) in found["found"]
    assert found["remedy"] == "`foresight down` and `foresight up` mend it"
    said = project.up()
    assert f"links to {GONE}, which is gone; it links to " in said
    project.wait_cycles(1)
    assert project.finding("release")["verdict"] == "good"


def test_a_bot_whose_python_is_on_no_host_comes_up_as_its_commit_made_anew(
    project: Beneath,
) -> None:
    """A new release of the distribution has a new Python alone; nobody is there at that reboot."""
    project.up()
    project.crash()
    project.lose_version()
    found = project.finding("release")
    assert (found["verdict"], f"install Python {NEITHER}" in found["remedy"]) == ("bad", True)
    said = project.up()
    assert f"runs with Python {NEITHER} alone, and none is here" in said
    assert "its commit is deployed anew, with Python" in said
    project.wait_cycles(2)
    project.wait(lambda: not requests.open_requests(project.home), "the end of that deploy")
    (entry,) = history.read_history(project.home).entries
    assert (entry.outcome, entry.subject) == ("permanent", "Begin"), entry.reason
    assert project.finding("release")["verdict"] == "good"


def test_without_its_commit_it_is_refused_with_what_to_install(project: Beneath) -> None:
    """Nothing is left to make it of, and nothing is started that would never come up."""
    project.up()
    assert project.run("down").returncode == ExitCode.DONE
    project.lose_version()
    shutil.rmtree(project.tree / ".git")
    project.git("init", "-q")
    project.git("add", "--all")
    project.git("commit", "-qm", "Another history")
    done = project.run("up", "-d")
    assert done.returncode == ExitCode.FAILED
    error, hint = done.stderr.strip().splitlines()[-2:]
    assert f"runs with Python {NEITHER} alone, and none is here" in error
    assert hint.startswith("hint: install that Python")
    assert project.run("down").returncode == ExitCode.NOT_RUNNING


def test_an_interpreter_that_goes_beneath_a_running_bot_is_told_with_what_to_do(
    project: Beneath,
) -> None:
    """What runs has its own in memory and goes on; what crashes then says why it stays away."""
    project.up()
    owner = project.owner()
    project.lose_interpreter()
    project.wait_cycles(2)
    assert project.owner() == owner
    assert project.finding("release")["verdict"] == "bad"
    end(owner)
    words = f"{project.link()} is gone: `down` and `up` look for another one"
    project.wait(lambda: words in project.launcher_log(), "what to do")
    assert project.run("down").returncode == ExitCode.DONE
    project.up()
    project.wait_cycles(1)


def test_a_cleaned_project_stops_nothing_and_goes_on_when_it_is_set_up_again(
    project: Beneath,
) -> None:
    """`git clean -xdf` takes the installation away that started all of it."""
    project.up()  # builds, with an interpreter that has all of the requirements
    assert project.run("down").returncode == ExitCode.DONE
    kept, project.python = project.python, install(project.tree)
    project.up()
    assert project.finding("programs")["verdict"] == "good"
    owner, page = project.owner(), project.companion("dashboard")
    project.git("clean", "-xdfq")
    assert not Path(project.python).exists()

    gone, project.python = project.python, kept
    found = project.finding("programs")
    assert (found["verdict"], gone in found["found"]) == ("bad", True), found
    assert "make setup" in found["remedy"]
    project.wait_cycles(2)
    assert project.owner() == owner
    end(owner)
    project.wait(lambda: project.owner() not in {0, owner}, "another owner")
    end(page)
    project.wait_cycles(2)

    project.python = install(project.tree)
    project.wait(lambda: project.companion("dashboard") not in {0, page}, "the page")
    strategy = project.tree / "strategy.py"
    strategy.write_text(strategy.read_text("utf-8") + "\n# changed\n", encoding="utf-8")
    project.commit("Change it")
    before = read_only_snapshot(project.home / "state").ownership.release
    done = project.run("deploy", "--bake", "1")
    assert done.returncode == ExitCode.DONE, done.stdout + done.stderr
    assert read_only_snapshot(project.home / "state").ownership.release != before
    assert project.run("cycles", "--check").returncode == ExitCode.DONE


def test_the_doctor_says_where_a_home_would_be_cleaned_away(project: Beneath) -> None:
    """Ignored files are what `git clean -xdf` deletes, and a home in the project is such a one."""
    assert project.finding("place")["verdict"] == "good"
    project.state = project.tree / "state"
    found = project.finding("place")
    assert (found["verdict"], "git clean -xdf" in found["found"]) == ("odd", True)
    assert "[engine] home" in found["remedy"]

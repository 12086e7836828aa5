"""What a stranger installs: a wheel, in an environment that holds what it asks for and no more."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from handoff.exit_codes import ExitCode
from tests.process.bot import WORKER

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
NAME = re.compile(r"[A-Za-z0-9._-]+")
COMMAND_S_MAX = 60
STATUS_TRIES_MAX = 20  # of a command of a third of a second; a cycle lasts half of one

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]


def asked_for(name: str, found: dict[str, importlib.metadata.Distribution]) -> None:
    """Find what a distribution needs, without its extras, and what that needs."""
    for requirement in importlib.metadata.requires(name) or []:
        needed = NAME.match(requirement)
        if "extra ==" in requirement or needed is None or needed.group() in found:
            continue
        found[needed.group()] = importlib.metadata.distribution(needed.group())
        asked_for(needed.group(), found)


class Installed:
    """An environment with the wheel, and a directory with a program of a user's own."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.tree = place / "my program"
        self.tree.mkdir()
        self.bin = place / "environment" / "bin"
        venv.create(place / "environment", with_pip=False)
        (self.packages,) = (place / "environment" / "lib").glob("python*/site-packages")
        self._install()

    def _install(self) -> None:
        build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(self.place)]
        subprocess.run(build, check=True, capture_output=True, cwd=ROOT)
        (wheel,) = self.place.glob("*.whl")
        pip = [sys.executable, "-m", "pip", "--python", str(self.bin / "python"), "install"]
        pip += ["--quiet", "--no-index", "--no-deps", "--no-compile", str(wheel)]
        subprocess.run(pip, check=True, capture_output=True, cwd=self.place)
        found: dict[str, importlib.metadata.Distribution] = {}
        asked_for("foresight-engine", found)
        assert not {"ccxt", "aiohttp", "nicegui"} & set(found), "without the extras"
        for each in found.values():  # as if they were installed: no index is asked here
            for top in {Path(file).parts[0] for file in each.files or ()} - {".."}:
                if top != "__pycache__" and not (self.packages / top).exists():
                    (self.packages / top).symlink_to(Path(str(each.locate_file(top))))

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one of its commands in the directory of the program."""
        variables = {"XDG_STATE_HOME": str(self.place / "state"), "PATH": os.environ["PATH"]}
        return subprocess.run(
            [str(self.bin / words[0]), *words[1:]],
            cwd=self.tree,
            env=variables | {"HOME": str(self.place), "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            check=False,
            capture_output=True,
            text=True,
            timeout=COMMAND_S_MAX,
        )

    def done(self, *words: str) -> str:
        """Run one that must succeed; return what it printed."""
        done = self.run(*words)
        assert done.returncode == ExitCode.DONE, (words, done.stdout, done.stderr)
        return done.stdout

    def version(self, version: str) -> None:
        """Write another version of the program."""
        text = WORKER.format(version=version)
        (self.tree / "worker.py").write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    found = Installed(tmp_path_factory.mktemp("wheel"))
    yield found
    found.run("handoff", "down")


def test_a_program_lives_and_is_replaced_with_nothing_but_the_wheel(installed: Installed) -> None:
    """Its packages lie where strangers' packages lie: among them the launcher finds its own."""
    # Named as a module of the standard library: who inserts such a place first starts this.
    (installed.packages / "selectors.py").write_text("raise SystemExit('a stranger')\n", "utf-8")
    installed.version("1")
    assert "replace" in installed.done("handoff", "--help")
    assert installed.run("handoff", "status").returncode == ExitCode.NOT_RUNNING
    assert installed.done("handoff", "try", "worker.py").startswith("Cycle ")
    installed.done("handoff", "up", "worker:create", "--tree", ".", "-d")
    first = ""
    for _ in range(STATUS_TRIES_MAX):
        first, *_ = installed.done("handoff", "status").splitlines()
        if not first.startswith("It is starting"):
            break
    assert re.fullmatch(r"tree-\w+ (decides: cycle \d+ is .*|owns .*)", first), first
    installed.version("2")
    assert " permanent " in installed.done("handoff", "deploy", "--tree", ".", "--bake", "1")
    _, newest, _ = installed.done("handoff", "releases").split("tree-", 2)
    assert newest.split()[1] == "owner"
    (installed.tree / "worker.py").write_text("import os\ndef (\n", encoding="utf-8")
    refused = installed.run("handoff", "deploy", "--tree", ".")
    assert refused.returncode == ExitCode.REFUSED
    assert "(worker.py, line 2)" in refused.stdout
    assert "hint: correct it" in refused.stderr
    assert " permanent " in installed.done("handoff", "rollback")
    installed.done("handoff", "pause", "--note", "lunch")
    assert "It is paused" in installed.done("handoff", "status")
    assert "0 otherwise" in installed.done("handoff", "verify")
    assert "ownership taken" in installed.done("handoff", "logs")
    installed.done("handoff", "down")
    stopped = installed.run("handoff", "status")
    assert stopped.stdout.startswith("It is stopped. Cycle ")
    assert stopped.returncode == ExitCode.NOT_RUNNING


def test_foresight_begins_a_project_without_what_trading_needs(installed: Installed) -> None:
    """A first look must neither break nor cost an exchange's libraries."""
    assert "Usage:" in installed.done("foresight", "--help")
    assert "strategy.py" in installed.done("foresight", "init", "bot", "--no-git")
    assert (installed.tree / "bot" / "requirements.lock").is_file()
    # Without a word `up` waited for minutes, for an exchange that ended at its first import.
    started = installed.run("foresight", "-C", "bot", "up", "-d")
    assert "error: the local exchange needs aiohttp" in started.stderr
    assert "hint: pip install 'foresight-engine[trade,dashboard]'" in started.stderr
    assert started.returncode == ExitCode.FAILED
    looked = installed.run("foresight", "-C", "bot", "doctor")
    assert "bad   programs       the local exchange needs aiohttp" in looked.stdout
    shown = installed.run("foresight", "-C", "bot", "status")
    assert (shown.returncode, "Traceback" in shown.stderr) == (ExitCode.NOT_RUNNING, False)

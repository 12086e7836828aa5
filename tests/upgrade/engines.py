"""The engine of the previous release and the one of this tree, each installed by itself.

Owns where the old code comes from (git, by the commit in `previous.toml`) and what an installation
is: a tree of our packages, and an interpreter that sees this tree and the installed requirements.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from deploy import engine
from tests.process.bot import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT: Final = Path(__file__).resolve().parents[2]
NO_PREVIOUS: Final = "the previous release is not in this clone"


class Previous(NamedTuple):
    """The release that this one must get along with.

    Attributes:
        version: As in its pyproject.toml; its tag is this with a `v` in front.
        commit: Its full commit.
    """

    version: str
    commit: str


PREVIOUS: Final = Previous(
    **tomllib.loads(Path(__file__).with_name("previous.toml").read_text(encoding="utf-8"))
)


class Engines(NamedTuple):
    """Both trees of our packages.

    Attributes:
        previous: The one of the previous release.
        this: The one of this tree, uncommitted changes included.
    """

    previous: Path
    this: Path

    def of(self, name: str) -> Path:
        """Return the tree of the one named."""
        return {"previous": self.previous, "this": self.this}[name]


def git(*arguments: str) -> bytes:
    """Run git on the tree under test."""
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout


def is_in_this_clone(commit: str) -> bool:
    """Tell whether a commit can be read: a shallow clone has few."""
    command = ["git", "-C", str(ROOT), "cat-file", "-e", f"{commit}^{{commit}}"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def lay_out(directory: Path) -> Engines:
    """Write both trees into a directory."""
    engines = Engines(directory / "previous", directory / "this")
    packed = git("archive", "--format=zip", PREVIOUS.commit, *engine.PACKAGES)
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        archive.extractall(engines.previous)
    engine.copy(engines.this, ROOT)
    return engines


def said_by(tree: Path, program: str, given: object) -> dict[str, Any]:
    """Run a program of these tests with an engine; return the JSON that it prints.

    Args:
        tree: The engine; the program finds it as its first argument.
        program: Python.
        given: What it reads from stdin, as JSON.
    """
    done = subprocess.run(
        [sys.executable, "-I", "-c", program, str(tree)],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


class Installation:
    """What `make setup` leaves: an interpreter, and the engine that it sees.

    Args:
        place: A directory that is not there yet.
        tree: The engine to begin with.
    """

    def __init__(self, place: Path, tree: Path) -> None:
        self.engine = place / "engine"
        self.python = str(place / "venv" / "bin" / "python")
        place.mkdir(parents=True)
        self.become(tree)
        _make_venv(place / "venv", self.engine)

    def become(self, tree: Path) -> None:
        """Put another engine in the place of the one that is there, as an upgrade does."""
        fresh = self.engine.with_name("next")
        fresh.symlink_to(tree)
        fresh.rename(self.engine)

    def python_command(self, program: str, *arguments: str) -> list[str]:
        """Return the command that runs a program with this engine."""
        return [self.python, "-I", "-c", program, *arguments]

    def foresight(
        self, project: Path, *words: str, environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of this engine in a project's directory."""
        done = subprocess.run(
            [self.python, "-I", "-m", "foresight", *words],
            cwd=project,
            env=environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done


def _make_venv(venv: Path, engine_seen: Path) -> None:
    """Make a virtual environment that sees an engine before everything else."""
    paths = sysconfig.get_paths()
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = venv / "lib" / version / "site-packages"
    packages.mkdir(parents=True)
    (venv / "bin").mkdir()
    base = Path(getattr(sys, "_base_executable", sys.executable))
    (venv / "bin" / "python").symlink_to(base)
    (venv / "pyvenv.cfg").write_text(f"home = {base.parent}\n", encoding="utf-8")
    # As plain directories: what is installed beside us may name this tree, and must not.
    seen = dict.fromkeys([str(engine_seen), paths["purelib"], paths["platlib"]])
    (packages / "engine.pth").write_text("\n".join(seen) + "\n", encoding="utf-8")

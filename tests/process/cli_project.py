"""A small project for the tests of the command line, and a look at every file of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from state.local_store import LocalStore
from state.record import Progress, Record, Timeline

ROOT = Path(__file__).resolve().parents[2]
ORIGIN_NS = 1_700_000_000_000_000_000


class Project:
    """A small project: a repository with a configuration, and a home of its own."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.tree = place / "a project"
        self.home = place / "state" / "foresight" / "demo"
        self.tree.mkdir()
        text = '[engine]\napp = "demo"\nspeed = 60\npage = "127.0.0.1:0"\n'
        (self.tree / "foresight.toml").write_text(text, encoding="utf-8")
        shutil.copy(ROOT / "requirements.lock", self.tree)
        for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "First")):
            self.git(*words)

    def head(self) -> str:
        """Return the full hash of the commit that is checked out."""
        command = ["git", "rev-parse", "HEAD"]
        done = subprocess.run(
            command, cwd=self.tree, check=True, capture_output=True, text=True, timeout=30
        )
        return done.stdout.strip()

    def git(self, *words: str) -> None:
        identity = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
        command = ["git", *identity, *words]
        subprocess.run(command, cwd=self.tree, check=True, timeout=30)

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the project's directory."""
        return self.run_in(self.tree, *words, **environment)

    def begin(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        """Start a command in the project's directory, and return at once."""
        variables = os.environ | {"XDG_STATE_HOME": str(self.place / "state")} | environment
        return subprocess.Popen(
            [sys.executable, "-m", "foresight", *words],
            cwd=self.tree,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run_in(
        self, directory: Path, *words: str, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        variables = os.environ | {"XDG_STATE_HOME": str(self.place / "state")} | environment
        command = [sys.executable, "-m", "foresight", *words]
        return subprocess.run(
            command,
            cwd=directory,
            env=variables,
            check=False,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=100,
        )

    def assert_refused(self, code: int, about: str, *words: str, **environment: str) -> None:
        """Run a command that must be refused, and see that nothing changed."""
        before = everything(self.place)
        done = self.run(*words, **environment)
        assert done.returncode == code, done.stderr
        first, *rest = done.stderr.strip().splitlines()
        assert first.startswith("error: "), done.stderr
        assert about in first
        assert all(line.startswith("hint: ") for line in rest)
        assert "Traceback" not in done.stderr
        assert done.stdout == ""
        assert everything(self.place) == before

    def record(self, record: Record, *, app: str = "demo", speed: int = 60) -> None:
        store = LocalStore(
            self.home / "state",
            app=app,
            timeline=Timeline(origin_ns=ORIGIN_NS, speed=speed),
            now_ns=lambda: ORIGIN_NS,
            force_filesystem=True,
        )
        store.create(record)
        store.close()
        for name in ("run", "logs", "releases"):
            (self.home / name).mkdir(mode=0o700, exist_ok=True)


def everything(place: Path) -> dict[str, bytes]:
    """Return every file below a directory; empty directories and locks say nothing."""
    files = (path for path in place.rglob("*") if path.is_file() and not path.is_symlink())
    return {str(path): path.read_bytes() for path in files if path.suffix != ".lock"}


def record_of(*, app: str = "demo", speed: int = 60) -> Record:
    timeline = Timeline(origin_ns=ORIGIN_NS, speed=speed)
    return Record(app=app, timeline=timeline, progress=Progress(cycle=7))

"""Trying a mutant: the module's tests in a copy of the tree in which it is wrong.

Owns the copies. Nothing is ever changed in the tree that is worked in.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from tests.drawn.drawing import ROOT, Module, Mutant, source_of
from tests.drawn.mutations import applied

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

COPIED: Final = (
    "state",
    "handoff",
    "deploy",
    "foresight",
    "tests",
    "foresight.toml",
    "pyproject.toml",
)
PYTEST: Final = ("-m", "pytest", "-q", "-x", "--no-header", "-p", "no:cacheprovider")
# Always in the same order, with the same examples: a mutant is noticed today as it was yesterday.
STEADY: Final = ("-p", "no:randomly", "-p", "no:xdist")
BASE_S: Final = 1800.0
BYTES_MAX: Final = 4 << 30  # a mutant that fills the memory is one that is noticed
_FAILED: Final = 1  # pytest's exit code where tests failed, and Python's where it has no pytest
_NO_IMPORT: Final = "while loading conftest"
_NOTHING_RUN: Final = (4, 5)  # where it does not know what to run, or finds no test


class Tree:
    """A copy of what the tests need.

    Args:
        place: An empty directory for it.
        source: What it is copied from: the tree itself, or a copy that has been warmed.
    """

    def __init__(self, place: Path, source: Path = ROOT) -> None:
        """Copy."""
        self.place = place
        self._changes = 0
        junk = shutil.ignore_patterns("__pycache__") if source == ROOT else None
        for name in COPIED:
            if (source / name).is_dir():
                shutil.copytree(source / name, place / name, ignore=junk)
            else:
                shutil.copy2(source / name, place / name)

    def warm(self, chosen: Iterable[Module]) -> str:
        """Run the tests of modules as they are; return what they said if they fail.

        Bytecode is left behind, so that each mutant costs only what it changes.
        """
        files = sorted({file for module in chosen for file in module.tests})
        failed, said = self._run(files, limit_s=BASE_S, keep_bytecode=True)
        return said if failed else ""

    def notices(self, mutant: Mutant) -> str:
        """Return the test that fails with a mutant, or why none could end; "" if all pass.

        Raises:
            RuntimeError: The tests could not be run at all: nobody noticed anything by that.
        """
        path = self.place / mutant.module.path
        source = source_of(mutant.module)
        changed = applied(mutant.mutation, source)
        assert changed is not None, "only what can be tried is drawn"
        stat = path.stat()
        path.write_text(changed, encoding="utf-8")
        # Bytecode of the unchanged module may have the same size and second.
        self._changes += 1
        os.utime(path, (stat.st_atime, stat.st_mtime + 2 * self._changes))
        try:
            limit_s = mutant.module.hangs_s
            failed, said = self._run(mutant.module.tests, limit_s=limit_s, keep_bytecode=False)
        finally:
            path.write_text(source, encoding="utf-8")
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        return _who(said) if failed else ""

    def _run(
        self, files: Iterable[str], *, limit_s: float, keep_bytecode: bool
    ) -> tuple[bool, str]:
        environment = {"PATH": os.environ.get("PATH", ""), "CI": "true", "PYTHONSAFEPATH": "1"}
        if not keep_bytecode:
            environment["PYTHONDONTWRITEBYTECODE"] = "1"
        with subprocess.Popen(  # noqa: S603 - this interpreter, on files of modules.toml
            [sys.executable, *PYTEST, *STEADY, f"--timeout={limit_s:g}", *files],
            cwd=self.place,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        ) as running:
            resource.prlimit(running.pid, resource.RLIMIT_AS, (BYTES_MAX, BYTES_MAX))
            try:
                said, _ = running.communicate(timeout=limit_s)
            except subprocess.TimeoutExpired:
                said = "they do not end"
            finally:
                _end(running)
        if not were_run(running.returncode, said):
            message = f"the tests were not run\n{said}"
            raise RuntimeError(message)
        return running.returncode != 0, said


def were_run(code: int, said: str) -> bool:
    """Tell whether tests were run at all, of an exit code and what was printed.

    What cannot even be imported was noticed; a pytest that is not there notices nothing.
    """
    if code in _NOTHING_RUN:
        return _NO_IMPORT in said
    return code != _FAILED or bool(_blamed(said))


def _end(running: subprocess.Popen[str]) -> None:
    """End whoever is left of a run, and nobody else: the group is its own."""
    if running.returncode is None:
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()


def _who(said: str) -> str:
    lines = said.strip().splitlines()
    return (_blamed(said) or lines or ["it said nothing"])[-1][:200]


def _blamed(said: str) -> list[str]:
    return [line for line in said.splitlines() if line.startswith(("FAILED ", "ERROR "))]

"""One environment tried: a project and a home in it, its life, and what is left, seen from outside.

Owns the judgement. A trial is wrong if a command failed, hung or ended in a traceback, if `up`
refused and was not expected to, or the other way round, if the record does not say what was
ordered, or if anything still runs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from foresight.evidence.processes import end
from handoff.processes import identity_of
from handoff.release_files import ENVIRONMENTS
from state.local_store import read_only_snapshot
from tests.world.sequence import BAKE, LIMIT_S, ROOT, Life, Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.world.environments import World

STEPS: Final = 5
GONE_S: Final = 10.0  # whoever was told to go has a moment to do so
DRIVER: Final = b"tests.world.sequence"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an environment; `faults` is empty where it is as it has to be."""

    name: str
    said: str
    seconds: float
    faults: list[str]


class Trial:
    """One environment's place, project and home.

    Args:
        world: The environment.
        place: A directory that is not there yet.
        template: A project, committed, which is copied.
        installed: Where environments lie between trials that share them: this one takes what is
            there, and leaves it there if all was well. None to let it install its own.
    """

    def __init__(
        self, world: World, place: Path, template: Path, *, installed: Path | None = None
    ) -> None:
        """Name the places; nothing is there yet."""
        self.installed = installed
        self.world = world
        self.place = place
        self.template = template
        self.tree = place / "project"
        wanted = world.home.format(name=place.name)
        self.home = place / wanted
        if not world.engine:  # the home is where the variables say
            self.home = place / "state" / "foresight" / "world"

    def run(self) -> Outcome:
        """Try it; return what came of it. Nothing is left, whatever that is."""
        begun_s = time.monotonic()
        self.place.mkdir()
        shutil.copytree(self.template, self.tree, symlinks=True)
        with ExitStack() as stack:
            stack.callback(self._remove)
            self._configure(stack)
            self._take_installed()
            steps, left = self._live()
            faults = [*self._wrong(steps), *(f"left running: {each}" for each in left)]
            if not faults:
                self._leave_installed()
        return Outcome(
            name=self.world.name,
            said=steps[0].err.strip().splitlines()[0] if self._refused(steps) else "works",
            seconds=time.monotonic() - begun_s,
            faults=faults,
        )

    # --- before --------------------------------------------------------------------

    def _configure(self, stack: ExitStack) -> None:
        made = self.world.prepare(self.place, stack) if self.world.prepare else ()
        lines = [each.format(home=self.home) for each in self.world.engine]
        if not any(line.startswith("page") for line in made):
            lines.append('page = "127.0.0.1:0"')
        path = self.tree / "foresight.toml"
        text = path.read_text(encoding="utf-8")
        added = "\n".join(["[engine]", *lines, *made])
        path.write_text(text.replace("\n[engine]\n", f"\n{added}\n"), encoding="utf-8")
        author = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
        command = ["git", "-C", str(self.tree), *author, "commit", "-qam", "Configure"]
        subprocess.run(command, check=True)

    def _take_installed(self) -> None:
        """Install nothing where an earlier trial has: it takes as long as all of the rest."""
        if self.installed is not None and self.installed.exists():
            self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.installed.rename(self.home / ENVIRONMENTS)

    def _life(self) -> Life:
        kept = {"PATH", "HOME", "LOGNAME", "USER", "LANG", "TMPDIR"}
        variables = {name: value for name, value in os.environ.items() if name in kept}
        variables |= {"XDG_STATE_HOME": str(self.place / "state"), **self.world.variables}
        return Life(
            tree=str(self.tree),
            conditions=self.world.conditions,
            variables={name: value for name, value in variables.items() if value},
        )

    # --- the life --------------------------------------------------------------------

    def _live(self) -> tuple[list[Step], list[str]]:
        """Run the sequence; return its steps, and what still runs after it."""
        around = [each.format(home=self.home) for each in self.world.around]
        driver = [sys.executable, "-m", "tests.world.sequence"]
        words = [*around, *driver, msgspec.json.encode(self._life()).decode()]
        pipe = subprocess.PIPE
        with subprocess.Popen(words, cwd=ROOT, stdin=pipe, stdout=pipe) as process:
            assert process.stdout is not None, "asked for"
            line = process.stdout.readline()
            left = self.end_what_is_left()
            process.communicate(timeout=LIMIT_S)
        if not line:
            return [Step(name="up", code=-2, out="", err="the environment could not be made")], left
        return msgspec.json.decode(line, type=list[Step]), left

    def end_what_is_left(self, patience_s: float = GONE_S) -> list[str]:
        """End what has to do with the place and does not end by itself; return what that was."""
        until_s = time.monotonic() + patience_s
        while (left := dict(self._processes())) and time.monotonic() < until_s:
            time.sleep(0.1)
        for pid in left:
            identity = identity_of(pid)
            if identity is not None:
                end(identity)
        return list(left.values())

    def _processes(self) -> Iterator[tuple[int, str]]:
        """Yield every process that has to do with this place, as pid and command line."""
        place = os.fsencode(self.place)
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes()
                about = (
                    words + (folder / "environ").read_bytes() + bytes((folder / "cwd").readlink())
                )
            except OSError:
                continue  # it ended meanwhile, or is somebody else's
            if (place in about or os.fsencode(self.home) in about) and DRIVER not in words:
                yield int(folder.name), words.replace(b"\0", b" ").decode(errors="replace")

    # --- after -----------------------------------------------------------------------

    def _refused(self, steps: list[Step]) -> bool:
        return steps[0].code != 0

    def _wrong(self, steps: list[Step]) -> list[str]:
        found = [f"{each.name}: a traceback" for each in steps if "Traceback" in each.err]
        if self._refused(steps):
            return found + self._wrong_refusal(steps[0])
        if self.world.refused:
            return [*found, f"it was expected to refuse: {self.world.refused}"]
        failed = [f"{each.name} ended with {each.code}: {each.err}" for each in steps if each.code]
        failed = failed if len(steps) == STEPS else [*failed, "not every command was run"]
        return found + (failed or self._wrong_record())

    def _wrong_refusal(self, step: Step) -> list[str]:
        errors = [line for line in step.err.splitlines() if line.startswith("error: ")]
        if self.world.refused and self.world.refused in step.err and len(errors) == 1:
            return []
        return [f"{step.name} ended with {step.code}: {step.err}"]

    def _wrong_record(self) -> list[str]:
        """Look at the record and the deploys from an ordinary world."""
        record = read_only_snapshot(self.home / "state")
        facts = {
            "it is not halted": record.control.halted,
            "the note is another one": record.control.note == "enough",
            "somebody still owns": record.ownership.owner is None,
            "nobody took over": record.ownership.epoch >= BAKE,
        }
        checked = subprocess.run(
            [sys.executable, "-m", "foresight", "-C", str(self.tree), "cycles", "--check"],
            env=os.environ | {"XDG_STATE_HOME": str(self.place / "state")},
            check=False,
            capture_output=True,
            text=True,
        )
        wrong = [what for what, is_so in facts.items() if not is_so]
        return wrong + ([checked.stdout + checked.stderr] if checked.returncode else [])

    def _leave_installed(self) -> None:
        made = self.home / ENVIRONMENTS
        if self.installed is not None and made.exists():  # a refusal installs nothing
            made.rename(self.installed)

    def _remove(self) -> None:
        for path in (self.home, self.place):
            for folder, _, _ in os.walk(path):
                os.chmod(folder, 0o700)  # noqa: PTH101 - releases are read-only
            shutil.rmtree(path, ignore_errors=True)

"""The real `foresight` command: run as a user would, in a home of its own or in the user's.

Owns the running of it, every call with a limit, and what its answers are read as. A proof asks
nothing of the engine in any other way but the record, which `record_watch` reads.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from foresight.evidence.errors import CourseLeft
from handoff.errors import AnotherInCharge
from handoff.exit_codes import ExitCode
from handoff.plain import launcher_lock_free

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

COMMAND_S_MAX = 30.0
UP_S_MAX = 320.0  # its own limit is 300: a first environment may have to be downloaded
DOWN_S_MAX = 100.0  # its own limit is 90
DOWN_PAUSE_S = 0.3
INTERRUPT_S_MAX = 5.0
WORDS_MAX = 600  # of a command that ended otherwise, in an error
OWN_PREFIXES = ("FORESIGHT_", "GIT_")


class Answer(NamedTuple):
    """What a command said.

    Attributes:
        code: Its exit code.
        out: Its stdout.
        error: Its stderr.
    """

    code: int
    out: str
    error: str

    def objects(self) -> list[Any]:
        """Return the JSON objects, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def words(self) -> str:
        """Both, as somebody at a terminal reads them."""
        return f"{self.error}{self.out}".strip()


class Command:
    """The command of a project, with a home of its own.

    Args:
        project: Directory with `foresight.toml`.
        home: The state directory.
        bake: Clean cycles before a release is permanent.
    """

    def __init__(self, project: Path, home: Path, *, bake: int) -> None:
        """Keep the paths; nothing runs yet."""
        self.home = home
        self._project = project
        foreign = {key for key in os.environ if key.startswith(OWN_PREFIXES)}
        self._environment = {key: value for key, value in os.environ.items() if key not in foreign}
        self._environment |= {
            "FORESIGHT_ENGINE_HOME": str(home),
            "FORESIGHT_ENGINE_PAGE": "127.0.0.1:0",  # a free port, which `up` prints
            "FORESIGHT_ENGINE_BAKE": str(bake),
        }
        self.is_up = False

    def up(self, *, speed: int, replay: Path | None, force: bool) -> str:
        """Start it; return the address of its page."""
        arguments = ["up", "--detach", "--speed", str(speed)]
        arguments += ["--replay", str(replay)] if replay is not None else []
        arguments += ["--force-filesystem"] if force else []
        self.is_up = True  # whatever comes of it, `down` is asked for
        answer = self.expect(ExitCode.DONE, *arguments, limit_s=UP_S_MAX)
        return answer.out.strip().removeprefix("page ")

    def down(self) -> None:
        """Stop it, if it was started; also one whose start was interrupted.

        Raises:
            CourseLeft: It still runs.
        """
        deadline_s = time.monotonic() + DOWN_S_MAX
        while self.is_up:
            answer = self.run("down", limit_s=DOWN_S_MAX)
            if answer.code == ExitCode.DONE or self._is_free():
                self.is_up = False
            elif time.monotonic() > deadline_s:
                what = f"it could not be stopped: {answer.error.strip()}"
                raise CourseLeft(what, f"FORESIGHT_ENGINE_HOME='{self.home}' foresight down")
            else:
                time.sleep(DOWN_PAUSE_S)

    def _is_free(self) -> bool:
        """Tell whether no launcher has the home: it takes it before it listens."""
        try:
            launcher_lock_free(self.home)
        except AnotherInCharge:
            return False
        except FileNotFoundError:
            return True  # it was never prepared
        return True

    def status(self) -> dict[str, Any]:
        """Return what `foresight status` shows."""
        status: dict[str, Any] = self.expect(ExitCode.DONE, "status", "--json").objects()[-1]
        return status

    def expect(
        self,
        code: int,
        *arguments: str,
        limit_s: float = COMMAND_S_MAX,
        hear: Callable[[str], None] = lambda _: None,
    ) -> Answer:
        """Run a command and require its exit code.

        Raises:
            CourseLeft: It ended in another way, or not in time.
        """
        answer = self.run(*arguments, limit_s=limit_s, hear=hear)
        if answer.code != code:
            words = answer.words[-WORDS_MAX:]
            what = f"foresight {arguments[0]} ended with {answer.code}, not {int(code)}: {words}"
            raise CourseLeft(what)
        return answer

    def run(
        self,
        *arguments: str,
        limit_s: float = COMMAND_S_MAX,
        hear: Callable[[str], None] = lambda _: None,
    ) -> Answer:
        """Run a command to its end; `hear` is told each line of its stderr as it comes.

        Raises:
            CourseLeft: It did not end in time.
        """
        return run_foresight(
            *arguments,
            environment=self._environment,
            directory=self._project,
            limit_s=limit_s,
            hear=hear,
        )


def run_foresight(
    *arguments: str,
    environment: Mapping[str, str],
    directory: Path | None = None,
    limit_s: float = COMMAND_S_MAX,
    hear: Callable[[str], None] = lambda _: None,
) -> Answer:
    """Run a `foresight` command to its end.

    Args:
        arguments: The command and its options.
        environment: All of its environment variables.
        directory: Where it runs; here if None.
        limit_s: Longest time it may take, seconds; then it is killed.
        hear: Told each line of its stderr as it comes.

    Raises:
        CourseLeft: It did not end in time.
    """
    # In a session of its own: an interrupt at the terminal is ours to answer.
    with (
        tempfile.TemporaryFile() as out,
        subprocess.Popen(
            [sys.executable, "-I", "-m", "foresight", *arguments],
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        ) as child,
    ):
        error = _heard(child, limit_s, hear)
        if child.returncode == -signal.SIGKILL:
            what = f"`foresight {' '.join(arguments)}` had not ended after {limit_s:g} s"
            raise CourseLeft(what)
        out.seek(0)
        return Answer(child.returncode, out.read().decode(errors="replace"), error)


def _heard(child: subprocess.Popen[str], limit_s: float, hear: Callable[[str], None]) -> str:
    """Wait for a child's end, at most so long; return its stderr, told line by line."""
    assert child.stderr is not None, "a pipe was asked for"
    limit = threading.Timer(limit_s, child.kill)
    limit.start()
    lines: list[str] = []
    try:
        for line in child.stderr:
            lines.append(line)
            hear(line.rstrip())
        child.wait()
    except BaseException:
        # What it has started itself, an installer for one, is its to end.
        child.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(INTERRUPT_S_MAX)
        child.kill()
        raise
    finally:
        limit.cancel()
    return "".join(lines)

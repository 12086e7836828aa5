"""`python -m tests.dashboard.deploying`: what a browser sees of deploys, and whoever asks the page.

    python -m tests.dashboard.deploying [--deploys 20] [--rounds 3] [--speed 60] [--json FILE]

A clone of the project runs by the real command; each deploy brings another number and another
page, its styles included. A browser looks all the time, and fifty requests a second come by a
connection each. At the end processes are stopped. Owns the course; what it proves is `showing`'s
matter.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from deploy import frozen_directory
from foresight.demo.project import Project
from foresight.demo.story import MEANT, SPEED
from foresight.evidence.command import Command
from foresight.evidence.errors import CannotBegin, EvidenceError
from foresight.evidence.narration import Narrator
from foresight.evidence.waiting import now_ns
from foresight.page_link import page_token
from handoff.child_signals import take_signals
from handoff.exit_codes import ExitCode
from state.errors import StateError
from state.record_file import RECORD, read_generation
from tests.dashboard import standstill
from tests.dashboard.asking import Asking
from tests.dashboard.chromium import PROGRAM, Chromium
from tests.dashboard.eyewitness import Eyewitness
from tests.dashboard.showing import Deployed, Evidence, prove

if TYPE_CHECKING:
    from collections.abc import Callable

    from foresight.demo.proof import Proof

DEPLOYS: Final = 20
ROUNDS: Final = 3
BAKE: Final = 1
TRIES: Final = 2  # of each deploy that is wanted
DEPLOY_S_MAX: Final = 240.0
SHOWN_S_MAX: Final = 20.0
LOOK_S: Final = 0.2
OWNER_LOOK_S: Final = 0.02
PAGE_FILE: Final = "foresight/dashboard/page.py"
STYLE_FILE: Final = "foresight/dashboard/static/dashboard.css"
SERVER: Final = '    "Server": "foresight",'
CHANGE: Final = "x-page-change"
SIGMAS: Final = 0.45  # of the five minutes' threshold, and a little more with each deploy


class PageProject(Project):
    """A clone of the project whose every commit changes a threshold and the page itself."""

    def change(self, number: int) -> str:
        """Commit a release; its page says which one it is in each answer, and has another style."""
        style = self.directory / STYLE_FILE
        lines = style.read_text(encoding="utf-8").splitlines()
        kept_lines = [line for line in lines if CHANGE not in line]
        style.write_text("\n".join([*kept_lines, f"/* {CHANGE} {number} */", ""]), encoding="utf-8")
        path = self.directory / PAGE_FILE
        before, found, rest = path.read_text(encoding="utf-8").partition(SERVER)
        if not found:
            what = f"{PAGE_FILE} has no line `{SERVER.strip()}`"
            raise CannotBegin(what, "the course marks the page's answers beside it")
        kept = "\n".join(line for line in rest.splitlines() if CHANGE not in line)
        marked = f'{before}{found}\n    "{CHANGE}": "{number}",{kept}\n'
        path.write_text(marked, encoding="utf-8")
        return self.change_strategy("5m", f"{SIGMAS + number / 1e3:.3f}")


class Owners:
    """Notes when the record named another release as the owner's; use it as a context manager."""

    def __init__(self, home: Path) -> None:
        self._path = home / "state" / RECORD
        self._stop = threading.Event()
        self.since_ms: dict[str, float] = {}
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        while not self._stop.wait(OWNER_LOOK_S):
            try:
                owner = read_generation(self._path).record.ownership.owner
            except (OSError, StateError):
                continue  # not there yet
            if owner is not None:
                self.since_ms.setdefault(owner.release, now_ns() / 1e6)


class Course:
    """One installation from its start to its end.

    Args:
        narrator: Tells it.
        deploys: How many.
        rounds: How often each kind of standstill is tried.
        speed: Market seconds per second.
    """

    def __init__(self, narrator: Narrator, *, deploys: int, rounds: int, speed: int) -> None:
        self._narrator = narrator
        self._deploys = deploys
        self._rounds = rounds
        self._speed = speed
        # A space in the name: nothing on the way may stumble over it.
        self.directory = Path(tempfile.mkdtemp(prefix="foresight page ")).resolve()
        self.home = self.directory / "home"
        self._command = Command(self.directory / "project", self.home, bake=BAKE)
        self._leaving = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything, whoever is impatient: what runs on would run for ever."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        self._leaving.close()

    def run(self) -> Proof:
        """Deploy, stop, and return what was seen.

        Raises:
            EvidenceError: It cannot begin, or something did not happen as it must.
        """
        self._begin()
        with Owners(self.home) as owners:
            with Asking(self._page, page_token(self.home), told_apart_by=CHANGE) as asking:
                done = self._deploy_all()
            seen, loads = self._witness.seen(), self._browser.loads - self._loads
        complaints = [*self._browser.failed, *self._browser.complaints]
        stood = self._stand_still() if seen is not None else {}
        return prove(
            Evidence(
                wanted=self._deploys,
                deploys=done,
                asked=asking.asked,
                seen=seen,
                loads=loads,
                complaints=complaints,
                owned_ms=owners.since_ms,
                stood=stood,
                seconds=self._narrator.elapsed_s(),
            )
        )

    def remove(self) -> None:
        """Remove all that was written."""
        frozen_directory.remove(self.directory)

    def _begin(self) -> None:
        self._narrator.say(f"everything happens in {self.directory}")
        self._project = PageProject(self.directory / "project")
        self._project.change(0)
        self._leaving.callback(self._command.down)
        self._page = self._up()
        self._narrator.say(f"it runs: {self._page}")
        self._browser = self._leaving.enter_context(Chromium(self.directory / "profile"))
        self._browser.screen(1440, 900)
        self._browser.open(f"{self._page}/#token={page_token(self.home)}")
        self._browser.expect_that("document.querySelector('[data-release]')", limit_s=SHOWN_S_MAX)
        self._witness = Eyewitness(self._browser)
        self._loads = self._browser.loads
        self._browser.failed.clear()
        self._browser.complaints.clear()

    def _up(self) -> str:
        return self._command.up(speed=self._speed, replay=None, force=True).rstrip("/")

    def _deploy_all(self) -> list[Deployed]:
        """Deploy until so many are permanent; a busy machine's gates may refuse some."""
        done: list[Deployed] = []
        while len(done) < TRIES * self._deploys:
            if sum(each.code == ExitCode.DONE for each in done) == self._deploys:
                break
            done.append(self._deploy(len(done) + 1))
        return done

    def _deploy(self, number: int) -> Deployed:
        commit = self._project.change(number)
        self._narrator.heading(f"deploy {number}, of {self._deploys} wanted: {commit}")
        words = ("deploy", "--json", "--wait", f"{DEPLOY_S_MAX:g}", *MEANT)
        with ThreadPoolExecutor(1) as pool:
            deploying = pool.submit(self._command.run, *words, limit_s=2 * DEPLOY_S_MAX)
            while not deploying.done():
                self._witness.wait_version("", limit_s=LOOK_S)  # what the browser says is taken
            answer = deploying.result()
        ended: dict[str, Any] = answer.objects()[-1] if answer.out else {}
        release, outcome = ended.get("release", ""), ended.get("outcome", "none")
        if answer.code == ExitCode.DONE:
            self._witness.wait_version(release, limit_s=SHOWN_S_MAX)
        self._narrator.say(f"{outcome}, exit code {answer.code} {ended.get('reason', '')}")
        return Deployed(release=release, outcome=outcome, code=answer.code)

    def _stand_still(self) -> dict[str, list[float | None]]:
        stood: dict[str, list[float | None]] = {}
        tries: dict[str, Callable[[Path, Eyewitness], float | None]] = {
            "page stopped": standstill.page_stopped,
            "all stopped": standstill.all_stopped,
            "launcher killed": standstill.launcher_killed,
        }
        for name, stop in tries.items():
            self._narrator.heading(name)
            for _ in range(self._rounds):
                stood.setdefault(name, []).append(stop(self.home, self._witness))
                self._narrator.say(f"seen after {stood[name][-1] or -1:.0f} ms")
                if stop is standstill.launcher_killed:
                    self._up()  # whoever runs on is found again
                    self._browser.expect_that("window.seen.gone === 0", limit_s=SHOWN_S_MAX)
        return stood


def main(argv: list[str] | None = None) -> int:
    """Run the course, print what it proves, and tell whether all of it holds."""
    parser = argparse.ArgumentParser(prog="python -m tests.dashboard.deploying")
    parser.add_argument("--deploys", type=int, default=DEPLOYS)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of each kind of standstill")
    parser.add_argument("--speed", type=int, default=SPEED, help="less for a busy machine")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers here")
    options = parser.parse_args(argv)
    if PROGRAM is None:
        sys.stderr.write("error: there is no chromium\nhint: install it (apt install chromium)\n")
        return ExitCode.FAILED
    take_signals()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    narrator = Narrator()
    course = Course(narrator, deploys=options.deploys, rounds=options.rounds, speed=options.speed)
    try:
        with course:
            proof = course.run()
    except KeyboardInterrupt:
        narrator.heading("interrupted: everything was stopped and removed")
        course.remove()
        return ExitCode.INTERRUPTED
    except EvidenceError as error:
        sys.stderr.write(f"error: {error}\nhint: {error.hint}\nkept: {course.directory}\n")
        return ExitCode.FAILED
    narrator.heading("the proof")
    for line in proof.lines:
        sign = narrator.tick if line.holds else narrator.cross
        narrator.plain(f"  {sign} {line.claim:<16} {line.found}")
    if options.json:
        options.json.write_text(json.dumps(proof.numbers, indent=1) + "\n", encoding="utf-8")
    if not proof.holds:
        sys.stderr.write(f"kept: {course.directory}\n")
        return ExitCode.FAILED
    course.remove()
    return ExitCode.DONE


def _interrupt(*_: Any) -> None:  # noqa: ANN401 - what a handler is called with
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())

"""Faults of the launcher, and of everything at once.

Owns how they are made. The launcher is started again with the environment that it had; where an
init system is faster, its launcher is taken as well.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from foresight.drill.faults import PERIODS_AFTER
from foresight.drill.scene import Scene, require
from foresight.evidence.errors import CourseLeft
from foresight.evidence.processes import send
from foresight.evidence.waiting import wait_for
from handoff.exit_codes import ExitCode
from handoff.limits import DRAIN_TIMEOUT_S
from handoff.log_events import LogEvent
from handoff.processes import proven_dead

if TYPE_CHECKING:
    from foresight.drill.instance import Instance
    from handoff.processes import Identity

COPY_S_MAX: Final = 30.0  # a launcher that is refused ends within a second
REPLACE_S_MAX: Final = 30.0  # its own trial run is bounded by 10


def killed(scene: Scene) -> str:
    """Kill the launcher, let the workers go on without one, start it again."""
    instance = scene.instance
    owner, workers, launcher = instance.owner(), set(instance.workers()), instance.launcher()
    instance.kill(launcher)
    instance.wait_cycles(PERIODS_AFTER, scene.limit_s)
    alone = not instance.is_led()
    scene.lead()
    _require_same_workers(instance, workers)
    require("the owner is another one", holds=instance.owner().worker == owner.worker)
    how = f"{PERIODS_AFTER} cycles without one" if alone else "restarted by its init system"
    return f"{how}; adopted {len(workers)} workers, pid {owner.pid} still owns, no twin"


def replaced(scene: Scene) -> str:
    """Let the launcher become the newest code in its own process."""
    instance = scene.instance
    workers, launcher = set(instance.workers()), instance.launcher()
    before, refused = _said(instance, LogEvent.LAUNCHER_REPLACED), _refusals(instance)
    send(launcher, signal.SIGUSR2)
    wait_for(
        "its new image",
        lambda: (
            _said(instance, LogEvent.LAUNCHER_REPLACED) > before or _refusals(instance) > refused
        ),
        REPLACE_S_MAX,
    )
    require("the new code was refused: see logs/launcher.log", holds=_refusals(instance) == refused)
    scene.lead()
    require("the launcher's process is another one", holds=instance.launcher() == launcher)
    _require_same_workers(instance, workers)
    return f"the same pid {launcher.pid} runs a new image; {len(workers)} workers untouched"


def second(scene: Scene) -> str:
    """Start another launcher in the same home."""
    launcher = scene.instance.launcher()
    said = scene.instance.call("up", "--detach")
    first = said.words.partition("\n")[0]
    require(f"exit code {said.code}: {first}", holds=said.code == ExitCode.ANOTHER)
    require("another launcher is in charge", holds=scene.instance.launcher() == launcher)
    return f"refused, exit code {said.code}"


def copied(scene: Scene) -> str:
    """Copy the home as `cp -a` does, and start a launcher in the copy."""
    instance = scene.instance
    workers = set(instance.workers())
    with tempfile.TemporaryDirectory(prefix="foresight-drill-") as place:
        copy = Path(place) / "home"
        copying = ["cp", "-a", str(instance.home), str(copy)]
        subprocess.run(copying, check=False, capture_output=True)  # noqa: S603 - a socket stays
        command = [sys.executable, "-I", "-m", "handoff", "launcher", "--home", str(copy)]
        code, said = _run_launcher(command)
        words = said.strip().partition("\n")[0]
        require(f"exit code {code}: {words}", holds=code == ExitCode.FAILED)
        both = str(copy) in said and str(instance.home) in said
        require(f"both homes are named, not: {words}", holds=both)
    _require_same_workers(instance, workers)
    return f"refused with both paths, exit code {code}; no worker touched"


def _run_launcher(command: list[str]) -> tuple[int, str]:
    """Return how a launcher that ought to be refused ended, and its words.

    One that is not refused is stopped, and with it what it started.
    """
    with subprocess.Popen(  # noqa: S603, TID251 - our own words; waited for right here
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as launcher:
        try:
            _, words = launcher.communicate(timeout=COPY_S_MAX)
        except subprocess.TimeoutExpired:
            launcher.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                launcher.communicate(timeout=2 * DRAIN_TIMEOUT_S)
            launcher.kill()
            message = "a launcher runs in the copy"
            raise CourseLeft(message) from None
    return launcher.returncode, words


def abort_nothing(scene: Scene) -> str:
    """Abort although no deploy is under way."""
    said = scene.instance.call("deploy", "--abort")
    require(f"exit code {said.code}: {said.words}", holds=said.code == ExitCode.DONE)
    return f'said at once: "{said.words}", exit code {said.code}'


def all_killed(scene: Scene) -> str:
    """Kill every process of the installation, start the launcher again."""
    instance = scene.instance
    owner = instance.owner()
    children = [*instance.children().values(), *instance.workers()]
    instance.kill(instance.launcher())  # first, so that it starts nothing again
    # The owner last, so that no standby comes to own in between.
    for each in sorted(children, key=lambda child: child.pid == owner.pid):
        instance.kill(each)
    require("something of it still runs", holds=all(map(proven_dead, children)))
    scene.lead()
    standby = instance.owner()
    require(f"{standby.release} owns, not {owner.release}", holds=standby.release == owner.release)
    return f"{len(set(children)) + 1} processes killed; {standby.release} owns again"


def _require_same_workers(instance: Instance, before: set[Identity]) -> None:
    now = set(instance.workers())
    pids = sorted(each.pid for each in now - before)
    require(f"new workers beside the adopted ones: {pids}", holds=now == before)


def _refusals(instance: Instance) -> int:
    return _said(instance, LogEvent.REPLACEMENT_REFUSED)


def _said(instance: Instance, event: LogEvent) -> int:
    """Return how often the launcher's log tells of an event."""
    log = (instance.home / "logs" / "launcher.log").read_text(encoding="utf-8", errors="replace")
    return log.count(f'"event": "{event.value}"')

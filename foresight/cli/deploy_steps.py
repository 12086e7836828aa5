"""Following a deploy: its steps as they come, until it has ended or nobody drives it any more.

Owns what is shown of each step. A deploy ends by its line in the history; a deployer that died
for good writes none, and the launcher, which starts it again, says whether there is one.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

from deploy import history, jobs, requests
from foresight.cli.moments import now_s, pause
from foresight.cli.output import detail, plain, progress
from foresight.errors import DeployUndriven
from handoff.commands.log_lines import LogLines
from handoff.commands.standing import bake_words
from handoff.errors import HandoffError, NotRunning
from handoff.launcher.written_down import from_plain, read_written
from handoff.processes import proven_dead
from handoff.rollout.launcher_client import LauncherClient
from handoff.wire import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

POLL_S: Final = 0.1
DRIVER_LOOK_S: Final = 1.0  # between two looks at whether the deployer lives
UNDRIVEN_S_MAX: Final = 5.0  # one that died is started again at once


def follow(home: Path, deploy: str, wait_s: float) -> dict[str, Any] | None:
    """Show a deploy's steps until it has ended; return its history entry, or None in time.

    Args:
        home: The state directory.
        deploy: Its id.
        wait_s: Longest wait, seconds; None is returned after it.

    Raises:
        DeployUndriven: It has not ended, and its deployer is not there any more.
        NotRunning: As above, and neither is the launcher.
    """
    log = home / "logs" / f"{jobs.job_name(deploy)}.log"
    deadline_s = time.monotonic() + wait_s
    driver = DriverWatch(lambda: _is_driven(home, deploy))
    for step in _steps(log):
        if step is not None:
            _show(step)
            continue
        # Asked first: a deployer writes its line before it leaves.
        gone = driver.is_gone(time.monotonic())
        ended = _ended(home, deploy)
        if ended is not None:
            return dict(plain(ended))
        if gone:
            raise _fault(home, deploy, log)
        if time.monotonic() > deadline_s:
            return None
        pause(POLL_S)
    return None


def follow_elsewhere(home: Path, deploy: str, wait_s: float) -> dict[str, Any] | None:
    """Wait for the end of another host's deploy, which comes here as a line of the history.

    Args:
        home: The state directory.
        deploy: Its id.
        wait_s: Longest wait, seconds; None is returned after it.
    """
    deadline_s = time.monotonic() + wait_s
    while time.monotonic() < deadline_s:
        ended = _ended(home, deploy)
        if ended is not None:
            return dict(plain(ended))
        pause(POLL_S)
    return None


class DriverWatch:
    """Notices that nobody drives a deploy.

    Args:
        is_driven: Whether its deployer runs.
    """

    def __init__(self, is_driven: Callable[[], bool]) -> None:
        """Start without having looked."""
        self._is_driven = is_driven
        self._looked_s = -DRIVER_LOOK_S
        self._missing_since_s: float | None = None

    def is_gone(self, now_s: float) -> bool:
        """Look, if it is time to, and tell whether it was missing for too long.

        Args:
            now_s: Seconds on a clock that never steps, not less than at the call before.
        """
        if now_s - self._looked_s >= DRIVER_LOOK_S:
            self._looked_s = now_s
            if self._is_driven():
                self._missing_since_s = None
            elif self._missing_since_s is None:
                self._missing_since_s = now_s
        since_s = self._missing_since_s
        return since_s is not None and now_s - since_s >= UNDRIVEN_S_MAX


def _is_driven(home: Path, deploy: str) -> bool:
    name = jobs.job_name(deploy)
    try:
        with LauncherClient(home) as client:
            children = client.ask(Kind.STATUS)["children"]
    except HandoffError:
        return _outlived(home, name)
    return any(child["name"] == name for child in children)


def _outlived(home: Path, name: str) -> bool:
    """Tell whether a job lives on without a launcher: it waits for the next one, as workers do."""
    written = [from_plain(each, now_s=0.0) for each in read_written(home).get("children", [])]
    found = next((each for each in written if each is not None and each.child.name == name), None)
    return found is not None and not proven_dead(found.identity)


def _fault(home: Path, deploy: str, log: Path) -> DeployUndriven | NotRunning:
    try:
        with LauncherClient(home) as client:
            client.ask(Kind.STATUS)
    except NotRunning:
        return NotRunning(f"nothing runs under {home} any more, and deploy {deploy} has not ended")
    except HandoffError:
        pass  # it is there, which is all that was asked
    return DeployUndriven(deploy, _last_words(log))


def _ended(home: Path, deploy: str) -> history.Entry | None:
    """Return how the newest try of a deploy ended, or None while the deploy goes on."""
    if any(each.deploy == deploy for each in requests.open_requests(home)):
        return None  # a try may have ended; the deploy has not
    entries = reversed(history.read_history(home).entries)
    return next((each for each in entries if requests.deploy_of(each.deploy) == deploy), None)


def _last_words(log: Path) -> str:
    """Return the last line that the deployer meant neither as a step nor as advice."""
    said = [line for line in LogLines().new(log) if not line.startswith(("{", "hint:"))]
    return next((line.strip() for line in reversed(said) if line.strip()), "")


def _show(step: dict[str, Any]) -> None:
    detail(json.dumps(step))
    text = _words(step)
    if text:
        progress(text)


def _steps(log: Path) -> Iterator[dict[str, Any] | None]:
    """Yield the deployer's steps as they come, and None whenever there is none yet."""
    lines = LogLines()
    while True:
        for line in lines.new(log):
            if line.startswith("{"):
                yield json.loads(line)
        yield None


def _words(step: dict[str, Any]) -> str:  # noqa: PLR0911 - one line per kind of step
    match step:
        case {"gate": gate, "result": result, "evidence": evidence}:
            return f"  {gate}: {result} ({evidence})"
        case {"event": "GatePassed", "gate": gate, "evidence": evidence, "seconds": seconds}:
            return f"  {gate}: passed ({evidence}, {seconds} s)"
        case {"event": "GateFailed", "gate": gate, "reason": reason}:
            return f"  {gate}: failed ({reason})"
        case {"event": "Took", "cycle": cycle, "boundary_ms": boundary_ms}:
            left_s = max(0.0, boundary_ms / 1000 - now_s())
            return f"  took cycle {cycle}, its boundary is in {left_s:.2f} s"
        case {"event": "CycleSettled", "clean_cycles": clean, "of": of}:
            return f"  {bake_words(clean, of)}"
        case {"warning": words}:
            return f"warning: {words}"
        case {"phase": "inputs"}:
            return "nobody got inputs; it is tried again once the running release gets some"
        case {"phase": phase} if "event" not in step:
            return str(phase)
        case _:
            return ""

"""Waiting until an installation that was struck is what it was before.

Owns what calm means: one worker owns and the launcher knows it, nothing bakes, nobody else
wants to own, and every cycle that was due is run. A candidate that nobody drives any more is
stopped, as its operator would, and named.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Final

from handoff.errors import HandoffError
from handoff.wire import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.installation import Installation

CALM_S_MAX: Final = 120.0  # a process that stands still is ended after 30 s


def wait_calm(
    installation: Installation, is_present: Callable[[], bool], *, patience_s: float
) -> list[str]:
    """Wait for calm; return the deploys whose candidates had to be stopped.

    Args:
        installation: Which.
        is_present: Tells whether every cycle that was due is run.
        patience_s: A candidate that is there for longer has nobody who drives it.

    Raises:
        NeverCame: It stayed restless.
    """
    abandoned: list[str] = []
    since_s = time.monotonic()

    def is_calm() -> bool:
        waiting = _candidates(installation)
        if time.monotonic() - since_s > patience_s:
            _stop(installation, [each for each in waiting if each not in abandoned])
            abandoned.extend(each for each in waiting if each not in abandoned)
        return not waiting and _is_owned(installation) and is_present()

    installation.wait(is_calm, "calm", limit_s=CALM_S_MAX)
    return abandoned


def _candidates(installation: Installation) -> list[str]:
    """Return the deploys of the candidates that nobody has asked to leave."""
    return [
        child["deploy_id"]
        for child in installation.children()
        if child["role"] == "candidate" and child["stopping_s"] is None
    ]


def _stop(installation: Installation, deploys: list[str]) -> None:
    for deploy in deploys:
        with contextlib.suppress(HandoffError):
            installation.ask(Kind.STOP_CANDIDATE, deploy=deploy)


def _is_owned(installation: Installation) -> bool:
    record = installation.record()
    if record is None or record.ownership.owner is None or record.rollout is not None:
        return False
    pid = record.ownership.owner.pid
    return any(int(each["pid"]) == pid and each["owner"] for each in installation.children())

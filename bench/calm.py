"""Waiting until an installation that was struck is what it was before.

Owns what calm means: one worker owns and the launcher knows it, nothing bakes, and every cycle
that was due is run. A candidate that nobody drives any more may be left: the next deploy must
not mind it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.installation import Installation

CALM_S_MAX: Final = 120.0  # a process that stands still is ended after 30 s


def wait_calm(
    installation: Installation, is_present: Callable[[], bool], *, limit_s: float = CALM_S_MAX
) -> list[str]:
    """Wait for calm; return the deploys that left a candidate behind.

    Args:
        installation: Which.
        is_present: Tells whether every cycle that was due is run.
        limit_s: Longest wait; longer than the launcher's window of starts where many were used up.

    Raises:
        NeverCame: It stayed restless.
    """
    installation.wait(lambda: _is_owned(installation) and is_present(), "calm", limit_s=limit_s)
    return [
        child["deploy_id"]
        for child in installation.children()
        if child["role"] == "candidate" and child["stopping_s"] is None
    ]


def _is_owned(installation: Installation) -> bool:
    record = installation.record()
    if record is None or record.ownership.owner is None or record.rollout is not None:
        return False
    pid = record.ownership.owner.pid
    return any(int(each["pid"]) == pid and each["owner"] for each in installation.children())

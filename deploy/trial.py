"""A program of the application that tries two releases: started, awaited, its verdict read.

Owns the process and what its end means. What is tried, over what, and what it allows is the
program's: it prints one verdict. What it cannot find out is refused only where that was wished.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final

import msgspec

from deploy import commands
from deploy.verification import engine_environment
from handoff.gate_verdict import LIMITS_S, GateName, GateVerdict, failed, skipped
from handoff.launcher.children import child_environment
from handoff.logs import last_words

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from handoff.wish import Trial

INTERRUPTED: Final = "interrupted"


def tried(
    home: Path,
    trial: Trial,
    running: str,
    candidate: str,
    *,
    stop: Callable[[], bool] = lambda: False,
    limit_s: float = LIMITS_S[GateName.BACKTEST],
) -> GateVerdict:
    """Let the application try two releases; return what it allows.

    Args:
        home: The state directory; both releases are built there.
        trial: The program.
        running: The release that owns.
        candidate: The release that is to own.
        stop: Asked a few times a second; True gives it up.
        limit_s: Longest time, seconds.
    """
    begun_s = time.monotonic()
    releases = ["--home", str(home), "--running", running, "--candidate", candidate]
    done = commands.run(
        [sys.executable, "-I", "-m", trial.program, *trial.arguments, *releases],
        limit_s=limit_s,
        environment=child_environment(engine_environment(home)),
        stop=stop,
    )
    seconds = round(time.monotonic() - begun_s, 3)
    if done.timed_out and stop():
        return skipped(GateName.BACKTEST, INTERRUPTED)
    fault = _fault_of(done, limit_s)
    if not fault:
        said = msgspec.json.decode(done.output, type=GateVerdict)
        return msgspec.structs.replace(said, seconds=seconds)
    reason = f"it cannot be told: {fault}"
    if trial.refuses:
        return failed(GateName.BACKTEST, reason, seconds=seconds)
    return skipped(GateName.BACKTEST, reason)


def _fault_of(done: commands.Finished, limit_s: float) -> str:
    if done.timed_out:
        return f"it took longer than {limit_s:g} s"
    if done.code:
        return last_words(done.errors) or f"exit code {done.code}"
    return "" if done.output else "it ended without an answer"

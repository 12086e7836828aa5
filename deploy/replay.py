"""Replay by a release that wants to run: two processes and a pipe between them.

Owns the two processes and what their ends mean. The running release tells its newest cycles,
the candidate decides them; neither observes or performs anything. What is then allowed is
arithmetic, in `gates`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from deploy import commands
from deploy.gates import effects_gate, replay_gate
from deploy.verification import engine_environment
from handoff.gate_verdict import LIMITS_S, GateName, GateVerdict, failed, skipped
from handoff.launcher.children import child_environment
from handoff.logs import last_words
from handoff.replay.comparison import Comparison

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from handoff.release_files import Manifest
    from handoff.wish import Wish

_UNKNOWN_COMMAND: Final = b"invalid choice"  # an engine from before replays
_USAGE: Final = 2


class Replayed(NamedTuple):
    """What came of a replay.

    Attributes:
        comparison: What the candidate found, or None where it did not get so far.
        seconds: How long it took.
        skipped: Why the two releases cannot be compared, or empty.
        source_fault: Why the running release could not tell its cycles, or empty.
        candidate_fault: Why the candidate could not decide them, or empty.
    """

    comparison: Comparison | None
    seconds: float
    skipped: str = ""
    source_fault: str = ""
    candidate_fault: str = ""


def replay(
    home: Path,
    running: Manifest,
    candidate: Manifest,
    *,
    last: int,
    stop: Callable[[], bool] = lambda: False,
    limit_s: float = LIMITS_S[GateName.REPLAY],
) -> Replayed:
    """Let a candidate decide the newest cycles of the release that runs.

    Args:
        home: The state directory.
        running: The release that decided them.
        candidate: The release that decides them again.
        last: How many; 0 compares what the two releases say of themselves.
        stop: Asked a few times a second; True gives it up.
        limit_s: Longest time, seconds.
    """
    begun_s = time.monotonic()
    telling = running.program("recorded", "--home", str(home), "--last", str(last))
    replaying = candidate.program("redecide", "--home", str(home))
    source, sink = commands.run_pair(
        [*telling, "--release", running.release],
        [*replaying, "--release", candidate.release],
        limit_s=limit_s,
        environments=(_environment(home, running), _environment(home, candidate)),
        stop=stop,
    )
    seconds = round(time.monotonic() - begun_s, 3)
    if any(_knows_no_replay(each) for each in (source, sink)):
        skipped = "one of the two releases has an engine that knows no replay"
        return Replayed(None, seconds, skipped=skipped)
    if source.timed_out:
        if stop():
            return Replayed(None, seconds, skipped="interrupted")
        reason = f"it took longer than {limit_s:g} s; [engine] replay says how many cycles"
        return Replayed(None, seconds, candidate_fault=reason)
    # The candidate first: where it died, the other one found nobody to tell.
    if sink.code or not sink.output:
        return Replayed(None, seconds, candidate_fault=_fault_of(sink))
    if source.code:
        return Replayed(None, seconds, source_fault=_fault_of(source))
    return Replayed(msgspec.json.decode(sink.output, type=Comparison), seconds)


def gates_of(replayed: Replayed, wish: Wish) -> tuple[GateVerdict, ...]:
    """Return what a replay says as gates: the cycles first, then the effects."""
    seconds, found = replayed.seconds, replayed.comparison
    if replayed.candidate_fault:
        return (failed(GateName.REPLAY, replayed.candidate_fault, seconds=seconds),)
    if found is None:
        reason = replayed.skipped
        if replayed.source_fault:
            # What cannot be compared is refused, unless somebody looked.
            reason = f"the running release cannot tell its cycles: {replayed.source_fault}"
            if not wish.allow_differences:
                return (failed(GateName.REPLAY, reason, seconds=seconds),)
        return skipped(GateName.REPLAY, reason), skipped(GateName.EFFECTS, reason)
    compared = (
        replay_gate(found, wish, seconds=seconds)
        if wish.replay
        else skipped(GateName.REPLAY, "[engine] replay is 0")
    )
    return compared, effects_gate(found, wish)


def _environment(home: Path, manifest: Manifest) -> dict[str, str]:
    # What a worker gets now, and not what this process got when it was started: an `up` may have
    # come in between. Without what is handed to workers alone: a replay asks nobody outside.
    return child_environment([*engine_environment(home), *manifest.variables().items()])


def _knows_no_replay(ended: commands.Finished) -> bool:
    return ended.code == _USAGE and _UNKNOWN_COMMAND in ended.errors


def _fault_of(ended: commands.Finished) -> str:
    if not ended.code:
        return "it ended without an answer"
    words = last_words(ended.errors)
    how = f"signal {-ended.code}" if ended.code < 0 else f"exit code {ended.code}"
    return f"{how}: {words}" if words else how

"""Which editions of a companion run: what lives and what is known go in, what to do comes out.

Owns the table of editions. A companion's edition is its program as one release brings it, or as
the installation does. Two places: the first is the companion's own name, and whoever has it
serves; beside it the edition of a new permanent release gets ready on the same socket. A launcher
that knows nothing of editions keeps the first and ends the other. Nothing is started or ended
here; what time it is comes in. Standard library only.

| first place | second place | known | done |
| --- | --- | --- | --- |
| empty | ready | | the second takes the first place |
| empty | empty, or not ready | | start there the one that was ready last, or the installation's |
| of a release, silent too long | | | end it; its release is given up |
| living | ready | | end the first: the second answers already |
| living | empty | another release is wanted, the socket is ours | start its edition |
| living | empty | the same, the socket never came | end the first, to bind the port again |
| | not ready | its release is wanted no more | end it |
| | silent too long | | end it; its release is given up |

What is given up is not tried again until another release is wanted, or another launcher runs.
"""

from __future__ import annotations

from handoff.light_typing import TYPE_CHECKING, NamedTuple
from handoff.light_value import Value
from handoff.limits import COMPANION_READY_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handoff.launcher.supervision import Child


class Known(NamedTuple):
    """What is known of a companion that releases bring, besides who lives.

    Attributes:
        wanted: The permanent release; empty while there is none, or where only the installation
            brings the companion.
        ready: The release whose edition was ready last; empty for the installation's own.
        why: Why the edition of the wanted release is not used; empty while it may be.
    """

    wanted: str = ""
    ready: str = ""
    why: str = ""


class Start(Value):
    """Start an edition.

    Attributes:
        release: Of which release; empty for the installation's own.
        beside: In the second place.
    """

    release: str
    beside: bool = False


class End(Value):
    """Ask an edition to leave: it accepts nothing more and finishes what it accepted."""

    name: str


class GiveUp(Value):
    """Use the edition of a release no more.

    Attributes:
        release: Which.
        why: For people.
    """

    release: str
    why: str


class TakePlace(Value):
    """Let the edition of the second place have the first."""

    name: str


Action = Start | End | GiveUp | TakePlace


class Seen(NamedTuple):
    """All that the rules look at, of one companion.

    Attributes:
        first: The living child of the first place, or None.
        second: That of the second place, or None.
        known: What is known.
        now_s: Monotonic time.
        has_socket: The launcher has what it listens on, or it listens on nothing.
        pauses: Earliest monotonic time of the next start, by release.
    """

    first: Child | None
    second: Child | None
    known: Known
    now_s: float
    has_socket: bool
    pauses: Mapping[str, float]


def plan(seen: Seen) -> list[Action]:
    """Return what is to be done now; an empty list where all is as it should be."""
    return [*_plan_first(seen), *_plan_second(seen)]


def is_edition(child: str, companion: str) -> bool:
    """Tell whether a child's name is that of a companion in either of its places."""
    return child == companion or child.startswith(f"{companion}-")


def with_wanted(known: Known, release: str) -> Known:
    """Return what is known once a release is permanent; another one is tried afresh."""
    return known if known.wanted == release else Known(release, known.ready)


def with_ready(known: Known, release: str) -> Known:
    """Return what is known once the edition of a release said that it is ready."""
    return known._replace(ready=release, why="" if release == known.wanted else known.why)


def given_up(known: Known, release: str, why: str) -> Known:
    """Return what is known once a release's edition is used no more.

    The installation's own is never given up: nothing would be left.
    """
    if not release:
        return known
    return Known(
        wanted=known.wanted,
        ready="" if known.ready == release else known.ready,
        why=why if known.wanted == release else known.why,
    )


def _plan_first(seen: Seen) -> list[Action]:
    first, second, known = seen.first, seen.second, seen.known
    if first is None:
        if second is not None and _serves(second):
            return [TakePlace(second.name)]
        return [Start(known.ready)] if _may_start(seen, known.ready) else []
    if first.stopping_s is not None:
        return []
    if _is_silent(first, seen.now_s):
        return _ended_silent(first)
    if second is not None and _serves(second):
        return [End(first.name)]
    # An adopted one that knows nothing of this has the socket alone.
    waited = seen.now_s > first.started_s + COMPANION_READY_S
    return [End(first.name)] if _missing(seen) and not seen.has_socket and waited else []


def _plan_second(seen: Seen) -> list[Action]:
    second, missing = seen.second, _missing(seen)
    if second is None:
        ready_to = seen.first is not None and seen.has_socket and _may_start(seen, missing)
        return [Start(missing, beside=True)] if missing and ready_to else []
    if second.warm or second.stopping_s is not None:
        return []
    if second.release != missing:
        return [End(second.name)]
    return _ended_silent(second) if _is_silent(second, seen.now_s) else []


def _missing(seen: Seen) -> str:
    """Return the wanted release where another edition serves, or would; empty where none is."""
    known = seen.known
    serves = known.ready if seen.first is None else seen.first.release
    return "" if known.why or serves == known.wanted else known.wanted


def _may_start(seen: Seen, release: str) -> bool:
    return seen.now_s >= seen.pauses.get(release, 0.0)


def _serves(child: Child) -> bool:
    return child.warm and child.stopping_s is None


def _is_silent(child: Child, now_s: float) -> bool:
    # The installation's own may be older than the word.
    return bool(child.release) and not child.warm and now_s > child.started_s + COMPANION_READY_S


def _ended_silent(child: Child) -> list[Action]:
    why = f"it did not say that it is ready within {COMPANION_READY_S:g} s"
    return [End(child.name), GiveUp(child.release, why)]

"""The turn: one deploy at a time, and who ends the waiting for it.

Owns the lock that the deploy under way holds. Whoever waits is told at once of an abort and of a
newer request, also where that one came and ended while nobody drove this one. A bake whose deployer
died still has the turn: the deployer is started again, or the bake ends without it.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Final

from filelock import FileLock, Timeout

from deploy import history, inputs, interpreters, requests, way_back
from deploy.errors import InputsTimeout, TurnTimeout
from handoff.errors import ReleaseUnusable
from handoff.limits import READY_TIMEOUT_S
from handoff.release_files import read_manifest
from handoff.rollout.events import AbortAsked, Superseded
from state.errors import StateError
from state.local_store import read_only_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LOCK: Final = "deploy.lock"
POLL_S: Final = 0.2
# The longest bake that can be wished for: 10 000 cycles of an hour. What was merged during a bake
# is still wanted after it, and whoever holds the lock without living has lost it.
TURN_S_MAX: Final = 10_000 * 3600.0
INPUTS_S_MAX: Final = 30 * 86_400.0  # an outage of a month is a person's to look at


@contextlib.contextmanager
def taken(
    home: Path,
    request: requests.Request,
    *,
    held: bool,
    waits: Callable[[], None],
    asks: Callable[[], AbortAsked | Superseded | None],
) -> Iterator[AbortAsked | Superseded | None]:
    """Yield None once a deploy is the one under way, or who ended its waiting.

    Args:
        home: The state directory.
        request: Its request.
        held: It was approved already, so that it may own: nothing ends its waiting then.
        waits: Called again and again while it waits.
        asks: Likewise; returns who ends the waiting, here or on another host.

    Raises:
        TurnTimeout: The deploy before it did not end.
    """
    path = home / "run" / LOCK
    lock = FileLock(path, mode=0o600, thread_local=False, fallback_to_soft=False)
    deadline_s = time.monotonic() + TURN_S_MAX
    while not _acquired(lock, home, request, held=held):
        asked = asks()
        ended = None if held else asked
        if ended is not None:
            yield ended
            return
        way_back.ask(home, request)
        if time.monotonic() > deadline_s:
            raise TurnTimeout(TURN_S_MAX)
        waits()
    try:
        yield None if held else _ended_before(home, request)
    finally:
        lock.release()


def await_owner(home: Path, request: requests.Request) -> None:
    """Wait until somebody owns: after a start of everything the owner comes up beside the deploy.

    Where nobody comes up in time, or can come up, the deploy goes on without: it may be what helps.
    """
    if _cannot_come_up(home):
        return
    deadline_s = time.monotonic() + READY_TIMEOUT_S
    while read_only_snapshot(home / "state").ownership.owner is None:
        asked = requests.interruption(home, request, is_replaceable=True)
        if asked is not None or time.monotonic() > deadline_s:
            return
        time.sleep(POLL_S)  # noqa: TID251 - nothing tells when a release owns


def _cannot_come_up(home: Path) -> bool:
    """Tell whether nobody owns, and the interpreter of the release that did is gone."""
    held = read_only_snapshot(home / "state").ownership
    if held.owner is not None or not held.release:
        return False
    with contextlib.suppress(ReleaseUnusable):
        return interpreters.fault(read_manifest(home, held.release)) != ""
    return True


def await_inputs(
    home: Path,
    request: requests.Request,
    failed: str,
    asks: Callable[[], AbortAsked | Superseded | None],
) -> AbortAsked | Superseded | None:
    """Wait until what runs gets inputs; return who ended the waiting, or None.

    Args:
        home: The state directory.
        request: The request that waits.
        failed: The release whose bake had none.
        asks: As for `taken`.

    Raises:
        InputsTimeout: They did not come.
    """
    overtaken = _overtaken(home, request)
    if overtaken is not None:
        return overtaken
    waiting = inputs.Waiting(home, failed)
    deadline_s = time.monotonic() + INPUTS_S_MAX
    while not waiting.is_over():
        ended = asks()
        if ended is not None:
            return ended
        if time.monotonic() > deadline_s:
            raise InputsTimeout(INPUTS_S_MAX)
        time.sleep(POLL_S)  # noqa: TID251 - nothing tells when a cycle is decided
    return None


def is_near(home: Path, request: requests.Request) -> bool:
    """Tell whether a request that is driven again deploys at once: nobody ended it meanwhile.

    One whose try before had no inputs waits until what runs gets some.
    """
    return _owns(home, request) or (not request.tries and _ended_before(home, request) is None)


def words(ended: AbortAsked | Superseded) -> str:
    """Return who ended the waiting, as the history says it."""
    return f"{'aborted' if isinstance(ended, AbortAsked) else 'superseded'} by {ended.by}"


def _ended_before(home: Path, request: requests.Request) -> AbortAsked | Superseded | None:
    asked = requests.interruption(home, request, is_replaceable=True)
    return _overtaken(home, request) if asked is None else asked


def _overtaken(home: Path, request: requests.Request) -> Superseded | None:
    """Return the newer deploy that came and ended while nobody drove this one, if there is one.

    However it ended, whoever asked for it wanted this one no more: begun again, it would put an
    old release in charge.
    """
    newest = history.newest_asked(home)
    if newest is None or newest.requested_ms <= history.asked_ms(request.requested_ns):
        return None
    if requests.deploy_of(newest.deploy) == request.deploy or _owns(home, request):
        return None
    return Superseded(newest.deploy)


def _owns(home: Path, request: requests.Request) -> bool:
    with contextlib.suppress(StateError):
        rollout = read_only_snapshot(home / "state").rollout
        return rollout is not None and rollout.deploy_id == request.attempt
    return False


def _acquired(lock: FileLock, home: Path, request: requests.Request, *, held: bool) -> bool:
    with contextlib.suppress(Timeout):
        lock.acquire(timeout=POLL_S, poll_interval=POLL_S / 4)
        if held or not _is_baking(home, request):
            return True
        lock.release()
        time.sleep(POLL_S)  # noqa: TID251 - nothing tells when a bake ends
    return False


def _is_baking(home: Path, request: requests.Request) -> bool:
    """Tell whether another deploy bakes whose deployer is to come back."""
    with contextlib.suppress(StateError):
        rollout = read_only_snapshot(home / "state").rollout
        if rollout is None or way_back.bake_to_return_from(home, request.release):
            return False
        others = {each.attempt for each in requests.open_requests(home)} - {request.attempt}
        return rollout.deploy_id in others
    return False

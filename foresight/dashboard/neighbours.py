"""The other bots of this user on this machine, with the ports of their pages.

Owns the look for them, in a thread of its own and not too often: launchers are found among the
processes, and each is asked where its page listens. No token is read and none is told. Who does not
answer, or has no page, is nobody to link to.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from foresight.dashboard.snapshot import Neighbour
from handoff.commands.launchers import launchers
from handoff.errors import HandoffError
from handoff.rollout.launcher_client import LauncherClient
from handoff.wire import Kind

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PAGE: Final = "dashboard"  # what launchers call the socket of a page
LOOK_S: Final = 10.0  # between two looks, while somebody looks at us
ASKED_MAX: Final = 16  # launchers; one that hangs costs its limit, and this look is no hurry


class Neighbours:
    """Who else runs here.

    Args:
        home: The state directory that is our own.
        look: Finds them; another one in tests.

    Attributes:
        known: What the last look found.
    """

    def __init__(
        self, home: Path, look: Callable[[Path], tuple[Neighbour, ...]] | None = None
    ) -> None:
        """Begin with nobody."""
        self._home = home
        self._find = look or others
        self._looked_s = -LOOK_S
        self._task: asyncio.Task[None] | None = None
        self.known: tuple[Neighbour, ...] = ()

    def look(self) -> None:
        """Begin another look where the last one is old and over; its answer comes later."""
        is_over = self._task is None or self._task.done()
        if is_over and time.monotonic() - self._looked_s >= LOOK_S:
            self._looked_s = time.monotonic()
            self._task = asyncio.create_task(self._look(), name="page neighbours")

    async def _look(self) -> None:
        self.known = await asyncio.to_thread(self._find, self._home)

    async def wait_fresh(self) -> tuple[Neighbour, ...]:
        """Return who runs here, as of a look that is not old."""
        self.look()
        if self._task is not None:
            await asyncio.wait({self._task})
        return self.known

    async def end(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})


def others(home: Path) -> tuple[Neighbour, ...]:
    """Return the other bots of this user that have a page, by their homes.

    Args:
        home: The state directory that is our own.
    """
    found = [each for each in launchers() if not _is_same(each.home, home)]
    asked = (_asked(each.home) for each in found[:ASKED_MAX])
    return tuple(each for each in asked if each is not None)


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False  # one of them is gone


def _asked(home: Path) -> Neighbour | None:
    try:
        with LauncherClient(home) as client:
            said = client.ask(Kind.STATUS)
    except (HandoffError, OSError, ValueError):
        return None
    port = str(said.get("listening", {}).get(PAGE, "")).rpartition(":")[2]
    if not (port.isascii() and port.isdigit()):
        return None
    return Neighbour(name=str(said.get("app") or home.name), port=int(port))

"""One view of a home directory, made anew when the files or the time ask for it.

Owns when that is. Whoever looks gets the same view, however many look.
"""

import sys
import traceback
from dataclasses import replace
from typing import Final

from foresight.dashboard.figures import Verdict
from foresight.dashboard.neighbours import Neighbours
from foresight.dashboard.snapshot import Neighbour, Snapshot, Trouble
from foresight.dashboard.source import Source
from foresight.dashboard.view import View, view_of
from handoff.limits import MS
from handoff.worker.boundary_clock import system_clock

POLL_S: Final = 0.2  # a look at five files' dates; a change shows within it
REDRAW_NS: Final = 1_000_000_000  # what time alone changes: overdue, a window that ends


class Reader:
    """The newest view.

    Args:
        source: What is read.
        neighbours: The other bots of this user; None where nobody is to be looked for.
        may_act: Whether whoever is let in may act, too.

    Attributes:
        snapshot: What the newest view was made of.
    """

    def __init__(
        self, source: Source, neighbours: Neighbours | None = None, *, may_act: bool = False
    ) -> None:
        """Keep the source; nothing is read yet."""
        self._source = source
        self._neighbours = neighbours
        self._may_act = may_act
        self._clock = system_clock()
        self._drawn_ns = 0
        self._view: View | None = None
        self.snapshot = Snapshot()

    def now_ms(self) -> int:
        """Return wall-clock milliseconds."""
        return self._clock.now_ns() // MS

    def view(self) -> View:
        """Return the view as it is now."""
        changed = self._source.refresh()
        now_ns = self._clock.now_ns()
        if changed or self._view is None or not 0 <= now_ns - self._drawn_ns < REDRAW_NS:
            self._view = self._make(now_ns // MS)
            self._drawn_ns = now_ns
        return self._view

    def _make(self, now_ms: int) -> View:
        try:
            self.snapshot = replace(self._source.snapshot(), neighbours=self._beside())
            view = view_of(self.snapshot, now_ms=now_ms, before=self._verdict())
            return replace(view, may_act=self._may_act)
        except Exception as error:  # noqa: BLE001 - values nobody foresaw must not end the page
            traceback.print_exc(file=sys.stderr)
            text = f"What was read makes no sense to this page: {type(error).__name__}: {error}."
            trouble = Trouble(level="stop", text=text, hint="see the log of the dashboard")
            self.snapshot = Snapshot(troubles=(trouble,))
            return view_of(self.snapshot, now_ms=now_ms)

    def _verdict(self) -> Verdict | None:
        figures = self._view.figures if self._view is not None else None
        return figures.verdict if figures is not None else None

    def _beside(self) -> tuple[Neighbour, ...]:
        return self._neighbours.known if self._neighbours is not None else ()

    def look_beside(self) -> None:
        """Look for the other bots again, where the last look is old; what it finds comes later."""
        if self._neighbours is not None:
            self._neighbours.look()

    async def pause(self) -> None:
        """Wait until it is worth looking again."""
        await self._clock.pause(POLL_S)

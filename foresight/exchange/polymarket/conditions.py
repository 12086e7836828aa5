"""Which window a condition id stands for.

Owns the search: an id is a digest, so it is looked for among the windows of a day either way, those
nearest first. Must never enter: HTTP, tables of issued ids, clocks.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from foresight.exchange.market.windows import TIMEFRAME_SECONDS, Window, window_at
from foresight.exchange.market_clock import NS_PER_SECOND
from foresight.exchange.polymarket.tokens import condition_id

_REACH_S: Final = 86_400
_KNOWN_MAX: Final = 65_536  # a day of a board of a hundred slots; then they are found anew
_SHAPE: Final = re.compile(r"0x[0-9a-f]{64}", re.ASCII)


class Conditions:
    """The windows of one board by their condition ids."""

    def __init__(self, assets: Sequence[str]) -> None:
        """Begin with none found.

        Args:
            assets: The board's.
        """
        self._assets = assets
        self._known: dict[str, Window] = {}
        self._searched = -1

    def window_of(self, text: str, market_ns: int) -> Window | None:
        """Return the window of a condition id, or None if none of a day either way has it."""
        if not _SHAPE.fullmatch(text):
            return None
        known = self._known.get(text)
        step = market_ns // (min(TIMEFRAME_SECONDS.values()) * NS_PER_SECOND)
        if known is not None or step == self._searched:
            return known  # the day's windows are known: what is not among them is nobody's
        if len(self._known) >= _KNOWN_MAX:
            self._known.clear()
        for window in islice(_nearest(self._assets, market_ns), _KNOWN_MAX):
            found = condition_id(window)
            self._known[found] = window
            if found == text:
                return window
        self._searched = step
        return None


def _nearest(assets: Sequence[str], market_ns: int) -> Iterator[Window]:
    shortest_s = min(TIMEFRAME_SECONDS.values())
    for step in range(_REACH_S // shortest_s):
        for timeframe, length_s in TIMEFRAME_SECONDS.items():
            if step * length_s > _REACH_S:
                continue
            for asset in assets:
                start_s = window_at(asset, timeframe, market_ns).start_s
                for away in {step, -step}:
                    yield Window(asset, timeframe, start_s + away * length_s)

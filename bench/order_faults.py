"""An exchange that misbehaves in every way it can, one after another, throughout a series.

Owns the deck of its faults, the thread that switches them on, and how often each has hit. What a
fault does is the exchange's matter, and what came of it the report's.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PAUSE_S: Final = 0.8
AT_ONCE: Final = 3
END_S_MAX: Final = 20.0

# Seconds are the wall's but for the last rows, which are market time. An outage ends by itself.
DECK: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "rate_limit": {"count": 1, "scope": "orders", "seconds": 1.0},
        "ban": {"count": 1, "scope": "orders", "seconds": 1.0},
        "too_early": {"count": 1},
        "server_error": {"count": 1, "scope": "orders"},
        "execution_unknown": {"count": 1},
        "timeout": {"count": 1, "scope": "orders", "seconds": 2.0},
        "late_answer": {"count": 1, "seconds": 2.0},
        "lost_request": {"count": 1},
        "lost_answer": {"count": 1},
        "malformed": {"count": 1, "scope": "orders"},
        "outage": {"seconds": 0.5},
        "stale_book": {"count": 1, "seconds": 60.0},
        "void_settlement": {"count": 1},
        "delayed_settlement": {"count": 1, "seconds": 300.0},
        "trade_retrying": {"count": 1, "seconds": 80.0},
        "trade_failing": {"count": 3, "seconds": 80.0},
        "blank_lookup": {"count": 1},
        "hidden_reference": {"count": 1},
    }
)


class Misbehaving:
    """A thread that switches on one fault after the other, all of them in each round.

    Args:
        control: Asks the exchange's page of faults, or sets what it is given.
        seed: Decides their order.
    """

    def __init__(
        self, control: Callable[[Mapping[str, Any] | None], Mapping[str, Any]], *, seed: int
    ) -> None:
        """Begin."""
        self._control = control
        self._draw = random.Random(f"exchange {seed}")  # noqa: S311 - a course to draw again
        self._deck: list[str] = []
        self._stop = threading.Event()
        self._before: Counter[str] = Counter()
        self.hits: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._run, name="misbehaving", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Let the exchange behave from now on; count what has hit until now."""
        self._stop.set()
        self._thread.join(END_S_MAX)
        self._count(self._control(dict.fromkeys(DECK, 0))["hits"])

    def _run(self) -> None:
        while not self._stop.wait(PAUSE_S):
            try:
                said = self._control(None)
                self._count(said["hits"])
                if len(said["on"]) < AT_ONCE:
                    name = self._next()
                    self._control({name: DECK[name]})
            except OSError:
                continue  # it is started again

    def _next(self) -> str:
        if not self._deck:
            self._deck = list(DECK)
            self._draw.shuffle(self._deck)
        return self._deck.pop()

    def _count(self, hits: Mapping[str, int]) -> None:
        now = Counter(hits)
        self.hits += since(self._before, now)
        self._before = now


def since(before: Counter[str], now: Counter[str]) -> Counter[str]:
    """Return what hit between two readings of an exchange, which may have been started again."""
    is_new = any(now[name] < times for name, times in before.items())
    return now if is_new else now - before

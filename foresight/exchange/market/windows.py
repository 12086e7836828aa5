"""Windows: which question is asked over which stretch of market time, and how it is answered.

Owns `Window`, its slug (``btc-updown-5m-1763827200``) and the settlement rule: the last price at
the end against the last price at the start, equal counts as Up.

Must never enter: prices' origin, quotes, identifiers of tokens, wall time.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

from foresight.exchange.market_clock import NS_PER_SECOND

TIMEFRAME_SECONDS: Final[Mapping[str, int]] = MappingProxyType({"5m": 300, "15m": 900})

_SLUG: Final = re.compile(r"^([a-z0-9]{1,8})-updown-(5m|15m)-(\d{1,11})$")


class Side(Enum):
    """The two outcomes of a window; the value is the label on the wire."""

    UP = "Up"
    DOWN = "Down"

    @property
    def other(self) -> "Side":
        """The opposite outcome."""
        return Side.DOWN if self is Side.UP else Side.UP


class Result(Enum):
    """How a window ended."""

    UP = "Up"
    """The last price is at or above the reference: an Up share pays 1."""
    DOWN = "Down"
    """The last price is below the reference: a Down share pays 1."""
    VOID = "Void"
    """No result: every share pays one half."""


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """One question: does the asset end at or above where it started?

    Attributes:
        asset: Upper-case name, 1 to 8 letters or digits.
        timeframe: ``5m`` or ``15m``.
        start_s: Market seconds since 1970 UTC, a multiple of the timeframe's length.
    """

    asset: str
    timeframe: str
    start_s: int

    @property
    def length_s(self) -> int:
        """Seconds from start to end."""
        return TIMEFRAME_SECONDS[self.timeframe]

    @property
    def end_s(self) -> int:
        """Market second at which the result is decided; also the next window's start."""
        return self.start_s + self.length_s

    @property
    def start_ns(self) -> int:
        """Start in market nanoseconds."""
        return self.start_s * NS_PER_SECOND

    @property
    def end_ns(self) -> int:
        """End in market nanoseconds."""
        return self.end_s * NS_PER_SECOND

    @property
    def slug(self) -> str:
        """Name on the wire, as the public board spells it."""
        return f"{self.asset.lower()}-updown-{self.timeframe}-{self.start_s}"


def parse_slug(slug: str) -> Window | None:
    """Return the window a slug names, or None if it names none."""
    match = _SLUG.match(slug)
    if match is None:
        return None
    window = Window(match[1].upper(), match[2], int(match[3]))
    return window if window.start_s % window.length_s == 0 else None


def window_at(asset: str, timeframe: str, market_ns: int) -> Window:
    """Return the window that contains an instant: start <= instant < end."""
    length_s = TIMEFRAME_SECONDS[timeframe]
    return Window(asset, timeframe, market_ns // (length_s * NS_PER_SECOND) * length_s)


def decide(*, reference: float, final: float) -> Result:
    """Return the result of a window from its two prices; equal counts as Up."""
    return Result.UP if final >= reference else Result.DOWN


def payout_share(result: Result, side: Side) -> float:
    """Return what one share of a side pays, in USDC: 0, 0.5 or 1."""
    if result is Result.VOID:
        return 0.5
    return 1.0 if result.value == side.value else 0.0


def payout_micro(result: Result, side: Side, shares_micro: int) -> int:
    """Return what shares of a side pay, micro-USDC; half of an odd millionth is not paid.

    Args:
        result: Of their window.
        side: Which of the two they are of.
        shares_micro: How many, in millionths.
    """
    if result is Result.VOID:
        return shares_micro // 2  # as the reference venue's contract divides
    return shares_micro if result.value == side.value else 0

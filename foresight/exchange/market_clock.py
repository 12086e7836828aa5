"""The one mapping between wall time and market time.

Owns `Timeline`: market time is wall time run `speed` times faster from a fixed origin, so that a
window of five minutes passes in five seconds at speed 60. Only the market (candles, windows,
settlement) lives in market time; protocol limits, signatures and `/time` stay in wall time.

Must never enter: reading a clock (now is an argument), floats (nanoseconds exceed 2**53).
"""

from dataclasses import dataclass
from typing import NamedTuple

NS_PER_SECOND = 1_000_000_000
NS_PER_MINUTE = 60 * NS_PER_SECOND
NS_PER_MS = 1_000_000


class Now(NamedTuple):
    """One instant in both times, nanoseconds since 1970 UTC."""

    wall_ns: int
    market_ns: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """A fixed origin and a whole-number speed.

    Attributes:
        origin_ns: Instant at which wall and market time agree, nanoseconds since 1970 UTC, >= 0.
        speed: Market nanoseconds per wall nanosecond, >= 1.
    """

    origin_ns: int
    speed: int = 1

    def __post_init__(self) -> None:
        """Refuse a timeline that would run backwards or stand still."""
        if self.speed < 1 or self.origin_ns < 0:
            message = f"speed must be >= 1 and origin >= 0, not {self.speed} and {self.origin_ns}"
            raise ValueError(message)

    def market_ns(self, wall_ns: int) -> int:
        """Return the market instant of a wall instant, both in nanoseconds since 1970 UTC."""
        return self.origin_ns + (wall_ns - self.origin_ns) * self.speed

    def wall_ns(self, market_ns: int) -> int:
        """Return the first wall instant at which market time has reached `market_ns`."""
        return self.origin_ns - (self.origin_ns - market_ns) // self.speed


def minute_of(market_ns: int) -> int:
    """Return the number of the minute an instant lies in, counted from 1970 UTC."""
    return market_ns // NS_PER_MINUTE

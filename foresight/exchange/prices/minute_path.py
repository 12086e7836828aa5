"""What lies inside a finished minute: last-trade prices every five seconds.

Owns one construction. Whoever sees part of a minute must learn nothing about where it closes that
its price does not say: the path is a martingale. It is a random walk that stops at plus or minus
the minute's own move, seen on the condition that it stopped on the side where the candle closed
(Doob's h-transform): given how far the minute goes, its side stays as open as the walk's
distance to both says. The walk keeps inside the range by leaping over what the candle never
traded. Extremes that it does not reach are touched between steps, at the end of the minute: shown
earlier, the longer of two wicks would tell the side.

Must never enter: where candles come from, windows, quotes, clocks.
"""

from collections.abc import Sequence
from math import copysign
from typing import Final

from foresight.exchange.chance import uniforms
from foresight.exchange.prices.candles import KNOTS, Candle

_RUNGS: Final = 3  # levels between the open and the turning point of the walk
_MOVES: Final = 9  # of the walk; how many must not depend on where it is
_ROOM_MIN: Final = 0.1  # of the minute's move; in less room there is the leap alone
_SHARE_MAX: Final = 0.95  # of the minute's variance that is the walk's


def minute_path(candle: Candle, *, tick: float, key: int) -> tuple[float, ...]:
    """Return the path inside a candle.

    Args:
        candle: The finished candle.
        tick: Price step to round to, > 0.
        key: What the shape depends on besides the minute.

    Returns:
        `KNOTS` last-trade prices, after 5, 10, .. 60 seconds; the last one is the close.
    """
    draws = uniforms(2 * _MOVES + 1, "path", key, candle.minute)
    move = candle.close - candle.open
    reach = abs(move)
    room = min(reach, candle.open - candle.low if move > 0 else candle.high - candle.open)
    has_walk = reach > 0 and room >= _ROOM_MIN * reach
    # Walk and leap share the minute as they share its variance: no part of it is busier.
    share = (room / reach) ** 2 * min(1.0, _MOVES / _RUNGS**2) if has_walk else 0.0
    end = draws[-1] ** (1.0 - min(share, _SHARE_MAX))
    knots = [candle.open] * KNOTS
    if has_walk:
        moments = sorted(end * draw for draw in draws[_MOVES:-1])
        for level, moment in zip(_walk(reach, room, draws[:_MOVES]), moments, strict=True):
            first = int(moment * KNOTS)
            price = candle.open + copysign(level, level * move)
            price = min(max(round(round(price / tick) * tick, 8), candle.low), candle.high)
            knots[first:] = [price] * (KNOTS - first)
    last = int(end * KNOTS)
    knots[last:] = [candle.close] * (KNOTS - last)
    return tuple(knots)


def _walk(reach: float, room: float, draws: Sequence[float]) -> list[float]:
    # Distances from the open towards the close after each move; `end` leaps over what is left.
    rung = room / _RUNGS
    ends = reach / rung  # in rungs, as everything below
    place: float = 0
    levels: list[float] = []
    for draw in draws:
        if place == _RUNGS < ends:
            leaps = 1.0 / (ends - _RUNGS + 1.0) * 2.0 * ends / (ends + _RUNGS)
            place = ends if draw < leaps else place - 1
        elif place < _RUNGS:
            is_up = place == -_RUNGS or draw < 0.5 * (ends + place + 1) / (ends + place)
            place += 1 if is_up else -1
        levels.append(place * rung)
    return levels

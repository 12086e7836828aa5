"""What lies inside a finished minute: last-trade prices every five seconds.

Owns one construction. Whoever sees part of a minute must learn nothing about where it closes that
its price does not say, neither how far it goes on the mean nor to which side. So the minute's move
is taken in leaps at random times: one leap may become two, which go on as often as they turn back
(equal sides), and their sizes are such that their product is zero on the mean (no drift); which of
the two comes first is a toss. A walk that only has no drift is not enough: on the condition that
it ends at plus or minus the minute's move, small gains are likely and large losses rare, and
whoever follows the last seconds wins more often than the price says. Leaps keep inside the range.
Extremes that they do not reach are touched between steps, at the end of the minute: shown earlier,
the longer of two wicks would tell the side.

Must never enter: where candles come from, windows, quotes, clocks.
"""

from collections.abc import Sequence
from math import sqrt
from typing import Final

from foresight.exchange.chance import uniforms
from foresight.exchange.prices.candles import KNOTS, Candle

_HALVINGS: Final = 2  # how often each leap may become two
_LEAPS: Final = 2**_HALVINGS  # at most
_DRAWS: Final = 3  # of one split


def minute_path(candle: Candle, *, tick: float, key: int) -> tuple[float, ...]:
    """Return the path inside a candle.

    Args:
        candle: The finished candle.
        tick: Price step to round to, > 0.
        key: What the shape depends on besides the minute.

    Returns:
        `KNOTS` last-trade prices, after 5, 10, .. 60 seconds; the last one is the close.
    """
    draws = uniforms(_DRAWS * (_LEAPS - 1) + _LEAPS, "path", key, candle.minute)
    leaps = _leaps(candle, tick, draws[_LEAPS:])
    knots = [candle.open] * KNOTS
    price = candle.open
    for leap, moment in zip(leaps, sorted(draws[: len(leaps)]), strict=True):
        price += leap
        seen = min(max(round(round(price / tick) * tick, 8), candle.low), candle.high)
        first = int(moment * KNOTS)
        knots[first:] = [seen] * (KNOTS - first)
    # The sum of the leaps is the close but for the dust of floating point.
    first = int(max(draws[: len(leaps)]) * KNOTS)
    knots[first:] = [candle.close] * (KNOTS - first)
    return tuple(knots)


def _leaps(candle: Candle, tick: float, draws: Sequence[float]) -> list[float]:
    leaps = [candle.close - candle.open]
    used = 0
    for _ in range(_HALVINGS):
        price = candle.open
        parts: list[float] = []
        for leap in leaps:
            room = min(
                min(price, price + leap) - candle.low, candle.high - max(price, price + leap)
            )
            parts += _split(leap, room, tick, draws[used : used + _DRAWS])
            used += _DRAWS
            price += leap
        leaps = parts
    return leaps


def _split(leap: float, room: float, tick: float, draws: Sequence[float]) -> list[float]:
    # Two parts that go on, `part` and the rest, or an excess there and back. The excess is chosen
    # so that excess x (1 + excess) = part x (1 - part): each way as likely, the mean product is 0.
    if not leap or room <= 0:
        return [leap]
    widest = room / abs(leap)
    most = min(0.25, widest * (1.0 + widest))
    part = draws[0] * (1.0 - sqrt(1.0 - 4.0 * most)) / 2.0
    excess = (sqrt(1.0 + 4.0 * part * (1.0 - part)) - 1.0) / 2.0
    if excess * abs(leap) < tick:
        return [leap]  # rounding would leave what goes on and hide what turns back
    small = part if draws[1] < 0.5 else -excess  # noqa: PLR2004 - a toss
    parts = [small * leap, (1.0 - small) * leap]
    return parts if draws[2] < 0.5 else parts[::-1]  # noqa: PLR2004 - a toss

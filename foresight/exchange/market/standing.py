"""How a window stands at an instant: all that its fair price depends on.

Owns the measuring: how far the price is from the price to beat in standard deviations of what may
still happen, which curve of the table is asked, and what kind of moment it is. The fitting of the
tables and the pricing ask here alike, so that they cannot differ.

Must never enter: probabilities, tables, quotes, clocks.
"""

from enum import Enum
from math import sqrt
from typing import Final, NamedTuple

from foresight.exchange.market.rules import Rule, average
from foresight.exchange.market.windows import Window
from foresight.exchange.market_clock import NS_PER_MINUTE, NS_PER_SECOND
from foresight.exchange.prices.candles import KNOT_SECONDS, KNOTS
from foresight.exchange.prices.tape import Tape

NS_PER_STEP: Final = KNOT_SECONDS * NS_PER_SECOND

BEFORE: Final = 0
"""Number of the curve for the time before a window starts."""

_LOOKBACKS: Final = (1, 3, 6)  # steps: 5, 15 and 30 seconds

_AVERAGE_MINUTES: Final = 0.264
"""Variance of (O + H + L + C) / 4 of a Brownian minute in units of the minute's own variance."""


class Kind(Enum):
    """What kind of moment it is: after a minute's move there is less to come than before it."""

    MOVED = "moved"
    """The price has moved in the running minute."""
    WAITING = "waiting"
    """It has not, but in the minute before."""
    STILL = "still"
    """Neither: the market may be frozen."""


class Standing(NamedTuple):
    """How a window stands.

    Attributes:
        curve: `BEFORE`; 1 to 12 for steps of five seconds left in the last minute; then one for
            each minute more.
        kind: What kind of moment.
        is_tied: Whether the price is exactly the price to beat.
        distance: From the price to beat in standard deviations of what is left, half a price
            step included: from that far below, rounding still ends in a tie, which is Up.
        signs: Where the price went in the last 5, 15 and 30 seconds, in the order of
            `Table.pulls`: 1, -1 or 0.
        scale: A minute's standard deviation in those of what is left; 0 before the start.
    """

    curve: int
    kind: Kind
    is_tied: bool
    distance: float
    signs: tuple[int, int, int] = (0, 0, 0)
    scale: float = 0.0


def curve_of(steps_left: int) -> int:
    """Return the number of the curve for a number of five-second steps left, >= 1."""
    return steps_left if steps_left <= KNOTS else KNOTS - 1 + -(-steps_left // KNOTS)


def stand(tape: Tape, window: Window, rule: Rule, market_ns: int) -> Standing | None:
    """Return how a window stands, or None where a price is missing.

    Args:
        tape: Prices.
        window: Which window; not ended.
        rule: How it will be settled.
        market_ns: Now.
    """
    now_ns = min(market_ns // NS_PER_STEP * NS_PER_STEP, window.end_ns - NS_PER_STEP)
    price = tape.price_at(window.asset, now_ns)
    reference = settling_price(tape, window.asset, rule, min(now_ns, window.start_ns))
    if price is None or reference is None:
        return None
    steps_left = (window.end_ns - max(now_ns, window.start_ns)) // NS_PER_STEP
    minutes = steps_left / KNOTS
    if rule is Rule.AVERAGE:
        if steps_left <= KNOTS:
            price = _running(tape, window.asset, now_ns, price)
            minutes *= _AVERAGE_MINUTES
        else:
            minutes += _AVERAGE_MINUTES - 1.0
    grain = tape.source.tick(window.asset) / (2.0 if rule is Rule.LAST else 8.0)
    spread = sqrt(minutes)
    reach = tape.sigma(window.asset, now_ns // NS_PER_MINUTE) * spread * reference
    is_ahead = now_ns < window.start_ns
    return Standing(
        BEFORE if is_ahead else curve_of(steps_left),
        kind_of(tape, window.asset, now_ns),
        price == reference and not is_ahead,
        (price - reference + grain) / reach,
        (0, 0, 0) if is_ahead else _signs(tape, window.asset, now_ns),
        0.0 if is_ahead else 1.0 / spread,
    )


def settling_price(tape: Tape, asset: str, rule: Rule, market_ns: int) -> float | None:
    """Return the price that counts at an instant, of the minute that ends there or still runs.

    Args:
        tape: Prices.
        asset: Which asset.
        rule: `Rule.LAST` takes the last trade; `Rule.AVERAGE` the minute's average, or the last
            trade where the minute has none.
        market_ns: The instant.
    """
    last = tape.price_at(asset, market_ns)
    if rule is Rule.LAST or last is None:
        return last
    minute, within_ns = divmod(market_ns, NS_PER_MINUTE)
    if within_ns:
        return _running(tape, asset, market_ns, last)
    candle = tape.source.candle(asset, minute - 1)
    return last if candle is None else average(candle)


def kind_of(tape: Tape, asset: str, market_ns: int) -> Kind:
    """Return what kind of moment an instant is for an asset."""
    minute, within_ns = divmod(market_ns, NS_PER_MINUTE)
    running = tape.partial(asset, market_ns) if within_ns else None
    if running is not None and running.high > running.low:
        return Kind.MOVED
    earlier = tape.source.candle(asset, minute - 1)
    if running is None and within_ns:
        return Kind.STILL
    return Kind.STILL if earlier is None or earlier.close == earlier.open else Kind.WAITING


def _signs(tape: Tape, asset: str, now_ns: int) -> tuple[int, int, int]:
    # Recorded minutes go on a little, and made ones turn back by what was not theirs.
    price = tape.price_at(asset, now_ns)
    signs = [0, 0, 0]
    for place, steps in enumerate(_LOOKBACKS):
        before = tape.price_at(asset, now_ns - steps * NS_PER_STEP)
        if price is not None and before is not None:
            signs[place] = _sign(price - before)
    return signs[0], signs[1], signs[2]


def _sign(number: float) -> int:
    return (number > 0) - (number < 0)


def _running(tape: Tape, asset: str, market_ns: int, last: float) -> float:
    candle = tape.partial(asset, market_ns)
    return last if candle is None else average(candle)

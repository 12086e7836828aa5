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

CURVES: Final = {"5m": 32, "15m": 82}
"""Number of the last curve of each timeframe."""

BEFORE: Final = 0
"""Number of the curve for the time before a window starts."""

_LOOKBACKS: Final = (1, 3, 6)  # steps: 5, 15 and 30 seconds

_AVERAGE_MINUTES: Final = 0.264
"""Variance of (O + H + L + C) / 4 of a Brownian minute in units of the minute's own variance."""

_QUARTER: Final = KNOTS // 4
_PLACES: Final = 5
"""Curves of a minute before a window's last one: four for its quarters, one for its beginning."""


class Kind(Enum):
    """What kind of moment it is: after a minute's move there is less to come than before it."""

    MOVED = "moved"
    """The price has moved in the running minute."""
    WAITING = "waiting"
    """It has not, but in the minute before."""
    STILL = "still"
    """Neither: the market may be frozen."""


class Look(NamedTuple):
    """What an asset shows at an instant, whatever the window and its rule.

    Attributes:
        now_ns: The instant, on a step of five seconds.
        price: The last trade.
        running: The average of the minute that runs, as far as it has come; the price in a gap.
        kind: What kind of moment.
        signs: Where the price went in the last 5, 15 and 30 seconds: 1, -1 or 0.
        sigma: Standard deviation of a minute's return.
        tick: The asset's price step.
    """

    now_ns: int
    price: float
    running: float
    kind: Kind
    signs: tuple[int, int, int]
    sigma: float
    tick: float


class Standing(NamedTuple):
    """How a window stands.

    Attributes:
        curve: `BEFORE`; 1 to 12 for steps of five seconds left in the last minute; then five for
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
    """Return the number of the curve for a number of five-second steps left, >= 1.

    As a minute begins everybody comes who decides by candles. Shared with moments that still wait
    for their move, and have more to come than their time says, its curve would be too flat.
    """
    if steps_left <= KNOTS:
        return steps_left
    whole, left = divmod(steps_left - 1, KNOTS)
    place = left // _QUARTER if left < KNOTS - 1 else _PLACES - 1
    return KNOTS + _PLACES * (whole - 1) + place + 1


def stand(tape: Tape, window: Window, rule: Rule, market_ns: int) -> Standing | None:
    """Return how a window stands, or None where a price is missing.

    Args:
        tape: Prices.
        window: Which window; not ended.
        rule: How it will be settled.
        market_ns: Now.
    """
    now_ns = min(market_ns // NS_PER_STEP * NS_PER_STEP, window.end_ns - NS_PER_STEP)
    look = look_at(tape, window.asset, now_ns)
    reference = settling_price(tape, window.asset, rule, min(now_ns, window.start_ns))
    if look is None or reference is None:
        return None
    return stand_by(look, window, rule, reference=reference)


def look_at(tape: Tape, asset: str, now_ns: int) -> Look | None:
    """Return what an asset shows at an instant, or None before its first price.

    Args:
        tape: Prices.
        asset: Which asset.
        now_ns: The instant, on a step of five seconds.
    """
    price = tape.price_at(asset, now_ns)
    if price is None:
        return None
    return Look(
        now_ns,
        price,
        _running(tape, asset, now_ns, price),
        kind_of(tape, asset, now_ns),
        _signs(tape, asset, now_ns, price),
        tape.sigma(asset, now_ns // NS_PER_MINUTE),
        tape.source.tick(asset),
    )


def stand_by(look: Look, window: Window, rule: Rule, *, reference: float) -> Standing:
    """Return how a window stands by what its asset shows.

    Args:
        look: Before the window's end.
        window: Which window.
        rule: How it will be settled.
        reference: The price to beat; before the start what it would be if it were now.
    """
    steps_left = (window.end_ns - max(look.now_ns, window.start_ns)) // NS_PER_STEP
    is_ahead = look.now_ns < window.start_ns
    spread = sqrt(_minutes_left(steps_left, rule))
    is_average = rule is Rule.AVERAGE
    price = look.running if is_average and steps_left <= KNOTS else look.price
    grain = look.tick / (8.0 if is_average else 2.0)
    return Standing(
        BEFORE if is_ahead else curve_of(steps_left),
        look.kind,
        price == reference and not is_ahead,
        (price - reference + grain) / (look.sigma * spread * reference),
        (0, 0, 0) if is_ahead else look.signs,
        0.0 if is_ahead else 1.0 / spread,
    )


def _minutes_left(steps_left: int, rule: Rule) -> float:
    """Return in how many minutes a price moves as far as what settles a window still may."""
    minutes = steps_left / KNOTS
    if rule is Rule.LAST:
        return minutes
    return minutes * _AVERAGE_MINUTES if steps_left <= KNOTS else minutes + (_AVERAGE_MINUTES - 1.0)


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


def _signs(tape: Tape, asset: str, now_ns: int, price: float) -> tuple[int, int, int]:
    # Recorded minutes go on a little, and made ones turn back by what was not theirs.
    before = [tape.price_at(asset, now_ns - steps * NS_PER_STEP) for steps in _LOOKBACKS]
    first, second, third = (0 if one is None else _sign(price - one) for one in before)
    return first, second, third


def _sign(number: float) -> int:
    return (number > 0) - (number < 0)


def _running(tape: Tape, asset: str, market_ns: int, last: float) -> float:
    candle = tape.partial(asset, market_ns)
    return last if candle is None else average(candle)

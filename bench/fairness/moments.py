"""Every moment of a stretch of market time at which a window has a price.

Owns the walk over windows and steps of five seconds, and the two kinds of worlds that tables are
fitted on and judged by. Must never enter: probabilities, verdicts.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from foresight.exchange.market.rules import Rule
from foresight.exchange.market.standing import (
    NS_PER_STEP,
    Look,
    Standing,
    look_at,
    settling_price,
    stand_by,
)
from foresight.exchange.market.windows import TIMEFRAME_SECONDS, Window, window_at
from foresight.exchange.market_clock import NS_PER_MINUTE
from foresight.exchange.prices.candles import KNOTS
from foresight.exchange.prices.recordings import load_recordings
from foresight.exchange.prices.replay import (
    LEAD_MINUTES_DEFAULT,
    Recording,
    ReplayPrices,
)
from foresight.exchange.prices.synthetic import DEFAULT_ASSETS, MINUTES_PER_DAY, SyntheticPrices
from foresight.exchange.prices.tape import Tape

WARM_MINUTES: Final = 75
"""Minutes at the beginning of a stretch that are not looked at: their volatility is a guess."""

_ORIGIN_DAY: Final = 20_400  # of the synthetic worlds; any day is as good


class World(NamedTuple):
    """A tape and the stretch of it that is looked at; `assets` may be some of the tape's."""

    name: str
    tape: Tape
    assets: tuple[str, ...]
    first_minute: int
    end_minute: int


class Moment(NamedTuple):
    """A window at an instant, how it stands, and whether it ended Up."""

    window: Window
    rule: Rule
    market_ns: int
    standing: Standing
    is_up: bool


@cache
def recorded_halves(folder: Path) -> tuple[World, World]:
    """Return the first and the second half of the recordings of a folder, in their own time."""
    recordings = load_recordings(folder)
    first = min(one.minutes[0] for one in recordings)
    end = max(one.minutes[-1] for one in recordings) + 1
    middle = (first + end) // 2 // MINUTES_PER_DAY * MINUTES_PER_DAY
    tape = _tape(recordings)
    assets = tuple(one.asset for one in recordings)
    return (
        World("recorded, first half", tape, assets, first + WARM_MINUTES, middle),
        World("recorded, second half", tape, assets, middle, end),
    )


def synthetic_world(seed: int, *, days: int, assets: tuple[str, ...] = DEFAULT_ASSETS) -> World:
    """Return some days of the synthetic market of a seed."""
    origin = _ORIGIN_DAY * MINUTES_PER_DAY
    prices = SyntheticPrices(seed=seed, origin_minute=origin, assets=assets)
    first = prices.first_minute
    end = first + days * MINUTES_PER_DAY
    return World(f"seed {seed}", Tape(prices, seed=seed), assets, first + WARM_MINUTES, end)


def moments(world: World, asset: str, *, every: int = 1, ahead: bool = False) -> Iterator[Moment]:
    """Yield the moments of an asset by both rules, those of a window in order of time.

    What the asset shows at an instant is looked at once for all windows that it lies in.

    Args:
        world: Where.
        asset: One of its assets.
        every: Take each so many steps of five seconds, outside the last minute of a window.
        ahead: Also the minute before each window's start.
    """
    looks: dict[int, Look] = {}
    for window in _windows(world, asset):
        instants = _instants(window, every=every, ahead=ahead)
        for rule in Rule:
            yield from _of_window(world.tape, window, rule, instants, looks)


def _windows(world: World, asset: str) -> Iterator[Window]:
    for timeframe, length_s in TIMEFRAME_SECONDS.items():
        minutes = length_s // 60
        first = -(-world.first_minute // minutes) * minutes
        for opened in range(first, world.end_minute - minutes + 1, minutes):
            yield window_at(asset, timeframe, opened * NS_PER_MINUTE)


def _of_window(
    tape: Tape, window: Window, rule: Rule, instants: Iterable[int], looks: dict[int, Look]
) -> Iterator[Moment]:
    reference = settling_price(tape, window.asset, rule, window.start_ns)
    final = settling_price(tape, window.asset, rule, window.end_ns)
    if reference is None or final is None:
        return
    for now_ns in instants:
        look = looks.get(now_ns) or look_at(tape, window.asset, now_ns)
        is_ahead = now_ns < window.start_ns
        beat = settling_price(tape, window.asset, rule, now_ns) if is_ahead else reference
        if look is not None and beat is not None:
            looks[now_ns] = look
            standing = stand_by(look, window, rule, reference=beat)
            yield Moment(window, rule, now_ns, standing, final >= reference)


def _instants(window: Window, *, every: int, ahead: bool) -> list[int]:
    last_ns = window.end_ns - NS_PER_MINUTE
    first_ns = window.start_ns - (NS_PER_MINUTE if ahead else 0)
    return [
        *range(first_ns, last_ns, NS_PER_STEP * every),
        *range(last_ns, window.end_ns, NS_PER_STEP),
    ]


def _tape(recordings: list[Recording]) -> Tape:
    first = min(one.minutes[0] for one in recordings)
    prices = ReplayPrices(recordings, origin_minute=first + LEAD_MINUTES_DEFAULT)
    assert prices.first_minute == first, "dates stay the recording's own"
    return Tape(prices, seed=1)


assert NS_PER_STEP * KNOTS == NS_PER_MINUTE

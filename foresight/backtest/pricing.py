"""The table that prices a backtest's market: fitted on the part before what is judged.

Owns which moments are counted for it (those at which a backtest asks for a price), how much there
must be, and the refusal of a table that has seen what is judged. The curves are the exchange's.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from foresight.backtest.calibration import WINDOWS_MIN
from foresight.errors import ConfigError
from foresight.exchange.market.calibration import Table, curve_name
from foresight.exchange.market.fitting import Counts, fit
from foresight.exchange.market.standing import (
    NS_PER_STEP,
    Kind,
    Look,
    curve_of,
    look_at,
    settling_price,
    stand_by,
)
from foresight.exchange.market.windows import TIMEFRAME_SECONDS, Window
from foresight.exchange.market_clock import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from foresight.backtest.calibration import Span
    from foresight.exchange.market.rules import Rule
    from foresight.exchange.prices.tape import Tape

LEAD_MINUTES: Final = 61  # before the first window: an hour's returns, and its price to beat
ANOTHER: Final = "judge later days, or name another table (`--table`)"


class _Looks(dict[int, Look]):
    """What one asset shows, by the instant: windows of both lengths ask for the same ones."""

    def __init__(self, tape: Tape, asset: str) -> None:
        super().__init__()
        self.tape = tape
        self._asset = asset

    def __missing__(self, now_ns: int) -> Look:
        look = look_at(self.tape, self._asset, now_ns)
        assert look is not None, "a price that was there at the start does not go"
        self[now_ns] = look
        return look


def fitted_table(
    tape: Tape, rule: Rule, *, within: Span, offsets_ns: Collection[int], fitted_on: str
) -> Table:
    """Return a table of the curves that a backtest reads.

    Args:
        tape: Prices.
        rule: What settles the windows.
        within: Windows count that lie in it.
        offsets_ns: When a backtest asks for prices, from a window's start.
        fitted_on: Dates, for people.

    Raises:
        ConfigError: Too little lies before what is judged.
    """
    counts = Counts()
    numbers = {timeframe: _moments(length_s, offsets_ns) for timeframe, length_s in _lengths()}
    seen = dict.fromkeys(numbers, 0)
    for asset in tape.source.assets:
        looks = _Looks(tape, asset)
        for timeframe, offsets in numbers.items():
            windows = _windows(asset, timeframe, within)
            seen[timeframe] += _count(counts, looks, rule, windows, offsets)
    if min(seen.values()) < WINDOWS_MIN:
        what = f"only {min(seen.values())} windows lie in {fitted_on}: no prices can be fitted"
        raise ConfigError(what, "judge later days, take more assets, or name a table (`--table`)")
    span = within.first, within.end
    names = tuple(_names(rule, numbers))
    return fit(counts, source="recorded", fitted_on=fitted_on, span=span, names=names)


def refuse_overlap(what: str, fitted: Span, judged: Span) -> None:
    """Refuse to judge by what a table was fitted on; a table of generated prices has no dates.

    Args:
        what: What to call the table.
        fitted: The minutes that it was fitted on.
        judged: The minutes that are judged.

    Raises:
        ConfigError: They have a minute in common.
    """
    if fitted.end and fitted.meets(judged):
        told = f"{what} was fitted on {dates(fitted)}, which overlaps {dates(judged)}, the judged"
        raise ConfigError(told, ANOTHER)


def dates(span: Span) -> str:
    """Return a stretch of time for people, UTC."""
    return " to ".join(
        f"{datetime.fromtimestamp(60 * minute, UTC):%Y-%m-%d %H:%M}" for minute in span
    )


def _lengths() -> Iterable[tuple[str, int]]:
    return TIMEFRAME_SECONDS.items()


def _moments(length_s: int, offsets_ns: Collection[int]) -> list[int]:
    steps = {offset_ns // NS_PER_STEP * NS_PER_STEP for offset_ns in offsets_ns}
    return sorted(step for step in steps if step < length_s * NS_PER_SECOND)


def _count(
    counts: Counts, looks: _Looks, rule: Rule, windows: Iterable[Window], offsets: Iterable[int]
) -> int:
    """Count the moments of one asset's windows; return how many windows there were."""
    found = 0
    for window in windows:
        start_ns = window.start_ns
        reference = settling_price(looks.tape, window.asset, rule, start_ns)
        final = settling_price(looks.tape, window.asset, rule, window.end_ns)
        if reference is None or final is None:
            continue
        found += 1
        for offset in offsets:
            standing = stand_by(looks[start_ns + offset], window, rule, reference=reference)
            name = curve_name(window.timeframe, rule, standing)
            counts.add(name, standing, is_up=final >= reference)
    return found


def _windows(asset: str, timeframe: str, within: Span) -> Iterator[Window]:
    minutes = TIMEFRAME_SECONDS[timeframe] // 60
    first = -(-(within.first + LEAD_MINUTES) // minutes) * minutes
    for start in range(first, within.end - minutes + 1, minutes):
        yield Window(asset, timeframe, 60 * start)


def _names(rule: Rule, numbers: dict[str, list[int]]) -> Iterator[str]:
    for timeframe, offsets in numbers.items():
        length_ns = TIMEFRAME_SECONDS[timeframe] * NS_PER_SECOND
        curves = {curve_of((length_ns - offset) // NS_PER_STEP) for offset in offsets}
        for number in sorted(curves):
            for kind in Kind:
                for tied in ("", "/tied"):
                    yield f"{timeframe}/{rule.value}/{number}/{kind.value}{tied}"

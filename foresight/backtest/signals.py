"""Counting signals: one rule at one minute of a window, over a whole recording, in one pass.

Owns the rule and the arithmetic. A signal says that the side on which the price lies will win;
it is one share, bought at once at the ask, without limits, guards or depth. The first half of the
recording fits the price, the second is judged by it.
"""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from foresight.backtest.candle_rows import SPREAD_MINUTES, Candles, Rule
from foresight.backtest.win_curve import fitted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SIGNAL_MIN: Final = 0.5  # standard deviations of what is left of the window
ASK_CENTS_MAX: Final = 97  # what is surer cannot be bought
HALF_SPREAD_CENTS: Final = 0.5
FEE: Final = 0.07  # of p (1 - p), a share; the venue's formula for crypto windows
DAY_MINUTES: Final = 1440
RESAMPLES: Final = 2000
TAIL: Final = 0.025
ALL: Final = "all"  # in place of a window: every rule pooled


class Row(NamedTuple):
    """One rule.

    Attributes:
        minutes: Length of a window.
        minute: The candle of it after which is decided, from 1.
        rule: What the window is settled by.
    """

    minutes: int
    minute: int
    rule: Rule


ROWS: Final = (
    Row(5, 3, Rule.LAST),
    Row(5, 4, Rule.LAST),
    Row(15, 11, Rule.LAST),
    Row(15, 13, Rule.LAST),
    Row(5, 3, Rule.AVERAGE),
    Row(5, 4, Rule.AVERAGE),
)


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule came to.

    Attributes:
        window: Length of the windows, as `5m`; `all` for every rule pooled.
        minute: The candle after which was decided; 0 for all.
        rule: `last` or `average`; empty for all.
        signals: In the whole recording.
        hit_rate: Share of them that were right, percent; None of nothing.
        purchases: Signals of the second half that could be bought.
        expectation_cents: Mean result of a share bought, after the fee; None of nothing.
        low_cents: Lower end of its 95 % interval, whole UTC days resampled.
        high_cents: Upper end.
    """

    window: str
    minute: int
    rule: str
    signals: int
    hit_rate: float | None
    purchases: int
    expectation_cents: float | None
    low_cents: float | None
    high_cents: float | None


class Seen(NamedTuple):
    """One window at the moment of its decision, and how it ended.

    Attributes:
        start: Minute at which it began, minutes since 1970 UTC.
        is_early: Whether it began in the first half.
        has_moved: Whether the price differs from the reference.
        size: Distance from the reference, standard deviations of what is left.
        is_right: Whether the side on which the price lies won; a tie is Up.
    """

    start: int
    is_early: bool
    has_moved: bool
    size: float
    is_right: bool


class _Counted(NamedTuple):
    """What one rule came to, before anything is averaged.

    Attributes:
        right: Of each signal, whether it was right.
        by_day: What each share bought earned, cents, by its UTC day.
    """

    right: Sequence[bool]
    by_day: Mapping[int, Sequence[float]]


def counted(candles: Sequence[Candles], row: Row) -> Result:
    """Count one rule over all assets, pooled."""
    return _result(_count(candles, row), f"{row.minutes}m", row.minute, row.rule.value)


def counted_all(candles: Sequence[Candles], rows: Sequence[Row] = ROWS) -> list[Result]:
    """Count every rule, each in its place, and last all of them pooled as if they were one."""
    found = [_count(candles, row) for row in rows]
    by_day: dict[int, list[float]] = {}
    for each in found:
        for day, earned in each.by_day.items():
            by_day.setdefault(day, []).extend(earned)
    right = [signal for each in found for signal in each.right]
    results = [
        _result(each, f"{row.minutes}m", row.minute, row.rule.value)
        for each, row in zip(found, rows, strict=True)
    ]
    return [*results, _result(_Counted(right, by_day), ALL, 0, "")]


def _count(candles: Sequence[Candles], row: Row) -> _Counted:
    seen = [each for one in candles for each in seen_in(one, row)]
    signals = [each for each in seen if each.size >= SIGNAL_MIN]
    early = [(each.size, each.is_right) for each in seen if each.is_early and each.has_moved]
    by_day: dict[int, list[float]] = {}
    if early:
        curve = fitted(early)
        for each in signals:
            ask = math.ceil(100 * curve.at(each.size) + HALF_SPREAD_CENTS)
            if not each.is_early and ask <= ASK_CENTS_MAX:
                earned = _earned_cents(ask, is_right=each.is_right)
                by_day.setdefault(each.start // DAY_MINUTES, []).append(earned)
    return _Counted([each.is_right for each in signals], by_day)


def _result(found: _Counted, window: str, minute: int, rule: str) -> Result:
    bought = [value for values in found.by_day.values() for value in values]
    low, high = _interval(list(found.by_day.values())) if bought else (None, None)
    return Result(
        window=window,
        minute=minute,
        rule=rule,
        signals=len(found.right),
        hit_rate=100 * _mean(found.right) if found.right else None,
        purchases=len(bought),
        expectation_cents=_mean(bought) if bought else None,
        low_cents=low,
        high_cents=high,
    )


def seen_in(candles: Candles, row: Row) -> Iterator[Seen]:
    """Yield every whole window that has an hour of minutes before it."""
    earliest = SPREAD_MINUTES + 1
    first = earliest + -(candles.first_minute + earliest) % row.minutes
    left = math.sqrt(row.minutes - row.minute)
    for start in range(first, len(candles) - row.minutes + 1, row.minutes):
        now = start + row.minute - 1
        reference = candles.settled_by(row.rule, start - 1)
        end = candles.settled_by(row.rule, start + row.minutes - 1)
        price, spread = candles.close(now), candles.spread(now)
        move = math.log(price / reference)
        yield Seen(
            start=candles.first_minute + start,
            is_early=candles.first_minute + start < candles.middle,
            has_moved=price != reference,
            size=abs(move) / (spread * left) if spread else 0.0,
            is_right=(move > 0) == (end >= reference),
        )


def _earned_cents(ask: int, *, is_right: bool) -> float:
    price = ask / 100
    return 100 * (is_right - price - FEE * price * (1 - price))


def _interval(days: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Return the 95 % interval of a mean: days are nearly independent, their windows are not."""
    sums = [(sum(day), len(day)) for day in days]
    rng = random.Random(0)  # noqa: S311 - the same recording always gives the same interval
    means = []
    for _ in range(RESAMPLES):
        drawn = rng.choices(sums, k=len(sums))
        means.append(sum(total for total, _ in drawn) / sum(count for _, count in drawn))
    means.sort()
    return means[round(TAIL * RESAMPLES)], means[round((1 - TAIL) * RESAMPLES) - 1]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)

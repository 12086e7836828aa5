"""The same views decided again: whether a strategy depends on anything that comes later.

Owns which moments are taken, the views of them, and the comparison of verdicts. The idea is
freqtrade's lookahead analysis: decisions are repeated with another future, and must stay the same.
Where the other future lies and who decides again is a command's matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

import msgspec
from typing_extensions import override

from foresight.backtest.calibration import Span
from foresight.backtest.trading import run
from foresight.strategies.base import Opinion, Silence, Strategy, WindowView
from foresight.strategies.registry import judge

if TYPE_CHECKING:
    from foresight.backtest.trading import Trial

CUTS_MAX: Final = 15  # one for each minute of the longest window
CUT_MINUTES: Final = 30  # of what is judged for each of them, at least
ORDER: Final = (4, 11, 3, 10, 2, 9, 1, 8, 0, 7, 14, 6, 13, 5, 12)  # late minutes of both first
Views = Mapping[str, Sequence[WindowView]]
Verdicts = Mapping[str, Sequence["Verdict | None"]]


class Verdict(msgspec.Struct, frozen=True, array_like=True):
    """What a strategy wanted: side, its probability in millionths, the most it would pay."""

    side: str
    probability_ppm: int
    price_max_micro: int


class Cut(NamedTuple):
    """A moment that is decided again: the first minute that is altered, and all views before it."""

    minute: int
    views: Views


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one timeframe's strategy.

    Attributes:
        timeframe: As `5m`, or the slot that has a strategy of its own, as `btc-5m`.
        strategy: Its name.
        views: How many were decided again.
        opinions: In how many of them it spoke: silence alone proves nothing.
        unsteady: How many it decides otherwise on the very same recording.
        otherwise: How many it decides otherwise where only later candles differ.
    """

    timeframe: str
    strategy: str
    views: int
    opinions: int
    unsteady: int
    otherwise: int

    @property
    def sees_future(self) -> bool:
        """Whether what comes later decides."""
        return self.otherwise > 0 and not self.unsteady


class Watched(Strategy, frozen=True, kw_only=True):
    """A strategy that is overheard: every view that it is asked about is kept."""

    name: ClassVar[str] = "watched"

    inner: Strategy
    views: list[WindowView]

    @override
    def judge(self, view: WindowView) -> Opinion | Silence:
        self.views.append(view)
        return judge(self.inner, view)


def cuts_of(trial: Trial) -> list[Cut]:
    """Return moments of a trial with the views of its whole board: spread evenly over it."""
    first, end = trial.judged
    count = min(CUTS_MAX, (end - first) // CUT_MINUTES)
    starts = [first + at * (end - first) // count for at in range(count)]
    minutes = [start + (ORDER[at] - start) % CUTS_MAX for at, start in enumerate(starts)]
    return [_cut(trial, minute) for minute in minutes]


def _cut(trial: Trial, minute: int) -> Cut:
    policy = trial.policy
    watched = {key: Watched(inner=one, views=[]) for key, one in policy.strategies.items()}
    overheard = msgspec.structs.replace(policy, strategies=watched)
    run(trial._replace(policy=overheard, judged=Span(minute, minute + 1)))
    return Cut(minute, {key: tuple(one.views) for key, one in watched.items()})


def verdicts_of(
    strategies: Mapping[str, Strategy], views: Views
) -> dict[str, list[Verdict | None]]:
    """Return what strategies make of views, by timeframe; None where they want nothing."""
    return {
        timeframe: [_verdict(judge(strategies[timeframe], view)) for view in seen]
        for timeframe, seen in views.items()
    }


def compare(
    names: Mapping[str, str],
    decided: Sequence[Verdicts],
    same: Sequence[Verdicts],
    altered: Sequence[Verdicts],
) -> list[Found]:
    """Return what became of each timeframe's strategy.

    Args:
        names: Of the strategies, by timeframe.
        decided: What they wanted, for each cut.
        same: What they want again on the same recording.
        altered: What they want where later candles are altered: twice for each cut, one after
            the other.
    """
    others = list(zip(altered[::2], altered[1::2], strict=True))
    return [
        Found(
            timeframe=timeframe,
            strategy=name,
            views=sum(len(each[timeframe]) for each in decided),
            opinions=sum(one is not None for each in decided for one in each[timeframe]),
            unsteady=_differing(timeframe, decided, [(each,) for each in same]),
            otherwise=_differing(timeframe, decided, others),
        )
        for timeframe, name in names.items()
    ]


def _differing(
    timeframe: str, decided: Sequence[Verdicts], others: Sequence[tuple[Verdicts, ...]]
) -> int:
    """Return how many verdicts of some cuts differ from any of the others."""
    return sum(
        any(one != other for other in again)
        for some, more in zip(decided, others, strict=True)
        for one, *again in zip(some[timeframe], *(each[timeframe] for each in more), strict=True)
    )


def _verdict(verdict: Opinion | Silence) -> Verdict | None:
    if isinstance(verdict, Silence):
        return None
    return Verdict(verdict.side.value, verdict.probability_ppm, verdict.price_max_micro)

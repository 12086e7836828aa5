"""What the trades came to over time: equity, how far below its best it is, deploys beside it.

Owns the arithmetic of that curve. The book keeps so many trades in full; what came before them is
one sum, where the curve begins. Trades at another kind of venue are other money and in none of it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from deploy.history import Entry
from foresight.board import MICRO
from foresight.book import Book, decided_here, sums_here
from foresight.dashboard.deploys import short_name, took_over
from foresight.dashboard.hues import hue_of
from foresight.trades import Decided
from handoff.cadence import wall_time_ns
from handoff.limits import MS, NS
from state.record import Timeline

MARKS_MAX: Final = 24  # the newest; more of them hide the curve


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Equity after each trade, in the order in which windows ended.

    Attributes:
        at_ms: When each window ended, wall-clock.
        usdc: What had been earned in all by then, after fees.
        best: The most that had been earned until then.
        start: What had been earned before the first of them.
        older: Trades before the first that the book keeps: known as a sum.
        venue: Kind of the venue.
    """

    at_ms: tuple[int, ...] = ()
    usdc: tuple[float, ...] = ()
    best: tuple[float, ...] = ()
    start: float = 0.0
    older: int = 0
    venue: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployMark:
    """A deploy that took over.

    Attributes:
        at_ms: When, wall-clock.
        deploy: Its id.
        name: Short name of the release.
        subject: First line of its commit message.
        hue: Of its colour, degrees.
        outcome: How it ended.
    """

    at_ms: int
    deploy: str
    name: str
    subject: str
    hue: int
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Equity:
    """The curve in a few figures, and the deploys beside it.

    Attributes:
        trades: How many it is made of.
        older: Trades before them that are known as a sum.
        venue: Kind of the venue.
        from_ms: When the first window ended; 0 without any.
        until_ms: When the last one did.
        start: Equity before the first.
        now: Equity after the last.
        best: The most that it was.
        deepest: The largest fall below the best until then, at most 0.
        deepest_ms: When that was.
        below: How far it is below the best now, at most 0.
        marks: Deploys within it, oldest first.
    """

    trades: int = 0
    older: int = 0
    venue: str = ""
    from_ms: int = 0
    until_ms: int = 0
    start: float = 0.0
    now: float = 0.0
    best: float = 0.0
    deepest: float = 0.0
    deepest_ms: int = 0
    below: float = 0.0
    marks: tuple[DeployMark, ...] = ()


def ours_here(book: Book) -> list[Decided]:
    """Return the strategies' trades at the venue of now, in the order in which windows ended."""
    ours = [each for each in decided_here(book) if not each.entry.is_adopted]
    return sorted(ours, key=lambda each: (each.entry.end_s, each.entry.slug))


def before_kept(book: Book, kept: Sequence[Decided]) -> tuple[int, float]:
    """Return how many trades at this venue are no longer kept in full, and what they came to."""
    here = sums_here(book)
    older = here.trades - len(kept)
    if older <= 0:
        return 0, 0.0  # a book of an older release has no sums by release
    whole = here.payout_micro - here.cost_micro - here.fee_micro
    return older, (whole - sum(each.profit_micro for each in kept)) / MICRO


def curve_of(book: Book, timeline: Timeline) -> Curve:
    """Return the curve of all trades that a book keeps.

    Args:
        book: What the trader knows.
        timeline: How wall-clock time maps to application time.
    """
    trades = ours_here(book)
    older, start = before_kept(book, trades)
    profits = (each.profit_micro for each in trades)
    sums = [total / MICRO for total in accumulate(profits, initial=round(start * MICRO))]
    return Curve(
        at_ms=tuple(wall_time_ns(timeline, each.entry.end_s * NS) // MS for each in trades),
        usdc=tuple(sums[1:]),
        best=tuple([*accumulate(sums, max)][1:]),
        start=start,
        older=older,
        venue=book.venue,
    )


def within(curve: Curve, is_in: Callable[[int], bool]) -> Curve:
    """Return the part of a curve in a range; its bests are those of the whole.

    Args:
        curve: The whole.
        is_in: Tells whether a moment lies in the range.
    """
    inside = [number for number, at_ms in enumerate(curve.at_ms) if is_in(at_ms)]
    if not inside:
        return Curve(start=curve.start, older=curve.older, venue=curve.venue)
    first, end = inside[0], inside[-1] + 1
    return Curve(
        at_ms=curve.at_ms[first:end],
        usdc=curve.usdc[first:end],
        best=curve.best[first:end],
        start=curve.usdc[first - 1] if first else curve.start,
        older=curve.older + first,
        venue=curve.venue,
    )


def marks_in(curve: Curve, deploys: Iterable[Entry]) -> tuple[DeployMark, ...]:
    """Return the deploys that took over within a curve, oldest first; the newest, if many."""
    if not curve.at_ms:
        return ()
    first, last = curve.at_ms[0], curve.at_ms[-1]
    found = [_mark(each) for each in deploys if took_over(each)]
    inside = [mark for mark in found if first <= mark.at_ms <= last]
    return tuple(sorted(inside, key=lambda mark: mark.at_ms)[-MARKS_MAX:])


def _mark(entry: Entry) -> DeployMark:
    return DeployMark(
        at_ms=entry.boundary_ms or 0,
        deploy=entry.deploy,
        name=short_name(entry.release, entry.commit) or entry.ref,
        subject=entry.subject,
        hue=hue_of(entry.release),
        outcome=entry.outcome,
    )


def equity_of(curve: Curve, deploys: Iterable[Entry]) -> Equity:
    """Return a curve in a few figures.

    Args:
        curve: Of a book, or a part of it.
        deploys: Finished deploys.
    """
    if not curve.at_ms:
        return Equity(older=curve.older, venue=curve.venue, start=curve.start, now=curve.start)
    falls = [value - best for value, best in zip(curve.usdc, curve.best, strict=True)]
    deepest = min(falls)
    return Equity(
        trades=len(curve.at_ms),
        older=curve.older,
        venue=curve.venue,
        from_ms=curve.at_ms[0],
        until_ms=curve.at_ms[-1],
        start=curve.start,
        now=curve.usdc[-1],
        best=curve.best[-1],
        deepest=deepest,
        deepest_ms=curve.at_ms[falls.index(deepest)],
        below=falls[-1],
        marks=marks_in(curve, deploys),
    )

"""Trades and profit by day and by release, of the trades that the book keeps in full.

Owns the sums and the rows. A day is one of the market's time, UTC, as the guards count it. No file
and no clock enters.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from foresight.board import MICRO
from foresight.book import DAY_S, Book
from foresight.dashboard.equity import before_kept, ours_here
from foresight.dashboard.hues import hue_of
from foresight.scoring import Score, evidence_of, score_of
from foresight.trades import Decided, Tally, tally_of
from handoff.cadence import wall_time_ns
from handoff.limits import MS, NS
from state.moments import rfc3339
from state.record import Timeline

ROWS_MAX: Final = 100  # trades that are listed one by one


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a day or a release came to.

    Attributes:
        key: The day, or the id of the release.
        name: What it is called.
        subject: First line of a release's commit message.
        hue: Of a release, degrees; None of a day.
        score: The figures.
        words: What may be concluded.
    """

    key: str
    name: str
    score: Score
    words: str
    subject: str = ""
    hue: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One decided trade.

    Attributes:
        at_ms: When its window ended, wall-clock.
        slot: Slot id.
        side: `up` or `down`.
        shares: How many.
        price: Paid per share, without fee.
        fee: Paid, USDC.
        probability: What we thought the chance was.
        outcome: `won`, `lost` or `void`.
        profit: After fees, USDC.
        release: Id of the release that wanted it.
        name: Its short name.
        hue: Of its colour, degrees.
    """

    at_ms: int
    slot: str
    side: str
    shares: float
    price: float
    fee: float
    probability: float
    outcome: str
    profit: float
    release: str
    name: str
    hue: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Takings:
    """All of it.

    Attributes:
        venue: Kind of the venue.
        days: Newest first.
        releases: The one that decided last first.
        rows: Newest first, at most `ROWS_MAX`.
        more: Further trades of the range.
        whole: Of all rows together; None without any.
        older: Trades that are no longer kept in full, known as a sum.
        older_profit: What these came to, USDC.
    """

    venue: str
    days: tuple[Part, ...] = ()
    releases: tuple[Part, ...] = ()
    rows: tuple[Row, ...] = ()
    more: int = 0
    whole: Score | None = None
    older: int = 0
    older_profit: float = 0.0


def takings_of(
    book: Book,
    timeline: Timeline,
    *,
    names: Mapping[str, str],
    subjects: Mapping[str, str],
    is_in: Callable[[int], bool],
) -> Takings:
    """Return what the trades in a range came to; the mappings are by release id.

    Args:
        book: What the trader knows.
        timeline: How wall-clock time maps to application time.
        names: Short names.
        subjects: First lines of commit messages.
        is_in: Tells whether a moment, wall-clock milliseconds, lies in the range.
    """
    kept = ours_here(book)
    trades = [each for each in kept if is_in(ended_ms(each, timeline))]
    older, older_profit = before_kept(book, kept)
    return Takings(
        venue=book.venue,
        days=_days(trades),
        releases=_releases(trades, names, subjects),
        rows=tuple(_row(each, timeline, names) for each in trades[: -ROWS_MAX - 1 : -1]),
        more=max(0, len(trades) - ROWS_MAX),
        whole=_score(trades) if trades else None,
        older=older,
        older_profit=older_profit,
    )


def ended_ms(trade: Decided, timeline: Timeline) -> int:
    """Return when a trade's window ended, wall-clock."""
    return wall_time_ns(timeline, trade.entry.end_s * NS) // MS


def _days(trades: Sequence[Decided]) -> tuple[Part, ...]:
    found: dict[str, list[Decided]] = {}
    for each in trades:
        # A window that ends at midnight belongs to the day that it was bought in.
        day_s = (each.entry.end_s - 1) // DAY_S * DAY_S
        found.setdefault(rfc3339(day_s * NS)[:10], []).append(each)
    return tuple(_part(day, day, own) for day, own in reversed(found.items()))


def _releases(
    trades: Sequence[Decided], names: Mapping[str, str], subjects: Mapping[str, str]
) -> tuple[Part, ...]:
    found: dict[str, list[Decided]] = {}
    for each in reversed(trades):
        found.setdefault(each.entry.release, []).append(each)
    return tuple(
        _part(
            release,
            names.get(release, release[:12]),
            own,
            subject=subjects.get(release, ""),
            hue=hue_of(release),
        )
        for release, own in found.items()
    )


def _part(
    key: str, name: str, trades: Sequence[Decided], *, subject: str = "", hue: int | None = None
) -> Part:
    score = _score(trades)
    words = evidence_of(score)
    return Part(key=key, name=name, score=score, words=words, subject=subject, hue=hue)


def _score(trades: Sequence[Decided]) -> Score:
    return score_of(tally_of(trades, Tally()))


def _row(trade: Decided, timeline: Timeline, names: Mapping[str, str]) -> Row:
    entry = trade.entry
    outcome = "won" if trade.is_won else "lost"
    return Row(
        at_ms=ended_ms(trade, timeline),
        slot=entry.slot,
        side=entry.side.value,
        shares=trade.shares_micro / MICRO,
        price=trade.cost_micro / trade.shares_micro,
        fee=trade.fee_micro / MICRO,
        probability=entry.probability_ppm / MICRO,
        outcome="void" if trade.result.value == "void" else outcome,
        profit=trade.profit_micro / MICRO,
        release=entry.release,
        name=names.get(entry.release, entry.release[:12]),
        hue=hue_of(entry.release),
    )

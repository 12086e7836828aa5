"""What a report is made of: decided trades, what each slot and each release came to, deploys.

Owns one shape for both sources, a home's book and a backtest's result, and the words that say what
is in neither. No file, clock or process enters here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from foresight.board import MICRO, Result, Side
from foresight.book import decided_here, sums_here
from foresight.scoring import Score, earned_by, said_of_none, score_of
from foresight.trades import Decided, Entry, Tally, tally_of
from handoff.plurals import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from foresight.backtest.results import BacktestResult, Trade
    from foresight.book import Book

MINUTE_S: Final = 60


class Mark(NamedTuple):
    """A deploy that took over.

    Attributes:
        at_s: First moment that it decided, application seconds.
        name: What its release is called.
        words: First line of its commit message, and how it ended.
    """

    at_s: int
    name: str
    words: str


class Part(NamedTuple):
    """What one slot or one release came to.

    Attributes:
        name: Of the slot or the release.
        score: The figures; None where it decided no trade.
        says: In words where there are no figures.
    """

    name: str
    score: Score | None
    says: str = ""


class Facts(NamedTuple):
    """All that a report shows.

    Attributes:
        name: Of what it is about.
        origin: Where the trades come from, in a sentence.
        trades: Decided ones that are known one by one, in the order in which windows ended.
        score: The figures over all of them, and over those that are known as sums alone.
        before: What the latter earned, USDC: where the curve begins.
        slots: Each slot, over the trades that are known one by one.
        releases: Each release, the newest at the end.
        marks: Deploys that took over, oldest first.
        signals: Windows in which a strategy spoke.
        unbought: Of them without a purchase.
        notes: What the figures do not say.
    """

    name: str
    origin: str
    trades: Sequence[Decided]
    score: Score
    before: float
    slots: Sequence[Part]
    releases: Sequence[Part]
    marks: Sequence[Mark]
    signals: int
    unbought: int
    notes: Sequence[str]


def facts_of_backtest(result: BacktestResult, span: str) -> Facts:
    """Return the facts of a backtest.

    Args:
        result: With its trades.
        span: The minutes that it judged, in words.
    """
    trades = _in_order(_decided(each) for each in result.trades)
    notes = ["Paid and settled by the local exchange's arithmetic over a recording: no money."]
    if result.undecided:
        notes.append(f"{counted(result.undecided, 'purchase')} had no result and count nowhere.")
    return Facts(
        name=result.name,
        origin=f"A backtest over {span} UTC: orders {result.delay_s:g} s later, windows settled by "
        f"{result.rule}, prices fitted on {result.table}.",
        trades=trades,
        score=score_of(tally_of(trades, Tally())),
        before=0.0,
        slots=[Part(each.slot, each.score if each.score.trades else None) for each in result.slots],
        releases=_releases(trades) or [Part(result.name, None)],
        marks=(),
        signals=result.signals,
        unbought=sum(result.unbought.values()),
        notes=notes,
    )


def facts_of_book(
    book: Book, *, name: str, marks: Sequence[Mark], deployed: Iterable[str]
) -> Facts:
    """Return the facts of a home: of the kind of venue that it trades at now.

    Args:
        book: Of its record.
        name: Of the application.
        marks: Its deploys that took over, oldest first.
        deployed: Ids of releases that owned; one without a trade is named all the same.
    """
    trades = _in_order(each for each in decided_here(book) if not each.entry.is_adopted)
    kept = tally_of(trades, Tally())
    summed = sums_here(book)
    # A book of an older release has no sums by release before it was written anew.
    whole = summed if summed.trades > kept.trades else kept
    return Facts(
        name=name,
        origin=f"Trades of this installation at the {book.venue or 'unnamed'} venue.",
        trades=trades,
        score=score_of(whole),
        before=score_of(whole).profit - score_of(kept).profit,
        slots=_slots(trades),
        releases=_earned(book, deployed),
        marks=marks,
        signals=book.signals,
        unbought=sum(book.unbought.values()),
        notes=_notes(book, whole.trades - kept.trades),
    )


def _notes(book: Book, older: int) -> list[str]:
    notes = []
    if older:
        notes.append(
            f"{counted(older, 'older trade')} are in the sums and in what releases earned alone: "
            "curves, slots, probabilities and prices are of those that are kept one by one."
        )
    elsewhere = {key.partition(":")[0] for key in book.tallies} - {book.venue}
    if elsewhere:
        notes.append(f"Trades at {', '.join(sorted(elsewhere))} are left out: it is other money.")
    if book.venue in {"local", "paper"}:
        notes.append(f"The {book.venue} venue fills orders by itself: no money was earned or lost.")
    return notes


def _earned(book: Book, deployed: Iterable[str]) -> list[Part]:
    earned = [each for each in earned_by(book) if each.venue == book.venue]
    known = {each.release for each in earned}
    idle = [release for release in dict.fromkeys(deployed) if release and release not in known]
    parts = [Part(release, None, said_of_none(earned)) for release in idle]
    return parts + [Part(each.release, each.score) for each in earned]


def _releases(trades: Iterable[Decided]) -> list[Part]:
    return [Part(name, score) for name, score in _by(trades, "release")]


def _slots(trades: Iterable[Decided]) -> list[Part]:
    return sorted(Part(name, score) for name, score in _by(trades, "slot"))


def _by(trades: Iterable[Decided], field: str) -> list[tuple[str, Score]]:
    tallies: dict[str, list[Decided]] = {}
    for trade in trades:
        tallies.setdefault(getattr(trade.entry, field), []).append(trade)
    return [(name, score_of(tally_of(own, Tally()))) for name, own in tallies.items()]


def _in_order(trades: Iterable[Decided]) -> list[Decided]:
    return sorted(trades, key=lambda each: (each.entry.end_s, each.entry.slug))


def _decided(trade: Trade) -> Decided:
    """Return a backtest's trade as a book would hold it."""
    cost = trade.price * trade.shares
    fee = trade.fee * trade.shares
    return Decided(
        entry=Entry(
            effect_id="",
            slot=trade.slot,
            slug=trade.slug,
            end_s=trade.end_s,
            side=Side(trade.side),
            probability_ppm=round(trade.probability * MICRO),
            release=trade.release,
        ),
        shares_micro=round(trade.shares * MICRO),
        cost_micro=round(cost * MICRO),
        fee_micro=round(fee * MICRO),
        payout_micro=round((trade.profit + cost + fee) * MICRO),
        result=Result(trade.result),
        decided_s=trade.end_s,
    )

"""The money of this moment: what today brought, what is open, what can be lost.

Owns the figures and how far back the first one reaches. The book keeps so many trades in full;
where they do not reach back to midnight, the page says since when instead of calling it a day.
"""

from dataclasses import dataclass

from foresight.board import MICRO
from foresight.book import DAY_S, Book, decided_here, spent_today_micro
from handoff.cadence import wall_time_ns
from handoff.limits import MS, NS
from state.record import Timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """The money of this moment, USDC.

    Attributes:
        venue: Kind of the venue that it is at; empty before the first.
        profit: After fees, of the strategies' trades there decided today, or since `since_ms`.
        trades: How many these are.
        since_ms: Where the trades that are kept do not reach back to midnight UTC of the market's
            time: from when on, wall-clock milliseconds. None where they do.
        spent: Paid today, fees included.
        positions: How many are open.
        at_risk: What they cost, fees included: lost if all of them lose.
        orders: How many are under way.
        ordered: What they cost at most.
        cash: The account's cash; None until it was read.
    """

    venue: str = ""
    profit: float = 0.0
    trades: int = 0
    since_ms: int | None = None
    spent: float = 0.0
    positions: int = 0
    at_risk: float = 0.0
    orders: int = 0
    ordered: float = 0.0
    cash: float | None = None


def money_of(book: Book, timeline: Timeline) -> Money:
    """Return the money of a book.

    Args:
        book: What the trader knows.
        timeline: How wall-clock time maps to application time.
    """
    midnight_s = book.now_s - book.now_s % DAY_S
    ours = [each for each in decided_here(book) if not each.entry.is_adopted]
    today = [each for each in ours if each.decided_s >= midnight_s]
    # What is no longer kept in full may be of today as well.
    is_cut = bool(ours) and len(today) == len(ours) and book.archived.newest_s >= midnight_s
    since_ms = wall_time_ns(timeline, today[0].decided_s * NS) // MS if is_cut else None
    return Money(
        venue=book.venue,
        profit=sum(each.profit_micro for each in today) / MICRO,
        trades=len(today),
        since_ms=since_ms,
        spent=spent_today_micro(book) / MICRO,
        positions=len(book.positions),
        at_risk=sum(each.stake_micro for each in book.positions.values()) / MICRO,
        orders=len(book.orders),
        ordered=sum(each.reserved_micro for each in book.orders.values()) / MICRO,
        cash=book.cash.held_micro / MICRO if book.cash is not None else None,
    )

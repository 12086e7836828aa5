"""Which of the account's own orders and fills a listing shows.

Owns the choice by time, by number and by page. Must never enter: HTTP, shapes of JSON, decisions.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from foresight.exchange.binance.parameters import Query, instant_us, page_size
from foresight.exchange.binance.refusals import Refusal
from foresight.exchange.ledger.spot import SpotFill, SpotOrder

_LIMIT_DEFAULT: Final = 500
_LIMIT_MAX: Final = 1000
_DAY_US: Final = 86_400_000_000
_NS_PER_US: Final = 1000


class Range(NamedTuple):
    """What is wanted.

    Attributes:
        start_us: Earliest, wall time; None for no bound.
        end_us: Latest, wall time; None for no bound.
        limit: Rows, >= 1.
    """

    start_us: int | None
    end_us: int | None
    limit: int

    def holds(self, wall_ns: int) -> bool:
        """Say whether an instant lies in the range, as its microsecond does."""
        at_us = wall_ns // _NS_PER_US
        return (self.start_us is None or at_us >= self.start_us) and (
            self.end_us is None or at_us <= self.end_us
        )


def read_range(query: Query) -> Range:
    """Return what the parameters ask for.

    Raises:
        Refusal: One is unreadable, or the range is longer than a day.
    """
    start_us, end_us = instant_us(query, "startTime"), instant_us(query, "endTime")
    if start_us is not None and end_us is not None and end_us - start_us > _DAY_US:
        raise Refusal(-1127, "More than 24 hours between startTime and endTime.")
    return Range(start_us, end_us, page_size(query, default=_LIMIT_DEFAULT, most=_LIMIT_MAX))


def orders_in(
    orders: Iterable[SpotOrder], wanted: Range, *, first_id: int | None
) -> list[SpotOrder]:
    """Return orders by number, rising: the first ones of a range or number, else the newest."""
    found = [
        order for order in orders if order.id >= (first_id or 0) and wanted.holds(order.wall_ns)
    ]
    found.sort(key=lambda order: order.id)
    if first_id is None and wanted.start_us is None:
        return found[-wanted.limit :]
    return found[: wanted.limit]


def trades_in(
    orders: Iterable[SpotOrder], wanted: Range, *, first_id: int | None
) -> list[tuple[SpotOrder, SpotFill]]:
    """Return fills by time, rising: the first ones of a range or number, else the newest."""
    found = [
        (order, fill)
        for order in orders
        for fill in order.fills
        if fill.id >= (first_id or 0) and wanted.holds(fill.wall_ns)
    ]
    found.sort(key=lambda row: (row[1].wall_ns, row[1].id))
    if first_id is None and wanted.start_us is None:
        return found[-wanted.limit :]
    return found[: wanted.limit]

"""The exchange's ledger against the book: two accounts of the same orders, kept apart.

Owns the comparison, pure. One order is sent per window, so a window names an order on both
sides; the amounts must agree to the millionth.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from foresight.board import MICRO

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from foresight.trades import Decided, Position


class Amounts(NamedTuple):
    """What was bought, in millionths of a share and of a USDC."""

    shares: int
    cost: int
    fee: int


class Comparison(NamedTuple):
    """What both sides say.

    Attributes:
        received: Order requests that reached the exchange.
        distinct: How many orders they were for.
        duplicates: Requests that it refused because it knew the order.
        executed: Orders that bought something.
        booked: Orders that the book says bought something.
        in_flight: Windows whose order's outcome the book did not know yet.
        unknown_to_book: Windows of executed orders that the book does not have.
        unknown_to_exchange: Windows of booked orders that were not executed.
        differing: Windows where the amounts or the order's id differ.
        bought_twice: Windows in which more than one order executed.
    """

    received: int
    distinct: int
    duplicates: int
    executed: int
    booked: int
    in_flight: tuple[str, ...]
    unknown_to_book: tuple[str, ...]
    unknown_to_exchange: tuple[str, ...]
    differing: tuple[str, ...]
    bought_twice: tuple[str, ...]

    @property
    def agree(self) -> bool:
        """Whether both sides say the same of every order that has an outcome."""
        return not (self.unknown_to_book or self.unknown_to_exchange or self.differing)

    @property
    def is_once(self) -> bool:
        """Whether each order was accepted once: what was sent again is a refused duplicate."""
        return self.received - self.distinct == self.duplicates


def compare(
    ledger: Mapping[str, Any],
    held: Iterable[Position],
    decided: Iterable[Decided],
    *,
    in_flight: Collection[str] = (),
) -> Comparison:
    """Compare the exchange's ledger with every position and trade that the book ever had.

    Args:
        ledger: What the exchange says.
        held: Every position.
        decided: Every decided trade.
        in_flight: Windows of orders without an outcome when the ledger was read.
    """
    # An order all of whose trades failed has bought nothing: it went back on both sides.
    executed = [order for order in ledger["orders"] if _amounts(order).shares]
    theirs = {order["slug"]: _amounts(order) for order in executed}
    held = list(held)
    ours = {position.entry.slug: _booked(position) for position in held}
    ours |= {trade.entry.slug: _booked(trade) for trade in decided}
    ids = {position.entry.slug: position.order_id for position in held}
    differing = {slug for slug in theirs.keys() & ours.keys() if theirs[slug] != ours[slug]}
    differing |= {
        order["slug"] for order in executed if ids.get(order["slug"], order["id"]) != order["id"]
    }
    times = Counter(order["slug"] for order in executed)
    return Comparison(
        received=ledger["requests_received"],
        distinct=ledger["requests_distinct"],
        duplicates=ledger["duplicates_refused"],
        executed=len(executed),
        booked=len(ours),
        in_flight=tuple(sorted(in_flight)),
        unknown_to_book=tuple(sorted(theirs.keys() - ours.keys() - set(in_flight))),
        unknown_to_exchange=tuple(sorted(ours.keys() - theirs.keys())),
        differing=tuple(sorted(differing)),
        bought_twice=tuple(sorted(slug for slug in times if times[slug] > 1)),
    )


def _amounts(order: Mapping[str, Any]) -> Amounts:
    return Amounts(*(int(Decimal(order[name]) * MICRO) for name in ("filled", "cash", "fee")))


def _booked(trade: Position | Decided) -> Amounts:
    return Amounts(trade.shares_micro, trade.cost_micro, trade.fee_micro)

"""Simulated fills against the real book: real prices, no money.

Owns the simulation: an order gets what the book offers at that moment up to its limit, for the
market's own fee. Nothing real happens, so an order that was never booked may be simulated
again; the body is the only account there is. Prices and results come from the real venue.
"""

import hashlib
from collections.abc import Mapping, Sequence

from foresight.board import Side, cost_micro, fee_micro
from foresight.errors import AnswerUnreadable
from foresight.market import Holdings, Offer, Ruling
from foresight.orders import NOT_FILLABLE, REFUSED, Bought, Buy
from foresight.venues.base import Missing, NotBought, Venue


class Paper:
    """A venue that only pretends to buy."""

    def __init__(self, real: Venue) -> None:
        """Read prices, rules and results from `real`; nothing is ever sent to it."""
        self._real = real

    async def open(self) -> None:
        """Open the real venue."""
        await self._real.open()

    async def close(self) -> None:
        """Close the real venue."""
        await self._real.close()

    async def offers(self, wanted: Mapping[str, tuple[str, Side]]) -> dict[str, Offer]:
        """Return what the real windows offer."""
        return await self._real.offers(wanted)

    async def rulings(self, slugs: Sequence[str]) -> tuple[Ruling, ...]:
        """Return how the real windows ended."""
        return await self._real.rulings(slugs)

    async def holdings(self) -> Holdings | None:
        """Return None: nobody but the body knows simulated positions."""
        return None

    async def buy(self, order: Buy) -> Bought | NotBought:
        """Simulate an order against the book of this moment."""
        offer = (await self._real.offers({"": (order.slug, order.side)}))[""]
        if offer.failure:
            raise AnswerUnreadable(offer.failure)
        if not offer.is_accepting:
            return NotBought(f"{REFUSED}: the market takes no orders")
        return simulate(order, offer)

    async def find(self, order: Buy) -> Missing:
        """Answer that nothing was ever sent."""
        del order
        return Missing(is_final=False)


def simulate(order: Buy, offer: Offer) -> Bought | NotBought:
    """Return what an order gets from a book: fill and kill."""
    left = order.shares_micro
    cost = fees = 0
    for level in offer.asks:
        size = min(left, level.size_micro)
        if level.price_micro > order.price_micro or not size:
            break
        cost += cost_micro(shares_micro=size, price_micro=level.price_micro)
        fees += fee_micro(order.fee, shares_micro=size, price_micro=level.price_micro)
        left -= size
    if left == order.shares_micro:
        return NotBought(NOT_FILLABLE)
    digest = hashlib.sha256(f"{order.token}:{order.salt}".encode()).hexdigest()
    return Bought(
        order_id=f"paper-{digest[:32]}",
        shares_micro=order.shares_micro - left,
        cost_micro=cost,
        fee_micro=fees,
    )

"""Simulated fills against the real book: real prices, no money.

Owns the simulation: an order gets what the book offers at that moment up to its limit, for the
market's own fee. Nothing real happens, so an order that was never booked may be simulated
again; the body is the only account there is. Prices and results come from the real venue.
"""

import hashlib
from collections.abc import AsyncIterator, Collection, Mapping, Sequence

from foresight.board import MICRO, Side, cost_micro, fee_micro
from foresight.errors import AnswerUnreadable
from foresight.market import Holdings, Offer, Ruling, Stage, WindowFacts
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

    async def facts(self, slugs: Sequence[str]) -> dict[str, WindowFacts | str]:
        """Return what the real markets say of their windows."""
        return await self._real.facts(slugs)

    async def books(self, offers: Mapping[str, Offer]) -> dict[str, Offer]:
        """Return offers with the real books."""
        return await self._real.books(offers)

    async def rulings(self, slugs: Sequence[str]) -> tuple[Ruling, ...]:
        """Return how the real windows ended."""
        return await self._real.rulings(slugs)

    async def holdings(self) -> Holdings | None:
        """Return None: nobody but the body knows simulated positions."""
        return None

    async def trades(
        self, wanted: Collection[str], *, since_s: int
    ) -> AsyncIterator[dict[str, Stage]]:
        """Yield nothing of any: simulated fills are final."""
        del wanted, since_s
        yield {}

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
    """Return what an order gets from a book: fill and kill, spending its USDC."""
    left = cost_micro(shares_micro=order.shares_micro, price_micro=order.price_micro)
    shares = cost = fees = 0
    for level in offer.asks:
        size = min(left * MICRO // level.price_micro, level.size_micro)
        if level.price_micro > order.price_micro or not size:
            break
        is_last = size < level.size_micro
        paid = cost_micro(shares_micro=size, price_micro=level.price_micro)
        paid = left if is_last else min(left, paid)
        shares, cost, left = shares + size, cost + paid, left - paid
        fees += fee_micro(order.fee, shares_micro=size, price_micro=level.price_micro)
    if not shares:
        return NotBought(NOT_FILLABLE)
    digest = hashlib.sha256(f"{order.token}:{order.salt}".encode()).hexdigest()
    return Bought(
        order_id=f"paper-{digest[:32]}",
        shares_micro=shares,
        cost_micro=cost,
        fee_micro=fees,
    )

"""The spot market's counter: takes spot orders and matches them at the tape's price.

Owns every decision about spot orders. Fills happen at one touch around the last price, of any
size: the spot side exists as a price feed and for clients that trade spot, not as a study of depth.

Must never enter: wire formats, HTTP, signatures, clocks, files.
"""

from collections.abc import Callable, Sequence
from typing import Final

from foresight.exchange.ledger.spot import (
    ATOMS,
    COMMISSION_PER_MILLE,
    SpotCanceled,
    SpotEntry,
    SpotFill,
    SpotFilled,
    SpotFunded,
    SpotLedger,
    SpotOrder,
    SpotReceived,
    SpotTerms,
    SpotVerdict,
)
from foresight.exchange.market_clock import Now
from foresight.exchange.prices.tape import Tape

SPREAD: Final = 0.0001
"""Distance between best bid and best ask as a share of the price: one basis point."""


class SpotDesk:
    """Orders over one spot ledger and one tape."""

    def __init__(
        self,
        ledger: SpotLedger,
        tape: Tape,
        *,
        commit: Callable[[Sequence[SpotEntry]], None],
        reuse_client_ids: Callable[[], bool],
    ) -> None:
        """Put the parts together.

        Args:
            ledger: Read here, changed only by `commit`.
            tape: Prices.
            commit: Makes entries durable, then applies them to `ledger`.
            reuse_client_ids: Whether the id of a finished order may be used again now.
        """
        self.ledger = ledger
        self.tape = tape
        self._commit = commit
        self._reuse_client_ids = reuse_client_ids

    def fund(self, amount: int) -> None:
        """Give the account its starting balance of the quote asset unless it has one."""
        if self.ledger.quote_asset not in self.ledger.balances:
            self._commit([SpotFunded(self.ledger.quote_asset, amount)])

    def touch(self, asset: str, market_ns: int) -> tuple[int, int] | None:
        """Return best bid and best ask in atoms, or None where there is no price."""
        price = self.tape.price_at(asset, market_ns)
        if price is None or self.tape.has_ended(market_ns):
            return None
        tick = self.tick(asset)
        # A recording may hold finer prices than its first ones, which its tick was read from.
        middle = (round(price * ATOMS) + tick // 2) // tick * tick
        half = max(tick, int(middle * SPREAD / 2) // tick * tick)
        return max(tick, middle - half), middle + half

    def tick(self, asset: str) -> int:
        """Return the step of an asset's prices, atoms."""
        return max(1, round(self.tape.source.tick(asset) * ATOMS))

    def submit(self, terms: SpotTerms, now: Now) -> SpotReceived:
        """Decide about one order, durably, and return the line of the request log."""
        self.advance(now)
        entry = self._decide(terms, now)
        self._commit([entry])
        return entry

    def cancel(self, order: SpotOrder, now: Now) -> bool:
        """Cancel a waiting order; False if it does not wait any more."""
        if order.status not in {"NEW", "PARTIALLY_FILLED"}:
            return False
        self._commit([SpotCanceled(order.id, now.wall_ns)])
        return True

    def advance(self, now: Now) -> None:
        """Fill waiting orders whose price was reached."""
        entries: list[SpotEntry] = []
        for order in self.ledger.live():
            price = self._crossing(order.terms, now.market_ns)
            if price is not None:
                fill = _fill(
                    order.id,
                    len(order.fills),
                    order.terms,
                    price=order.terms.price,
                    quantity=order.left,
                    is_maker=True,
                    wall_ns=now.wall_ns,
                )
                entries.append(SpotFilled(order.id, fill))
        self._commit(entries)

    def _decide(self, terms: SpotTerms, now: Now) -> SpotReceived:
        order_id = len(self.ledger.requests) + 1
        earlier = self.ledger.by_client_id.get(terms.client_id)
        if earlier is not None:
            waits = earlier.status in {"NEW", "PARTIALLY_FILLED"}
            if waits or not self._reuse_client_ids():
                return _received(order_id, terms, now, "duplicate", "Duplicate order sent.")
        touch = self.touch(terms.asset, now.market_ns)
        if touch is None:
            return _received(order_id, terms, now, "refused", "Market is closed.")
        worst = terms.price or touch[1]
        wanted = self.ledger.quote_asset if terms.is_buy else terms.asset
        needed = -(-terms.quantity * worst // ATOMS) if terms.is_buy else terms.quantity
        free = self.ledger.balances.get(wanted, 0) - self.ledger.claimed(wanted)
        if needed > free:
            reason = "Account has insufficient balance for requested action."
            return _received(order_id, terms, now, "refused", reason)
        price = self._crossing(terms, now.market_ns)
        if terms.kind == "LIMIT_MAKER" and price is not None:
            reason = "Order would immediately match and take."
            return _received(order_id, terms, now, "refused", reason)
        fills: tuple[SpotFill, ...] = ()
        if price is not None:
            fill = _fill(
                order_id,
                0,
                terms,
                price=price,
                quantity=terms.quantity,
                is_maker=False,
                wall_ns=now.wall_ns,
            )
            fills = (fill,)
        return _received(order_id, terms, now, "accepted", "", fills)

    def _crossing(self, terms: SpotTerms, market_ns: int) -> int | None:
        touch = self.touch(terms.asset, market_ns)
        if touch is None:
            return None
        best_bid, best_ask = touch
        if terms.is_buy:
            return best_ask if terms.price == 0 or terms.price >= best_ask else None
        return best_bid if terms.price <= best_bid else None


def _fill(
    order_id: int,
    index: int,
    terms: SpotTerms,
    *,
    price: int,
    quantity: int,
    is_maker: bool,
    wall_ns: int,
) -> SpotFill:
    received = quantity if terms.is_buy else quantity * price // ATOMS
    return SpotFill(
        id=order_id * 100 + index,
        price=price,
        quantity=quantity,
        commission=received * COMMISSION_PER_MILLE // 1000,
        is_maker=is_maker,
        wall_ns=wall_ns,
    )


def _received(  # noqa: PLR0917 - the fields of one line
    order_id: int,
    terms: SpotTerms,
    now: Now,
    verdict: SpotVerdict,
    reason: str,
    fills: tuple[SpotFill, ...] = (),
) -> SpotReceived:
    return SpotReceived(order_id, verdict, reason, now.wall_ns, now.market_ns, terms, fills)

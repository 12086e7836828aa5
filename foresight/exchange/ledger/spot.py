"""What the spot market remembers: balances, orders, fills and every request.

Owns the spot entries and `SpotLedger`, the fold over them. Amounts are whole atoms (10**-8), as
the wire's eight decimals. There is one account, the demo key's.

Must never enter: files, clocks, prices, wire formats, the prediction market's books.
"""

from typing import Final, Literal

import msgspec

ATOMS: Final = 100_000_000
"""Atoms in one unit of any asset or price."""

COMMISSION_PER_MILLE: Final = 1
"""Spot fee: 0.1 % of what is received (Binance, standard tier)."""

SpotVerdict = Literal["accepted", "duplicate", "refused"]
SpotStatus = Literal["NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED"]


class SpotFill(msgspec.Struct, frozen=True):
    """One execution, in atoms; `commission` is in the received asset."""

    id: int
    price: int
    quantity: int
    commission: int
    is_maker: bool
    wall_ns: int


class SpotTerms(msgspec.Struct, frozen=True):
    """What a spot order asks for; `price` 0 means any, amounts in atoms."""

    client_id: str
    asset: str
    is_buy: bool
    kind: str
    time_in_force: str
    quantity: int
    price: int


class SpotFunded(msgspec.Struct, frozen=True, tag="spot_funded"):
    """The demo account got its starting balance of an asset."""

    asset: str
    amount: int


class SpotReceived(msgspec.Struct, frozen=True, tag="spot_request"):
    """A spot order request arrived, executed or not: the request log."""

    order_id: int
    verdict: SpotVerdict
    reason: str
    wall_ns: int
    market_ns: int
    terms: SpotTerms
    fills: tuple[SpotFill, ...] = ()


class SpotFilled(msgspec.Struct, frozen=True, tag="spot_fill"):
    """A resting spot order was filled."""

    order_id: int
    fill: SpotFill


class SpotCanceled(msgspec.Struct, frozen=True, tag="spot_cancel"):
    """A resting spot order was canceled."""

    order_id: int
    wall_ns: int


SpotEntry = SpotFunded | SpotReceived | SpotFilled | SpotCanceled


class SpotOrder(msgspec.Struct):
    """An accepted spot order; changes only through entries."""

    id: int
    terms: SpotTerms
    status: SpotStatus
    wall_ns: int
    market_ns: int
    fills: list[SpotFill]
    filled: int = 0
    quote: int = 0

    @property
    def left(self) -> int:
        """Atoms not filled."""
        return self.terms.quantity - self.filled


class SpotLedger:
    """The fold over spot entries. Read-only for everyone but `apply`."""

    def __init__(self, quote_asset: str) -> None:
        """Start empty; `quote_asset` is what every price is in, such as USDT."""
        self.quote_asset = quote_asset
        self.balances: dict[str, int] = {}
        self.orders: dict[int, SpotOrder] = {}
        self.by_client_id: dict[str, SpotOrder] = {}
        self.requests: list[SpotReceived] = []

    def apply(self, entry: SpotEntry) -> None:
        """Take one fact in."""
        match entry:
            case SpotFunded():
                self._add(entry.asset, entry.amount)
            case SpotReceived():
                self._apply_request(entry)
            case SpotFilled():
                self._apply_fill(self.orders[entry.order_id], entry.fill)
            case SpotCanceled():
                self.orders[entry.order_id].status = "CANCELED"

    def live(self) -> list[SpotOrder]:
        """Return the orders that wait in the book."""
        waiting = {"NEW", "PARTIALLY_FILLED"}
        return [order for order in self.orders.values() if order.status in waiting]

    def claimed(self, asset: str) -> int:
        """Return the atoms of an asset that waiting orders have claimed."""
        total = 0
        for order in self.live():
            terms = order.terms
            if terms.is_buy and asset == self.quote_asset:
                total += -(-order.left * terms.price // ATOMS)
            elif not terms.is_buy and asset == terms.asset:
                total += order.left
        return total

    def _apply_request(self, entry: SpotReceived) -> None:
        self.requests.append(entry)
        if entry.verdict != "accepted":
            return
        order = SpotOrder(entry.order_id, entry.terms, "NEW", entry.wall_ns, entry.market_ns, [])
        self.orders[order.id] = order
        self.by_client_id[entry.terms.client_id] = order
        for fill in entry.fills:
            self._apply_fill(order, fill)
        if order.left and (entry.terms.kind == "MARKET" or entry.terms.time_in_force != "GTC"):
            order.status = "EXPIRED"

    def _apply_fill(self, order: SpotOrder, fill: SpotFill) -> None:
        order.fills.append(fill)
        cash = fill.quantity * fill.price // ATOMS
        order.filled += fill.quantity
        order.quote += cash
        order.status = "PARTIALLY_FILLED" if order.left else "FILLED"
        if order.terms.is_buy:
            self._add(self.quote_asset, -cash)
            self._add(order.terms.asset, fill.quantity - fill.commission)
        else:
            self._add(order.terms.asset, -fill.quantity)
            self._add(self.quote_asset, cash - fill.commission)

    def _add(self, asset: str, amount: int) -> None:
        self.balances[asset] = self.balances.get(asset, 0) + amount

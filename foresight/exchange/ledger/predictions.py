"""What the prediction market remembers: accounts, orders, fills, positions and every request.

Owns `Ledger`, the fold over the entries of `prediction_entries`. An entry is written to disk
before it is applied and before anyone is answered (see `file`), so a killed exchange forgets
nothing it acknowledged.

Must never enter: files, clocks, books, wire formats, decisions: an entry is already a fact.
"""

from collections.abc import Sequence

import msgspec

from foresight.exchange.ledger.prediction_entries import (
    AccountOpened,
    Entry,
    Fill,
    OrderCanceled,
    OrderFilled,
    OrderReceived,
    OrderReleased,
    Status,
    Terms,
    TickChanged,
    WindowRuled,
    WindowSettled,
)


class Order(msgspec.Struct):
    """An order that was accepted, held or killed; changes only through entries.

    `market_ns` is when it arrived, market time.
    """

    id: str
    account: str
    terms: Terms
    status: Status
    wall_ns: int
    fills: list[Fill]
    filled_micro: int = 0
    cash_micro: int = 0
    fee_micro: int = 0
    market_ns: int = 0

    @property
    def left_micro(self) -> int:
        """Shares not filled, x 10**6; 0 for an order that spent an amount on more shares."""
        return max(0, self.terms.size_micro - self.filled_micro)

    @property
    def claim_micro(self) -> int:
        """What it may still take, x 10**6: USDC of a buy, without fee; shares of a sale."""
        if not self.terms.is_buy:
            return self.left_micro
        price_micro = self.terms.price_micro
        return self.terms.budget_micro or -(-self.left_micro * price_micro // 1_000_000)


class Position(msgspec.Struct):
    """Shares of one token in one account.

    `cost_micro` is what the shares still held were bought for, without fees; `paid_micro` and
    `fee_micro` are totals since the position began; `realized_micro` is profit without fees.
    """

    token: str
    slug: str
    outcome: str
    wallet: str
    size_micro: int = 0
    cost_micro: int = 0
    bought_micro: int = 0
    fee_micro: int = 0
    realized_micro: int = 0
    closed_ns: int = 0


class Account(msgspec.Struct):
    """One owner: cash, open positions by token, and closed ones."""

    id: str
    balance_micro: int
    positions: dict[str, Position]
    closed: list[Position]


class Ledger:
    """The fold over entries. Read-only for everyone but `apply`."""

    def __init__(self) -> None:
        """Start empty."""
        self.accounts: dict[str, Account] = {}
        self.orders: dict[str, Order] = {}
        self.live: dict[str, Order] = {}
        self.held: dict[str, Order] = {}
        self.requests: list[OrderReceived] = []
        self.rulings: dict[str, WindowRuled] = {}
        self.settlements: dict[str, WindowSettled] = {}
        self.ticks_micro: dict[str, int] = {}

    def apply(self, entry: Entry) -> None:
        """Take one fact in."""
        match entry:
            case AccountOpened():
                self.accounts[entry.account] = Account(entry.account, entry.balance_micro, {}, [])
            case OrderReceived():
                self._apply_request(entry)
            case OrderReleased():
                self._apply_release(entry)
            case OrderFilled():
                order = self.orders[entry.order_id]
                self._apply_fill(order, entry.fill)
                if order.left_micro == 0:
                    self._finish(order, "MATCHED")
            case OrderCanceled():
                self._finish(self.orders[entry.order_id], "CANCELED")
            case TickChanged():
                self.ticks_micro[entry.slug] = entry.tick_micro
            case WindowRuled():
                self.rulings[entry.slug] = entry
            case WindowSettled():
                self._apply_settlement(entry)

    def free_micro(self, account_id: str, *, besides: str = "") -> int:
        """Return the cash of an account that no waiting order has claimed, in micro-USDC.

        Args:
            account_id: Whose.
            besides: An order whose own claim does not count.
        """
        waiting = (*self.live.values(), *self.held.values())
        claimed = sum(
            order.claim_micro
            for order in waiting
            if order.account == account_id and order.terms.is_buy and order.id != besides
        )
        return self.accounts[account_id].balance_micro - claimed

    def free_shares_micro(self, account_id: str, token: str) -> int:
        """Return the shares of a token that no waiting order has claimed, x 10**6."""
        position = self.accounts[account_id].positions.get(token)
        waiting = (*self.live.values(), *self.held.values())
        claimed = sum(
            order.claim_micro
            for order in waiting
            if order.account == account_id and order.terms.token == token and not order.terms.is_buy
        )
        return (position.size_micro if position else 0) - claimed

    def open_slugs(self) -> Sequence[str]:
        """Return the windows in which somebody holds shares or waits in the book with an order."""
        held = {
            position.slug
            for account in self.accounts.values()
            for position in account.positions.values()
        }
        return sorted(held | {order.terms.slug for order in self.live.values()})

    def _apply_request(self, entry: OrderReceived) -> None:
        self.requests.append(entry)
        if entry.verdict in {"duplicate", "refused"}:
            return
        order = Order(entry.order_id, entry.account, entry.terms, "LIVE", entry.wall_ns, [])
        order.market_ns = entry.market_ns
        self.orders[order.id] = order
        if entry.verdict == "held":
            order.status = "DELAYED"
            self.held[order.id] = order
            return
        self._meet_book(order, entry.fills, nothing="CANCELED")

    def _apply_release(self, entry: OrderReleased) -> None:
        order = self.held.pop(entry.order_id)
        if entry.reason:
            order.status = "UNMATCHED"
        else:
            order.status = "LIVE"
            self._meet_book(order, entry.fills, nothing="UNMATCHED")

    def _meet_book(self, order: Order, fills: Sequence[Fill], *, nothing: Status) -> None:
        self.live[order.id] = order
        for fill in fills:
            self._apply_fill(order, fill)
        if order.left_micro == 0:
            self._finish(order, "MATCHED")
        elif order.terms.time_in_force in {"FAK", "FOK"}:
            self._finish(order, "MATCHED" if fills else nothing)

    def _finish(self, order: Order, status: Status) -> None:
        order.status = status
        self.live.pop(order.id, None)

    def _apply_fill(self, order: Order, fill: Fill) -> None:
        account = self.accounts[order.account]
        terms = order.terms
        order.fills.append(fill)
        order.filled_micro += fill.size_micro
        order.cash_micro += fill.cash_micro
        order.fee_micro += fill.fee_micro
        position = account.positions.get(terms.token)
        if position is None:
            position = Position(terms.token, terms.slug, terms.outcome, terms.wallet)
            account.positions[terms.token] = position
        position.fee_micro += fill.fee_micro
        if terms.is_buy:
            account.balance_micro -= fill.cash_micro + fill.fee_micro
            position.size_micro += fill.size_micro
            position.cost_micro += fill.cash_micro
            position.bought_micro += fill.size_micro
        else:
            account.balance_micro += fill.cash_micro - fill.fee_micro
            _reduce(position, size_micro=fill.size_micro, income_micro=fill.cash_micro)
        if position.size_micro == 0:
            _close(account, position, fill.wall_ns)

    def _apply_settlement(self, entry: WindowSettled) -> None:
        self.settlements[entry.slug] = entry
        for payout in entry.payouts:
            account = self.accounts[payout.account]
            position = account.positions[payout.token]
            account.balance_micro += payout.payout_micro
            _reduce(position, size_micro=payout.size_micro, income_micro=payout.payout_micro)
            _close(account, position, entry.wall_ns)


def _reduce(position: Position, *, size_micro: int, income_micro: int) -> None:
    cost = position.cost_micro * size_micro // position.size_micro
    position.size_micro -= size_micro
    position.cost_micro -= cost
    position.realized_micro += income_micro - cost


def _close(account: Account, position: Position, wall_ns: int) -> None:
    position.closed_ns = wall_ns
    account.closed.append(position)
    del account.positions[position.token]

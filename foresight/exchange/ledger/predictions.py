"""What the prediction market remembers: accounts, orders, fills, positions and every request.

Owns `Ledger`, the fold over the entries of `prediction_entries`. An entry is written to disk
before it is applied and before anyone is answered (see `file`), so a killed exchange forgets
nothing it acknowledged.

Must never enter: files, clocks, books, wire formats, decisions: an entry is already a fact.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from foresight.exchange.ledger.positions import Account, pay, take_back, trade
from foresight.exchange.ledger.prediction_entries import (
    AccountOpened,
    Entry,
    Fill,
    OrderCanceled,
    OrderEntry,
    OrderFilled,
    OrderReceived,
    OrderReleased,
    RedemptionSwitched,
    Status,
    Terms,
    TickChanged,
    TradeFailed,
    WindowRedeemed,
    WindowRuled,
    WindowSettled,
)


class Order(msgspec.Struct):
    """An order that was accepted, held or killed; changes only through entries.

    `market_ns` is when it arrived, market time. `filled_micro` is all that was matched;
    `cash_micro` and `fee_micro` are of the trades that hold, and what of `filled_micro` went back
    is `returned_micro`, of the trades in `failed`.
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
    returned_micro: int = 0
    failed: list[str] = msgspec.field(default_factory=list)

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


class AtRisk(NamedTuple):
    """A trade that will fail: whose, what, and what the shares that it sold had cost."""

    order_id: str
    fill: Fill
    sold_micro: int


class Ledger:
    """The fold over entries. Read-only for everyone but `apply`."""

    def __init__(self) -> None:
        """Start empty."""
        self.accounts: dict[str, Account] = {}
        self.orders: dict[str, Order] = {}
        self.live: dict[str, Order] = {}
        self.held: dict[str, Order] = {}
        self.at_risk: dict[str, AtRisk] = {}
        self.requests: list[OrderReceived] = []
        self.rulings: dict[str, WindowRuled] = {}
        self.settlements: dict[str, WindowSettled] = {}
        self.ticks_micro: dict[str, int] = {}
        self.redeems: bool = True

    def apply(self, entry: Entry) -> None:
        """Take one fact in."""
        match entry:
            case AccountOpened():
                self.accounts[entry.account] = Account(entry.account, entry.balance_micro, {}, [])
            case TickChanged():
                self.ticks_micro[entry.slug] = entry.tick_micro
            case WindowRuled():
                self.rulings[entry.slug] = entry
            case WindowSettled():
                self.settlements[entry.slug] = entry
                self._apply_payouts(entry)
            case WindowRedeemed():
                self._apply_payouts(entry)
            case RedemptionSwitched():
                self.redeems = entry.is_automatic
            case _:
                self._apply_to_order(entry)

    def free_micro(self, account_id: str, *, besides: str = "") -> int:
        """Return the cash of an account that it can spend, in micro-USDC.

        Not what waiting orders have claimed, nor what a sale that is going to fail brought.

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
        doubtful = sum(
            risk.fill.cash_micro - risk.fill.fee_micro
            for order, risk in self._risks(account_id)
            if not order.terms.is_buy
        )
        return self.accounts[account_id].balance_micro - claimed - doubtful

    def free_shares_micro(self, account_id: str, token: str) -> int:
        """Return the shares of a token that an account can sell, x 10**6.

        Not those that waiting orders have claimed, nor those of a trade that is going to fail.
        """
        position = self.accounts[account_id].positions.get(token)
        waiting = (*self.live.values(), *self.held.values())
        claimed = sum(
            order.claim_micro
            for order in waiting
            if order.account == account_id and order.terms.token == token and not order.terms.is_buy
        )
        doubtful = sum(
            risk.fill.size_micro
            for order, risk in self._risks(account_id)
            if order.terms.token == token and order.terms.is_buy
        )
        return (position.size_micro if position else 0) - claimed - doubtful

    def open_slugs(self) -> Sequence[str]:
        """Return the windows in which somebody holds shares or waits in the book with an order."""
        held = {
            position.slug
            for account in self.accounts.values()
            for position in account.positions.values()
        }
        return sorted(held | {order.terms.slug for order in self.live.values()})

    def _risks(self, account_id: str) -> Iterator[tuple[Order, AtRisk]]:
        for risk in self.at_risk.values():
            order = self.orders[risk.order_id]
            if order.account == account_id:
                yield order, risk

    def _apply_to_order(self, entry: OrderEntry) -> None:
        match entry:
            case OrderReceived():
                self._apply_request(entry)
            case OrderReleased():
                self._apply_release(entry)
            case OrderFilled():
                order = self.orders[entry.order_id]
                self._apply_fill(order, entry.fill)
                if order.left_micro == 0:
                    self._finish(order, "MATCHED")
            case TradeFailed():
                self._apply_failure(entry)
            case OrderCanceled():
                self._finish(self.orders[entry.order_id], "CANCELED")

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
        order.fills.append(fill)
        order.filled_micro += fill.size_micro
        order.cash_micro += fill.cash_micro
        order.fee_micro += fill.fee_micro
        sold_micro = trade(self.accounts[order.account], order.terms, fill)
        if fill.fails:
            self.at_risk[fill.id] = AtRisk(order.id, fill, sold_micro)

    def _apply_failure(self, entry: TradeFailed) -> None:
        _, fill, sold_micro = self.at_risk.pop(entry.trade_id)
        order = self.orders[entry.order_id]
        order.failed.append(fill.id)
        order.returned_micro += fill.size_micro
        order.cash_micro -= fill.cash_micro
        order.fee_micro -= fill.fee_micro
        account = self.accounts[order.account]
        take_back(account, order.terms, fill, sold_micro=sold_micro, wall_ns=entry.wall_ns)

    def _apply_payouts(self, entry: WindowSettled | WindowRedeemed) -> None:
        for one in entry.payouts:
            account = self.accounts[one.account]
            pay(account, one.token, payout_micro=one.payout_micro, wall_ns=entry.wall_ns)

"""The prediction market's counter: takes orders, matches, settles.

Owns every decision about prediction orders and windows. It decides from values handed in (times,
books) and hands entries to `commit`, which makes them durable and applies them to the ledger;
nothing is reported before that.

Must never enter: wire formats, HTTP, signatures, clocks, files.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Final

import msgspec

from foresight.exchange.counters.liquidity import Liquidity
from foresight.exchange.counters.order_requests import (
    OrderRequest,
    kill_reason,
    taken_by,
    too_small,
    unsound,
)
from foresight.exchange.counters.settlement import Settler
from foresight.exchange.counters.shown_book import with_orders
from foresight.exchange.counters.trade_course import Trouble, failures
from foresight.exchange.ledger.prediction_entries import (
    MICRO_PER_CENT,
    MICRO_PER_MILL,
    AccountOpened,
    Entry,
    Fill,
    OrderCanceled,
    OrderFilled,
    OrderReceived,
    OrderReleased,
    Terms,
    Verdict,
)
from foresight.exchange.ledger.predictions import Ledger, Order
from foresight.exchange.market.fair_market import FairMarket
from foresight.exchange.market.fees import taker_fee_micro
from foresight.exchange.market.matching import Taken, TimeInForce, cost_of
from foresight.exchange.market.pricing import Book
from foresight.exchange.market.windows import Side, Window, parse_slug
from foresight.exchange.market_clock import NS_PER_SECOND, Now

_NO_MONEY: Final = "not enough balance / allowance"
_GTD_MARGIN_S: Final = 60  # the real venue refuses an expiration less than a minute away


class Desk:
    """Orders and settlement over one ledger and one market."""

    def __init__(
        self,
        ledger: Ledger,
        market: FairMarket,
        *,
        commit: Callable[[Sequence[Entry]], None],
        settler: Settler,
        balance_micro: int,
        tick_of: Callable[[Window], int],
        hold_ns: int,
        trouble: Callable[[], Trouble],
    ) -> None:
        """Put the parts together.

        Args:
            ledger: Read here, changed only by `commit`.
            market: Books and results.
            commit: Makes entries durable, then applies them to `ledger`.
            settler: Pays what has ended.
            balance_micro: Starting balance of a new account, micro-USDC.
            tick_of: Gives the tick of a window's market, micro-USDC.
            hold_ns: How long an order that would execute is held, market nanoseconds; 0 for not.
            trouble: Asked once for each trade what goes wrong with it after its match.
        """
        self.ledger = ledger
        self.market = market
        self._commit = commit
        self._settler = settler
        self._balance_micro = balance_micro
        self._tick_of = tick_of
        self._hold_ns = hold_ns
        self._trouble = trouble
        self._liquidity = Liquidity(market, tick_of=tick_of)

    def open_account(self, account: str, now: Now) -> None:
        """Give an address its starting balance if it has no account yet."""
        if account not in self.ledger.accounts:
            self._commit([AccountOpened(account, self._balance_micro, now.wall_ns)])

    def book(self, window: Window, side: Side, now: Now) -> Book:
        """Return the book of an instant as everybody sees it, resting orders included."""
        resting = [one for one in self.ledger.live.values() if one.terms.slug == window.slug]
        if resting:
            self.advance(now)  # what the market meets by now is not on offer any more
        left = [order for order in resting if order.id in self.ledger.live]
        return with_orders(self._liquidity.book(window, side, now.market_ns), left, side)

    def untouched(self, window: Window, side: Side, market_ns: int) -> Book:
        """Return the synthetic book of an instant as if nobody had taken anything from it."""
        return self._liquidity.untouched(window, side, market_ns)

    def submit(self, request: OrderRequest, now: Now) -> OrderReceived:
        """Decide about one order, durably, and return the line of the request log.

        Args:
            request: The order.
            now: When it arrived.
        """
        self.advance(now)
        entry = self._decide(request, now)
        self._commit([entry])
        self._take(request.terms, entry.fills, now.market_ns)
        return entry

    def cancel(self, account: str, order_ids: Iterable[str], now: Now) -> dict[str, str]:
        """Cancel resting orders of an account; a held one cannot be canceled.

        Returns:
            The reason for every order that was not canceled; empty if all were.
        """
        self.advance(now)  # what was held long enough is matched before
        refused: dict[str, str] = {}
        entries: list[Entry] = []
        for order_id in order_ids:
            order = self.ledger.live.get(order_id)
            held = self.ledger.held.get(order_id)
            if held is not None and held.account == account:
                refused[order_id] = "order is delayed and can't be canceled until it is matched"
            elif order is None or order.account != account:
                refused[order_id] = "order can't be found - already canceled or matched"
            else:
                entries.append(OrderCanceled(order_id, "canceled by owner", now.wall_ns))
        self._commit(entries)
        return refused

    def advance(self, now: Now) -> None:
        """Let time do its work: release held orders, fill or expire resting ones, fail, settle."""
        ledger = self.ledger
        positions = (account.positions for account in ledger.accounts.values())
        if not (ledger.live or ledger.held or ledger.at_risk or any(positions)):
            return
        for order in sorted(ledger.held.values(), key=lambda order: order.market_ns):
            self._release(order, now)  # one after another: each takes from the book of the next
        self._commit(self._wait_over(now))  # first: what waits no more is met by nobody
        self._commit(self._crossed(now))
        self._commit(failures(ledger, now))
        self._settler.settle(now)

    def _decide(self, request: OrderRequest, now: Now) -> OrderReceived:
        terms = request.terms
        if request.order_id in self.ledger.orders:
            reason = f"order {request.order_id} is invalid. Duplicated."
            return _received(request, now, "duplicate", reason)
        refusal = self._refusal(request, now)
        if refusal:
            return _received(request, now, "refused", refusal)
        reason, fills = self._met(request.order_id, terms, now, now.market_ns)
        if reason:
            return _received(request, now, "killed", reason)
        refusal = self._late_refusal(request, fills)
        if refusal:
            return _received(request, now, "refused", refusal)
        if fills and self._hold_ns:
            return _received(request, now, "held", "")
        return _received(request, now, "accepted", "", self._troubled(fills))

    def _met(
        self, order_id: str, terms: Terms, now: Now, market_ns: int
    ) -> tuple[str, tuple[Fill, ...]]:
        # What an order gets from the book of an instant, or why it is killed.
        window = parse_slug(terms.slug)
        assert window is not None
        taken = taken_by(terms, self._liquidity.book(window, Side(terms.outcome), market_ns))
        killed = kill_reason(terms, taken)
        if killed:
            return killed, ()
        at = Now(now.wall_ns, market_ns)
        return "", tuple(
            _fill(order_id, index, one, is_maker=False, at=at) for index, one in enumerate(taken)
        )

    def _release(self, order: Order, now: Now) -> None:
        window = parse_slug(order.terms.slug)
        assert window is not None
        due_ns = min(order.market_ns + self._hold_ns, window.end_ns)
        if due_ns > now.market_ns:
            return
        reason = "window ended"
        fills: tuple[Fill, ...] = ()
        if due_ns < window.end_ns:
            reason, fills = self._met(order.id, order.terms, now, due_ns)
        if order.terms.is_buy and not reason:
            needed = _needed_micro(order.terms, fills)
            if needed > self.ledger.free_micro(order.account, besides=order.id):
                reason, fills = _NO_MONEY, ()
        fills = self._troubled(fills)
        self._commit([OrderReleased(order.id, reason, now.wall_ns, due_ns, fills)])
        self._take(order.terms, fills, due_ns)

    def _troubled(self, fills: Iterable[Fill]) -> tuple[Fill, ...]:
        found = ((fill, self._trouble()) for fill in fills)
        return tuple(
            msgspec.structs.replace(fill, **trouble._asdict()) if any(trouble) else fill
            for fill, trouble in found
        )

    def _take(self, terms: Terms, fills: Sequence[Fill], market_ns: int) -> None:
        window = parse_slug(terms.slug)
        if window is not None and fills:
            self._liquidity.take(
                window, Side(terms.outcome), fills, is_buy=terms.is_buy, market_ns=market_ns
            )

    def _late_refusal(self, request: OrderRequest, fills: tuple[Fill, ...]) -> str:
        # What is known only once the book has been looked at.
        terms = request.terms
        if request.is_post_only and fills:
            return "invalid post-only order: order crosses book"
        if not terms.is_buy:
            return ""
        if fills and (small := too_small(terms)):
            return small
        is_enough = _needed_micro(terms, fills) <= self.ledger.free_micro(request.account)
        return "" if is_enough else _NO_MONEY

    def _refusal(self, request: OrderRequest, now: Now) -> str:
        terms = request.terms
        if not self.market.is_tradable(request.window, now.market_ns):
            return f"the orderbook {terms.token} does not exist"
        tif = TimeInForce(terms.time_in_force)
        bad = unsound(request, self._tick_of(request.window))
        if bad:
            return bad
        if request.is_post_only and not tif.rests:
            return "invalid post-only order: only GTC and GTD order types are allowed"
        earliest_s = now.wall_ns // NS_PER_SECOND + _GTD_MARGIN_S
        if tif is TimeInForce.GTD and terms.expires_s < earliest_s:
            return "invalid expiration"
        return "" if self._can_pay(request) else _NO_MONEY

    def _can_pay(self, request: OrderRequest) -> bool:
        terms = request.terms
        if terms.is_buy:
            # What it costs at most without fee: a taker may pay less, never more.
            needed = terms.budget_micro or cost_of(terms.size_micro, terms.price_micro)
            return needed <= self.ledger.free_micro(request.account)
        free = self.ledger.free_shares_micro(request.account, terms.token)
        return terms.size_micro <= free

    def _wait_over(self, now: Now) -> list[Entry]:
        entries: list[Entry] = []
        for order in self.ledger.live.values():
            window = parse_slug(order.terms.slug)
            assert window is not None
            if now.market_ns >= window.end_ns:
                entries.append(OrderCanceled(order.id, "window ended", now.wall_ns))
            elif 0 < order.terms.expires_s <= now.wall_ns // NS_PER_SECOND:
                entries.append(OrderCanceled(order.id, "expired", now.wall_ns))
        return entries

    def _crossed(self, now: Now) -> list[Entry]:
        entries: list[Entry] = []
        for order in self.ledger.live.values():
            window = parse_slug(order.terms.slug)
            assert window is not None
            if now.market_ns < window.end_ns and self._is_crossed(order, window, now.market_ns):
                price_micro, size_micro = order.terms.price_micro, order.left_micro
                one = Taken(price_micro, size_micro, cost_of(size_micro, price_micro))
                fill = _fill(order.id, len(order.fills), one, is_maker=True, at=now)
                entries.extend(OrderFilled(order.id, each) for each in self._troubled([fill]))
        return entries

    def _is_crossed(self, order: Order, window: Window, market_ns: int) -> bool:
        # What is left of a taker finds no fresh offers before the book changes.
        book = self._liquidity.book(window, Side(order.terms.outcome), market_ns)
        limit_micro = order.terms.price_micro
        if order.terms.is_buy:
            return bool(book.asks) and book.asks[0].price_micro <= limit_micro
        return bool(book.bids) and book.bids[0].price_micro >= limit_micro


def _needed_micro(terms: Terms, fills: Sequence[Fill]) -> int:
    # What a buy pays now, fees included, and what is left of it claims while it rests.
    needed = sum(fill.cash_micro + fill.fee_micro for fill in fills)
    if TimeInForce(terms.time_in_force).rests:
        left = terms.size_micro - sum(fill.size_micro for fill in fills)
        needed += cost_of(left, terms.price_micro)
    return needed


def _fill(order_id: str, index: int, one: Taken, *, is_maker: bool, at: Now) -> Fill:
    fee = taker_fee_micro(shares_micro=one.size_micro, price_micro=one.price_micro)
    cents, beyond_micro = divmod(one.price_micro, MICRO_PER_CENT)
    return Fill(
        id="0x" + sha256(f"fill:{order_id}:{index}".encode()).hexdigest(),
        cents=cents,
        size_micro=one.size_micro,
        cash_micro=one.cash_micro,
        fee_micro=0 if is_maker else fee,
        is_maker=is_maker,
        wall_ns=at.wall_ns,
        mills=beyond_micro // MICRO_PER_MILL,
        market_ns=at.market_ns,
    )


def _received(
    request: OrderRequest,
    now: Now,
    verdict: Verdict,
    reason: str,
    fills: tuple[Fill, ...] = (),
) -> OrderReceived:
    return OrderReceived(
        account=request.account,
        order_id=request.order_id,
        verdict=verdict,
        reason=reason,
        wall_ns=now.wall_ns,
        market_ns=now.market_ns,
        terms=request.terms,
        fills=fills,
    )

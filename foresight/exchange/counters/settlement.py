"""How and when a window's result is published and its shares are redeemed.

Owns the delay between a window's end and its result, unusual rulings (void, late), the delay until
shares that stayed in their accounts are exchanged for what they are worth, and payouts.
Must never enter: orders, books, HTTP, clocks, files.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from foresight.exchange.ledger.prediction_entries import (
    Entry,
    Payout,
    WindowRedeemed,
    WindowRuled,
    WindowSettled,
)
from foresight.exchange.ledger.predictions import Ledger
from foresight.exchange.market.fair_market import FairMarket
from foresight.exchange.market.windows import Result, Side, Window, parse_slug, payout_micro
from foresight.exchange.market_clock import NS_PER_SECOND, Now

SETTLEMENT_DELAY_NS: Final = 10 * NS_PER_SECOND
"""Market time between a window's end and its result (the real venue: seconds to minutes)."""

_RULING_NS: Final = 1800 * NS_PER_SECOND  # a window is ruled on within this time or never


class Ruling(NamedTuple):
    """How a window will be settled if not in the ordinary way; delay in market nanoseconds."""

    is_void: bool
    delay_ns: int


_ORDINARY: Final = Ruling(is_void=False, delay_ns=0)


class Settler:
    """Results and payouts over one ledger and one market."""

    def __init__(
        self,
        ledger: Ledger,
        market: FairMarket,
        *,
        commit: Callable[[Sequence[Entry]], None],
        rule: Callable[[str], Ruling | None],
        redeem_ns: int,
    ) -> None:
        """Put the parts together.

        Args:
            ledger: Read here, changed only by `commit`.
            market: Results.
            commit: Makes entries durable, then applies them to `ledger`.
            rule: Asked once per ended window (by slug) for an unusual settlement.
            redeem_ns: From a window's result until its shares are redeemed, market nanoseconds.
        """
        self._ledger = ledger
        self._market = market
        self._commit = commit
        self._rule = rule
        self._redeem_ns = redeem_ns
        self._ruled: set[str] = set()

    def settle(self, now: Now) -> None:
        """Settle every window that has a published result and positions; redeem what is due."""
        ledger = self._ledger
        entries: list[Entry] = []
        for slug in ledger.open_slugs():
            window = parse_slug(slug)
            assert window is not None
            result = self.result(window, now.market_ns)
            if result is None:
                continue
            payouts = self._payouts(window, result) if self._redeems(window, now) else ()
            if slug not in ledger.settlements:
                at_once, payouts = (payouts, ()) if self._redeem_ns == 0 else ((), payouts)
                entries.append(self._settlement(window, result, at_once, now))
            if payouts:
                entries.append(WindowRedeemed(slug, payouts, now.wall_ns, now.market_ns))
        self._commit(entries)

    def result(self, window: Window, market_ns: int) -> Result | None:
        """Return the published result of a window, or None before it is published."""
        settled = self._ledger.settlements.get(window.slug)
        if settled is not None:
            return Result(settled.result)
        if market_ns < window.end_ns:
            return None
        ruling = self._ruling(window, market_ns)
        if market_ns < _due_ns(window, ruling) or not self._market.exists(window):
            return None
        return Result.VOID if ruling.is_void else self._market.result(window, market_ns)

    def _ruling(self, window: Window, market_ns: int) -> Ruling:
        known = self._known(window)
        if known is not None:
            return known
        if window.slug not in self._ruled and market_ns < window.end_ns + _RULING_NS:
            self._ruled.add(window.slug)
            ruling = self._rule(window.slug)
            if ruling is not None:
                self._commit([WindowRuled(window.slug, ruling.is_void, ruling.delay_ns)])
                return ruling
        return _ORDINARY

    def _known(self, window: Window) -> Ruling | None:
        known = self._ledger.rulings.get(window.slug)
        return None if known is None else Ruling(known.is_void, known.delay_ns)

    def _redeems(self, window: Window, now: Now) -> bool:
        # It has its result, so it was ruled on: the dice are not asked again.
        ruling = self._known(window) or _ORDINARY
        due_ns = _due_ns(window, ruling) + self._redeem_ns
        return self._ledger.redeems and due_ns <= now.market_ns

    def _payouts(self, window: Window, result: Result) -> tuple[Payout, ...]:
        return tuple(
            Payout(
                account.id,
                position.token,
                position.size_micro,
                payout_micro(result, Side(position.outcome), position.size_micro),
            )
            for account in self._ledger.accounts.values()
            for position in account.positions.values()
            if position.slug == window.slug
        )

    def _settlement(
        self, window: Window, result: Result, payouts: tuple[Payout, ...], now: Now
    ) -> WindowSettled:
        return WindowSettled(
            window.slug,
            result.value,
            self._market.reference(window, now.market_ns) or 0.0,
            self._market.final(window, now.market_ns) or 0.0,
            payouts,
            now.wall_ns,
        )


def _due_ns(window: Window, ruling: Ruling) -> int:
    return window.end_ns + SETTLEMENT_DELAY_NS + ruling.delay_ns

"""How and when a window's result is published and paid.

Owns the delay between a window's end and its result, unusual rulings (void, late) and payouts.
Must never enter: orders, books, HTTP, clocks, files.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from foresight.exchange.ledger.prediction_entries import Entry, Payout, WindowRuled, WindowSettled
from foresight.exchange.ledger.predictions import Ledger
from foresight.exchange.market.fair_market import FairMarket
from foresight.exchange.market.windows import Result, Side, Window, parse_slug, payout_share
from foresight.exchange.market_clock import NS_PER_SECOND, Now

SETTLEMENT_DELAY_NS: Final = 10 * NS_PER_SECOND
"""Market time between a window's end and its result (the real venue: seconds to minutes)."""

_RULING_NS: Final = 1800 * NS_PER_SECOND  # a window is ruled on within this time or never


class Ruling(NamedTuple):
    """How a window will be settled if not in the ordinary way; delay in market nanoseconds."""

    is_void: bool
    delay_ns: int


class Settler:
    """Results and payouts over one ledger and one market."""

    def __init__(
        self,
        ledger: Ledger,
        market: FairMarket,
        *,
        commit: Callable[[Sequence[Entry]], None],
        rule: Callable[[str], Ruling | None],
    ) -> None:
        """Put the parts together.

        Args:
            ledger: Read here, changed only by `commit`.
            market: Results.
            commit: Makes entries durable, then applies them to `ledger`.
            rule: Asked once per ended window (by slug) for an unusual settlement.
        """
        self._ledger = ledger
        self._market = market
        self._commit = commit
        self._rule = rule
        self._ruled: set[str] = set()

    def settle(self, now: Now) -> None:
        """Pay every window that has a published result and positions."""
        entries: list[Entry] = []
        for slug in self._ledger.open_slugs():
            window = parse_slug(slug)
            assert window is not None
            result = self.result(window, now.market_ns)
            if result is not None:
                entries.append(self._settlement(window, result, now))
        self._commit(entries)

    def result(self, window: Window, market_ns: int) -> Result | None:
        """Return the published result of a window, or None before it is published."""
        settled = self._ledger.settlements.get(window.slug)
        if settled is not None:
            return Result(settled.result)
        if market_ns < window.end_ns:
            return None
        ruling = self._ruling(window, market_ns)
        due_ns = window.end_ns + SETTLEMENT_DELAY_NS + ruling.delay_ns
        if market_ns < due_ns or not self._market.exists(window):
            return None
        return Result.VOID if ruling.is_void else self._market.result(window, market_ns)

    def _ruling(self, window: Window, market_ns: int) -> Ruling:
        known = self._ledger.rulings.get(window.slug)
        if known is not None:
            return Ruling(known.is_void, known.delay_ns)
        if window.slug not in self._ruled and market_ns < window.end_ns + _RULING_NS:
            self._ruled.add(window.slug)
            ruling = self._rule(window.slug)
            if ruling is not None:
                self._commit([WindowRuled(window.slug, ruling.is_void, ruling.delay_ns)])
                return ruling
        return Ruling(is_void=False, delay_ns=0)

    def _settlement(self, window: Window, result: Result, now: Now) -> WindowSettled:
        payouts = tuple(
            Payout(
                account.id,
                position.token,
                position.size_micro,
                round(position.size_micro * payout_share(result, Side(position.outcome))),
            )
            for account in self._ledger.accounts.values()
            for position in account.positions.values()
            if position.slug == window.slug
        )
        return WindowSettled(
            window.slug,
            result.value,
            self._market.reference(window, now.market_ns) or 0.0,
            self._market.final(window, now.market_ns) or 0.0,
            payouts,
            now.wall_ns,
        )

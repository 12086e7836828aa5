"""Appraisal: what orders would have earned that a release wants otherwise than they were decided.

Owns the pairing of the two by window, the result of a window from what was recorded later, and
the sum. Both sides are taken as filled in full at their limit prices, with the venue's fee: an
order of this release has no fill, and a real fill against an assumed one would compare venues,
not decisions. The venue's ruling comes first, as in `settlement`; it is recorded for windows
with positions only, so the rest is told from the recorded closes. No network or clock enters.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from foresight.board import NS, Method, Result, Tie, Window, cost_micro, fee_micro, window_of_slug
from foresight.book import Book
from foresight.closes import Closes
from foresight.market import Market
from foresight.orders import KIND, Buy
from foresight.settlement import payout_micro
from handoff.workload import Appraisal, TwiceDecided, Unavailable, payload_of
from state.record import Effect

BASIS: Final = "at limit prices"
DECIMALS: Final = 10  # a quarter of a price of eight: equal averages must not differ by dust


class Seen(msgspec.Struct):
    """What a replay shows of orders and of what became of their windows.

    Attributes:
        now_s: Application time of the newest cycle.
        closes: By asset and minute.
        averages: The same of (open + high + low + close) / 4, where all of it was recorded.
        averaged: Windows that are settled by it.
        results: What the venue said, by window.
        ties: What equal prices mean, by window.
        decided: The order that was decided, by window: there is one at most.
        wanted: The first one that this release wants, by window. In later cycles of the window
            it wants another one only because the recorded book does not know of the first.
    """

    now_s: int = 0
    closes: dict[tuple[str, int], float] = {}
    averages: dict[tuple[str, int], float] = {}
    averaged: set[str] = set()
    results: dict[str, Result] = {}
    ties: dict[str, Tie] = {}
    decided: dict[str, Buy] = {}
    wanted: dict[str, Buy] = {}


class Difference(NamedTuple):
    """One window in which the two do not buy alike; None where one of them buys nothing."""

    slug: str
    decided: Buy | None
    wanted: Buy | None


def appraise(body: Book, cycles: Iterable[TwiceDecided[Market]]) -> Appraisal:
    """Return what the orders wanted would have earned above the orders that were decided.

    It is not a backtest: what this release would have done after its own earlier orders, and in
    windows whose books were never read, is not recorded.

    Args:
        body: The book before the first of the cycles: its closes are prices to beat.
        cycles: Recorded cycles, oldest first.
    """
    seen = Seen()
    for asset, known in body.closes.items():
        _note_closes(seen, asset, known)
    for cycle in cycles:
        _look(seen, cycle)
    return _sum(seen)


def result_of(seen: Seen, window: Window) -> Result | None:
    """Return how an ended window ended, or None where the record does not tell.

    Where no ruling is recorded it is told from the feed's prices at both ends, by the market's
    rule: close to the venue's word, and not its word.
    """
    ruled = seen.results.get(window.slug)
    if ruled is not None:
        return ruled
    prices = seen.averages if window.slug in seen.averaged else seen.closes
    first = prices.get((window.slot.asset, window.start_s // 60 - 1))
    last = prices.get((window.slot.asset, window.end_s // 60 - 1))
    if first is None or last is None:
        return None
    if first != last:
        return Result.UP if last > first else Result.DOWN
    tie = seen.ties.get(window.slug)
    return None if tie is None else {Tie.UP: Result.UP, Tie.HALF: Result.VOID}[tie]


def profit_micro(order: Buy | None, result: Result) -> int:
    """Return what an order earns if it is filled at its limit, micro-USDC, after the fee."""
    if order is None:
        return 0
    shares, price = order.shares_micro, order.price_micro
    paid = cost_micro(shares_micro=shares, price_micro=price)
    fee = fee_micro(order.fee, shares_micro=shares, price_micro=price)
    return payout_micro(result, side=order.side, shares_micro=shares) - paid - fee


def note_market(seen: Seen, inputs: Market) -> None:
    """Add what a cycle saw that tells how windows end: candles, rulings, rules.

    Args:
        seen: Changed.
        inputs: Of the cycle.
    """
    for asset, fresh in inputs.candles.items():
        candles = Closes(minutes=fresh.minutes, prices=fresh.prices, details=fresh.details)
        _note_closes(seen, asset, candles)
    for ruling in inputs.rulings:
        if ruling.result is not None:
            seen.results[ruling.slug] = ruling.result
    for offer in inputs.offers.values():
        if offer.rules is not None:
            seen.ties[offer.slug] = offer.rules.tie
            if offer.rules.method is Method.AVERAGE_60S:
                seen.averaged.add(offer.slug)


def _look(seen: Seen, cycle: TwiceDecided[Market]) -> None:
    seen.now_s = cycle.cycle.now_ns // NS
    if not isinstance(cycle.inputs, Unavailable):
        note_market(seen, cycle.inputs)
    _note_orders(seen.decided, cycle.decided)
    _note_orders(seen.wanted, cycle.wanted)


def _note_closes(seen: Seen, asset: str, fresh: Closes) -> None:
    for minute, price in zip(fresh.minutes, fresh.prices, strict=True):
        seen.closes.setdefault((asset, minute), price)
        average = fresh.average(minute)
        if average is not None:
            seen.averages.setdefault((asset, minute), round(average, DECIMALS))


def _note_orders(orders: dict[str, Buy], effects: Iterable[Effect]) -> None:
    for effect in effects:
        if effect.kind == KIND:
            order = payload_of(effect, Buy)
            orders.setdefault(order.slug, order)


def _differences(seen: Seen) -> Iterable[Difference]:
    for slug in seen.decided | seen.wanted:
        pair = Difference(slug, seen.decided.get(slug), seen.wanted.get(slug))
        if pair.decided != pair.wanted:
            yield pair


def _sum(seen: Seen) -> Appraisal:
    more = fewer = changed = amount = unended = unjudged = 0
    for slug, decided, wanted in _differences(seen):
        more += decided is None
        fewer += wanted is None
        changed += decided is not None and wanted is not None
        window = window_of_slug(slug)
        if window is not None and window.end_s > seen.now_s:
            unended += 1
            continue
        result = None if window is None else result_of(seen, window)
        if result is None:
            unjudged += 1
        else:
            amount += profit_micro(wanted, result) - profit_micro(decided, result)
    return Appraisal(
        of="orders",
        more=more,
        fewer=fewer,
        changed=changed,
        amount_micro=amount,
        unit="USDC",
        basis=BASIS,
        unended=unended,
        unjudged=unjudged,
    )

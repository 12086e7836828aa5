"""The public trades of the spot venue's markets, as its candles imply them.

Owns one construction: what a client sees of a minute (its open, the last price every five seconds,
its extremes and its close) is one trade each, so candles made of these trades are the venue's
candles. A number tells the trade's minute and place, and goes on over restarts. Must never enter:
HTTP, own orders, clocks.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

from foresight.exchange.binance.decimals import amount
from foresight.exchange.binance.messages import Json
from foresight.exchange.ledger.spot import ATOMS
from foresight.exchange.market_clock import NS_PER_MINUTE, NS_PER_MS, NS_PER_SECOND
from foresight.exchange.prices.candles import KNOT_SECONDS, KNOTS
from foresight.exchange.prices.tape import Tape

PLACES: Final = KNOTS + 3
"""Trades of one minute: open, eleven steps, high, low, close."""

STEP_NS: Final = KNOT_SECONDS * NS_PER_SECOND
"""How long a price lasts at least, market time."""

_SILENT_MINUTES_MAX: Final = 3 * 1440  # that a search goes through before it gives up
_MINUTE_MS: Final = 60_000


class MarketTrade(NamedTuple):
    """One trade between others.

    Attributes:
        id: Its minute times `PLACES`, plus its place in the minute.
        market_ms: When, market time.
        price: Atoms.
        quantity: Atoms.
        is_falling: Whether the one who bought had waited.
    """

    id: int
    market_ms: int
    price: int
    quantity: int
    is_falling: bool


def of_minute(tape: Tape, asset: str, minute: int, market_ns: int) -> list[MarketTrade]:
    """Return the trades of a minute that have happened, oldest first; none in a gap."""
    candle = tape.source.candle(asset, minute)
    if candle is None or minute * NS_PER_MINUTE > market_ns:
        return []
    start_ms = minute * _MINUTE_MS
    steps = [start_ms + 1000 * KNOT_SECONDS * place for place in range(1, KNOTS)]
    seen = [(start_ms, candle.open)]
    seen += [(at_ms, tape.price_at(asset, at_ms * NS_PER_MS) or candle.open) for at_ms in steps]
    ending = (candle.high, candle.low, candle.close)
    seen += [
        (start_ms + _MINUTE_MS - late, price) for late, price in zip((3, 2, 1), ending, strict=True)
    ]
    quantity = max(1, round(candle.volume * ATOMS) // PLACES)
    trades, before = [], candle.open
    for place, (at_ms, price) in enumerate(seen):
        if at_ms * NS_PER_MS > market_ns:
            break
        number = minute * PLACES + place
        trades.append(MarketTrade(number, at_ms, round(price * ATOMS), quantity, price < before))
        before = price
    return trades


def from_id(
    tape: Tape, asset: str, first_id: int, *, market_ns: int, limit: int
) -> list[MarketTrade]:
    """Return the trades from a number on, at most `limit`, oldest first."""
    first = max(first_id // PLACES, tape.source.first_minute)
    found = (
        trade
        for minute in _minutes(tape, asset, first, market_ns)
        for trade in of_minute(tape, asset, minute, market_ns)
        if trade.id >= first_id
    )
    return list(islice(found, limit))


def between(
    tape: Tape, asset: str, first_ms: int, last_ms: int, *, market_ns: int, limit: int
) -> list[MarketTrade]:
    """Return the trades of a range of market time, both ends included, at most `limit`."""
    first = max(first_ms // _MINUTE_MS, tape.source.first_minute)
    end_ns = min(market_ns, (last_ms + 1) * NS_PER_MS - 1)
    found = (
        trade
        for minute in _minutes(tape, asset, first, end_ns)
        for trade in of_minute(tape, asset, minute, end_ns)
        if trade.market_ms >= first_ms
    )
    return list(islice(found, limit))


def latest(tape: Tape, asset: str, *, market_ns: int, limit: int) -> list[MarketTrade]:
    """Return the newest trades, at most `limit`, oldest first."""
    found: list[MarketTrade] = []
    minute = market_ns // NS_PER_MINUTE
    oldest = max(tape.source.first_minute, minute - _SILENT_MINUTES_MAX)
    while len(found) < limit and minute >= oldest:
        found = of_minute(tape, asset, minute, market_ns) + found
        minute -= 1
    return found[-limit:]


def shown(trade: MarketTrade) -> Json:
    """Return a trade as ``GET trades`` lists it."""
    return {
        "id": trade.id,
        "price": amount(trade.price),
        "qty": amount(trade.quantity),
        "quoteQty": amount(trade.price * trade.quantity // ATOMS),
        "time": trade.market_ms,
        "isBuyerMaker": trade.is_falling,
        "isBestMatch": True,
    }


def aggregated(trade: MarketTrade) -> Json:
    """Return a trade as ``GET aggTrades`` lists it: each is one aggregate of itself alone."""
    return {
        "a": trade.id,
        "p": amount(trade.price),
        "q": amount(trade.quantity),
        "f": trade.id,
        "l": trade.id,
        "T": trade.market_ms,
        "m": trade.is_falling,
        "M": True,
    }


def _minutes(tape: Tape, asset: str, first: int, end_ns: int) -> Iterator[int]:
    """Yield minutes from `first` to an instant, until too many of them are silent."""
    silent = 0
    for minute in range(first, end_ns // NS_PER_MINUTE + 1):
        if tape.source.candle(asset, minute) is not None:
            silent = 0
            yield minute
            continue
        silent += 1
        if silent > _SILENT_MINUTES_MAX:
            return

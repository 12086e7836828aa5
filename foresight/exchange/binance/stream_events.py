"""What the streams of the spot venue say between two instants.

Owns the events of candles, trades, best prices and tickers. What a stream says agrees with what the
routes answer at the same moment. Must never enter: HTTP, who listens, clocks.
"""

from collections.abc import Callable, Iterator
from typing import Final

from foresight.exchange.binance import market_trades, messages
from foresight.exchange.binance.decimals import amount
from foresight.exchange.binance.messages import Json, symbol_of
from foresight.exchange.binance.refusals import Refusal
from foresight.exchange.binance.stream_names import Stream
from foresight.exchange.market_clock import NS_PER_MINUTE, NS_PER_MS
from foresight.exchange.prices.candles import Candle
from foresight.exchange.prices.tape import Tape

TRADES_MINUTES_MAX: Final = 60
"""Market minutes whose trades one step of one stream says; of more, the newest."""

CLOSED_MAX: Final = 100
"""Finished candles of one stream in one step; of more, the newest."""

_MINUTE_MS: Final = 60_000
_TICKER_FIELDS: Final = {
    "priceChange": "p",
    "priceChangePercent": "P",
    "weightedAvgPrice": "w",
    "prevClosePrice": "x",
    "lastPrice": "c",
    "lastQty": "Q",
    "bidPrice": "b",
    "bidQty": "B",
    "askPrice": "a",
    "askQty": "A",
    "openPrice": "o",
    "highPrice": "h",
    "lowPrice": "l",
    "volume": "v",
    "quoteVolume": "q",
    "openTime": "O",
    "closeTime": "C",
    "firstId": "F",
    "lastId": "L",
    "count": "n",
}
_SHORT_FIELDS: Final = frozenset("cohlvq")


class StreamEvents:
    """Events over one tape."""

    def __init__(
        self,
        tape: Tape,
        *,
        touch: Callable[[str, int], tuple[int, int] | None],
        ticker: Callable[[str, int], Json],
    ) -> None:
        """Put the parts together.

        Args:
            tape: Prices.
            touch: Gives best bid and ask of an asset at an instant, atoms; None without a price.
            ticker: Gives the 24-hour ticker of an asset at an instant, or refuses.
        """
        self._tape = tape
        self._touch = touch
        self._ticker = ticker

    def between(self, stream: Stream, since_ns: int, until_ns: int) -> list[Json]:
        """Return what a stream says after one instant up to another, market time, in order.

        The last event of candles, best prices and tickers is there at every call, whether or not
        anything changed.
        """
        match stream.kind:
            case "kline":
                return list(self._klines(stream, since_ns, until_ns))
            case "bookTicker":
                return self._best(stream.asset, until_ns)
            case "ticker" | "miniTicker":
                return self._day(stream, until_ns)
            case "trade" | "aggTrade":
                return self._trades(stream, since_ns, until_ns)

    def _klines(self, stream: Stream, since_ns: int, until_ns: int) -> Iterator[Json]:
        minutes = messages.INTERVAL_MINUTES[stream.interval]
        now = until_ns // NS_PER_MINUTE
        running = now - now % minutes
        before = since_ns // NS_PER_MINUTE
        first = max(before - before % minutes, running - CLOSED_MAX * minutes)
        for place in range(first, running + 1, minutes):
            candle = self._tape.interval(
                stream.asset, first_minute=place, minutes=minutes, market_ns=until_ns
            )
            if candle is not None:
                yield _kline(stream, candle, minutes, until_ns=until_ns)

    def _trades(self, stream: Stream, since_ns: int, until_ns: int) -> list[Json]:
        until_ms = until_ns // NS_PER_MS
        found = market_trades.between(
            self._tape,
            stream.asset,
            max(since_ns // NS_PER_MS, until_ms - TRADES_MINUTES_MAX * _MINUTE_MS),
            until_ms,
            market_ns=until_ns,
            limit=(TRADES_MINUTES_MAX + 1) * market_trades.PLACES,
        )
        return [
            _trade(stream, trade, until_ns)
            for trade in found
            if trade.market_ms * NS_PER_MS > since_ns
        ]

    def _best(self, asset: str, market_ns: int) -> list[Json]:
        touch = self._touch(asset, market_ns)
        if touch is None:
            return []
        bid, ask = touch
        size = messages.TOUCH_SIZE
        changed = market_ns // market_trades.STEP_NS
        best = {"b": amount(bid), "B": size, "a": amount(ask), "A": size}
        return [{"u": changed, "s": symbol_of(asset)} | best]

    def _day(self, stream: Stream, market_ns: int) -> list[Json]:
        try:
            day = self._ticker(stream.asset, market_ns)
        except Refusal:
            return []
        is_short = stream.kind == "miniTicker"
        event = "24hrMiniTicker" if is_short else "24hrTicker"
        fields = {
            short: day[name]
            for name, short in _TICKER_FIELDS.items()
            if short in _SHORT_FIELDS or not is_short
        }
        return [_headed(event, stream.asset, market_ns) | fields]


def _kline(stream: Stream, candle: Candle, minutes: int, *, until_ns: int) -> Json:
    row = messages.kline(candle, minutes=minutes)
    is_closed = until_ns >= (candle.minute + minutes) * NS_PER_MINUTE
    first_id = candle.minute * market_trades.PLACES
    shown = {
        "t": row[0],
        "T": row[6],
        "s": symbol_of(stream.asset),
        "i": stream.interval,
        "f": first_id,
        "L": first_id + minutes * market_trades.PLACES - 1,
        **dict(zip("ohlcv", row[1:6], strict=True)),
        "n": row[8],
        "x": is_closed,
        "q": row[7],
        "V": row[9],
        "Q": row[10],
        "B": row[11],
    }
    return _headed("kline", stream.asset, until_ns) | {"k": shown}


def _trade(stream: Stream, trade: market_trades.MarketTrade, until_ns: int) -> Json:
    row = market_trades.aggregated(trade)
    headed = _headed(stream.kind, stream.asset, until_ns)
    if stream.kind == "aggTrade":
        return headed | row
    return headed | {"t": row["a"]} | {name: row[name] for name in "pqTmM"}


def _headed(event: str, asset: str, market_ns: int) -> Json:
    return {"e": event, "E": market_ns // NS_PER_MS, "s": symbol_of(asset)}

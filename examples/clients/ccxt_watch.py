"""ccxt.pro, unmodified, watches the local exchange.

python examples/clients/ccxt_watch.py http://127.0.0.1:8080
"""

import asyncio
import sys

import ccxt.pro
from ccxt_rest import at


async def main(base: str) -> None:
    """Watch candles, trades and best prices until each came."""
    exchange = ccxt.pro.binance()
    exchange.urls["api"] = at(base, exchange.urls["api"])
    try:
        candles, trades, best, ticker = await asyncio.gather(
            exchange.watch_ohlcv("BTC/USDT", "1m"),
            exchange.watch_trades("ETH/USDT"),
            exchange.watch_bids_asks(["BTC/USDT", "SOL/USDT"]),
            exchange.watch_ticker("XRP/USDT"),
        )
        print(f"watch_ohlcv: {len(candles)} candle, {len(candles[-1])} numbers")
        print(f"watch_trades: {trades[-1]['symbol']}")
        print(f"watch_bids_asks: {len(best)} market, bid below ask: {_is_sound(best)}")
        print(f"watch_ticker: {ticker['symbol']}")
    finally:
        await exchange.close()


def _is_sound(best: dict[str, dict[str, float]]) -> bool:
    return all(each["bid"] < each["ask"] for each in best.values())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

"""ccxt, unmodified and with its default options, at the local exchange.

python examples/clients/ccxt_rest.py http://127.0.0.1:8080
"""

import re
import sys
from typing import Any

import ccxt

KEYS = {"apiKey": "foresight-local-demo-key", "secret": "foresight-local-demo-secret"}


def at(base: str, addresses: Any) -> Any:
    """Return ccxt's own addresses with another host: every path stays as it is.

    Args:
        base: As in ``http://127.0.0.1:8080``.
        addresses: ``exchange.urls["api"]``, whole or a part.
    """
    if isinstance(addresses, dict):
        return {name: at(base, address) for name, address in addresses.items()}
    return re.sub(r"^(http|ws)s://[^/]+", lambda found: base.replace("http", found[1]), addresses)


def main(base: str) -> None:
    """Load markets, place an order that waits, cancel it, buy at the market."""
    exchange = ccxt.binance(KEYS)
    exchange.urls["api"] = at(base, exchange.urls["api"])
    markets = exchange.load_markets()
    print(f"load_markets: {len(markets)} markets, {len(exchange.currencies)} currencies")
    print(f"fetch_ohlcv: {len(exchange.fetch_ohlcv('BTC/USDT', '1h', limit=48))} hours")
    low = exchange.price_to_precision("BTC/USDT", exchange.fetch_ticker("BTC/USDT")["bid"] * 0.9)
    order = exchange.create_order("BTC/USDT", "limit", "buy", 0.01, float(low))
    print(f"create_order: {order['status']}, {len(exchange.fetch_open_orders('BTC/USDT'))} open")
    print(f"cancel_order: {exchange.cancel_order(order['id'], 'BTC/USDT')['status']}")
    bought = exchange.create_order("BTC/USDT", "market", "buy", 0.01)
    print(f"market order: {bought['status']}, {bought['filled']} BTC")
    print(f"fetch_my_trades: {len(exchange.fetch_my_trades('BTC/USDT'))} of it")
    for _ in range(2):
        exchange.create_order("BTC/USDT", "limit", "buy", 0.01, float(low))
    print(f"cancel_all_orders: {len(exchange.cancel_all_orders('BTC/USDT'))}")


if __name__ == "__main__":
    main(sys.argv[1])

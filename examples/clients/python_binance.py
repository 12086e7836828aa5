"""python-binance, unmodified, at the local exchange.

python examples/clients/python_binance.py http://127.0.0.1:8080
"""

import sys

from binance.client import Client

KEY, SECRET = "foresight-local-demo-key", "foresight-local-demo-secret"


def main(base: str) -> None:
    """Read a history, place an order that waits, cancel it, buy at the market."""
    Client.API_URL = f"{base}/api"  # before the first client: it pings when it is made
    client = Client(KEY, SECRET)
    hours = client.get_historical_klines("BTCUSDT", "1h", "2 days ago UTC")
    print(f"get_historical_klines: {len(hours)} hours")
    trades = client.aggregate_trade_iter(symbol="BTCUSDT", start_str="10 minutes ago UTC")
    print(f"aggregate_trade_iter: {'some' if list(trades) else 'no'} trades")
    filters = client.get_symbol_info("BTCUSDT")["filters"]
    print(f"get_symbol_info: {len(filters)} filters")
    low = f"{float(client.get_avg_price(symbol='BTCUSDT')['price']) * 0.9:.2f}"
    order = client.order_limit_buy(symbol="BTCUSDT", quantity=0.01, price=low)
    print(f"order_limit_buy: {order['status']}")
    canceled = client.cancel_order(symbol="BTCUSDT", orderId=order["orderId"])
    print(f"cancel_order: {canceled['status']}")
    bought = client.order_market_buy(symbol="BTCUSDT", quantity=0.01)
    print(f"order_market_buy: {bought['status']}, {len(bought['fills'])} fill")
    client.create_test_order(symbol="BTCUSDT", side="BUY", type="MARKET", quantity=0.01)
    print("create_test_order: accepted")


if __name__ == "__main__":
    main(sys.argv[1])

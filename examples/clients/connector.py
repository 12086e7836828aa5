"""binance-connector, the older official client, unmodified, at the local exchange.

python examples/clients/connector.py http://127.0.0.1:8080
"""

import sys

from binance.spot import Spot

KEY, SECRET = "foresight-local-demo-key", "foresight-local-demo-secret"


def main(base: str) -> None:
    """Place an order that waits, cancel it, read the account."""
    client = Spot(KEY, SECRET, base_url=base)
    low = round(float(client.avg_price("BTCUSDT")["price"]) * 0.9, 2)
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    placed = client.new_order(**order, quantity=0.01, price=low)
    print(f"new_order: {placed['status']}")
    print(f"get_open_orders: {len(client.get_open_orders('BTCUSDT'))}")
    print(f"cancel_order: {client.cancel_order('BTCUSDT', orderId=placed['orderId'])['status']}")
    print(f"new_order_test: {client.new_order_test(**order, quantity=0.01, price=low)}")
    print(f"account: {client.account()['accountType']}")


if __name__ == "__main__":
    main(sys.argv[1])

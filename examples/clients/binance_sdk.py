"""binance-sdk-spot, unmodified, at the local exchange.

python examples/clients/binance_sdk.py http://127.0.0.1:8080
"""

import sys

from binance_common.configuration import ConfigurationRestAPI
from binance_sdk_spot.spot import Spot

KEY, SECRET = "foresight-local-demo-key", "foresight-local-demo-secret"


def main(base: str) -> None:
    """Read markets and account, place an order that waits, cancel it."""
    settings = ConfigurationRestAPI(api_key=KEY, api_secret=SECRET, base_path=base)
    rest = Spot(config_rest_api=settings).rest_api
    markets = rest.exchange_info().data().symbols
    print(f"exchange_info: {len(markets)} markets, {len(markets[0].filters)} filters each")
    print(f"klines: {len(rest.klines(symbol='BTCUSDT', interval='1m', limit=5).data())}")
    low = round(float(rest.avg_price(symbol="BTCUSDT").data().price) * 0.9, 2)
    order = rest.new_order(
        symbol="BTCUSDT", side="BUY", type="LIMIT", time_in_force="GTC", quantity=0.01, price=low
    ).data()
    print(f"new_order: {order.status}")
    canceled = rest.delete_order(symbol="BTCUSDT", order_id=order.order_id).data()
    print(f"delete_order: {canceled.status}")
    account = rest.get_account().data()
    print(f"get_account: {account.account_type}, commission {account.commission_rates.taker}")


if __name__ == "__main__":
    main(sys.argv[1])

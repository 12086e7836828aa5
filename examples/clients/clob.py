"""py-clob-client-v2, unmodified, at the prediction side of the local exchange.

python examples/clients/clob.py http://127.0.0.1:8080
"""

import json
import sys

import httpx
from py_clob_client_v2.client import ClobClient
from py_clob_client_v2.clob_types import (
    AssetType,
    BalanceAllowanceParams,
    MarketOrderArgs,
    OrderArgs,
    OrderMarketCancelParams,
    OrderType,
)

# From public documentation: a wallet of nobody, which has money at the local exchange alone.
WALLET_KEY = "0x" + "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
CHAIN = 137


def main(base: str) -> None:
    """Place an order that waits, cancel those of its market, buy for five dollars."""
    events = httpx.get(f"{base}/gamma/events").json()
    market = next(each for each in events if "btc-updown-15m" in each["slug"])["markets"][0]
    token = json.loads(market["clobTokenIds"])[0]
    client = ClobClient(f"{base}/clob", CHAIN, key=WALLET_KEY)
    client.set_api_creds(client.create_or_derive_api_key())
    print(f"get_version: {client.get_version()}, tick {client.get_tick_size(token)}")
    waits = OrderArgs(token_id=token, price=0.01, size=100, side="BUY")
    print(f"limit order: {client.create_and_post_order(waits)['status']}")
    print(f"get_open_orders: {len(client.get_open_orders())}")
    asked = OrderMarketCancelParams(market=market["conditionId"])
    print(f"cancel_market_orders: {len(client.cancel_market_orders(asked)['canceled'])}")
    buy = MarketOrderArgs(token_id=token, amount=5, side="BUY", order_type=OrderType.FAK)
    bought = client.create_and_post_market_order(buy, order_type=OrderType.FAK)
    print(f"market order: {'taken' if bought['success'] else bought}")
    cash = client.get_balance_allowance(BalanceAllowanceParams(asset_type=AssetType.COLLATERAL))
    print(f"get_balance_allowance: {'some' if int(cash['balance']) else 'no'} USDC")


if __name__ == "__main__":
    main(sys.argv[1])

"""The local exchange: spot prices and an Up/Down prediction board behind real HTTP.

The unmodified ccxt clients talk to it. Start one with ``python -m foresight.exchange --dir DIR``;
its first line on stdout is JSON and says its ``address``. Then::

    spot = ccxt.async_support.binance(binance_options(address))
    board = ccxt.prediction.polymarket(polymarket_options(address))
    await spot.load_markets()  # never load_markets() on the board: ask for events by slug
    event = await board.fetch_event("btc-updown-5m-1763827200")
    outcome = "BTC_UPDOWN_5M_1763827200:UP"

An order whose id is known before it is sent (salt and timestamp decide it, nothing else varies)::

    pinned = {"salt": "17", "timestamp": "1763827201000", "orderType": "FAK"}
    await board.load_api_credentials()
    body = board.build_clob_order_body(outcome, "limit", "buy", 10, 0.55, pinned)["body"]
    identity = order_id(body["order"])
    order = await board.create_order(outcome, "limit", "buy", 10, 0.55, pinned)
    assert order["id"] == identity

Reading back: ``fetch_order(identity)`` (an unknown id gives an order whose ``id`` is None),
``fetch_order_trades(identity, outcome)`` (``info.fee`` and ``info.cash`` are exact), positions by
``dataPublicGetPositions({"user": wallet})`` because ``fetch_positions`` expects a shape neither
this venue nor the real one sends, settlement by ``fetch_event(slug)`` (``resolved``, ``winner``
and ``settleFraction`` of each outcome; a void window is resolved without a winner).

For a backtest the same market without HTTP: `FairMarket` over a `Tape` over any `CandleSource`.

Owns everything under this folder. Must never enter: anything of the trader; imports go down only.
"""

from foresight.exchange.client_urls import binance_options, polymarket_options
from foresight.exchange.fair_market import FairMarket
from foresight.exchange.order_hash import order_id
from foresight.exchange.prices import SyntheticPrices
from foresight.exchange.replay import ReplayPrices
from foresight.exchange.tape import Tape
from foresight.exchange.windows import Result, Side, Window, parse_slug, window_at

__all__ = [
    "FairMarket",
    "ReplayPrices",
    "Result",
    "Side",
    "SyntheticPrices",
    "Tape",
    "Window",
    "binance_options",
    "order_id",
    "parse_slug",
    "polymarket_options",
    "window_at",
]

"""The clob's wire format of markets: what clients read before they order, and prices over time.

Owns their JSON shape as `py-clob-client-v2` reads it. Must never enter: HTTP, clocks, books.
"""

from collections.abc import Sequence
from typing import Any, Final

from foresight.exchange.market.amounts import MICRO
from foresight.exchange.market.fees import RATE, RATE_PERCENT
from foresight.exchange.market.windows import Result, Side, Window, payout_share
from foresight.exchange.polymarket import tokens
from foresight.exchange.polymarket.gamma_messages import MIN_SIZE
from foresight.exchange.polymarket.wire_numbers import iso

Json = dict[str, Any]

ORDER_VERSION: Final = 2
"""Of the order that is signed; what clients ask for first."""


def by_token(window: Window) -> Json:
    """Return the market of a token: its condition and both tokens."""
    up, down = (tokens.token_id(window, side) for side in Side)
    return {
        "condition_id": tokens.condition_id(window),
        "primary_token_id": up,
        "secondary_token_id": down,
    }


def rules(window: Window, *, tick_micro: int) -> Json:
    """Return what an order must keep to, in the clob's short names.

    Args:
        window: Which.
        tick_micro: Smallest price step, micro-USDC.
    """
    return {
        "gst": iso(window.start_s),
        "t": [{"t": tokens.token_id(window, side), "o": side.value} for side in Side],
        "mos": int(MIN_SIZE),
        "mts": tick_micro / MICRO,
        "mbf": 0,
        "tbf": 100 * RATE_PERCENT,
        "nr": False,
        "fd": {"r": RATE, "e": 1, "to": True},
    }


def market(
    window: Window,
    *,
    tick_micro: int,
    probability: float,
    result: Result | None,
    is_tradable: bool,
) -> Json:
    """Return a market as ``GET /markets/{condition}`` shows it.

    Args:
        window: Which.
        tick_micro: Smallest price step, micro-USDC.
        probability: Fair probability of Up while it runs.
        result: Published result, or None.
        is_tradable: Whether orders are accepted.
    """
    shares = {Side.UP: probability, Side.DOWN: 1.0 - probability}
    return {
        "enable_order_book": True,
        "active": True,
        "closed": result is not None,
        "archived": False,
        "accepting_orders": is_tradable,
        "minimum_order_size": int(MIN_SIZE),
        "minimum_tick_size": tick_micro / MICRO,
        "condition_id": tokens.condition_id(window),
        "question_id": tokens.condition_id(window),
        "question": f"{window.asset} Up or Down - {window.timeframe} from {iso(window.start_s)}",
        "market_slug": window.slug,
        "game_start_time": iso(window.start_s),
        "end_date_iso": iso(window.end_s),
        "maker_base_fee": 0,
        "taker_base_fee": 100 * RATE_PERCENT,
        "neg_risk": False,
        "tokens": [
            {
                "token_id": tokens.token_id(window, side),
                "outcome": side.value,
                "price": round(shares[side] if result is None else payout_share(result, side), 3),
                "winner": result is not None and result.value == side.value,
            }
            for side in Side
        ],
    }


def history(points: Sequence[tuple[int, float]]) -> Json:
    """Return prices over time.

    Args:
        points: Unix seconds and price, rising.
    """
    return {"history": [{"t": seconds, "p": round(price, 4)} for seconds, price in points]}

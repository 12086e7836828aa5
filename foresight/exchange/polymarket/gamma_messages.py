"""Gamma's wire format: events and markets of the prediction venue.

Owns their JSON shape as `ccxt.prediction.polymarket` 4.5.90 reads it and the public board spells
it: outcomes, prices and token ids are JSON inside JSON. Must never enter: HTTP, clocks, decisions.
"""

import json
from typing import Any, Final

from foresight.exchange.market.amounts import MICRO
from foresight.exchange.market.fees import RATE
from foresight.exchange.market.rules import Rule
from foresight.exchange.market.windows import Result, Side, Window, payout_share
from foresight.exchange.polymarket import tokens
from foresight.exchange.polymarket.wire_numbers import iso

Json = dict[str, Any]

MIN_SIZE: Final = "5"

_RULES: Final = {
    Rule.LAST: (
        'Resolves to "Up" if the last {asset}/USDT price at the end of the window is greater than '
        'or equal to the price at its beginning, otherwise to "Down". Reference and final price '
        "are last prices of the local exchange; equal counts as Up; a void window pays one half."
    ),
    Rule.AVERAGE: (
        'Resolves to "Up" if the 60-second average of the {asset}/USDT price at the end of the '
        "window is greater than or equal to the 60-second average before its beginning, otherwise "
        'to "Down". The average of a minute is (open + high + low + close) / 4 of its candle on '
        "the local exchange; equal counts as Up; a void window pays one half."
    ),
}


def event(
    window: Window,
    *,
    rule: Rule,
    tick_micro: int,
    probability: float,
    result: Result | None,
    is_tradable: bool,
    prices: tuple[float | None, float | None],
) -> Json:
    """Return a gamma event with its one market.

    Args:
        window: Which.
        rule: How it is settled.
        tick_micro: Smallest price step, micro-USDC.
        probability: Fair probability of Up, shown as the outcome price while it runs.
        result: Published result, or None.
        is_tradable: Whether orders are accepted.
        prices: Price to beat and last price at the end, None while unknown.
    """
    title = f"{window.asset} Up or Down - {window.timeframe} from {iso(window.start_s)}"
    return {
        "id": tokens.event_id(window),
        "ticker": window.slug,
        "slug": window.slug,
        "title": title,
        "description": _RULES[rule].format(asset=window.asset),
        "resolutionSource": f"local exchange, {rule.value} {window.asset}/USDT price",
        "startDate": iso(window.start_s - 3600),
        "startTime": iso(window.start_s),
        "endDate": iso(window.end_s),
        "createdAt": iso(window.start_s - 3600),
        "updatedAt": iso(window.start_s),
        "active": True,
        "closed": result is not None,
        "archived": False,
        "restricted": False,
        "enableOrderBook": True,
        "negRisk": False,
        "seriesSlug": f"{window.asset.lower()}-up-or-down-{window.timeframe}",
        "eventMetadata": _metadata(*prices),
        "tags": [{"id": "1", "label": "Up or Down", "slug": "up-or-down"}],
        "markets": [
            market(
                window,
                tick_micro=tick_micro,
                probability=probability,
                result=result,
                is_tradable=is_tradable,
                title=title,
            )
        ],
    }


def _metadata(reference: float | None, final: float | None) -> Json:
    named = {"priceToBeat": reference, "finalPrice": final}
    return {name: price for name, price in named.items() if price is not None}


def market(
    window: Window,
    *,
    tick_micro: int,
    probability: float,
    result: Result | None,
    is_tradable: bool,
    title: str,
) -> Json:
    """Return the gamma market of a window; arguments as in `event`."""
    if result is None:
        shown = [f"{probability:.3f}", f"{1.0 - probability:.3f}"]
    else:
        shown = [f"{payout_share(result, side):g}" for side in Side]
    answer: Json = {
        "id": tokens.event_id(window),
        "question": title,
        "conditionId": tokens.condition_id(window),
        "slug": window.slug,
        "startDate": iso(window.start_s - 3600),
        "eventStartTime": iso(window.start_s),
        "endDate": iso(window.end_s),
        "outcomes": json.dumps([side.value for side in Side]),
        "outcomePrices": json.dumps(shown),
        "clobTokenIds": json.dumps([tokens.token_id(window, side) for side in Side]),
        "active": True,
        "closed": result is not None,
        "archived": False,
        "enableOrderBook": True,
        "acceptingOrders": is_tradable,
        "orderPriceMinTickSize": tick_micro / MICRO,
        "orderMinSize": int(MIN_SIZE),
        "negRisk": False,
        "feesEnabled": True,
        "feeType": "crypto_fees_v2",
        "feeSchedule": {"exponent": 1, "rate": RATE, "takerOnly": True, "rebateRate": 0},
        "volume": "0",
        "volume24hr": 0,
    }
    if result is not None:
        answer["umaResolutionStatus"] = "resolved"
        answer["automaticallyResolved"] = True
    return answer

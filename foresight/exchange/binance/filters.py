"""The filters of the spot venue's markets: what is advertised is what is enforced.

Owns each filter's numbers, how exchangeInfo shows it, and the check of an order. Must never enter:
HTTP, balances, where prices come from.
"""

from typing import Any, Final, NamedTuple

from foresight.exchange.binance.decimals import amount
from foresight.exchange.binance.refusals import filtered
from foresight.exchange.ledger.spot import ATOMS, SpotTerms

STEP_ATOMS: Final = 1000
"""The step of quantities, 0.00001."""

ORDERS_MAX: Final = 200
"""Orders of one market that wait at the same time."""

AVERAGE_MINUTES: Final = 5
"""Length of the average price that two filters compare with."""

NOTIONAL_MIN: Final = 5 * ATOMS
_NOTIONAL_MAX: Final = 9_000_000 * ATOMS
_PRICE_MAX: Final = 10_000_000 * ATOMS
_QUANTITY_MAX: Final = 9_000_000 * ATOMS
_MARKET_QUANTITY_MAX: Final = 1_000_000 * ATOMS
_UP: Final = 5  # a price may be so many times the average
_DOWN: Final = 5  # and one so many times smaller


class Situation(NamedTuple):
    """What the checks compare an order with.

    Attributes:
        tick: Step of prices, atoms.
        average: Average price of the last minutes, atoms.
        waiting: Orders of this market that wait.
    """

    tick: int
    average: int
    waiting: int


def shown(tick: int) -> list[dict[str, Any]]:
    """Return the filters as exchangeInfo lists them.

    Args:
        tick: Step of prices, atoms.
    """
    up, down = str(_UP), f"{1 / _DOWN:g}"
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": amount(tick),
            "maxPrice": amount(_PRICE_MAX),
            "tickSize": amount(tick),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": amount(STEP_ATOMS),
            "maxQty": amount(_QUANTITY_MAX),
            "stepSize": amount(STEP_ATOMS),
        },
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": amount(STEP_ATOMS),
            "maxQty": amount(_MARKET_QUANTITY_MAX),
            "stepSize": amount(STEP_ATOMS),
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": up,
            "bidMultiplierDown": down,
            "askMultiplierUp": up,
            "askMultiplierDown": down,
            "avgPriceMins": AVERAGE_MINUTES,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": amount(NOTIONAL_MIN),
            "applyMinToMarket": True,
            "maxNotional": amount(_NOTIONAL_MAX),
            "applyMaxToMarket": False,
            "avgPriceMins": AVERAGE_MINUTES,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": ORDERS_MAX},
    ]


def check(terms: SpotTerms, situation: Situation) -> None:
    """Let an order pass that keeps every filter of its market.

    Args:
        terms: Its price is 0 for a market order.
        situation: What to compare with.

    Raises:
        Refusal: The first filter that it breaks, by name.
    """
    broken = _broken_by_price(terms, situation) or _broken_by_size(terms, situation)
    if broken:
        raise filtered(broken)


def _broken_by_price(terms: SpotTerms, situation: Situation) -> str:
    price, tick, average = terms.price, situation.tick, situation.average
    if terms.kind == "MARKET":
        return ""
    if not tick <= price <= _PRICE_MAX or price % tick:
        return "PRICE_FILTER"
    if price > _UP * average or _DOWN * price < average:
        return "PERCENT_PRICE_BY_SIDE"
    return ""


def _broken_by_size(terms: SpotTerms, situation: Situation) -> str:
    is_market, quantity = terms.kind == "MARKET", terms.quantity
    if not STEP_ATOMS <= quantity <= _QUANTITY_MAX or quantity % STEP_ATOMS:
        return "LOT_SIZE"
    if is_market and quantity > _MARKET_QUANTITY_MAX:
        return "MARKET_LOT_SIZE"
    notional = quantity * (situation.average if is_market else terms.price) // ATOMS
    if notional < NOTIONAL_MIN or (notional > _NOTIONAL_MAX and not is_market):
        return "NOTIONAL"
    if situation.waiting >= ORDERS_MAX and not is_market:
        return "MAX_NUM_ORDERS"
    return ""

"""What exchangeInfo says of the spot venue and its markets.

Owns the shape, with the fields that typed clients need. Must never enter: HTTP, clocks, prices.
"""

from collections.abc import Mapping

from foresight.exchange.binance import filters, weights
from foresight.exchange.binance.messages import QUOTE, Json, symbol_of
from foresight.exchange.binance.order_terms import ORDER_TYPES, PREVENTIONS

_DECIMALS = 8


def whole(ticks: Mapping[str, int], *, wall_ms: int, is_open: bool) -> Json:
    """Return limits and markets.

    Args:
        ticks: Price step by asset in atoms, board order.
        wall_ms: Server time.
        is_open: False once a recording is over.
    """
    return {
        "timezone": "UTC",
        "serverTime": wall_ms,
        "rateLimits": weights.shown(),
        "exchangeFilters": [],
        "symbols": [_market(asset, tick, is_open=is_open) for asset, tick in ticks.items()],
    }


def empty(*, wall_ms: int) -> Json:
    """Return what a venue without markets says: there are no futures here."""
    return {
        "timezone": "UTC",
        "serverTime": wall_ms,
        "rateLimits": [],
        "exchangeFilters": [],
        "assets": [],
        "symbols": [],
    }


def _market(asset: str, tick: int, *, is_open: bool) -> Json:
    return {
        "symbol": symbol_of(asset),
        "status": "TRADING" if is_open else "BREAK",
        "baseAsset": asset,
        "baseAssetPrecision": _DECIMALS,
        "quoteAsset": QUOTE,
        "quotePrecision": _DECIMALS,
        "quoteAssetPrecision": _DECIMALS,
        "baseCommissionPrecision": _DECIMALS,
        "quoteCommissionPrecision": _DECIMALS,
        "orderTypes": list(ORDER_TYPES),
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": False,
        "amendAllowed": False,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": filters.shown(tick),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": PREVENTIONS[0],
        "allowedSelfTradePreventionModes": list(PREVENTIONS),
    }

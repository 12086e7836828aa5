"""The spot venue's wire format: what the JSON of orders, fills and the account says.

Owns their shapes, with the fields that typed clients need. Must never enter: HTTP, clocks,
decisions, prices.
"""

from collections.abc import Sequence
from typing import Final

from foresight.exchange.binance.decimals import amount
from foresight.exchange.binance.messages import QUOTE, Json, symbol_of
from foresight.exchange.ledger.spot import (
    ATOMS,
    COMMISSION_PER_MILLE,
    SpotFill,
    SpotOrder,
    SpotReceived,
    SpotTerms,
)
from foresight.exchange.market_clock import NS_PER_MS

_ACKNOWLEDGED: Final = ("symbol", "orderId", "orderListId", "clientOrderId", "transactTime")
_NONE: Final = amount(0)
_RATE: Final = amount(ATOMS * COMMISSION_PER_MILLE // 1000)
_BASIS_POINTS: Final = 10 * COMMISSION_PER_MILLE


def placed(entry: SpotReceived, order: SpotOrder, answer: str) -> Json:
    """Return the answer to an accepted order.

    Args:
        entry: The request.
        order: As it is now.
        answer: How much to say: ``ACK``, ``RESULT`` or ``FULL``.
    """
    whole = spot_order(order) | {"transactTime": entry.wall_ns // NS_PER_MS}
    if answer == "ACK":
        return {name: whole[name] for name in _ACKNOWLEDGED}
    if answer == "RESULT":
        return whole
    return whole | {"fills": [_fill(order, fill) for fill in order.fills]}


def canceled(order: SpotOrder, name: str, *, wall_ns: int) -> Json:
    """Return the answer to a cancel.

    Args:
        order: As it is now.
        name: Client id of the cancel itself; empty gives it one.
        wall_ns: When it was canceled.
    """
    return spot_order(order) | {
        "origClientOrderId": order.terms.client_id,
        "clientOrderId": name or f"cancel-{order.id}",
        "transactTime": wall_ns // NS_PER_MS,
    }


def _fill(order: SpotOrder, fill: SpotFill) -> Json:
    return {
        "price": amount(fill.price),
        "qty": amount(fill.quantity),
        "commission": amount(fill.commission),
        "commissionAsset": _commission_asset(order.terms),
        "tradeId": fill.id,
    }


def spot_order(order: SpotOrder) -> Json:
    """Return an order as GET /order shows it."""
    terms = order.terms
    created_ms = order.wall_ns // NS_PER_MS
    updated_ms = order.fills[-1].wall_ns // NS_PER_MS if order.fills else created_ms
    return {
        "symbol": symbol_of(terms.asset),
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": terms.client_id,
        "price": amount(terms.price),
        "origQty": amount(terms.quantity),
        "executedQty": amount(order.filled),
        "cummulativeQuoteQty": amount(order.quote),
        "status": order.status,
        "timeInForce": terms.time_in_force,
        "type": terms.kind,
        "side": "BUY" if terms.is_buy else "SELL",
        "stopPrice": _NONE,
        "icebergQty": _NONE,
        "time": created_ms,
        "updateTime": updated_ms,
        "isWorking": True,
        "workingTime": created_ms,
        "origQuoteOrderQty": _NONE,
        "selfTradePreventionMode": "NONE",
    }


def my_trade(order: SpotOrder, fill: SpotFill) -> Json:
    """Return one fill as ``GET /myTrades`` lists it."""
    return {
        "symbol": symbol_of(order.terms.asset),
        "id": fill.id,
        "orderId": order.id,
        "orderListId": -1,
        "price": amount(fill.price),
        "qty": amount(fill.quantity),
        "quoteQty": amount(fill.quantity * fill.price // ATOMS),
        "commission": amount(fill.commission),
        "commissionAsset": _commission_asset(order.terms),
        "time": fill.wall_ns // NS_PER_MS,
        "isBuyer": order.terms.is_buy,
        "isMaker": fill.is_maker,
        "isBestMatch": True,
    }


def _commission_asset(terms: SpotTerms) -> str:
    return terms.asset if terms.is_buy else QUOTE


def account(balances: Sequence[tuple[str, int, int]], *, wall_ms: int) -> Json:
    """Return the account.

    Args:
        balances: Asset, free and locked atoms.
        wall_ms: Server time.
    """
    return {
        "makerCommission": _BASIS_POINTS,
        "takerCommission": _BASIS_POINTS,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": _rates(),
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": False,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": wall_ms,
        "accountType": "SPOT",
        "balances": [
            {"asset": asset, "free": amount(free), "locked": amount(locked)}
            for asset, free, locked in balances
        ],
        "permissions": ["SPOT"],
        "uid": 1,
    }


def commission(asset: str) -> Json:
    """Return what fills of a market cost."""
    free = {"maker": _NONE, "taker": _NONE, "buyer": _NONE, "seller": _NONE}
    return {
        "symbol": symbol_of(asset),
        "standardCommission": _rates(),
        "specialCommission": free,
        "taxCommission": free,
        "discount": {
            "enabledForAccount": False,
            "enabledForSymbol": False,
            "discountAsset": "BNB",
            "discount": _NONE,
        },
    }


def commission_of_order(asset: str) -> Json:
    """Return what an order's fills would cost."""
    whole = commission(asset)
    free = {"maker": _NONE, "taker": _NONE}
    return {
        "standardCommissionForOrder": {"maker": _RATE, "taker": _RATE},
        "specialCommissionForOrder": free,
        "taxCommissionForOrder": free,
        "discount": whole["discount"],
    }


def _rates() -> Json:
    return {"maker": _RATE, "taker": _RATE, "buyer": _NONE, "seller": _NONE}

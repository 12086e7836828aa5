"""Positions and accounts as JSON.

Owns the data API's positions and the control page's account. Must never enter: HTTP, clocks,
decisions.
"""

from typing import Any

from foresight.exchange.ledger.positions import Account, Position
from foresight.exchange.market.windows import Side, Window
from foresight.exchange.polymarket import tokens
from foresight.exchange.polymarket.wire_numbers import decimal, iso

Json = dict[str, Any]


def position(one: Position, window: Window, price: float, *, is_redeemable: bool) -> Json:
    """Return an open or closed position as the data API shows it; numbers, not texts.

    Args:
        one: The position.
        window: Its window.
        price: What a share is worth now, USDC.
        is_redeemable: Whether its window has its result and the shares are still there.
    """
    size = one.size_micro / 1e6
    cost = one.cost_micro / 1e6
    side = Side(one.outcome)
    return {
        "proxyWallet": one.wallet,
        "asset": one.token,
        "conditionId": tokens.condition_id(window),
        "size": size,
        "avgPrice": round(cost / size, 6) if size else 0,
        "initialValue": cost,
        "currentValue": round(size * price, 6),
        "cashPnl": round(size * price - cost, 6),
        "totalBought": one.bought_micro / 1e6,
        "realizedPnl": one.realized_micro / 1e6,
        "curPrice": round(price, 6),
        "currentPrice": round(price, 6),  # the name ccxt reads
        "redeemable": is_redeemable,
        "mergeable": False,
        "title": window.slug,
        "slug": window.slug,
        "eventSlug": window.slug,
        "outcome": one.outcome,
        "outcomeIndex": list(Side).index(side),
        "oppositeOutcome": side.other.value,
        "oppositeAsset": tokens.token_id(window, side.other),
        "endDate": iso(window.end_s),
        "negativeRisk": False,
        "fees": one.fee_micro / 1e6,
    }


def summary(account: Account) -> Json:
    """Return an account for the control page: cash, open positions, closed ones counted."""
    return {
        "balance": decimal(account.balance_micro),
        "positions": [
            {
                "token": one.token,
                "slug": one.slug,
                "outcome": one.outcome,
                "size": decimal(one.size_micro),
                "cost": decimal(one.cost_micro),
                "fees": decimal(one.fee_micro),
            }
            for one in account.positions.values()
        ],
        "closed": len(account.closed),
        "realized": decimal(sum(one.realized_micro for one in account.closed)),
    }

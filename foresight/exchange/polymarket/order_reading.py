"""Reading a submitted prediction order.

Owns what a well-formed order is: amounts to price and size, token to window, fields to identity.
Must never enter: HTTP, signatures, whether the order is a good idea (see `prediction_desk`).
"""

from collections.abc import Mapping
from typing import Any, Final

from foresight.exchange.counters.prediction_desk import OrderRequest
from foresight.exchange.ledger.prediction_entries import Terms
from foresight.exchange.polymarket import tokens
from foresight.exchange.polymarket.order_hash import order_id

_TIMES_IN_FORCE: Final = frozenset({"GTC", "GTD", "FOK", "FAK"})


class BadOrderError(ValueError):
    """A posted order is not well formed; the text is what the venue answers."""


def read_order(body: Mapping[str, Any], account: str) -> OrderRequest:
    """Read the body of an order submission.

    Args:
        body: Parsed JSON of ``POST /order``.
        account: Owner behind the API key, lower case.

    Raises:
        BadOrderError: A field is missing or no number, or the token is not ours.
    """
    try:
        order = body["order"]
        is_buy = {"BUY": True, "SELL": False}[order["side"]]
        outcome = tokens.outcome_of_token(str(order["tokenId"]))
        given, wanted = int(order["makerAmount"]), int(order["takerAmount"])
        identity = order_id(order)
        terms_type = str(body["orderType"])
        wallet = str(order["maker"]).lower()
        expires_s = int(order["expiration"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        message = "Invalid order payload"
        raise BadOrderError(message) from error
    shares, cash = (wanted, given) if is_buy else (given, wanted)
    if outcome is None or shares <= 0 or cash <= 0 or terms_type not in _TIMES_IN_FORCE:
        message = "Invalid order payload"
        raise BadOrderError(message)
    window, side = outcome
    cents, is_on_tick = _price(cash, shares)
    terms = Terms(
        slug=window.slug,
        token=str(order["tokenId"]),
        outcome=side.value,
        is_buy=is_buy,
        cents=cents,
        size_micro=shares,
        time_in_force=terms_type,
        wallet=wallet,
        expires_s=expires_s if terms_type == "GTD" else 0,
    )
    is_post_only = body.get("postOnly") is True
    return OrderRequest(account, identity, window, side, terms, is_on_tick, is_post_only)


def _price(cash: int, shares: int) -> tuple[int, bool]:
    # Amounts are rounded to 4 decimals by the client, so a price may be off by half of that.
    cents = (200 * cash + shares) // (2 * shares)
    error_micro = abs(100 * cash - cents * shares)
    return cents, error_micro <= 100 * 100

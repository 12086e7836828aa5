"""Reading a submitted prediction order.

Owns what a well-formed order is: amounts to price and size, token to window, fields to identity.
Must never enter: HTTP, signatures, whether the order is a good idea (see `prediction_desk`).
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from foresight.exchange.counters.order_requests import OrderRequest
from foresight.exchange.ledger.prediction_entries import MICRO_PER_CENT, MICRO_PER_MILL, Terms
from foresight.exchange.market.amounts import Amounts, price_on_tick
from foresight.exchange.market.windows import Window
from foresight.exchange.polymarket import tokens
from foresight.exchange.polymarket.order_hash import order_id

_TIMES_IN_FORCE: Final = frozenset({"GTC", "GTD", "FOK", "FAK"})


class BadOrderError(ValueError):
    """A posted order is not well formed; the text is what the venue answers."""


def read_order(
    body: Mapping[str, Any], account: str, *, tick_of: Callable[[Window], int]
) -> OrderRequest:
    """Read the body of an order submission.

    Args:
        body: Parsed JSON of ``POST /order``.
        account: Owner behind the API key, lower case.
        tick_of: Gives the tick of a window's market, micro-USDC.

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
    amounts = Amounts(shares, cash)
    price_micro, is_on_tick = price_on_tick(amounts, tick_of(window))
    cents, beyond_micro = divmod(price_micro, MICRO_PER_CENT)
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
        mills=beyond_micro // MICRO_PER_MILL,
        budget_micro=cash if is_buy and terms_type in {"FOK", "FAK"} else 0,
    )
    is_post_only = body.get("postOnly") is True
    return OrderRequest(account, identity, window, side, terms, amounts, is_on_tick, is_post_only)

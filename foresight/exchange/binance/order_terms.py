"""What an order's parameters ask for.

Owns which parameters each type of order needs and which it must not have. Must never enter: HTTP,
filters, balances, decisions.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from foresight.exchange.binance.decimals import atoms_of
from foresight.exchange.binance.filters import STEP_ATOMS
from foresight.exchange.binance.parameters import Query, required
from foresight.exchange.binance.refusals import Refusal, illegal
from foresight.exchange.ledger.spot import ATOMS, SpotTerms

ORDER_TYPES: Final = ("LIMIT", "LIMIT_MAKER", "MARKET")
ANSWERS: Final = ("ACK", "RESULT", "FULL")
TIMES_IN_FORCE: Final = ("GTC", "IOC", "FOK")
PREVENTIONS: Final = ("NONE",)
"""Modes of self-trade prevention: nobody trades against an own order here."""

_CLIENT_ID: Final = re.compile(r"[A-Za-z0-9_.:/-]{1,36}", re.ASCII)
_NEEDED: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "LIMIT": ("timeInForce", "quantity", "price"),
        "LIMIT_MAKER": ("quantity", "price"),
        "MARKET": (),
    }
)
_UNWANTED: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "LIMIT": ("quoteOrderQty", "stopPrice", "trailingDelta", "icebergQty"),
        "LIMIT_MAKER": (
            *("timeInForce", "quoteOrderQty", "stopPrice", "trailingDelta", "icebergQty"),
        ),
        "MARKET": ("timeInForce", "price", "stopPrice", "trailingDelta", "icebergQty"),
    }
)


class Touch(NamedTuple):
    """Best prices, atoms."""

    bid: int
    ask: int


def read(query: Query, asset: str, *, touch: Touch, default_id: str) -> SpotTerms:
    """Return the terms of an order.

    Args:
        query: Parameters of the request.
        asset: Of its symbol.
        touch: What an order that names its cost is converted at.
        default_id: Client id of an order that brings none.

    Raises:
        Refusal: A parameter is missing, not wanted, or unreadable.
    """
    side = _one_of(query, "side", ("BUY", "SELL"), Refusal(-1117, "Invalid side."))
    kind = _one_of(query, "type", ORDER_TYPES, Refusal(-1116, "Invalid orderType."))
    for name in _NEEDED[kind]:
        required(query, name)
    for name in _UNWANTED[kind]:
        if name in query:
            raise Refusal(-1106, f"Parameter '{name}' sent when not required.")
    time_in_force = "GTC"
    if "timeInForce" in query:
        refusal = Refusal(-1115, "Invalid timeInForce.")
        time_in_force = _one_of(query, "timeInForce", TIMES_IN_FORCE, refusal)
    return SpotTerms(
        client_id=client_id(query, "newClientOrderId") or default_id,
        asset=asset,
        is_buy=side == "BUY",
        kind=kind,
        time_in_force=time_in_force,
        quantity=_quantity(query, touch.ask if side == "BUY" else touch.bid),
        price=atoms_of(query["price"], "price") if kind != "MARKET" else 0,
    )


def answer_kind(query: Query) -> str:
    """Return how much an order's answer says: ``ACK``, ``RESULT`` or ``FULL``."""
    if "newOrderRespType" not in query:
        return "FULL" if query.get("type") in {"LIMIT", "MARKET"} else "ACK"
    refusal = Refusal(-1100, "Invalid newOrderRespType.")
    return _one_of(query, "newOrderRespType", ANSWERS, refusal)


def client_id(query: Query, name: str) -> str:
    """Return a client's id, or nothing where none was sent."""
    text = query.get(name, "")
    if text and not _CLIENT_ID.fullmatch(text):
        raise illegal(name, "^[a-zA-Z0-9-_.:/]{1,36}$")
    return text


def _quantity(query: Query, price: int) -> int:
    if "quoteOrderQty" not in query:
        return atoms_of(required(query, "quantity"), "quantity")
    if "quantity" in query:
        raise Refusal(-1128, "Combination of optional parameters invalid.")
    cash = atoms_of(query["quoteOrderQty"], "quoteOrderQty")
    return cash * ATOMS // price // STEP_ATOMS * STEP_ATOMS


def _one_of(query: Query, name: str, known: tuple[str, ...], refusal: Refusal) -> str:
    text = required(query, name)
    if text not in known:
        raise refusal
    return text

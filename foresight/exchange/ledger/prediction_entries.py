"""The facts the prediction market's ledger is made of.

Owns the entries: the only way anything changes, one JSON line each on disk. Must never enter: the
fold over them (see `predictions`), decisions.
"""

from typing import Literal

import msgspec

Verdict = Literal["accepted", "killed", "duplicate", "refused"]
"""accepted: executed or resting; killed: FAK or FOK without a match (the id is used up);
duplicate: the id was used before, nothing executed; refused: invalid, the id is still free."""

Status = Literal["LIVE", "MATCHED", "CANCELED"]


class Fill(msgspec.Struct, frozen=True):
    """One execution at one price: amounts in micro-shares and micro-USDC, price in cents."""

    id: str
    cents: int
    size_micro: int
    cash_micro: int
    fee_micro: int
    is_maker: bool
    wall_ns: int


class Terms(msgspec.Struct, frozen=True):
    """What an order asks for; `expires_s` is unix seconds in wall time, 0 for never."""

    slug: str
    token: str
    outcome: str
    is_buy: bool
    cents: int
    size_micro: int
    time_in_force: str
    wallet: str
    expires_s: int = 0


class AccountOpened(msgspec.Struct, frozen=True, tag="account"):
    """An address asked for credentials for the first time and got its starting balance."""

    account: str
    balance_micro: int
    wall_ns: int


class OrderReceived(msgspec.Struct, frozen=True, tag="request"):
    """An order request arrived; this is the request log, refused and duplicate ones included."""

    account: str
    order_id: str
    verdict: Verdict
    reason: str
    wall_ns: int
    market_ns: int
    terms: Terms
    fills: tuple[Fill, ...] = ()


class OrderFilled(msgspec.Struct, frozen=True, tag="fill"):
    """A resting order was filled."""

    order_id: str
    fill: Fill


class OrderCanceled(msgspec.Struct, frozen=True, tag="cancel"):
    """A resting order left the book with what it had."""

    order_id: str
    reason: str
    wall_ns: int


class WindowRuled(msgspec.Struct, frozen=True, tag="ruling"):
    """A window will not be settled in the ordinary way: void, or later (market nanoseconds)."""

    slug: str
    is_void: bool
    delay_ns: int


class Payout(msgspec.Struct, frozen=True):
    """What one position received."""

    account: str
    token: str
    size_micro: int
    payout_micro: int


class WindowSettled(msgspec.Struct, frozen=True, tag="settlement"):
    """A window with positions was settled and paid out."""

    slug: str
    result: str
    reference: float
    final: float
    payouts: tuple[Payout, ...]
    wall_ns: int


Entry = AccountOpened | OrderReceived | OrderFilled | OrderCanceled | WindowRuled | WindowSettled

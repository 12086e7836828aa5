"""The facts the prediction market's ledger is made of.

Owns the entries: the only way anything changes, one JSON line each on disk. Must never enter: the
fold over them (see `predictions`), decisions.
"""

from typing import Final, Literal

import msgspec

MICRO_PER_CENT: Final = 10_000
MICRO_PER_MILL: Final = 1_000

Verdict = Literal["accepted", "held", "killed", "duplicate", "refused"]
"""accepted: executed or resting; held: it would execute, and is matched after the market's delay;
killed: FAK or FOK without a match (the id is used up); duplicate: the id was used before, nothing
executed; refused: invalid, the id is still free."""

Status = Literal["DELAYED", "LIVE", "MATCHED", "UNMATCHED", "CANCELED"]


class Fill(msgspec.Struct, frozen=True):
    """One execution at one price: amounts in micro-shares and micro-USDC.

    The price is whole cents and tenths of a cent (`mills`), as in `Terms`. `market_ns` is 0 in
    lines of 0.2.0, which did not say it. `retry_ns` is how long the trade is tried again before it
    is mined, market nanoseconds, or before it `fails`.
    """

    id: str
    cents: int
    size_micro: int
    cash_micro: int
    fee_micro: int
    is_maker: bool
    wall_ns: int
    mills: int = 0
    market_ns: int = 0
    retry_ns: int = 0
    fails: bool = False

    @property
    def price_micro(self) -> int:
        """Price of a share, micro-USDC."""
        return self.cents * MICRO_PER_CENT + self.mills * MICRO_PER_MILL


class Terms(msgspec.Struct, frozen=True):
    """What an order asks for.

    Attributes:
        slug: The window.
        token: The outcome's token.
        outcome: Its name.
        is_buy: Side.
        cents: Worst price, whole cents.
        size_micro: Shares x 10**6; of a buy that spends an amount only what it is at the worst
            price.
        time_in_force: The wire's word.
        wallet: Who pays and holds.
        expires_s: Unix seconds of wall time, 0 for never.
        mills: Tenths of a cent of the worst price beyond its whole cents: 0 to 9.
        budget_micro: USDC x 10**6 that a buy executed at once spends; 0 for an order of shares,
            and for all orders of ledgers that knew no such buy.
    """

    slug: str
    token: str
    outcome: str
    is_buy: bool
    cents: int
    size_micro: int
    time_in_force: str
    wallet: str
    expires_s: int = 0
    mills: int = 0
    budget_micro: int = 0

    @property
    def price_micro(self) -> int:
        """Worst price of a share, micro-USDC."""
        return self.cents * MICRO_PER_CENT + self.mills * MICRO_PER_MILL


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


class OrderReleased(msgspec.Struct, frozen=True, tag="release"):
    """A held order met the book; with a reason it ended unmatched, otherwise what is left rests."""

    order_id: str
    reason: str
    wall_ns: int
    market_ns: int
    fills: tuple[Fill, ...] = ()


class OrderFilled(msgspec.Struct, frozen=True, tag="fill"):
    """A resting order was filled."""

    order_id: str
    fill: Fill


class TradeFailed(msgspec.Struct, frozen=True, tag="failure"):
    """A trade that was matched did not hold: its shares and its cash went back."""

    order_id: str
    trade_id: str
    wall_ns: int
    market_ns: int


class OrderCanceled(msgspec.Struct, frozen=True, tag="cancel"):
    """A resting order left the book with what it had."""

    order_id: str
    reason: str
    wall_ns: int


class TickChanged(msgspec.Struct, frozen=True, tag="tick"):
    """A market got another tick while it ran."""

    slug: str
    tick_micro: int
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
    """A window with positions got its result, and was paid out at once where there are payouts."""

    slug: str
    result: str
    reference: float
    final: float
    payouts: tuple[Payout, ...]
    wall_ns: int


class WindowRedeemed(msgspec.Struct, frozen=True, tag="redemption"):
    """The shares of a settled window were exchanged for what they turned out to be worth."""

    slug: str
    payouts: tuple[Payout, ...]
    wall_ns: int
    market_ns: int


class RedemptionSwitched(msgspec.Struct, frozen=True, tag="redemption_switch"):
    """From now on ended shares are redeemed without being asked, or stay."""

    is_automatic: bool
    wall_ns: int


OrderEntry = OrderReceived | OrderReleased | OrderFilled | TradeFailed | OrderCanceled

WindowEntry = TickChanged | WindowRuled | WindowSettled | WindowRedeemed

Entry = AccountOpened | OrderEntry | WindowEntry | RedemptionSwitched

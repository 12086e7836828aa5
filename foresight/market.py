"""What a cycle saw of the outside world: the inputs that the journal records.

Owns the shape of the inputs: candles, what markets say of their windows, offers of those that may
be traded, results of ended windows, positions at the venue. One slot's or asset's failure stands in
its own place. How any of it was fetched is up to `feeds` and `venues`; no decision enters here.
"""

import enum
from typing import Any

import msgspec

from foresight.board import Result, Rules, Side
from state.journal_frames import Health
from state.schema import Schema


class Detail(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What a candle says beside its close: open, high and low, > 0, and volume, >= 0."""

    open: float
    high: float
    low: float
    volume: float


class Candles(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """New one-minute candles of one asset.

    Attributes:
        minutes: Minutes since 1970 UTC at which the candles open, rising.
        prices: Their closes, > 0, as many.
        details: The rest of them, as many; none in inputs of version 1.
        failure: Why there are none, or no more than these; empty if the feed answered.
        stream: What is wrong with the stream that should have told them, so that they were asked
            for; empty if it is well, or none is listened to.
    """

    minutes: tuple[int, ...] = ()
    prices: tuple[float, ...] = ()
    details: tuple[Detail, ...] = ()
    failure: str = ""
    stream: str = ""


class WindowFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a market says of its window before anybody trades: read once, in the first cycle.

    Attributes:
        start_s: Start of the window.
        rules: Its rules, or None where they are not understood.
        unknown: What in them is not understood.
        reference: Its price to beat; 0 where the market does not say it.
        up_token: Token of the Up share.
        down_token: Token of the Down share.
        neg_risk: Which contract settles it: part of what is signed.
    """

    start_s: int
    rules: Rules | None = None
    unknown: str = ""
    reference: float = 0.0
    up_token: str = ""
    down_token: str = ""
    neg_risk: bool = False


class Level(msgspec.Struct, frozen=True, array_like=True):
    """One price of an order book: micro-USDC per share, micro-shares."""

    price_micro: int
    size_micro: int


class Offer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one window of the venue offers to a buyer of one side.

    Attributes:
        slug: The window.
        side: The side whose book was read.
        token: The side's token at the venue.
        asks: Sellers of that side, best price first, at most 16 levels.
        rules: The market's rules, or None where they are unknown or were not read.
        neg_risk: Which contract settles the order; part of what is signed.
        is_accepting: Whether the market takes orders now.
        reference: The price to beat as the market says it; 0 where it does not.
        book_s: Application time of the book; 0 where it does not say.
        rules_unknown: What in the rules is unknown.
        failure: Why there is no answer at all; empty if the venue answered.
    """

    slug: str
    side: Side
    token: str = ""
    asks: tuple[Level, ...] = ()
    rules: Rules | None = None
    neg_risk: bool = False
    is_accepting: bool = False
    reference: float = 0.0
    book_s: int = 0
    rules_unknown: str = ""
    failure: str = ""


class Ruling(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the venue says of an ended window; no result and no failure means "not yet"."""

    slug: str
    result: Result | None = None
    failure: str = ""


class VenuePosition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Shares of one token that the venue says are ours.

    Attributes:
        token: The token.
        slug: Its window.
        side: Its side.
        shares_micro: How many.
        price_micro: The average price paid.
        cost_micro: What they cost in all, without fee; 0 where the venue does not say it.
        fee_micro: Fees paid for them; 0 where the venue does not say it.
        is_redeemable: Whether the window has a result that these shares can be redeemed by.
        worth_micro: What they pay then.
    """

    token: str
    slug: str
    side: Side
    shares_micro: int
    price_micro: int
    cost_micro: int = 0
    fee_micro: int = 0
    is_redeemable: bool = False
    worth_micro: int = 0


class Holdings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the venue says is ours.

    Attributes:
        positions: Shares in windows of our kind.
        foreign: Slugs of positions in markets of another kind: flagged, not managed.
        resting: Ids of orders that wait in a book; the trader never leaves one there.
        cash_micro: What the account holds in USDC; None in inputs of version 1.
        failure: Why the venue did not answer.
    """

    positions: tuple[VenuePosition, ...] = ()
    foreign: tuple[str, ...] = ()
    resting: tuple[str, ...] = ()
    cash_micro: int | None = None
    failure: str = ""


class Stage(enum.Enum):
    """How far the venue has got with a trade."""

    MATCHED = "matched"  # nothing is paid yet
    MINED = "mined"
    RETRYING = "retrying"  # it did not work, and is tried again
    CONFIRMED = "confirmed"  # for good
    FAILED = "failed"  # for good: it never was


class Trades(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the venue says of the trades that are waited for.

    Attributes:
        stages: By the trade's id; of those that it knows, or named before it failed.
        failure: Why it did not answer to the end.
    """

    stages: dict[str, Stage] = {}
    failure: str = ""


class FeedClock(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the feed's clock said.

    Attributes:
        ahead_ms: How far it is ahead of ours, milliseconds of the wall; negative if behind.
        now_ms: Application time by it, milliseconds, once all was seen.
        failure: Why it was not read; empty if it was.
    """

    ahead_ms: int = 0
    now_ms: int = 0
    failure: str = ""


class Market(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All input of one cycle.

    Attributes:
        candles: By asset.
        offers: By slot id, for the slots that may trade this cycle.
        rulings: Of ended windows with positions.
        holdings: The venue's own list; None in cycles that do not ask for it.
        trades: Of positions whose trades are not all confirmed; None where there is none.
        facts: What markets say of the running windows, by slot id: of those that were read now.
        facts_unread: Why a market that was asked said nothing, by slot id.
        clock: The feed's clock; None in inputs of version 1.
        seen_s: Application time at which all this was seen, by our clock.
        edition: Version of the inputs as they were recorded. What is missing from version 1 was
            not asked for and is not checked; what is missing from today's denies.
    """

    candles: dict[str, Candles] = {}
    offers: dict[str, Offer] = {}
    rulings: tuple[Ruling, ...] = ()
    holdings: Holdings | None = None
    trades: Trades | None = None
    facts: dict[str, WindowFacts] = {}
    facts_unread: dict[str, str] = {}
    clock: FeedClock | None = None
    seen_s: int = 0
    edition: int = 2


def _up(inputs: dict[str, Any]) -> dict[str, Any]:
    return inputs | {"edition": 1}


def _down(inputs: dict[str, Any]) -> dict[str, Any]:
    # Offers say the facts again.
    older = _without(inputs, "edition", "trades", "clock", "facts", "facts_unread")
    candles = older.get("candles", {})
    if candles:
        older["candles"] = {
            asset: _without(one, "details", "stream") for asset, one in candles.items()
        }
    if "holdings" in older:
        older["holdings"] = _holdings_down(older["holdings"])
    return older


def _holdings_down(holdings: dict[str, Any]) -> dict[str, Any]:
    older = _without(holdings, "cash_micro")
    if "positions" in older:
        new = ("cost_micro", "fee_micro", "is_redeemable", "worth_micro")
        older["positions"] = [_without(row, *new) for row in older["positions"]]
    return older


def _without(value: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: member for name, member in value.items() if name not in names}


SCHEMA = Schema("foresight.market", 2, Market, up={1: _up}, down={2: _down})


def health_of(market: Market) -> Health:
    """Return how many of a cycle's questions were answered."""
    failures = [candles.failure for candles in market.candles.values()]
    failures += [candles.stream for candles in market.candles.values() if candles.stream]
    failures += [offer.failure for offer in market.offers.values()]
    failures += [ruling.failure for ruling in market.rulings]
    if market.holdings is not None:
        failures.append(market.holdings.failure)
    if market.trades is not None:
        failures.append(market.trades.failure)
    failures += [*market.facts_unread.values(), *("" for _ in market.facts)]
    if market.clock is not None:
        failures.append(market.clock.failure)
    return Health(asked=len(failures), answered=failures.count(""))

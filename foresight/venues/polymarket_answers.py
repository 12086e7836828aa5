"""What Polymarket's answers say: from its JSON to our values. Pure.

Owns the reading of events (rules, tokens, results), books, order answers, trades and positions,
and which refusals are proof that nothing was executed. Shapes as in the venue's public
documentation and ccxt 4.5.90. How an answer was fetched is `polymarket`'s matter.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, TypeGuard

import msgspec

from foresight.board import (
    MICRO,
    FeeSchedule,
    MarketWords,
    Result,
    Rules,
    RulesUnknown,
    Side,
    fee_micro,
    read_rules,
    window_of_slug,
    with_tick,
)
from foresight.errors import AnswerUnreadable
from foresight.market import Holdings, Level, Offer, Ruling, Stage, VenuePosition, WindowFacts
from foresight.orders import Bought
from foresight.trades import Fill
from foresight.window_facts import offer_of

LEVELS_KEPT: Final = 16
WON: Final = 0.99  # an outcome's final price, as ccxt reads it
LOST: Final = 0.01
_LABELS: Final = {Side.UP: "Up", Side.DOWN: "Down"}

# Refusals that prove that the order was not executed and will not be. Anything else is unknown.
DEFINITE: Final = (
    "is invalid. price",
    "is invalid. size",
    "invalid amounts",
    "invalid amount for a marketable",
    "not enough balance",
    "does not exist",
    "no orderbook exists",
    "invalid post-only order",
    "invalid expiration",
    "invalid signature",
    "invalid order payload",
    "invalid api key",
    "order owner has to be",
    "address banned",
    "closed only mode",
    "minimum tick size",
)
UNFILLABLE: Final = ("no orders found to match", "couldn't be fully filled")
MATCHED: Final = "matched"
OPEN: Final = frozenset({"live", "delayed"})  # it may be executed yet
OVER: Final = frozenset(
    {
        MATCHED,
        "unmatched",
        "canceled",
        "cancelled",
        "canceled_market_resolved",
        "expired",
        "invalid",
    }
)
"""What an order is once nothing more can become of it."""
DUPLICATE: Final = "duplicated"
_WHOLE: Final = re.compile(r"\d{1,15}")
_CONFIRMED: Final = frozenset({"confirmed", ""})  # a venue that says nothing takes nothing back


def read_market(event: Mapping[str, Any], slug: str) -> Mapping[str, Any]:
    """Return the one market of a window's event.

    Raises:
        AnswerUnreadable: It is another event, or has not one market.
    """
    markets = event.get("markets")
    is_one = isinstance(markets, list) and len(markets) == 1 and isinstance(markets[0], dict)
    if event.get("slug") != slug or not is_one:
        what = f"{slug}: the answer is no event of this window"
        raise AnswerUnreadable(what)
    market: Mapping[str, Any] = event["markets"][0]
    return market


def read_offer(event: Mapping[str, Any], slug: str, side: Side) -> Offer:
    """Return a window's rules, token and price to beat; its book is not known yet.

    Raises:
        AnswerUnreadable: The answer is no event of this window.
    """
    market = read_market(event, slug)
    is_open = market.get("active") is True and market.get("closed") is False
    return msgspec.structs.replace(
        offer_of(read_facts(event, slug), slug, side),
        is_accepting=is_open and market.get("acceptingOrders") is True,
    )


def read_facts(event: Mapping[str, Any], slug: str) -> WindowFacts:
    """Return what a market says of its window.

    Raises:
        AnswerUnreadable: The answer is no event of this window.
    """
    market, window = read_market(event, slug), window_of_slug(slug)
    if window is None:
        what = f"{slug!r} names no window"
        raise AnswerUnreadable(what)
    tokens = _array(market, "clobTokenIds")
    rules = read_rules(_words(event, market))
    metadata = event.get("eventMetadata")
    beat = metadata.get("priceToBeat") if isinstance(metadata, dict) else None
    return WindowFacts(
        start_s=window.start_s,
        rules=rules if isinstance(rules, Rules) else None,
        unknown=rules.reason if isinstance(rules, RulesUnknown) else "",
        reference=_number(beat, "price to beat") if beat is not None else 0.0,
        up_token=str(tokens[_place(market, Side.UP)]),
        down_token=str(tokens[_place(market, Side.DOWN)]),
        neg_risk=market.get("negRisk") is True,
    )


def read_ruling(event: Mapping[str, Any], slug: str) -> Ruling:
    """Return how a window ended, or that the venue does not say yet.

    Raises:
        AnswerUnreadable: The answer is no event of this window.
    """
    market = read_market(event, slug)
    if market.get("closed") is not True:
        return Ruling(slug=slug)
    prices = [_number(price, "outcome price") for price in _array(market, "outcomePrices")]
    up, down = prices[_place(market, Side.UP)], prices[_place(market, Side.DOWN)]
    if up >= WON and down <= LOST:
        return Ruling(slug=slug, result=Result.UP)
    if down >= WON and up <= LOST:
        return Ruling(slug=slug, result=Result.DOWN)
    is_resolved = market.get("umaResolutionStatus") == "resolved"
    if is_resolved and round(up * 100) == round(down * 100) == 50:  # noqa: PLR2004 - one half each
        return Ruling(slug=slug, result=Result.VOID)
    return Ruling(slug=slug)


def read_asks(book: Mapping[str, Any]) -> tuple[Level, ...]:
    """Return the sellers of a book, best price first, bounded.

    Raises:
        AnswerUnreadable: A level is no price and size.
    """
    asks = book.get("asks")
    if not isinstance(asks, list):
        what = f"book without asks: {str(book)[:80]}"
        raise AnswerUnreadable(what)
    levels = [_level(row) for row in asks]
    levels.sort(key=lambda level: level.price_micro)
    return tuple(level for level in levels if level.size_micro > 0)[:LEVELS_KEPT]


def _level(row: object) -> Level:
    if not isinstance(row, dict):
        what = f"{str(row)[:80]!r} is no level of a book"
        raise AnswerUnreadable(what)
    price = micro_of(row.get("price"), "price")
    if not 0 < price <= MICRO:
        what = f"a share for {str(row.get('price'))[:40]} is no level of a book"
        raise AnswerUnreadable(what)
    return Level(price, micro_of(row.get("size"), "size"))


def with_book(offer: Offer, book: Mapping[str, Any]) -> Offer:
    """Return an offer with its sellers, the time of the book, and the tick that holds now.

    Raises:
        AnswerUnreadable: The answer is no book.
    """
    stamp, tick = book.get("timestamp"), book.get("tick_size")
    book_s = int(_number(stamp, "timestamp")) // 1000 if stamp is not None else 0
    # A market that takes no orders has no book.
    read = msgspec.structs.replace(offer, asks=read_asks(book), book_s=book_s, is_accepting=True)
    if tick is None or offer.rules is None:
        return read
    rules = with_tick(offer.rules, _number(tick, "tick size"))
    if isinstance(rules, RulesUnknown):
        return msgspec.structs.replace(read, rules=None, rules_unknown=rules.reason)
    return msgspec.structs.replace(read, rules=rules)


def status_of(order: Mapping[str, Any]) -> str:
    """Return an order's status in lower case; empty where the venue says none.

    Some of the venue's interfaces put `ORDER_STATUS_` before the word.
    """
    return str(order.get("status") or "").lower().removeprefix("order_status_")


def read_fills(trades: Iterable[Any], order_id: str, fee: FeeSchedule) -> Bought:
    """Return what an order bought, from the account's trades; nothing bought is zero shares.

    A trade that failed bought nothing: shares and cash went back.

    Args:
        trades: Rows of the venue's listing.
        order_id: The order.
        fee: Schedule, for venues that do not say the fee itself.

    Raises:
        AnswerUnreadable: A row has no size or price.
    """
    mine = [trade for trade in trades if _is_of(trade, order_id) and not _has_failed(trade)]
    fills = [(_read_fill(trade, fee), _status(trade)) for trade in mine]
    return Bought(
        order_id=order_id,
        shares_micro=sum(fill.shares_micro for fill, _ in fills),
        cost_micro=sum(fill.cost_micro for fill, _ in fills),
        fee_micro=sum(fill.fee_micro for fill, _ in fills),
        unconfirmed=tuple(fill for fill, status in fills if status not in _CONFIRMED),
    )


def read_failed(trades: Iterable[Any], order_id: str) -> int:
    """Return how many micro-shares of an order were matched in trades that failed.

    Raises:
        AnswerUnreadable: A row has no size.
    """
    return sum(
        micro_of(trade.get("size"), "size")
        for trade in trades
        if _is_of(trade, order_id) and _has_failed(trade)
    )


def _is_of(trade: object, order_id: str) -> TypeGuard[dict[str, Any]]:
    return isinstance(trade, dict) and trade.get("taker_order_id") == order_id


def _has_failed(trade: Mapping[str, Any]) -> bool:
    # Some of the venue's interfaces put `TRADE_STATUS_` before the word.
    return str(trade.get("status", "")).upper().endswith("FAILED")


def _read_fill(trade: Mapping[str, Any], fee: FeeSchedule) -> Fill:
    size = micro_of(trade.get("size"), "size")
    price = micro_of(trade.get("price"), "price")
    cash, said = trade.get("cash"), trade.get("fee")
    return Fill(
        trade=str(trade.get("id", "")),
        shares_micro=size,
        cost_micro=-(-size * price // MICRO) if cash is None else micro_of(cash, "cash"),
        fee_micro=fee_micro(fee, shares_micro=size, price_micro=price)
        if said is None
        else micro_of(said, "fee"),
    )


def read_stages(trades: Iterable[Any], wanted: Collection[str]) -> dict[str, Stage]:
    """Return how far the venue has got with trades; words that are not known say nothing.

    Args:
        trades: Rows of the venue's listing.
        wanted: Ids of those that are asked for.
    """
    known = {stage.value: stage for stage in Stage}
    stages: dict[str, Stage] = {}
    for row in trades:
        trade = str(row.get("id", "")) if isinstance(row, dict) else ""
        if trade in wanted:
            stage = known.get(_status(row))
            if stage is not None:
                stages[trade] = stage
    return stages


def _status(trade: Mapping[str, Any]) -> str:
    return str(trade.get("status", "")).lower().removeprefix("trade_status_")


def read_holdings(rows: Iterable[Any]) -> Holdings:
    """Return the wallet's positions: those in windows, and the slugs of all others.

    Raises:
        AnswerUnreadable: A row lacks what every position has.
    """
    positions: list[VenuePosition] = []
    foreign: list[str] = []
    sides = {label: side for side, label in _LABELS.items()}
    for row in rows:
        if not isinstance(row, dict) or "asset" not in row:
            what = f"{str(row)[:80]!r} is no position"
            raise AnswerUnreadable(what)
        slug, side = str(row.get("slug", "")), sides.get(str(row.get("outcome")))
        if window_of_slug(slug) is None or side is None:
            foreign.append(slug)
            continue
        positions.append(
            VenuePosition(
                token=str(row["asset"]),
                slug=slug,
                side=side,
                shares_micro=micro_of(row.get("size"), "size"),
                price_micro=micro_of(row.get("avgPrice"), "avgPrice"),
                cost_micro=micro_of(row.get("initialValue", 0), "initialValue"),
                fee_micro=micro_of(row.get("fees", 0), "fees"),
                is_redeemable=row.get("redeemable") is True,
                worth_micro=_worth(row) if row.get("redeemable") is True else 0,
            )
        )
    return Holdings(positions=tuple(positions), foreign=tuple(sorted(set(foreign))))


def read_cash(answer: Mapping[str, Any]) -> int:
    """Return what the account holds, micro-USDC: the venue says it in these.

    Raises:
        AnswerUnreadable: It is no whole number.
    """
    text = str(answer.get("balance"))
    if not _WHOLE.fullmatch(text):
        what = f"balance {text[:40]!r} is no whole number"
        raise AnswerUnreadable(what)
    return int(text)


def _worth(row: Mapping[str, Any]) -> int:
    price = micro_of(row.get("curPrice"), "curPrice")
    return micro_of(row.get("size"), "size") * price // MICRO


def micro_of(value: object, what: str) -> int:
    """Return a number of the venue, text or not, in millionths.

    Raises:
        AnswerUnreadable: It is no number.
    """
    return round(_number(value, what) * MICRO)


def _number(value: object, what: str) -> float:
    try:
        number = float(str(value))
    except ValueError as error:
        text = f"{what} {str(value)[:40]!r} is no number"
        raise AnswerUnreadable(text) from error
    if not 0.0 <= number < 1e15:  # noqa: PLR2004 - also refuses NaN and infinity
        text = f"{what} {number} is out of range"
        raise AnswerUnreadable(text)
    return number


def _array(market: Mapping[str, Any], name: str) -> list[Any]:
    # The venue sends these arrays as JSON inside a text.
    value = market.get(name)
    try:
        array = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        array = None
    if not isinstance(array, list) or len(array) != len(_LABELS):
        what = f"{name} {str(value)[:80]!r} is no pair"
        raise AnswerUnreadable(what)
    return array


def _place(market: Mapping[str, Any], side: Side) -> int:
    labels = _array(market, "outcomes")
    if sorted(map(str, labels)) != sorted(_LABELS.values()):
        what = f"outcomes {labels!r} are not Up and Down"
        raise AnswerUnreadable(what)
    return labels.index(_LABELS[side])


def _words(event: Mapping[str, Any], market: Mapping[str, Any]) -> MarketWords:
    schedule = market.get("feeSchedule")
    enabled = market.get("feesEnabled")
    return MarketWords(
        description=str(market.get("description") or event.get("description") or ""),
        source=str(market.get("resolutionSource") or event.get("resolutionSource") or ""),
        tick=_number(market.get("orderPriceMinTickSize", 0), "tick"),
        size_min=_number(market.get("orderMinSize", 0), "minimum size"),
        fees_enabled=enabled if isinstance(enabled, bool) else None,
        fee_schedule=schedule if isinstance(schedule, dict) else None,
    )

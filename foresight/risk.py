"""What is denied before it is sent, and how much is staked on the rest.

Owns the guards (each with its reason), the limits on stakes and the size of an order by capped
fractional Kelly on probability minus price minus fee. It reads the book and changes nothing.
No network, clock or strategy enters here.
"""

import enum
from collections.abc import Sequence
from math import log, sqrt
from typing import Final

import msgspec

from foresight.board import (
    COST_MIN_MICRO,
    MICRO,
    FeeSchedule,
    Rules,
    Window,
    cost_micro,
    dearest_fee_micro,
    down_to_tick,
    down_to_whole_cents,
    fee_micro,
    fee_per_share_micro,
    limit_step_micro,
)
from foresight.book import Book, SlotMemory, memory_of, spent_today_micro
from foresight.closes import Closes
from foresight.config import Risk
from foresight.market import Level, Offer
from foresight.measured import measured
from foresight.strategies.base import Opinion
from state.record import Control

SIZE_MAX_MICRO: Final = 1_000_000 * MICRO  # far above any limit: keeps integers small


class Denial(enum.Enum):
    """Why nothing is bought; one reason per window and cycle, the first that applies."""

    HALTED = "halted"  # the operator's kill switch
    PAUSED = "paused"  # the operator wants no new positions
    ORDERED_ALREADY = "ordered_already"  # one order per window
    CLOCK_UNREAD = "clock_unread"  # the feed did not say what time it is
    CLOCK_SKEWED = "clock_skewed"  # our clock and the feed's disagree
    HISTORY_SHORT = "history_short"  # too few candles to know a sigma
    FEED_STALE = "feed_stale"  # the newest candle is too old
    FACTS_UNREAD = "facts_unread"  # the market has not said its rules and price to beat yet
    REFERENCE_MISSING = "reference_missing"  # no candle at the window's start
    COOLDOWN = "cooldown"  # the slot lost too often in a row
    LOCKED = "locked"  # an operator locked the asset
    STOP_GUARD = "stop_guard"  # the asset lost too often
    DRAWDOWN = "drawdown"  # the board lost too much
    CYCLE_LATE = "cycle_late"  # the market was seen too long after the cycle's time
    MARKET_UNREAD = "market_unread"  # the venue did not answer about this window
    RULES_UNKNOWN = "rules_unknown"  # the market's rules are not understood
    MARKET_CLOSED = "market_closed"  # the market takes no orders now
    REFERENCE_UNVERIFIED = "reference_unverified"  # the market's price to beat is not ours
    PRICE_JUMPED = "price_jumped"  # the newest close is further off than prices move
    PRICE_OLD = "price_old"  # the newest close is too long ago, by the feed's clock
    BOOK_UNDATED = "book_undated"  # the venue's book does not say how old it is
    BOOK_STALE = "book_stale"  # the venue's book is too old
    NOBODY_SELLS = "nobody_sells"  # the book is empty
    PRICE_TOO_HIGH = "price_too_high"  # above what the strategy would pay
    EDGE_IMPLAUSIBLE = "edge_implausible"  # an expectation that no market gives away
    EDGE_TOO_SMALL = "edge_too_small"  # probability minus price minus fee is not enough
    LIMIT_WINDOW = "limit_window"  # the stake would exceed the limit of a window
    LIMIT_ASSET = "limit_asset"
    LIMIT_BOARD = "limit_board"
    LIMIT_DAY = "limit_day"
    SIZE_TOO_SMALL = "size_too_small"  # the stake buys less than the venue's minimum


class Stake(msgspec.Struct, frozen=True, kw_only=True):
    """What to buy.

    Attributes:
        limit_micro: Highest price, on the tick.
        shares_micro: Whole shares that cost whole cents at that price: the cents are what is
            spent, so a better price buys more of them.
        reserved_micro: What that costs at most from the best offer to the limit, fee included; a
            price better than the best offer costs more fee.
    """

    limit_micro: int
    shares_micro: int
    reserved_micro: int


def deny_all(control: Control) -> Denial | None:
    """Return why nothing at all is bought, or None."""
    if control.halted:
        return Denial.HALTED
    return Denial.PAUSED if control.paused else None


def deny_late(risk: Risk, *, now_s: int, seen_s: int) -> Denial | None:
    """Return why a view is not acted upon: it was seen long after the time it is for."""
    return Denial.CYCLE_LATE if seen_s > now_s + risk.late_s else None


def deny_look(
    book: Book,
    window: Window,
    closes: Closes,
    *,
    reference: float | Denial,
    risk: Risk,
    now_s: int,
) -> Denial | None:
    """Return why a window is not even looked at, or None.

    Args:
        book: What is known.
        window: Which window.
        closes: The asset's closes up to now.
        reference: The price to beat, or why it is not known.
        risk: The limits.
        now_s: Application time.
    """
    memory = memory_of(book, window.slot.slot_id)
    newest_due = now_s // 60 - 1
    if memory.ordered_start_s >= window.start_s:
        return Denial.ORDERED_ALREADY
    if len(closes.minutes) < risk.history_minutes_min:
        return Denial.HISTORY_SHORT
    if closes.newest < newest_due - risk.feed_stale_minutes:
        return Denial.FEED_STALE
    if isinstance(reference, Denial):
        return reference
    return _deny_locked(book, memory, window.slot.asset, now_s)


def deny_jump(closes: Closes, *, risk: Risk) -> Denial | None:
    """Return why the newest close is not believed, or None.

    Prices do move so far now and then, and then the asset waits for a candle or two; far more
    often the candle is wrong, and a price that is off by a hundredth makes a sure opinion.

    Args:
        closes: The asset's closes up to now.
        risk: The limits.
    """
    if not risk.jump_max_sigmas:
        return None
    before, newest = closes.prices[-2:]
    minutes = closes.minutes[-1] - closes.minutes[-2]
    sigma = measured(closes).sigma_before * sqrt(minutes)
    is_jump = abs(log(newest / before)) > risk.jump_max_sigmas * sigma
    return Denial.PRICE_JUMPED if is_jump else None


def _deny_locked(book: Book, memory: SlotMemory, asset: str, now_s: int) -> Denial | None:
    if now_s < memory.quiet_until_s:
        return Denial.COOLDOWN
    known = book.assets.get(asset)
    if known is not None and now_s < known.locked_until_s:
        return Denial.STOP_GUARD
    return Denial.DRAWDOWN if now_s < book.board_quiet_until_s else None


def deny_market(
    offer: Offer | None, *, reference: float, sigma: float, risk: Risk, now_s: int
) -> Denial | Rules:
    """Return the market's rules, or why it is not traded.

    Args:
        offer: What the venue said; None if it was not asked.
        reference: Our price to beat, > 0.
        sigma: Standard deviation of one-minute returns, > 0.
        risk: The limits.
        now_s: Application time.
    """
    if offer is None or offer.failure:
        return Denial.MARKET_UNREAD
    if offer.rules is None:
        return Denial.RULES_UNKNOWN
    if not offer.is_accepting:
        return Denial.MARKET_CLOSED
    if offer.book_s and offer.book_s < now_s - risk.book_stale_s:
        return Denial.BOOK_STALE
    if not offer.reference:
        return Denial.REFERENCE_UNVERIFIED if risk.reference_required else offer.rules
    distance = abs(offer.reference / reference - 1.0)
    is_ours = distance <= risk.reference_tolerance_sigmas * sigma
    return offer.rules if is_ours else Denial.REFERENCE_UNVERIFIED


def stake_on(
    opinion: Opinion,
    asks: Sequence[Level],
    rules: Rules,
    *,
    book: Book,
    window: Window,
    risk: Risk,
) -> Stake | Denial:
    """Return what to buy, or why not.

    Args:
        opinion: What the strategy believes and would pay.
        asks: Sellers, best price first.
        rules: The market's rules.
        book: What is staked already.
        window: Which window.
        risk: The limits.
    """
    if not asks:
        return Denial.NOBODY_SELLS
    ceiling = down_to_tick(min(opinion.price_max_micro, MICRO - rules.tick_micro), rules.tick_micro)
    best = asks[0].price_micro
    if best > ceiling:
        return Denial.PRICE_TOO_HIGH
    denial = _edge_denial(_edge(opinion, best, rules.fee), risk)
    if denial is not None:
        return denial
    limit = min(ceiling, best + _micro_of(risk.slippage_cents))
    step = limit_step_micro(rules.tick_micro)
    limit = down_to_tick(limit, step)
    while limit >= best and _edge(opinion, limit, rules.fee) < _micro_of(risk.edge_min_cents):
        limit -= step
    if limit < best:  # a finer limit would do, but no order can name it
        return Denial.PRICE_TOO_HIGH
    room, narrowest = _room(book, window, risk)
    wanted = _kelly(opinion, best, rules.fee, risk)
    at = dearest_fee_micro(rules.fee, best, limit)
    paid = limit + -(-fee_per_share_micro(rules.fee, at) * limit // at)
    shares = down_to_whole_cents(_affordable(min(wanted, room), paid), limit)
    cost = cost_micro(shares_micro=shares, price_micro=limit)
    if cost >= COST_MIN_MICRO:
        fee = fee_micro(rules.fee, shares_micro=cost * MICRO // at, price_micro=at)
        return Stake(limit_micro=limit, shares_micro=shares, reserved_micro=cost + fee)
    return narrowest if room < wanted else Denial.SIZE_TOO_SMALL


def _edge_denial(edge: int, risk: Risk) -> Denial | None:
    if edge < _micro_of(risk.edge_min_cents):
        return Denial.EDGE_TOO_SMALL
    return Denial.EDGE_IMPLAUSIBLE if edge > _micro_of(risk.edge_max_cents) else None


def _micro_of(cents: float) -> int:
    return round(cents * MICRO / 100)


def _edge(opinion: Opinion, price_micro: int, fee: FeeSchedule) -> int:
    return opinion.probability_ppm - price_micro - fee_per_share_micro(fee, price_micro)


def _kelly(opinion: Opinion, price_micro: int, fee: FeeSchedule, risk: Risk) -> int:
    # Kelly's share of the capital for a ticket that costs q and pays 1 with probability p is
    # (p - q) / (1 - q); the fee is part of q.
    paid = price_micro + fee_per_share_micro(fee, price_micro)
    fraction = (opinion.probability_ppm - paid) / (MICRO - paid) if paid < MICRO else 0.0
    stake = risk.capital_usdc * risk.kelly_fraction * max(0.0, fraction)
    return round(max(stake, risk.stake_floor_usdc) * MICRO)


def _room(book: Book, window: Window, risk: Risk) -> tuple[int, Denial]:
    reserved = [(order.entry, order.reserved_micro) for order in book.orders.values()]
    held = [(position.entry, position.stake_micro) for position in book.positions.values()]
    staked = reserved + held
    prefix = f"{window.slot.asset.lower()}-"
    of_asset = sum(amount for entry, amount in staked if entry.slot.startswith(prefix))
    in_window = sum(amount for entry, amount in staked if entry.slug == window.slug)
    today = spent_today_micro(book) + sum(amount for _, amount in reserved)
    rooms = (
        (_micro(risk.stake_window_usdc) - in_window, Denial.LIMIT_WINDOW),
        (_micro(risk.stake_asset_usdc) - of_asset, Denial.LIMIT_ASSET),
        (_micro(risk.stake_board_usdc) - sum(amount for _, amount in staked), Denial.LIMIT_BOARD),
        (_micro(risk.stake_day_usdc) - today, Denial.LIMIT_DAY),
    )
    return min(rooms, key=lambda room: room[0])


def _micro(usdc: float) -> int:
    return round(usdc * MICRO)


def _affordable(stake_micro: int, paid_micro: int) -> int:
    return min(max(0, stake_micro) * MICRO // paid_micro, SIZE_MAX_MICRO)

"""Cash: what the account should hold by the book, and what the venue says that it holds.

Owns the comparison and what a difference means: seen in two readings running it is believed and
flagged, and never counted as profit. What moves the book's cash is in `book`; how the account is
read is a venue's matter.

The venue and the book do not move at one moment. An order without a receipt may be paid or not, and
so may a trade that is not confirmed; an ended window may have been paid out before its result was
read; winnings that nobody redeemed are in the listing and not in the account. All that is known of
these is by how much they can make a reading differ: only what lies beyond is a difference.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from foresight.board import (
    MICRO,
    Side,
    cost_micro,
    dearest_fee_micro,
    fee_micro,
    window_of_slug,
)
from foresight.book import Book, Cash, decided_here, flag
from foresight.market import Holdings, Stage, Trades, VenuePosition
from foresight.reconcile import UNREDEEMED_S
from foresight.trades import Fill, OpenOrder

CENT_MICRO: Final = 10_000  # less is rounding, and is believed once it has come to this much
ADJUSTED: Final = "cash_adjusted"
UNREDEEMED: Final = "winnings_unredeemed"
_CHEAPEST_MICRO: Final = 100  # of the smallest tick that there is


class Doubt(NamedTuple):
    """By how much a reading may be below and above what the book counts, micro-USDC."""

    less_micro: int
    more_micro: int


class Redeemable(NamedTuple):
    """Shares of an ended window that the venue still lists and the book has done with.

    Attributes:
        row: The venue's row.
        end_s: When its window ended.
        pays_micro: What they pay; None where neither book nor venue says it.
    """

    row: VenuePosition
    end_s: int
    pays_micro: int | None


def compare(book: Book, before: Book, holdings: Holdings, trades: Trades | None) -> None:
    """Hold the book's cash against the account.

    Args:
        book: Changed; with receipts, states of trades, results and found positions taken in.
        before: As it was when the account was read.
        holdings: What the venue says; nothing is compared where it does not say the cash.
        trades: The states of trades that were read with it.
    """
    if holdings.cash_micro is None:
        return
    listed = list(_redeemable(book, holdings))
    doubt = _doubt(book, before, holdings, trades or Trades())
    unknown = sum(one.row.shares_micro for one in listed if one.pays_micro is None)
    read = holdings.cash_micro + sum(one.pays_micro or 0 for one in listed)
    # What the book should hold if the reading is right: at least and at most.
    lowest, highest = read - doubt.more_micro, read + doubt.less_micro + unknown
    if book.cash is None:
        less, more = read - lowest, highest - read
        book.cash = Cash(held_micro=read, less_micro=less, more_micro=more)
    else:
        _take_reading(book, book.cash, lowest, highest)
    _check_redemption(book, listed)


def _take_reading(book: Book, cash: Cash, lowest: int, highest: int) -> None:
    low, high = cash.held_micro - cash.less_micro, cash.held_micro + cash.more_micro
    if lowest < high + CENT_MICRO and highest > low - CENT_MICRO:
        # They agree; what the start left open gets narrower.
        low, high = max(low, min(lowest, high)), min(high, max(highest, low))
        held = min(max(cash.held_micro, low), high)
        book.cash = Cash(held_micro=held, less_micro=held - low, more_micro=high - held)
        return
    off_micro = lowest - high if lowest > high else highest - low
    if off_micro * cash.off_micro <= 0:
        book.cash = msgspec.structs.replace(cash, off_micro=off_micro)
        return
    # Of two readings that differ the same way, the smaller difference is what both show.
    agreed = min(cash.off_micro, off_micro, key=abs)
    rest = off_micro - agreed
    book.cash = msgspec.structs.replace(
        cash,
        held_micro=cash.held_micro + agreed,
        off_micro=rest if abs(rest) >= CENT_MICRO else 0,
    )
    detail = f"the account holds {agreed / MICRO:+.2f} USDC that no trade accounts for"
    flag(book, ADJUSTED, "account", detail=detail)


def _redeemable(book: Book, holdings: Holdings) -> Iterator[Redeemable]:
    held = {position.token for position in book.positions.values()}
    decided: dict[tuple[str, Side], int] = {}
    for trade in decided_here(book):
        key = (trade.entry.slug, trade.entry.side)
        decided[key] = decided.get(key, 0) + trade.payout_micro
    for row in holdings.positions:
        window = window_of_slug(row.slug)
        if window is None or row.token in held or window.end_s > book.now_s:
            continue
        said = row.worth_micro if row.is_redeemable else None
        yield Redeemable(row, window.end_s, decided.get((row.slug, row.side), said))


def _doubt(book: Book, before: Book, holdings: Holdings, trades: Trades) -> Doubt:
    listed = {row.token for row in holdings.positions}
    held = book.positions.values()
    paid = {position.entry.effect_id: position.stake_micro for position in held}
    less = sum(_most_paid(order) for order in book.orders.values())
    more = sum(paid.get(effect_id, 0) for effect_id in before.orders)
    for fill in _unconfirmed(before, book).values():
        if trades.stages.get(fill.trade) is Stage.FAILED:
            less += fill.cost_micro + fill.fee_micro
        else:
            more += fill.cost_micro + fill.fee_micro
    for position in held:
        if position.entry.end_s <= book.now_s and position.token not in listed:
            more += position.shares_micro
    for trade in reversed(decided_here(book)):
        if trade.decided_s < book.now_s:
            break
        less += trade.payout_micro  # decided now, and perhaps paid a moment after the reading
    return Doubt(less, more)


def _most_paid(order: OpenOrder) -> int:
    # Its reserve counts the fee from the best offer that was read; whoever sold cheaper since costs
    # the same USDC and a higher fee.
    cost = cost_micro(shares_micro=order.shares_micro, price_micro=order.limit_micro)
    at = dearest_fee_micro(order.fee, _CHEAPEST_MICRO, order.limit_micro)
    fee = fee_micro(order.fee, shares_micro=cost * MICRO // at, price_micro=at)
    return max(order.reserved_micro, cost + fee)


def _unconfirmed(*books: Book) -> dict[str, Fill]:
    return {
        fill.trade: fill
        for book in books
        for position in book.positions.values()
        for fill in position.unconfirmed
    }


def _check_redemption(book: Book, listed: list[Redeemable]) -> None:
    # The program redeems nothing: the venue does, or the account's owner.
    waiting = [one for one in listed if one.pays_micro and book.now_s >= one.end_s + UNREDEEMED_S]
    if waiting:
        total = sum(one.pays_micro or 0 for one in waiting) / MICRO
        detail = f"{total:.2f} USDC of {len(waiting)} ended windows wait to be redeemed"
        flag(book, UNREDEEMED, "account", detail=detail)

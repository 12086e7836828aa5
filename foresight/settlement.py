"""Settlement: what an ended window was worth, as the venue says.

Owns which windows are asked for and what a ruling does to the book; what follows a loss is in
`protections`. The result is the venue's word, never our own feed's: two price sources disagree on
0.6 to 3.5 % of windows. How the venue is asked is its adapter's matter.
"""

from collections.abc import Iterable
from typing import Final

from foresight import protections
from foresight.board import Result, Side
from foresight.book import Book, flag, keep_decided, receive
from foresight.config import Risk
from foresight.confirmation import is_held_up
from foresight.market import Ruling
from foresight.trades import Decided, Position

ASKED_MAX: Final = 50  # windows asked for in one cycle: what the venue takes in one request
OVERDUE_S: Final = 3600  # a window without a result for so long is flagged
AWAITED_S: Final = 300  # one for so long is worth a line where somebody looks


def due(book: Book, now_s: int, *, turn: int = 0) -> tuple[str, ...]:
    """Return the slugs of ended windows with positions that are asked for now, bounded.

    Where there are too many for one request, the newest half of it is asked for in every cycle,
    and the rest take turns: windows whose results never come must not keep others waiting.

    Args:
        book: What is held.
        now_s: Application time.
        turn: Whose turn it is: the cycle's number.
    """
    ended = {
        (position.entry.end_s, position.entry.slug)
        for position in book.positions.values()
        if position.entry.end_s <= now_s
    }
    slugs = [slug for _, slug in sorted(ended)]
    if len(slugs) <= ASKED_MAX:
        return tuple(slugs)
    half = ASKED_MAX // 2
    older, newest = slugs[:-half], slugs[-half:]
    first = turn * half % len(older)
    return (*(older + older)[first : first + half], *newest)


def settle(book: Book, rulings: Iterable[Ruling], *, risk: Risk) -> None:
    """Take rulings into the book: positions become decided trades.

    Args:
        book: Changed; its `now_s` is the time of the decision.
        rulings: What the venue said.
        risk: The guards' limits.
    """
    results = {ruling.slug: ruling.result for ruling in rulings if ruling.result is not None}
    is_decided = False
    for token, position in list(book.positions.items()):
        result = results.get(position.entry.slug)
        if result is not None and position.entry.end_s <= book.now_s:
            if is_held_up(position, book.now_s):
                continue
            if position.unconfirmed:
                detail = f"decided with {len(position.unconfirmed)} trades that may still fail"
                flag(book, "trades_unconfirmed", position.entry.slug, detail=detail)
            del book.positions[token]
            _decide(book, position, result, risk)
            is_decided = True
        elif position.entry.end_s + OVERDUE_S <= book.now_s:
            detail = "the venue gave no result for an hour; its stake takes room of the board"
            flag(book, "settlement_overdue", position.entry.slug, detail=detail)
    if is_decided:
        protections.after_trades(book, risk=risk)


def awaited(book: Book) -> list[Position]:
    """Return positions whose windows ended a while ago without a result, by the book's time.

    What they cost counts against the limits of asset and board until the venue says what they pay.
    """
    held = book.positions.values()
    return [one for one in held if one.entry.end_s + AWAITED_S <= book.now_s]


def payout_micro(result: Result, *, side: Side, shares_micro: int) -> int:
    """Return what shares of a side pay, micro-USDC; a void window pays one half a share."""
    if result is Result.VOID:
        return shares_micro // 2
    return shares_micro if result.value == side.value else 0


def _decide(book: Book, position: Position, result: Result, risk: Risk) -> None:
    trade = Decided(
        entry=position.entry,
        shares_micro=position.shares_micro,
        cost_micro=position.cost_micro,
        fee_micro=position.fee_micro,
        payout_micro=payout_micro(
            result, side=position.entry.side, shares_micro=position.shares_micro
        ),
        result=result,
        decided_s=book.now_s,
    )
    receive(book, trade.payout_micro)
    keep_decided(book, trade)
    protections.after_trade(book, trade, risk=risk)

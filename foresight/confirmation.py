"""Confirmation: what becomes of trades that the venue has matched and may still take back.

Owns which trades are waited for, what their states do to a position, and for how long it is not
decided for them. A trade is matched, mined and confirmed, or tried again, or failed: only that
takes back its shares, its cost and its fee. How states are asked for is a venue's matter.
"""

from typing import Final

import msgspec

from foresight.board import window_of_slug
from foresight.book import Book, Word, count_unbought, flag, let_go, memory_of, take_back
from foresight.market import Stage, Trades
from foresight.trades import Fill, Position

UNCONFIRMED_S: Final = 3600  # after its window's end a position is decided whatever its trades are
FAILED: Final = "trade_failed"
FINAL: Final = frozenset({Stage.CONFIRMED, Stage.FAILED})


def waited_for(book: Book) -> frozenset[str]:
    """Return the ids of the trades that are neither confirmed nor failed as far as is known."""
    held = book.positions.values()
    return frozenset(fill.trade for position in held for fill in position.unconfirmed)


def since_s(book: Book) -> int:
    """Return when the oldest window with such trades began, application time; 0 without any."""
    windows = (
        window_of_slug(position.entry.slug)
        for position in book.positions.values()
        if position.unconfirmed
    )
    return min((window.start_s for window in windows if window is not None), default=0)


def take_states(book: Book, trades: Trades) -> None:
    """Take the states of trades into the book.

    Args:
        book: Changed.
        trades: What the venue says of those that are waited for.
    """
    if trades.failure:
        flag(book, "trades_unread", "venue", detail=trades.failure[:200])
    for key, position in list(book.positions.items()):
        stages = [trades.stages.get(fill.trade) for fill in position.unconfirmed]
        if any(stage in FINAL for stage in stages):
            _take(book, key, position, tuple(zip(position.unconfirmed, stages, strict=True)))


def is_held_up(position: Position, now_s: int) -> bool:
    """Tell whether a position is not decided yet because of its trades."""
    return bool(position.unconfirmed) and now_s < position.entry.end_s + UNCONFIRMED_S


def _take(
    book: Book, key: str, position: Position, known: tuple[tuple[Fill, Stage | None], ...]
) -> None:
    failed = [fill for fill, stage in known if stage is Stage.FAILED]
    left = msgspec.structs.replace(
        position,
        shares_micro=position.shares_micro - sum(fill.shares_micro for fill in failed),
        cost_micro=position.cost_micro - sum(fill.cost_micro for fill in failed),
        fee_micro=position.fee_micro - sum(fill.fee_micro for fill in failed),
        unconfirmed=tuple(fill for fill, stage in known if stage not in FINAL),
    )
    book.positions[key] = left
    if failed:
        amount = position.stake_micro - left.stake_micro
        take_back(book, amount, end_s=position.entry.end_s)
        let_go(book, position.token)
        detail = f"{len(failed)} of an order's trades failed, {amount} micro-USDC came back"
        flag(book, FAILED, position.entry.slot, detail=f"{position.entry.slug}: {detail}")
    if not left.shares_micro:
        del book.positions[key]
        count_unbought(book, FAILED)
        book.slots[position.entry.slot] = msgspec.structs.replace(
            memory_of(book, position.entry.slot), word=Word.UNFILLED, reason=FAILED
        )

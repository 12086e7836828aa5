"""Protections: what a run of losses locks, by freqtrade's names.

Owns three of them, all of which end by themselves or by `unlock`. *Cooldown*: so many losses of a
slot in a row silence the slot. *Stop guard*: so many losses of an asset within a lookback lock the
asset. *Maximum drawdown*: a loss of so much within a lookback stops the board. What a lock is, and
how an operator ends one, is in `locks`.
"""

import msgspec

from foresight.board import Result, window_of_slug
from foresight.book import AssetMemory, Book, keep_result, memory_of
from foresight.config import Risk
from foresight.trades import Decided


def after_trade(book: Book, trade: Decided, *, risk: Risk) -> None:
    """Count a decided trade; it may lock its slot or its asset.

    Args:
        book: Changed; its `now_s` is the time of the decision.
        trade: What was decided. To slot and asset a void window and shares that were found are no
            loss; to the board both are, and what was won by hand covers none.
        risk: The limits.
    """
    if not trade.entry.is_adopted or trade.profit_micro < 0:
        keep_result(book, trade.profit_micro, lookback_s=_seconds(risk.drawdown_lookback_minutes))
    if not trade.entry.is_adopted and trade.result is not Result.VOID:
        _cool_down(book, trade, risk)
        _guard_stops(book, trade, risk)


def after_trades(book: Book, *, risk: Risk) -> None:
    """Stop the board where it lost too much; called once the trades of a cycle are counted."""
    # Losses that stopped the board once do not stop it again: only later ones count.
    lookback_s = _seconds(risk.drawdown_lookback_minutes)
    since_s = max(book.now_s - lookback_s, book.board_quiet_until_s)
    lost = -sum(one.profit_micro for one in book.results if one.start_s > since_s)
    if risk.drawdown_usdc and lost >= round(risk.drawdown_usdc * 1_000_000):
        book.board_quiet_since_s = book.now_s
        book.board_quiet_until_s = book.now_s + _seconds(risk.drawdown_stop_minutes)


def _cool_down(book: Book, trade: Decided, risk: Risk) -> None:
    memory = memory_of(book, trade.entry.slot)
    losses = 0 if trade.is_won else memory.losses + 1
    if risk.cooldown_losses and losses >= risk.cooldown_losses:
        memory = msgspec.structs.replace(
            memory,
            quiet_since_s=book.now_s,
            quiet_until_s=book.now_s + _seconds(risk.cooldown_minutes),
        )
        losses = 0
    book.slots[trade.entry.slot] = msgspec.structs.replace(memory, losses=losses)


def _guard_stops(book: Book, trade: Decided, risk: Risk) -> None:
    window = window_of_slug(trade.entry.slug)
    if window is None or trade.is_won or not risk.stop_guard_losses:
        return
    memory = book.assets.get(window.slot.asset, AssetMemory())
    if book.now_s < memory.locked_until_s:
        return  # bought before it was locked: it would lock it again for the same losses
    losses = (*memory.losses, book.now_s)[-risk.stop_guard_losses :]
    memory = msgspec.structs.replace(memory, losses=losses)
    since_s = book.now_s - _seconds(risk.stop_guard_lookback_minutes)
    if len(losses) == risk.stop_guard_losses and losses[0] > since_s:
        memory = AssetMemory(
            locked_since_s=book.now_s,
            locked_until_s=book.now_s + _seconds(risk.stop_guard_minutes),
        )
    book.assets[window.slot.asset] = memory


def _seconds(minutes: float) -> int:
    return round(minutes * 60)

"""Locks: what buys nothing for a while, by a guard's word or an operator's, and how it ends.

Owns the words of `lock` and `unlock` and what they do. They travel in the record's control, as a
name and the time at which it was asked, and only times are compared: a guard's lock ends by a word
that is younger than the lock, so a word counts once, however often it is read, and none reaches
into the future. An asset is locked by an operator while no word that unlocks it is the younger one.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from foresight.board import NS
from foresight.book import Book
from foresight.config import Risk
from handoff.cadence import app_time_ns
from state.record import Timeline

ALL: Final = "*"  # in place of an asset: everything that is locked
OPERATOR: Final = "operator"
COOLDOWN: Final = "cooldown"
STOP_GUARD: Final = "stop_guard"
MAX_DRAWDOWN: Final = "max_drawdown"
_LOCK: Final = "lock:"
_UNLOCK: Final = "unlock:"
_NEVER_S: Final = -1


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """One lock.

    Attributes:
        scope: A slot id, an asset, or `ALL` for the board.
        reason: `operator`, or the guard's name.
        since_s: Application time at which it began; 0 where an older release did not keep it.
        until_s: Until when it lasts; 0 until somebody unlocks it.
    """

    scope: str
    reason: str
    since_s: int
    until_s: int = 0


def lock_word(asset: str) -> str:
    """Return the word that locks an asset until it is unlocked."""
    return f"{_LOCK}{asset}"


def unlock_word(asset: str) -> str:
    """Return the word that ends the locks of an asset, or all of them (`ALL`)."""
    return f"{_UNLOCK}{asset}"


def replaced_by(word: str, marks: Mapping[str, int]) -> tuple[str, ...]:
    """Return the words that a new one makes idle: the record keeps one an asset and one for all."""
    prefix, _, asset = word.partition(":")
    ours = [name for name in marks if name.startswith((_LOCK, _UNLOCK))]
    if asset != ALL:
        return tuple(name for name in ours if name.partition(":")[2] == asset)
    assert prefix == _UNLOCK.rstrip(":"), "the board is paused, not locked"
    return tuple(ours)


def is_locked(marks: Mapping[str, int], asset: str) -> bool:
    """Tell whether an operator's word locks an asset."""
    locked_at = marks.get(lock_word(asset)) if marks else None
    return locked_at is not None and locked_at > _unlocked_at(marks, asset)


def hear(book: Book, marks: Mapping[str, int], *, risk: Risk, timeline: Timeline) -> None:
    """End the guards' locks that were unlocked since they began.

    Args:
        book: Changed; its `now_s` is the time of the decision.
        marks: Words of operators.
        risk: How long guards lock: tells when a lock of an older release began.
        timeline: Maps the words' wall-clock times to application time.
    """

    def ended_s(scope: str, since_s: int, until_s: int) -> int:
        asked_s = _app_s(_unlocked_of(marks, scope), timeline) if marks else _NEVER_S
        return asked_s if since_s <= asked_s <= book.now_s and asked_s < until_s else until_s

    length_s = round(risk.cooldown_minutes * 60)
    for slot_id, memory in book.slots.items():
        since_s = memory.quiet_since_s or memory.quiet_until_s - length_s
        until_s = ended_s(slot_id, since_s, memory.quiet_until_s)
        if until_s != memory.quiet_until_s:
            book.slots[slot_id] = msgspec.structs.replace(memory, quiet_until_s=until_s)
    for asset, known in book.assets.items():
        until_s = ended_s(asset, known.locked_since_s, known.locked_until_s)
        if until_s != known.locked_until_s:
            book.assets[asset] = msgspec.structs.replace(known, locked_until_s=until_s)
    length_s = round(risk.drawdown_stop_minutes * 60)
    since_s = book.board_quiet_since_s or book.board_quiet_until_s - length_s
    book.board_quiet_until_s = ended_s(ALL, since_s, book.board_quiet_until_s)


def locks_of(book: Book, marks: Mapping[str, int], *, timeline: Timeline) -> tuple[Lock, ...]:
    """Return what is locked at the book's time, the widest first."""
    return tuple(sorted(_locks(book, marks, timeline), key=_place))


def _locks(book: Book, marks: Mapping[str, int], timeline: Timeline) -> Iterator[Lock]:
    now_s = book.now_s
    if now_s < book.board_quiet_until_s:
        yield Lock(
            scope=ALL,
            reason=MAX_DRAWDOWN,
            since_s=book.board_quiet_since_s,
            until_s=book.board_quiet_until_s,
        )
    for name, at_ns in marks.items():
        asset = name.removeprefix(_LOCK)
        if name == lock_word(asset) and is_locked(marks, asset):
            yield Lock(scope=asset, reason=OPERATOR, since_s=_app_s(at_ns, timeline))
    for asset, known in book.assets.items():
        if now_s < known.locked_until_s:
            yield Lock(
                scope=asset,
                reason=STOP_GUARD,
                since_s=known.locked_since_s,
                until_s=known.locked_until_s,
            )
    for slot_id, memory in book.slots.items():
        if now_s < memory.quiet_until_s:
            yield Lock(
                scope=slot_id,
                reason=COOLDOWN,
                since_s=memory.quiet_since_s,
                until_s=memory.quiet_until_s,
            )


def _place(lock: Lock) -> tuple[bool, bool, str, str]:
    return lock.scope != ALL, "-" in lock.scope, lock.scope, lock.reason


def _unlocked_of(marks: Mapping[str, int], scope: str) -> int:
    return _unlocked_at(marks, scope if scope == ALL else scope.partition("-")[0].upper())


def _unlocked_at(marks: Mapping[str, int], asset: str) -> int:
    return max(marks.get(unlock_word(asset), 0), marks.get(unlock_word(ALL), 0))


def _app_s(at_ns: int, timeline: Timeline) -> int:
    return app_time_ns(timeline, at_ns) // NS if at_ns else _NEVER_S

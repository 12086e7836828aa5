"""The body's older shapes: what leads from version 1 to version 2 and back.

Owns the steps of the schema `foresight.book`, on plain JSON values. Version 1 is what 0.2.0 keeps:
closes alone, no cash, no facts of windows, no sums per release. A step up invents nothing: what
each release earned is what the trades that are kept say. A step down leaves out what the older
shape has no place for.
"""

from typing import Any, Final

import msgspec

from foresight.trades import OLDER, Decided, Tally, tally_release

Json = dict[str, Any]

_NEW: Final = (
    "venue",
    "cash",
    "results",
    "tallies",
    "adopted",
    "assets",
    "board_quiet_since_s",
    "let_go",
    "venue_since_s",
)
_NEWER: Final = {
    "slots": ("facts", "quiet_since_s"),
    "closes": ("details",),
    "positions": ("unconfirmed",),
}


def up_to_2(book: Json) -> Json:
    """Return a body of version 1 as one of version 2.

    The drawdown guard's losses are what the decided trades that are kept say. Of those that are not
    nobody knows which releases decided them, nor which of them were found.
    """
    trades = msgspec.convert(book.get("decided", []), list[Decided])
    losses = [[trade.decided_s, trade.profit_micro] for trade in trades]
    older = msgspec.convert(book.get("archived", {}), Tally)
    tallies = {f":{OLDER}": older} if older.trades else {}
    for trade in trades:
        tally_release(tallies, trade, venue="")
    sums = {"results": losses, "tallies": msgspec.to_builtins(tallies)}
    return book | {name: found for name, found in sums.items() if found}


def down_to_1(book: Json) -> Json:
    """Return a body of version 2 as one of version 1."""
    older = _without(book, *_NEW)
    for part, names in _NEWER.items():
        if part in older:
            older[part] = {key: _without(one, *names) for key, one in older[part].items()}
    archived = _sums(book.get("archived", {}), book.get("adopted", {}))
    return _without(older, "archived") | ({"archived": archived} if archived else {})


def _sums(one: Json, other: Json) -> Json:
    # What was found and what was bought have one place there.
    names = [name for name in {**one, **other} if name not in {"newest_s", "quarters"}]
    return {name: one.get(name, 0) + other.get(name, 0) for name in names}


def _without(value: Json, *names: str) -> Json:
    return {name: member for name, member in value.items() if name not in names}

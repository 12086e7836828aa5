"""The body's older shapes: what leads from version 1 to version 2 and back.

Owns the steps of the schema `foresight.book`, on plain JSON values. Version 1 is what 0.2.0 keeps:
closes alone, no cash, no facts of windows, no sums per release. A step up invents nothing; a step
down leaves out what the older shape has no place for.
"""

from typing import Any

Json = dict[str, Any]


def up_to_2(book: Json) -> Json:
    """Return a body of version 1 as one of version 2.

    The drawdown guard's losses are what the decided trades that are kept say.
    """
    losses = [
        [trade["decided_s"], trade["payout_micro"] - trade["cost_micro"] - trade["fee_micro"]]
        for trade in book.get("decided", [])
    ]
    return book | ({"results": losses} if losses else {})


def down_to_1(book: Json) -> Json:
    """Return a body of version 2 as one of version 1."""
    older = _without(book, "venue", "cash", "results", "tallies")
    for part, name in (("slots", "facts"), ("closes", "details"), ("positions", "unconfirmed")):
        if part in older:
            older[part] = {key: _without(one, name) for key, one in older[part].items()}
    if "archived" in older:
        older["archived"] = _without(older["archived"], "newest_s", "quarters")
        if not older["archived"]:
            del older["archived"]
    return older


def _without(value: Json, *names: str) -> Json:
    return {name: member for name, member in value.items() if name not in names}

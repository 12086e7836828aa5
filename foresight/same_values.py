"""A pure function asked again about the very same values: it answers from what it found before.

Owns how values are told apart: by themselves and not by what they hold, for comparing two hours of
candles costs more than most of what is computed of them. Only values that never change may be
given.
"""

from collections.abc import Callable
from typing import Any, Final, ParamSpec, TypeVar

KEPT: Final = 64  # answers of a function: a board of sixteen assets, in this cycle and the last

GivenP = ParamSpec("GivenP")
FoundT = TypeVar("FoundT")


def once_for_each(compute: Callable[GivenP, FoundT]) -> Callable[GivenP, FoundT]:
    """Return a function that computes once for the very same values.

    Args:
        compute: Pure; its arguments have no names when it is called.
    """
    # Whatever is kept holds its arguments: their addresses belong to nobody else meanwhile.
    kept: dict[tuple[int, ...], tuple[tuple[Any, ...], FoundT]] = {}

    def found(*given: GivenP.args, **named: GivenP.kwargs) -> FoundT:
        assert not named, "values are told by their place"
        key = tuple(map(id, given))
        known = kept.get(key)
        if known is None:
            answer = compute(*given, **named)
            if len(kept) >= KEPT:
                kept.clear()
            known = kept[key] = given, answer
        return known[1]

    return found

"""Weather or fault: whether an exception is the outside world's or the release's own.

Owns that question and the words of a fault. A release says itself what its libraries raise when
the world does not answer (`Workload.outside`); what is neither that nor of the operating system
is a fault of the release. No file, clock or process enters here.
"""

from __future__ import annotations

from typing import Final

from handoff.plain_text import storable

# Refused connections, names that do not resolve, missing files; and whatever took too long.
ALWAYS: Final = (OSError, TimeoutError)

WORDS_MAX: Final = 4000  # letters of an exception: some answer with a whole page

# What the reason of a return begins with where a bake had no inputs, and nobody is to blame.
BAKE_WORDS: Final = "outside: "


def is_outside(error: Exception, declared: tuple[type[Exception], ...]) -> bool:
    """Tell whether an exception is the world's, given what the release declares as such."""
    return isinstance(error, (*ALWAYS, *declared))


def words_of(error: Exception) -> str:
    """Return an exception and what it says, as `said_by` has it."""
    return f"{type(error).__name__}: {said_by(error)}"


def said_by(error: Exception) -> str:
    """Return what an exception says, in words that every file can hold and that have an end.

    One that cannot say itself was raised all the same: what it raises then is not in its place.
    """
    try:
        return storable(str(error))[:WORDS_MAX]
    except Exception:  # noqa: BLE001 - the code of an application may raise anything
        return "it cannot say why"


def fault_words(stage: str, error: Exception) -> str:
    """Return why an exception is held against the release, and what would say otherwise.

    Args:
        stage: The application's method that raised it.
        error: What it raised.
    """
    return (
        f"{stage} raised {words_of(error)} (if that is how the outside world fails, "
        f"declare it: outside = ({_path(type(error))},))"
    )


def _path(kind: type[Exception]) -> str:
    place = kind.__module__
    return kind.__qualname__ if place == "builtins" else f"{place}.{kind.__qualname__}"

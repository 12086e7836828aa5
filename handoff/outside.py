"""Weather or fault: whether an exception is the outside world's or the release's own.

Owns that question and the words of a fault. A release says itself what its libraries raise when
the world does not answer (`Workload.outside`); what is neither that nor of the operating system
is a fault of the release. No file, clock or process enters here.
"""

from __future__ import annotations

from typing import Final

# Refused connections, names that do not resolve, missing files; and whatever took too long.
ALWAYS: Final = (OSError, TimeoutError)

# What the reason of a return begins with where a bake had no inputs, and nobody is to blame.
BAKE_WORDS: Final = "outside: "


def is_outside(error: Exception, declared: tuple[type[Exception], ...]) -> bool:
    """Tell whether an exception is the world's, given what the release declares as such."""
    return isinstance(error, (*ALWAYS, *declared))


def fault_words(stage: str, error: Exception) -> str:
    """Return why an exception is held against the release, and what would say otherwise.

    Args:
        stage: The application's method that raised it.
        error: What it raised.
    """
    kind = type(error)
    return (
        f"{stage} raised {kind.__name__}: {error} (if that is how the outside world fails, "
        f"declare it: outside = ({_path(kind)},))"
    )


def _path(kind: type[Exception]) -> str:
    place = kind.__module__
    return kind.__qualname__ if place == "builtins" else f"{place}.{kind.__qualname__}"

"""What a loop is told when it breaks a rule, and what a read without an answer raises in it.

Owns these exceptions and the words of each rule. `LoopMisused` comes where a loop is declared,
`LoopFaulty` where one runs; the second is held against the release, as any fault is.
"""

from __future__ import annotations

from typing import Final

from handoff.errors import HandoffError, WorkloadFaulty

RULE_AWAIT: Final = (
    "the loop awaits something that is not cycle.read: put it into a function and await "
    "cycle.read(function); side by side goes cycle.read_all"
)
RULE_TOUCH: Final = (
    "what the loop looks at goes through cycle.read(function), what it does through "
    "cycle.do(act, payload)"
)
RULE_CHANCE: Final = (
    "whether and what a loop reads must not come from a clock, from chance or from anything "
    "outside: use cycle.now, cycle.random, the state, and what was read before"
)


class LoopMisused(HandoffError):
    """A loop was declared in a way that cannot work; the text says what is wrong."""

    def __init__(self, wrong: str, hint: str) -> None:
        """Keep what is wrong, and what to do instead."""
        self.hint = hint
        super().__init__(f"{wrong}: {hint}")


class LoopFaulty(WorkloadFaulty):
    """A loop broke a rule while it ran."""


class ReadFailed(HandoffError, OSError):
    """The outside world did not answer a read that has no default.

    A loop may catch it: it is raised with the same facts when the cycle is decided again. It is an
    OSError, as what urllib and sockets raise: an `except OSError` of a plain loop stays as it is.

    Attributes:
        read: Qualified name of the function that was read.
        error: Name of the exception that it raised, e.g. "ConnectionRefusedError".
        words: That exception's own words.
    """

    hint = "give the read a default=, or catch ReadFailed"

    def __init__(self, read: str, *, error: str, words: str) -> None:
        """Keep the recorded facts."""
        self.read = read
        self.error = error
        self.words = words
        super().__init__(f"{read}: {error}: {words}")

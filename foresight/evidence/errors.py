"""Why something cannot be proven from outside: it cannot begin, or it went otherwise.

Owns the errors of this package and of those that prove with it; each says what to do next.
"""

from __future__ import annotations

from foresight.errors import ForesightError


class EvidenceError(ForesightError):
    """Base of what ends a demonstration, a drill or a series, or one fault of it.

    Attributes:
        hint: What to do next, or an empty string.
    """

    def __init__(self, what: str, hint: str = "") -> None:
        """Keep both."""
        super().__init__(what)
        self.hint = hint


class CannotBegin(EvidenceError):
    """Nothing was touched: a rule says no, or this machine or this checkout lacks something."""


class CourseLeft(EvidenceError):
    """Something did not happen as it must; what ran is kept to be looked at."""


class NeverCame(CourseLeft):
    """Something that must happen did not happen within its bound."""

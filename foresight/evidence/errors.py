"""Why a demonstration cannot go on.

Owns the errors of this package; each says what to do next.
"""

from __future__ import annotations


class DemoError(Exception):
    """Base of everything that ends a demonstration.

    Attributes:
        hint: What to do next.
    """

    def __init__(self, what: str, hint: str = "") -> None:
        """Keep both."""
        super().__init__(what)
        self.hint = hint


class CannotBegin(DemoError):
    """Nothing was started: this machine or this checkout lacks something."""


class CourseLeft(DemoError):
    """Something did not happen as it must; what ran is kept to be looked at."""

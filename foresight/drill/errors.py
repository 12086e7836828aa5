"""Why a drill cannot go on.

Owns the errors of this package; each says what to do next.
"""

from foresight.errors import ForesightError


class DrillError(ForesightError):
    """Base of what ends a drill, or one fault of it.

    Attributes:
        hint: What to do next, or an empty string.
    """

    def __init__(self, what: str, hint: str = "") -> None:
        """Keep both."""
        super().__init__(what)
        self.hint = hint


class DrillRefused(DrillError):
    """A rule says no; nothing was touched."""


class NeverCame(DrillError):
    """Something that a fault must lead to did not happen within its bound."""


class NotSeen(DrillError):
    """Something else happened than what must be seen."""

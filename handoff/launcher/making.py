"""A release that is wanted here and not here: a job makes it, and until then nobody stands by.

Owns when it is tried again, and the words for why this host has no standby. What the job does is
the installation's: the launcher knows its command. Standard library only.
"""

from __future__ import annotations

from handoff.light_typing import TYPE_CHECKING, Final
from handoff.limits import MAKE_AGAIN_S

if TYPE_CHECKING:
    from handoff.processes import Exit

JOB: Final = "make"  # name of the child
RELEASE: Final = "{release}"  # in its command


class Making:
    """Makes one release at a time, and again after a while where it could not be made.

    Attributes:
        release: The one that is wanted; empty where nothing is missing.
    """

    def __init__(self) -> None:
        """Start with nothing missing."""
        self.release = ""
        self._again_s = 0.0
        self._why = ""

    def begin(self, release: str) -> None:
        """Note that the job for a release was started."""
        self.release, self._why = release, ""

    def ended(self, how: Exit | None, now_s: float) -> bool:
        """Note how the job ended; tell whether the release is here now."""
        if how is not None and how.status == 0 and not how.signal:
            self.release = self._why = ""
            return True
        self._why = how.words() if how is not None else "gone"
        self._again_s = now_s + MAKE_AGAIN_S
        return False

    def waits(self, now_s: float) -> bool:
        """Tell whether it is too early to ask again what is wanted, and to try that."""
        return bool(self._why) and now_s < self._again_s

    def words(self) -> str:
        """Return why this host has no standby; empty where nothing is missing."""
        if not self.release:
            return ""
        return f"{self.release} cannot be made: {self._why}" if self._why else "building"


def command_for(template: tuple[str, ...], release: str) -> tuple[str, ...]:
    """Return the command that makes a release."""
    return tuple(release if word == RELEASE else word for word in template)

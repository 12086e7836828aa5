"""The first release of a home that does not come up: when a launcher gives up, and its words.

Owns that rule and what is said then. It ends with the first decided cycle: from then on somebody
relies on this home, and whatever fails is tried again for as long as it takes. Standard library
only.
"""

from __future__ import annotations

import os

from handoff.errors import HandoffError
from handoff.light_typing import TYPE_CHECKING, Final, NamedTuple
from handoff.limits import FIRST_START_S_MAX, FIRST_STARTS_MAX

if TYPE_CHECKING:
    from pathlib import Path

REFUSED: Final = 3  # exit status, as of a release that a gate refuses
LINES_SHOWN: Final = 15  # of a worker's output: the end of a traceback
LINE_CHARS: Final = 300
_BLOCK_BYTES: Final = 1 << 20
_BEGUN: Final = (b'"kind":"decide"', b'"kind":"take"')


class Failed(NamedTuple):
    """A start that failed.

    Attributes:
        release: Of what.
        how: How its process ended, or why there was none.
        reason: What the worker said of it, or an empty string.
        tail: The end of its output.
        final: No further start can change it: its module has no such factory.
    """

    release: str
    how: str
    reason: str = ""
    tail: str = ""
    final: bool = False


class FirstReleaseBroken(HandoffError):
    """The first release of a home does not come up."""

    def __init__(self, failed: Failed, *, owned: bool, home: str) -> None:
        """Keep what it said last, and where to begin anew."""
        why = failed.reason or failed.how
        lines = [f"the first release {failed.release} does not start: {why}"]
        super().__init__("\n".join([*lines, *_last_lines(failed.tail)]))
        self.hint = "correct it and start again: no cycle was decided yet"
        if owned:
            # What owns the record is what every start starts.
            self.hint += f"; it owns the record, so remove {home} first"


def is_given_up(
    *, failures: int, waited_s: float, ready: bool, outside: bool, final: bool = False
) -> bool:
    """Tell whether a first release is given up; asked only while no cycle was ever decided.

    Args:
        failures: Starts in a row that failed.
        waited_s: How long since the launcher began.
        ready: A worker was ready once.
        outside: The outside world kept one from getting ready: no fault of its release.
        final: No further start can change how the last one ended.
    """
    late = waited_s > FIRST_START_S_MAX and not ready and not outside
    return failures >= (1 if final else FIRST_STARTS_MAX) or late


def has_begun(home: Path) -> bool:
    """Tell whether a cycle was ever decided in a home, or a release ever taken over.

    A journal of several segments, or a large one, holds some; where one cannot be read nothing is
    known, and whoever relies on the home counts more.
    """
    journal = os.path.join(os.fspath(home), "journal")  # noqa: PTH118 - no pathlib here
    try:
        names = [name for name in os.listdir(journal) if name.endswith(".jsonl")]  # noqa: PTH208
        if len(names) != 1:
            return bool(names)
        with open(os.path.join(journal, names[0]), "rb") as file:  # noqa: PTH118, PTH123 - as above
            said = file.read(_BLOCK_BYTES + 1)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return len(said) > _BLOCK_BYTES or any(mark in said for mark in _BEGUN)


def _last_lines(tail: str) -> list[str]:
    """Return the last lines of a worker's own words; lines of its log are of no use to a person."""
    lines = [line.rstrip() for line in tail.splitlines() if line.strip()]
    own = [line for line in lines if not line.startswith("{")]
    return [f"  {line[:LINE_CHARS]}" for line in own[-LINES_SHOWN:]]

"""What an etcd says of the record, asked by a job before a worker is started where none lives.

Owns whether it was asked, and what follows from how the job ended. The launcher itself loads no
store: the job reads through it, writes the mirror, and its exit status says the rest. An etcd that
does not answer holds nobody up: the worker that is started waits for it. One that was put back
from a copy does: until it is repaired nothing may be decided from it. Standard library only.
"""

from __future__ import annotations

import enum

from handoff.light_typing import TYPE_CHECKING, Any, Final
from handoff.limits import LOOK_S_MAX, NO_RECORD_STATUS, OLDER_STATUS

if TYPE_CHECKING:
    from collections.abc import Mapping

JOB: Final = "record"  # name of the child, and of the command
OLDER: Final = "etcd was put back to an earlier state"  # where nobody says more
_STATE: Final = "HANDOFF_STATE"  # as in `handoff.shared_record`


class Answer(enum.Enum):
    """What is known of the record in an etcd."""

    UNASKED = "unasked"
    ASKED = "asked"  # the job runs
    THERE = "there"  # the mirror is what etcd has
    ABSENT = "absent"  # there is no record: one may be made
    OLDER = "older"  # it was put back from a copy: nobody may be started
    UNKNOWN = "unknown"  # no answer: the mirror is what this host has seen last


_ANSWERS: Final = {
    0: Answer.THERE,
    NO_RECORD_STATUS: Answer.ABSENT,
    OLDER_STATUS: Answer.OLDER,
}


class RecordAsked:
    """Asks once before each start, and never while a worker lives."""

    def __init__(self) -> None:
        """Start without having asked."""
        self.answer = Answer.UNASKED
        self.put_back = ""  # why etcd is taken to be an older one, as was said last; empty if not
        self._since_s = 0.0

    def begin(self, now_s: float) -> None:
        """Note that the job was started."""
        self.answer, self._since_s = Answer.ASKED, now_s

    def told(self, status: int | None, words: str = "") -> None:
        """Note how the job ended; None where a signal ended it, or it never ran.

        Args:
            status: Its exit status.
            words: The last that it said.
        """
        self.answer = _ANSWERS.get(-1 if status is None else status, Answer.UNKNOWN)
        if self.answer is Answer.OLDER:
            self.put_back = words or OLDER
        elif self.answer is not Answer.UNKNOWN:
            self.put_back = ""  # it was repaired, or is not the one that it was then

    def is_late(self, now_s: float) -> bool:
        """Tell whether the job takes too long: then nobody waits for it any more."""
        return self.answer is Answer.ASKED and now_s > self._since_s + LOOK_S_MAX

    def take(self) -> Answer:
        """Return what is known, once: before the next start it is asked again."""
        answer, self.answer = self.answer, Answer.UNASKED
        return answer


def is_shared(environment: tuple[tuple[str, str], ...]) -> bool:
    """Tell whether an installation's record is in an etcd."""
    return bool(dict(environment).get(_STATE))


def origin_ns(record: Mapping[str, Any] | None, default: int) -> int:
    """Return the origin of a record's timeline: who comes later to an etcd goes by that one."""
    timeline = (record or {}).get("timeline")
    found = timeline.get("origin_ns") if isinstance(timeline, dict) else None
    return found if isinstance(found, int) and not isinstance(found, bool) else default

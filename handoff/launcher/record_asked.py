"""What an etcd says of the record, asked by a job before a worker is started where none lives.

Owns whether it was asked, and what follows from how the job ended. The launcher itself loads no
store: the job reads through it, writes the mirror, and its exit status says the rest. An etcd that
does not answer holds nobody up: the worker that is started waits for it. One that was put back
from a copy does: until it is repaired nothing may be decided from it. So does one whose record acts
for another account. Standard library only.
"""

from __future__ import annotations

import enum

from handoff.light_typing import TYPE_CHECKING, Any, Final
from handoff.limits import LOOK_S_MAX, NO_RECORD_STATUS, OLDER_STATUS, OTHER_STATUS

if TYPE_CHECKING:
    from collections.abc import Mapping

JOB: Final = "record"  # name of the child, and of the command
OLDER: Final = "etcd was put back to an earlier state"  # where nobody says more
OTHER: Final = "the etcd names another account than this host acts for"  # likewise
_WORKER_OLDER: Final = ("OLDER", 6)  # `Leaving.OLDER` of a worker
_WORKER_OTHER: Final = ("OTHER", 8)  # `Leaving.OTHER` of a worker
_STATE: Final = "HANDOFF_STATE"  # as in `handoff.shared_record`


class Answer(enum.Enum):
    """What is known of the record in an etcd."""

    UNASKED = "unasked"
    ASKED = "asked"  # the job runs
    THERE = "there"  # the mirror is what etcd has
    ABSENT = "absent"  # there is no record: one may be made
    OLDER = "older"  # it was put back from a copy: nobody may be started
    OTHER = "other"  # it acts for another account: nobody may be started here
    UNKNOWN = "unknown"  # no answer: the mirror is what this host has seen last


_ANSWERS: Final = {
    0: Answer.THERE,
    NO_RECORD_STATUS: Answer.ABSENT,
    OLDER_STATUS: Answer.OLDER,
    OTHER_STATUS: Answer.OTHER,
}


class RecordAsked:
    """Asks once before each start, and never while a worker lives.

    Attributes:
        answer: What is known now.
        put_back: Why etcd is taken to be an older one, as was said last; empty where it is not.
        other_account: Why this host may not act for it, as was said last; empty where it may.
    """

    def __init__(self) -> None:
        """Start without having asked."""
        self.answer = Answer.UNASKED
        self.put_back = self.other_account = ""
        self._since_s = 0.0

    @property
    def is_barred(self) -> bool:
        """Whether nobody may be started here, until etcd itself says otherwise."""
        return bool(self.put_back or self.other_account)

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
        if self.answer is not Answer.UNKNOWN:
            self._bar(self.answer, words)

    def left(self, leaving: str, status: int | None, reason: str) -> bool:
        """Note how a worker left; tell whether nobody may be started here for it.

        Args:
            leaving: Its last message: why it leaves.
            status: Its exit status; None where there is none.
            reason: In its words.
        """
        for answer, named in ((Answer.OLDER, _WORKER_OLDER), (Answer.OTHER, _WORKER_OTHER)):
            if leaving == named[0] or status == named[1]:
                self._bar(answer, reason)
                return True
        return False

    def _bar(self, answer: Answer, words: str) -> None:
        """Note why nobody may be started; another answer says that somebody may."""
        self.put_back = (words or OLDER) if answer is Answer.OLDER else ""
        self.other_account = (words or OTHER) if answer is Answer.OTHER else ""

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

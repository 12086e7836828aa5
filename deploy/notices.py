"""What is worth telling somebody who is not looking: which events, and in which words.

Owns the choice and the text. Deploys, cycles and control go in, notices come out; where they
are sent, and whether anybody gets them, is the matter of `notifications`.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final

import msgspec

from deploy.history import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.history import Entry
    from state.record import Control, Missed

REASON_CHARS_MAX: Final = 500  # a message is read on a telephone
LISTED_MAX: Final = 5  # missed cycles named one by one; the rest is counted


class Kind(enum.StrEnum):
    """How bad it is; also how a messenger colours it."""

    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"  # nothing was lost, and somebody should look
    FAILURE = "failure"  # something was lost, or stands still


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One message."""

    title: str
    body: str
    kind: Kind = Kind.INFO


_KINDS: Final = {
    Outcome.PERMANENT.value: Kind.SUCCESS,
    Outcome.REFUSED.value: Kind.WARNING,
    Outcome.RETURNED.value: Kind.FAILURE,
    Outcome.ABORTED.value: Kind.INFO,
}


def of_deploy(app: str, entry: Entry) -> Notice | None:
    """Return what is said of a deploy that ended; nothing of one that never began."""
    kind = _KINDS.get(entry.outcome)
    if kind is None:
        return None
    what = f"{entry.commit[:12]} {entry.subject}".strip() or entry.release or entry.ref
    lines = [what, f"by {entry.by}, replacing {entry.from_release or 'nothing'}"]
    lines += [entry.reason[:REASON_CHARS_MAX]] if entry.reason else []
    return Notice(title=f"{app}: deploy {entry.outcome}", body="\n".join(lines), kind=kind)


def of_missed(app: str, missed: Sequence[Missed]) -> Notice | None:
    """Return what is said of cycles that were given up."""
    if not missed:
        return None
    lines = [f"cycle {each.cycle}: {each.reason}" for each in missed[:LISTED_MAX]]
    rest = len(missed) - LISTED_MAX
    lines += [f"and {rest} more, up to cycle {missed[-1].cycle}"] if rest > 0 else []
    number = "a cycle was missed" if len(missed) == 1 else f"{len(missed)} cycles were missed"
    return Notice(title=f"{app}: {number}", body="\n".join(lines), kind=Kind.FAILURE)


def of_control(app: str, before: Control, after: Control) -> Notice | None:
    """Return what is said of an operator's wish that is another one than before."""
    if (before.paused, before.halted) == (after.paused, after.halted):
        return None
    words = "halted" if after.halted else "paused" if after.paused else "resumed"
    by = f"by {after.by or 'nobody known'}"
    body = f"{by}: {after.note[:REASON_CHARS_MAX]}" if after.note else by
    kind = Kind.WARNING if after.halted or after.paused else Kind.INFO
    return Notice(title=f"{app}: {words}", body=body, kind=kind)

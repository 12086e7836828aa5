"""When a change that lost to another commit may be applied again, to the newer record.

Owns what must not be tried twice: a take, whose margin is for one try, and a seize whose evidence
may have gone meanwhile. What a change does is the caller's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from state.errors import Refusal, Refused, StateError

if TYPE_CHECKING:
    from state.etcd.keys import Seen
    from state.record import Record
    from state.store import Change, Note


def applied(change: Change, seen: Seen) -> Record | None:
    """Return what a change makes of a record; None where it refuses, or leaves it as it is."""
    try:
        record = change(seen.record)
    except StateError:
        return None
    return None if record is seen.record else record


def require_another_try(note: Note) -> None:
    """Refuse to try a take again: its margin is for one try, and the boundary comes.

    Nor is a seize by an approval tried again: that may be what is over.
    """
    if note.kind == "take" or note.approval:
        raise Refused(Refusal.EVIDENCE_STALE, "somebody wrote while the take was under way")


def require_same_epoch(before: Record, after: Record) -> None:
    """Refuse to seize where the owner's key came back: its absence may have been the evidence."""
    if before.ownership.epoch != after.ownership.epoch:
        raise Refused(Refusal.EVIDENCE_STALE, "the owner holds a lease again")

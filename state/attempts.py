"""What the next step of progress has cost: a cycle that no owner survives is given up.

Owns the count and its limit. The step is the next decision, or with a cycle in hand its settling.
The count is the record's (`Progress.attempts`), so that whoever seizes next can read it.

    0 --seize from a dead owner--> 1 --again--> 2 --again--> 3, the limit
    any --decide, settle, miss--> 0
    any --an owner of another release--> 0

At the limit only two writes are allowed: before the decision `miss`, after it a `settle` that
learnt nothing (`outbox.given_up`). Between its seize and this write the owner calls nothing of
the application, for whatever it called might be what kills.
"""

from __future__ import annotations

from typing import Final

from state.errors import Refusal, Refused
from state.record import Phase, Record, WorkerId

ATTEMPTS_MAX: Final = 3  # owners that one step may cost; fewer may be chance
GIVEN_UP: Final = f"given up: {ATTEMPTS_MAX} owners did not survive it"


def attempts_spent(record: Record) -> bool:
    """Tell whether the next step cost its limit of owners."""
    return record.progress.attempts >= ATTEMPTS_MAX


def attempts_after_seize(record: Record, *, worker: WorkerId, due: bool) -> int:
    """Return what the next step will have cost once a worker has seized.

    An owner that was replaced before its next step was due did not come to grief over it, and
    one that released did not come to grief at all. What owners of another release did not
    survive says nothing of this one.

    Args:
        record: The record as it is.
        worker: Who seizes.
        due: The boundary of the cycle in hand, or of the next one, has passed by the clock that
            the worker believes.
    """
    held, progress = record.ownership, record.progress
    if held.release != worker.release:
        return 0
    cost = held.owner is not None and (due or progress.phase is Phase.DECIDED)
    return min(progress.attempts + cost, ATTEMPTS_MAX)


def require_attempts_left(record: Record) -> None:
    """Refuse to take a step that cost its limit of owners."""
    if attempts_spent(record):
        step = f"cycle {record.progress.cycle} is {record.progress.phase.value}"
        raise Refused(Refusal.ATTEMPTS_SPENT, f"{step}, and going on cost {ATTEMPTS_MAX} owners")

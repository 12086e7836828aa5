"""Replay of a whole journal, each part by the release that decided it.

Owns the parts into which a journal falls, the hand-over of the record from one release to the
next, and the sums. What a release finds is `verify`'s; how it is asked, and what the user hears,
is the caller's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from handoff.plurals import counted
from handoff.replay.verify import Otherwise, Part, Verified
from state.cycle_audit import effective
from state.journal_reader import read_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Unanswered(msgspec.Struct, frozen=True):
    """A release that could not be asked, and why; its cycles are not decided again."""

    release: str
    reason: str


class ReplayedJournal(msgspec.Struct, frozen=True, kw_only=True):
    """What all releases together say of the journal.

    Attributes:
        checked: Cycles that came out alike.
        skipped: Cycles that were not decided again: no body to start from, or no release.
        deviations: Cycles that came out otherwise.
        unanswered: Releases that could not be asked.
    """

    checked: int = 0
    skipped: int = 0
    deviations: tuple[Otherwise, ...] = ()
    unanswered: tuple[Unanswered, ...] = ()


def parts_of(journal: Path, since_cycle: int | None) -> Iterator[tuple[Part, int]]:
    """Yield the journal's parts, oldest first, with the number of cycles decided in each."""
    part: Part | None = None
    decided = 0
    for line in effective(read_lines(journal, since_cycle)):
        other = part is not None and line.kind == "decide" and line.release != part.release
        if part is not None and other and decided:
            yield part, decided
            part, decided = None, 0
        if part is None:
            first, cycle = line.seq, line.cycle
            part = Part(release="", first_seq=first, last_seq=first, since_cycle=cycle)
        # What stands before the first decision belongs to its release: the body is there.
        release = line.release if line.kind == "decide" else part.release
        part = msgspec.structs.replace(part, release=release, last_seq=line.seq)
        decided += line.kind == "decide"
    if part is not None and decided:
        yield part, decided


def replay_journal(
    journal: Path,
    since_cycle: int | None,
    *,
    ask: Callable[[str, bytes], Verified | Unanswered],
    progress: Callable[[str], None],
) -> ReplayedJournal:
    """Replay every recorded cycle, each with the code of the release that decided it.

    Args:
        journal: The directory.
        since_cycle: The first cycle to decide again, or None for all that are recorded.
        ask: Lets a release answer for its part, which it is told as JSON.
        progress: Told which release is at work.

    Raises:
        JournalBroken: The journal does not hold.
    """
    found = ReplayedJournal()
    before = msgspec.Raw(b"null")
    for part, decided in parts_of(journal, since_cycle):
        progress(f"{part.release}: {counted(decided, 'cycle')}")
        told = msgspec.json.encode(msgspec.structs.replace(part, before=before))
        answer = ask(part.release, told)
        if isinstance(answer, Unanswered):
            unanswered = (*found.unanswered, answer)
            found = _more(found, skipped=found.skipped + decided, unanswered=unanswered)
            before = msgspec.Raw(b"null")
        else:
            found = _more(
                found,
                checked=found.checked + answer.checked,
                skipped=found.skipped + answer.skipped,
                deviations=found.deviations + answer.deviations,
            )
            before = answer.after
    return found


def _more(found: ReplayedJournal, **changes: Any) -> ReplayedJournal:  # noqa: ANN401 - its fields
    return msgspec.structs.replace(found, **changes)

"""How a damaged or missing record comes back from the journal.

Owns the rule that decides which record a journal line describes: its header, with the
bodies found in the line itself or in the generation before it, and nothing unless the
result has exactly the digest that the line promised. What is read from where, and what
is written, is a store's matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from state.commit import Generation
from state.journal_frames import BOOKKEEPING, Line
from state.open_struct import decode_open
from state.record import Record, encode_record
from state.seal import digest_of

if TYPE_CHECKING:
    import msgspec

    from state.errors import RecordDamaged

Replay = Callable[[Record, Line], Record]
"""Replays a recorded cycle: the record before it and its line give the record after it."""


def recover(
    lines: Sequence[Line],
    previous: Generation | None,
    *,
    replay: Replay | None,
    fault: RecordDamaged,
) -> Generation:
    """Return the newest record that the journal proves.

    Args:
        lines: The newest lines, oldest first.
        previous: The generation before the damaged one, where it is intact.
        replay: Replays a recorded cycle; None where there is no application.
        fault: What is wrong with the record; raised again where nothing can be proven.

    Raises:
        RecordDamaged: The newest line that counts does not lead to the digest it promised.
    """
    line = _newest_committed(lines, previous)
    found = _recovered(line, previous, replay) if line else None
    if found is None:
        raise fault
    return found


def _newest_committed(lines: Sequence[Line], previous: Generation | None) -> Line | None:
    # The generation before tells whether the newest line's record was ever written. In doubt
    # it was: what was decided may have been acted upon, and must not be decided anew.
    *older, last = (None, *lines)
    before = older[-1] if older else None
    if last is None or before is None or previous is None:
        return last
    older = previous.digest == before.parent
    if before.kind in BOOKKEEPING:
        # Parent and result may be one record there: older is whatever is not that record.
        older = previous.digest != last.parent
    return before if older and last.parent == before.result else last


def _recovered(line: Line, previous: Generation | None, replay: Replay | None) -> Generation | None:
    record = assemble(line, previous.record if previous else None)
    if record is not None:
        return Generation(record, line.result)
    # Decided is decided: the same inputs once more, never new ones.
    if replay is None or line.kind != "decide":
        return None
    if previous is None or previous.digest != line.parent:
        return None
    record = replay(previous.record, line)
    return Generation(record, line.result) if encode_record(record)[1] == line.result else None


def assemble(line: Line, previous: Record | None) -> Record | None:
    """Return the record that a line describes, or None if its body is not at hand.

    Args:
        line: The line.
        previous: A record whose bodies may be the ones that the line speaks of.
    """
    header = decode_open(line.header, Record)
    body = _matching(line.body_digest, _bodies(line.body, previous))
    if body is None:
        return None
    record = replace(header, body=body)
    if header.fallback is not None:
        fallback = _matching(line.fallback_digest, _bodies(line.fallback, previous))
        if fallback is None:
            return None
        record = replace(record, fallback=replace(header.fallback, body=fallback))
    return record if encode_record(record)[1] == line.result else None


def _bodies(carried: msgspec.Raw, previous: Record | None) -> Iterator[msgspec.Raw]:
    yield carried
    if previous is not None:
        yield previous.body
        if previous.fallback is not None:
            yield previous.fallback.body


def _matching(digest: str, bodies: Iterator[msgspec.Raw]) -> msgspec.Raw | None:
    return next((body for body in bodies if digest_of(bytes(body)) == digest), None)

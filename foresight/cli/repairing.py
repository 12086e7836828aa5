"""Bringing a record forward that is damaged, missing, or was put back.

Owns who does it: this program where nothing has to be decided again, otherwise the release that
wrote the newest line, in its own environment. The rule is in `state.recovery`.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from deploy.verification import ask
from foresight.cli.moments import now_ns
from foresight.cli.output import detail, progress
from handoff.errors import ReleaseUnusable
from handoff.replay.journal import Unanswered
from handoff.replay.repair import Repaired, header_in, repaired_as
from state.errors import RecordBehind, RecordDamaged, RecordMissing
from state.local_store import LocalStore, read_only_snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from state.record import Record


def repair(home: Path, app: str) -> Repaired:
    """Bring the record to where the journal's newest line has it; nothing else is changed.

    Raises:
        RecordMissing: There is neither a record nor a journal.
        RecordDamaged: The journal does not say what the record was.
        RecordForeign: It is another application's.
        ReleaseUnusable: The release that has to decide again could not.
    """
    header = counted_header(home)
    store = LocalStore(
        home / "state",
        app=app,
        timeline=header.timeline,
        now_ns=now_ns,
        force_filesystem=True,  # it is there already
    )
    try:
        return repaired_as(store.read())
    except RecordBehind as behind:
        answer = ask(home, behind.release, "repair", Repaired, detail=detail)
        if isinstance(answer, Unanswered):
            message = f"{behind}: {behind.release} could not: {answer.reason}"
            raise ReleaseUnusable(message) from behind
        return answer
    finally:
        store.close()


def counted_header(home: Path) -> Record:
    """Return the record, or where that cannot be read what the newest line says of it.

    Raises:
        RecordMissing: There is neither.
        RecordDamaged: The record is damaged, and there is no line.
    """
    try:
        return read_only_snapshot(home / "state")
    except (RecordMissing, RecordDamaged) as fault:
        try:
            return header_in(home)
        except RecordMissing:
            raise fault from None


def owning_release(home: Path) -> str:
    """Return the release that owns, by the record or the newest line; empty if none ever did."""
    found: list[Record] = []
    with contextlib.suppress(RecordMissing, RecordDamaged):
        found.append(read_only_snapshot(home / "state"))
    with contextlib.suppress(RecordMissing):
        found.append(header_in(home))
    # A record that was put back is behind the journal, one whose journal lost lines before it.
    newest = max(found, key=lambda each: each.ownership.epoch, default=None)
    return newest.ownership.release if newest is not None else ""


def repair_for_start(home: Path, app: str) -> None:
    """Bring the record forward before workers are started; say so if that cannot be done.

    A release of an older engine does not know this question: its worker mends what it can.
    """
    try:
        repair(home, app)
    except RecordMissing:
        return
    except ReleaseUnusable as error:
        progress(f"the record is not brought forward yet: {error}")

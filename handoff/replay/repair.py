"""A release brings its own record forward: a process with one question and one answer.

Owns the one thing that only the release's code can do, to decide recorded cycles again, and here
as many as it takes, because an operator has asked for it. What is decided again must come out as
the journal promises; nothing is observed and nothing performed.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from handoff.cadence import Schedule
from handoff.deciding import replay_with
from handoff.replay.process import load, words_apart
from state.errors import RecordMissing
from state.journal_reader import newest_lines
from state.local_store import LocalStore
from state.open_struct import decode_open
from state.record import Record, encode_record

if TYPE_CHECKING:
    from pathlib import Path


class Repaired(msgspec.Struct, frozen=True, kw_only=True):
    """Where the record is now.

    Attributes:
        digest: Of the record.
        cycle: Its newest cycle.
        phase: How far that cycle got.
    """

    digest: str
    cycle: int
    phase: str


def header_in(home: Path) -> Record:
    """Return the newest record without its bodies, as the journal's newest line has it.

    Raises:
        RecordMissing: There is no line.
    """
    lines = newest_lines(home / "journal", 1)
    if not lines:
        raise RecordMissing(str(home / "journal"))
    return decode_open(lines[-1].header, Record)


def tell_repaired(home: Path, release: str) -> None:
    """Bring the record forward with this release's decisions; write where it is now to stdout.

    Raises:
        StateError: It cannot be brought forward.
        HandoffError: The release cannot be loaded.
    """
    with words_apart() as out:
        header = header_in(home)
        workload = load(home, release, header)
        store = LocalStore(
            home / "state",
            app=header.app,
            timeline=header.timeline,
            now_ns=time.time_ns,
            replay=replay_with(workload, Schedule(workload.cadence, header.timeline)),
            release=release,
            attended=True,
            force_filesystem=True,  # it is there already
        )
        try:
            out.write(msgspec.json.encode(repaired_as(store.read())) + b"\n")
        finally:
            store.close()


def repaired_as(record: Record) -> Repaired:
    """Return where a record is."""
    progress = record.progress
    digest = encode_record(record)[1]
    return Repaired(digest=digest, cycle=progress.cycle, phase=progress.phase.value)

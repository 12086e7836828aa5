"""The two ends of a replay, each a process: one tells recorded cycles, one decides them again.

Owns their standard streams. Both import a release and nothing of it but `decide` runs: they
observe nothing, warm nothing and perform nothing. What an application prints goes to stderr,
so that it cannot be taken for what these programs say.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from handoff.application import load_workload
from handoff.cadence import Schedule
from handoff.errors import HandoffError
from handoff.release_files import read_manifest
from handoff.replay.comparison import (
    REPLAY_FORMAT,
    Lost,
    Message,
    Origin,
    Recorded,
    compare,
    origin_of,
    recorded_cycles,
)
from state.journal_frames import CHECKPOINT_CYCLES
from state.journal_reader import read_lines
from state.local_store import read_only_snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from handoff.workload import Workload
    from state.journal_frames import Line
    from state.record import Record


class ReplayForeign(HandoffError):
    """The other end of a replay speaks of things that this end does not know."""

    hint = "the two releases bring different engines; their replay has to be left out"


def tell_recorded(home: Path, release: str, *, last: int) -> None:
    """Write the newest `last` cycles to stdout, decided again by the release that runs.

    Raises:
        StateError: Record or journal cannot be read.
        HandoffError: The release cannot be loaded.
    """
    with words_apart() as out:
        record = read_only_snapshot(home / "state")
        workload = load(home, release, record)
        _tell(out, origin_of(workload, release))
        first = record.progress.cycle - last + 1
        lines = _lines(home, record.progress.cycle, since_cycle=first) if last else ()
        schedule = Schedule(workload.cadence, record.timeline)
        for message in recorded_cycles(lines, workload, schedule, release=release, first=first):
            _tell(out, message)


def replay_told(home: Path, release: str) -> None:
    """Read cycles from stdin, decide them with this release, and write what was found to stdout.

    Raises:
        StateError: The record cannot be read.
        HandoffError: The release cannot be loaded, or what is told cannot be understood.
    """
    with words_apart() as out:
        workload = load(home, release, read_only_snapshot(home / "state"))
        found = compare(_messages(sys.stdin.buffer), workload)
        out.write(msgspec.json.encode(found) + b"\n")


def load(home: Path, release: str, record: Record) -> Workload[object, object]:
    """Import a release's application, for nothing but its `decide` and its schemas."""
    manifest = read_manifest(home, release)
    return load_workload(manifest, home=home, app=record.app, timeline=record.timeline)


def _lines(home: Path, newest: int, *, since_cycle: int) -> Iterator[Line]:
    # From the checkpoint before; what the owner has committed meanwhile was not asked for.
    for line in read_lines(home / "journal", max(0, since_cycle - CHECKPOINT_CYCLES)):
        if line.cycle <= newest:
            yield line


@contextlib.contextmanager
def words_apart() -> Iterator[BinaryIO]:
    """Yield what was stdout; whatever else is printed goes to stderr from now on."""
    sys.stdout.flush()
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)
        yield out


def _tell(out: BinaryIO, message: Message) -> None:
    out.write(msgspec.json.encode(message) + b"\n")


def _messages(source: BinaryIO) -> Iterator[Message]:
    decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Origin | Recorded | Lost)
    for line in source:
        try:
            message = decoder.decode(line)
        except msgspec.DecodeError as error:
            raise ReplayForeign(str(error)) from error
        if isinstance(message, Origin) and message.format > REPLAY_FORMAT:
            text = f"replay format {message.format} is newer than this release's engine"
            raise ReplayForeign(text)
        yield message

"""The system calls of the store, counted, and the least that could be done instead.

Owns the sizes of what one change of the record writes before each fsync, and a bare replay
of just that: the same bytes to preopened files, each followed by its fsync.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from state.atomic_file import SystemFiles
from state.local_store import LocalStore
from state.record import Progress, Record, Timeline, WorkerId, evidence_of
from state.store import Note
from state.transitions import Proof, command, seize

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

APP = "bench"


class CountedFiles(SystemFiles):
    """The real system calls, with a note of what was written before each fsync."""

    def __init__(self) -> None:
        """Start without a note."""
        self.writes: list[int] = []
        self._bytes = 0

    @override
    def write(self, descriptor: int, data: memoryview) -> int:
        written = super().write(descriptor, data)
        self._bytes += written
        return written

    @override
    def fsync(self, descriptor: int) -> None:
        super().fsync(descriptor)
        self.writes.append(self._bytes)
        self._bytes = 0


def open_store(directory: Path, files: SystemFiles) -> LocalStore:
    """Open a store of the bench."""
    return LocalStore(
        directory / "state", app=APP, timeline=Timeline(), now_ns=time.time_ns, files=files
    )


def some_worker(name: str) -> WorkerId:
    """Return a worker that does not exist."""
    return WorkerId(
        worker=name, host="", boot_id="", pid_namespace="", pid=0, start_ticks=0, release="r"
    )


def writes_of_a_seize(directory: Path) -> list[int]:
    """Return how many bytes a seize writes before each of its fsyncs."""
    files = CountedFiles()
    store = open_store(directory, files)
    record = store.create(Record(app=APP, progress=Progress(cycle=1)))
    files.writes.clear()
    store.transact(
        lambda found: seize(
            found,
            worker=some_worker("a"),
            seen=evidence_of(record),
            proof=Proof.NONE,
            attempt="1",
        ),
        Note(kind="seize"),
    )
    store.close()
    return files.writes


class Bare:
    """Writes and fsyncs, and nothing else."""

    def __init__(self, directory: Path, writes: Sequence[int]) -> None:
        """Open one file for each fsync."""
        directory.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        self._parts = [
            (os.open(directory / f"bare-{number}", flags, 0o600), bytes(size))
            for number, size in enumerate(writes)
        ]

    def write(self) -> None:
        """Write and fsync each file once."""
        for descriptor, data in self._parts:
            os.pwrite(descriptor, data or b"\0", 0)
            os.fsync(descriptor)


def measure_commits(directory: Path, *, rounds: int, body_bytes: int) -> dict[str, list[float]]:
    """Time a transact and its bare fsyncs in turn; return milliseconds of both."""
    files = CountedFiles()
    store = open_store(directory / "store", files)
    body = msgspec.Raw(msgspec.json.encode("x" * body_bytes))
    record = store.create(Record(app=APP, progress=Progress(cycle=1), body=body))
    bare: Bare | None = None
    took: dict[str, list[float]] = {"transact": [], "bare": []}
    for number in range(rounds + 1):
        files.writes.clear()
        begun_ns = time.perf_counter_ns()
        store.transact(
            lambda found, attempt=str(number): command(  # type: ignore[misc]
                found, control=record.control, attempt=attempt
            ),
            Note(kind="settle"),
        )
        transact_ms = (time.perf_counter_ns() - begun_ns) / 1e6
        if bare is None:
            bare = Bare(directory / "bare", files.writes)  # the first one is not counted
            continue
        begun_ns = time.perf_counter_ns()
        bare.write()
        took["bare"].append((time.perf_counter_ns() - begun_ns) / 1e6)
        took["transact"].append(transact_ms)
    store.close()
    return took

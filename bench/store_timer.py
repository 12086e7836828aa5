"""Commits of one engine's store, each timed: `python store_timer.py TREE HOME BODY_BYTES`.

A program on its own, so that it can run with the code of any release: it imports nothing but that
release's `state`. For each line of standard input it commits once and answers with milliseconds.
"""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])

from msgspec import Raw
from msgspec.structs import replace

from state.local_store import LocalStore
from state.record import Progress, Record, Timeline
from state.store import Note


def main(home: str, body_bytes: int) -> None:
    """Commit whenever a line comes in."""
    store = LocalStore(Path(home) / "state", app="bench", timeline=Timeline(), now_ns=time.time_ns)
    body = Raw(b'"%s"' % (b"x" * body_bytes))
    store.create(Record(app="bench", progress=Progress(cycle=1), body=body))
    for number, _ in enumerate(sys.stdin):
        change = partial(_changed, attempt=str(number))
        begun_ns = time.perf_counter_ns()
        store.transact(change, Note(kind="settle"))
        sys.stdout.write(f"{(time.perf_counter_ns() - begun_ns) / 1e6}\n")
        sys.stdout.flush()


def _changed(record: Record, *, attempt: str) -> Record:
    return replace(record, attempt=attempt)


if __name__ == "__main__":
    main(sys.argv[2], int(sys.argv[3]))

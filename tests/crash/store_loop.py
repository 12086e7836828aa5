"""A process that commits as fast as it can and says so after each commit.

`python -m tests.crash.store_loop cycles HOME NAME`: seize, then decide and settle for ever.
`python -m tests.crash.store_loop count HOME COUNT`: raise a counter in the record COUNT times.
Each line of output is the attempt of a commit that returned.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from state import transitions
from state.local_store import LocalStore
from state.record import Phase, Timeline
from tests.records import APP, deciding, effect, note, seize, settle, worker

if TYPE_CHECKING:
    from state.record import Record

BODY = b'"%s"' % (b"x" * 20_000)


def open_store(home: Path) -> LocalStore:
    return LocalStore(
        home / "state",
        app=APP,
        timeline=Timeline(),
        now_ns=time.time_ns,
        force_filesystem=True,
        lock_timeout_ns=30_000_000_000,
    )


def acknowledge(record: Record) -> None:
    sys.stdout.write(record.attempt + "\n")
    sys.stdout.flush()


def run_cycles(store: LocalStore, name: str) -> None:
    me = worker(name)
    record = store.transact(lambda record: seize(record, me), note("seize"))
    acknowledge(record)
    while True:
        if record.progress.phase is Phase.DECIDED:
            record = store.transact(settle, note("settle"))
        else:
            order = effect(f"order-{record.progress.cycle + 1}")
            record = store.transact(deciding(order, body=BODY), note("decide"))
        acknowledge(record)


def count_up(store: LocalStore, count: int) -> None:
    def raised(record: Record) -> Record:
        number = int(record.control.note or 0) + 1
        control = replace(record.control, note=str(number))
        return transitions.command(record, control=control, attempt=f"count-{number}")

    for _ in range(count):
        acknowledge(store.transact(raised, note("command")))


def main(mode: str, home: str, word: str) -> None:
    store = open_store(Path(home))
    if mode == "cycles":
        run_cycles(store, word)
    else:
        count_up(store, int(word))


if __name__ == "__main__":
    main(*sys.argv[1:])

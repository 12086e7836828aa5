"""Records that an operator puts back, and what must hold whatever was put back when.

Owns the six ways of putting a record back, and an owner's life with a venue outside of the home:
the venue, and not the code under test, counts what was done.
"""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from msgspec import Raw
from typing_extensions import override

from state.cycle_audit import effective
from state.errors import OutcomeUnknown, StateError
from state.journal_reader import read_lines
from state.open_struct import decode_open
from state.record import Phase, Record
from tests.faulty_files import FaultyFiles
from tests.homes import open_store, prove
from tests.records import A, decide, effect, empty, note, seize, settle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from state.journal_frames import Line
    from state.local_store import LocalStore

RECORD: Final = "record.json"
PREVIOUS: Final = "record.prev.json"


class Pair(NamedTuple):
    """The record and the generation before it, as bytes; None where a file is missing."""

    record: bytes | None
    previous: bytes | None


def _copied(now: Pair, _: list[Pair]) -> Iterator[Pair]:
    if now.previous is not None:
        yield Pair(now.previous, now.previous)


def _older(now: Pair, before: list[Pair]) -> Iterator[Pair]:
    yield from (Pair(each.record, now.previous) for each in before)


def _pair(_: Pair, before: list[Pair]) -> Iterator[Pair]:
    yield from before


def _alone(_: Pair, before: list[Pair]) -> Iterator[Pair]:
    yield from (Pair(each.record, None) for each in before)


def _moved(now: Pair, _: list[Pair]) -> Iterator[Pair]:
    if now.previous is not None:
        yield Pair(now.previous, None)


def _swapped(now: Pair, _: list[Pair]) -> Iterator[Pair]:
    if now.previous is not None:
        yield Pair(now.previous, now.record)


WAYS: Final = {
    "record.prev is copied over the record": _copied,
    "an older record, record.prev stays": _older,
    "an older record with its record.prev": _pair,
    "an older record alone": _alone,
    "record.prev is moved over the record": _moved,
    "record and record.prev are swapped": _swapped,
}


def pair_in(home: Path) -> Pair:
    """Return what is in the home."""
    found = []
    for name in (RECORD, PREVIOUS):
        path = home / "state" / name
        found.append(path.read_bytes() if path.exists() else None)
    return Pair(*found)


def put(home: Path, pair: Pair) -> None:
    """Put files in the place of what is there."""
    for name, data in zip((RECORD, PREVIOUS), pair, strict=True):
        path = home / "state" / name
        path.unlink(missing_ok=True)
        if data is not None:
            path.write_bytes(data)


class HookedFiles(FaultyFiles):
    """The real calls without waiting for the medium, with a say before each."""

    @override
    def fsync(self, descriptor: int) -> None:
        self._say("fsync", self._names[descriptor])


class Life:
    """An owner of release r1, its decisions from inputs that never come again, and its venue.

    Args:
        home: The home.
        files: The system calls.
    """

    _prices = itertools.count(1)

    def __init__(self, home: Path, files: FaultyFiles | None = None) -> None:
        self.home = home
        self.executed: Counter[str] = Counter()
        self.history: list[Pair] = []
        self.files = files or HookedFiles()
        self.store = self._opened()

    def _opened(self, **changes: object) -> LocalStore:
        return open_store(self.home, files=self.files, replay=decided_again, **changes)

    def restart(self) -> None:
        """Die, and come back as another process."""
        self.store.close()
        self.store = self._opened()

    def begin(self, cycle: int = 10) -> None:
        self.store.create(empty(cycle))
        self.store.transact(lambda record: seize(record, A), note("seize"))
        self._noted()

    def decide(self) -> Record:
        """Decide the next cycle and send what it planned, which nobody else knows of."""
        price = next(self._prices)
        words = note("decide", inputs=Raw(b'{"price":%d}' % price))

        def change(record: Record) -> Record:
            return decide(record, effect(f"order-{price}"), attempt=f"decide-{price}")

        try:
            record = self.store.transact(change, words)
        except OutcomeUnknown:
            record = self.store.read()
            if record.attempt != f"decide-{price}":
                raise
        self._send(record, ask=False)
        self._noted()
        return record

    def settle(self, *, ask: bool = False) -> Record:
        """Give every effect a fate; one that somebody else may have sent is asked about."""
        if ask:
            self._send(self.store.read(), ask=True)
        attempt = f"settle-{next(self._prices)}"
        try:
            record = self.store.transact(lambda it: settle(it, attempt=attempt), note("settle"))
        except OutcomeUnknown:
            record = self.store.read()
            if record.attempt != attempt:
                raise
        self._noted()
        return record

    def go_on(self, cycles: int = 2) -> None:
        """Finish what is in hand as a new owner does, and run some more."""
        record = self.store.read()
        if record.progress.phase is Phase.DECIDED:
            self.settle(ask=True)
        for _ in range(cycles):
            self.decide()
            self.settle()

    def check(self) -> None:
        """See that each cycle was decided once and each effect done once, and nothing else."""
        prove(self.home)
        lines = list(effective(read_lines(self.home / "journal")))
        decided = [line for line in lines if line.kind == "decide"]
        planned = [each for line in decided for each in _planned(line)]
        cycles = [line.cycle for line in decided]
        assert cycles == list(range(11, 11 + len(cycles))), "each one, once"
        assert self.executed == Counter(planned)

    def _send(self, record: Record, *, ask: bool) -> None:
        for each in record.outbox:
            if not ask or each.effect_id not in self.executed:
                self.executed[each.effect_id] += 1

    def _noted(self) -> None:
        self.history.append(pair_in(self.home))


def decided_again(record: Record, line: Line) -> Record:
    """Decide a recorded cycle again."""
    price = msgspec.json.decode(line.inputs, type=dict[str, int])["price"]
    return decide(record, effect(f"order-{price}"), attempt=line.attempt)


def repair(home: Path) -> None:
    """Do what `foresight state repair` does, in the environment of the release."""
    store = open_store(home, replay=decided_again, attended=True)
    store.read()
    store.close()


def survive(life: Life) -> None:
    """Go on as the launcher's next worker, repaired by an operator where that is needed."""
    life.restart()
    try:
        life.store.read()
    except StateError:
        repair(life.home)
    life.go_on()
    life.check()


def _planned(line: Line) -> list[str]:
    outbox = decode_open(line.header, Record).outbox
    return [each.effect_id for each in outbox if each.cycle == line.cycle]

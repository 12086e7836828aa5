"""One owner over a store in memory, cycle by cycle: what tests of a cycle start from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from handoff.errors import WorkloadFaulty
from handoff.limits import NS
from handoff.virtual_time import VirtualClock, run_virtual
from handoff.worker.cycle import CycleRunner
from state import transitions
from state.record import Control, Record, Rollout, evidence_of
from state.store import Note
from state.transitions import Proof
from tests.engine_world import (
    FIRST,
    START_NS,
    Application,
    Body,
    LogBook,
    memory_store,
    schedule,
    worker_id,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from state.journal_frames import Line
    from state.memory_store import MemoryStore

ME = worker_id("a")
NEXT = FIRST + 1
LOST = "an attempt whose answer is lost"


class World:
    """One owner over a store in memory; `run` runs its next cycle."""

    def __init__(self, app: Application | None = None) -> None:
        self.app = app or Application()
        self.clock = VirtualClock(START_NS + 10 * NS)
        self.store: MemoryStore = memory_store(self.clock)
        self.log = LogBook()
        record = self.store.read()
        self.store.transact(
            lambda found: transitions.seize(
                found, worker=ME, seen=evidence_of(record), proof=Proof.NONE, attempt="seize"
            ),
            Note(kind="seize"),
        )
        self._runner: CycleRunner[Body, list[str]] | None = None

    def runner(self) -> CycleRunner[Body, list[str]]:
        if self._runner is None:
            self._runner = CycleRunner(
                workload=self.app,
                store=self.store,
                clock=self.clock,
                schedule=schedule(),
                me=ME,
                record=self.store.read(),
                log=self.log.log,
            )
        return self._runner

    def restart(self) -> None:
        """Forget what the owner knew beside the record."""
        self._runner = None

    async def run(self) -> Record:
        record = self.store.read()
        return await self.runner().run(record, record.progress.cycle + 1)

    def bake(self) -> None:
        """Put the record into a bake, as a take would."""
        self.change(
            lambda record: msgspec.structs.replace(
                record,
                rollout=Rollout(deploy_id="d1", of=3),
                ownership=msgspec.structs.replace(record.ownership, previous=worker_id("o", "r0")),
            )
        )

    def command(self, **control: Any) -> None:  # noqa: ANN401 - fields of Control
        self.change(
            lambda record: transitions.command(record, control=Control(**control), attempt="cmd")
        )

    def change(self, change: Callable[[Record], Record]) -> None:
        self.store.transact(change, Note(kind="command"))

    def body(self) -> Body:
        return msgspec.json.decode(self.store.read().body, type=Body)

    def lines(self, kind: str) -> list[Line]:
        return [line for line in self.store.journal() if line.kind == kind]

    def kinds(self) -> list[str]:
        return [line.kind for line in self.store.journal()]


def in_world(test: Callable[[World], Awaitable[None]]) -> World:
    """Run a story on virtual time and return its world."""

    async def main() -> World:
        world = World()
        await test(world)
        return world

    return run_virtual(main())


def expect_faulty(world: World, cycle: Awaitable[Record], match: str) -> Awaitable[None]:
    """See that a cycle is the application's fault and leaves the record as it was."""

    async def check() -> None:
        before, lines = world.store.data, len(world.store.lines)
        with pytest.raises(WorkloadFaulty, match=match):
            await cycle
        assert world.store.data == before
        assert len(world.store.lines) == lines

    return check()

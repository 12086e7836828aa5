"""The operator of a simulated world: pauses, halts, promotes, and says in the end to go on."""

from __future__ import annotations

import secrets
from functools import partial
from typing import TYPE_CHECKING

from handoff.limits import NS
from state import transitions
from state.errors import RecordBehind, Refused
from state.record import Control
from state.store import Note

if TYPE_CHECKING:
    from collections.abc import Callable

    from state.record import Record
    from tests.sim.checkers import Checkers
    from tests.sim.clockwork import Clockwork
    from tests.sim.disk import Disk

    Asked = Callable[..., Record]


class Operator:
    """One operator.

    Args:
        clockwork: Time, and what is left to chance.
        disk: Where the record is.
        checkers: Are told what came of it.
    """

    def __init__(self, clockwork: Clockwork, disk: Disk, checkers: Checkers) -> None:
        self._clockwork = clockwork
        self._disk = disk
        self._checkers = checkers

    def operate(self) -> None:
        rng = self._clockwork.rng
        paused, halted = rng.random() < 0.3, rng.random() < 0.4
        self._command(Control(paused=paused, halted=halted, by="operator"))
        if paused and halted:
            self._promote()

    def resume(self) -> None:
        if not self._command(Control()):
            self._clockwork.after(NS, self.resume)

    def _command(self, control: Control) -> bool:
        """Change what the operator wants; return whether it was done."""
        return self._write(partial(transitions.command, control=control))

    def _promote(self) -> None:
        """End the bake under way early, as far as the operator knows of one."""
        seen = self._checkers.record
        if seen.rollout is not None:
            held, deploy = seen.ownership, seen.rollout.deploy_id
            self._write(
                partial(transitions.promote, deploy=deploy, release=held.release, epoch=held.epoch)
            )

    def _write(self, asked: Asked) -> bool:
        holder, disk = self._disk.holder, self._disk
        if holder is not None and holder.alive:
            return False  # the command line says that the record is locked; one tries again

        change = partial(asked, attempt=secrets.token_hex(8))
        disk.replay, disk.interrupt = None, lambda _: None
        try:
            self._checkers.record = disk.transact(change, Note(kind="command"))
        except (RecordBehind, Refused):  # the release that is named has to be started first
            return False  # or nothing bakes any more
        return True

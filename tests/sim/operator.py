"""The operator of a simulated world: pauses and halts, and says in the end that all may go on."""

from __future__ import annotations

import secrets
from functools import partial
from typing import TYPE_CHECKING

from handoff.limits import NS
from state import transitions
from state.errors import RecordBehind
from state.record import Control
from state.store import Note

if TYPE_CHECKING:
    from tests.sim.checkers import Checkers
    from tests.sim.clockwork import Clockwork
    from tests.sim.disk import Disk


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

    def resume(self) -> None:
        if not self._command(Control()):
            self._clockwork.after(NS, self.resume)

    def _command(self, control: Control) -> bool:
        """Change what the operator wants; return whether it was done."""
        holder, disk = self._disk.holder, self._disk
        if holder is not None and holder.alive:
            return False  # the command line says that the record is locked; one tries again

        change = partial(transitions.command, control=control, attempt=secrets.token_hex(8))
        disk.replay, disk.interrupt = None, lambda _: None
        try:
            self._checkers.record = disk.transact(change, Note(kind="command"))
        except RecordBehind:  # the release that is named has to be started first
            return False
        return True

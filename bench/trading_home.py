"""The real trader in a home of its own: command, witness, exchange, and what the record shows.

Owns what a trading series starts and stops, and what must survive an interruption of it: the
project, the witness's file, and every position that was ever seen. All of it is the
demonstration's; here it is kept in a directory instead of thrown away.
"""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec

from bench.installation import Installation as Processes
from bench.trading_project import TradingProject
from foresight.demo.demo_trader import PIPE
from foresight.evidence import exchange_books
from foresight.evidence.command import Command
from foresight.evidence.narration import Silent
from foresight.evidence.processes import end, send
from foresight.evidence.record_watch import Handover, RecordWatch
from foresight.evidence.report import reports_in
from foresight.evidence.witness import Witness
from foresight.trades import Decided, Position
from handoff.cadence import Schedule, every
from handoff.exit_codes import ExitCode
from handoff.processes import Identity, identity_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from foresight.evidence.report import Report

SPEED: Final = 60  # market seconds per second: a cycle of a minute takes one
PERIOD_S: Final = 60.0
BAKE: Final = 3
RECORD_S_MAX: Final = 60.0


class Kept(msgspec.Struct, frozen=True):
    """What was seen of the book, for a run that goes on.

    Attributes:
        held: Every position there was.
        decided: Every trade that was decided.
        altered: Positions that were not what they had been.
        closed_early: Positions that ended before their window did.
        adopted: Windows of positions that the book did not know.
        handovers: Changes of owner, and the positions on both sides of each.
    """

    held: list[Position] = []
    decided: list[Decided] = []
    altered: list[str] = []
    closed_early: list[str] = []
    adopted: list[str] = []
    handovers: list[Handover] = []


class TradingHome:
    """A home that a trading series uses.

    Args:
        directory: Where everything is; made if it is not there.
        project: What makes the project that is deployed from.
    """

    def __init__(
        self, directory: Path, project: Callable[[Path], TradingProject] = TradingProject
    ) -> None:
        """Open or make the project; nothing runs yet."""
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.home = directory / "home"
        self.project = project(directory / "project")
        self.command = Command(self.project.directory, self.home, bake=BAKE)
        self.processes = Processes(directory, app="foresight", home=self.home)
        self._books = directory / "books.json"
        self._witness = directory / "witness.json"
        self._started: Witness | None = None

    # --- running -------------------------------------------------------------------

    def start(self, faults: Mapping[str, Any]) -> None:
        """Start what does not run; an installation that an interrupted run left is stopped."""
        self.watch = RecordWatch(self.home, Silent())
        self._remember()
        if self.processes.children():
            self.command.is_up = True
            self.command.down()
        self._start_witness()
        self.up()
        sight = self.watch.wait_until(lambda _: True, RECORD_S_MAX)
        assert sight is not None, "what is up has a record"
        self.schedule = Schedule(every(PERIOD_S), sight.timeline)
        record = self.processes.record()
        if record is not None and record.control.paused:
            self.command.expect(ExitCode.DONE, "resume")
        self.control("faults", faults)

    def up(self) -> None:
        """Start the launcher, and what is missing."""
        self.command.up(speed=SPEED, replay=None, force=False)

    def stop(self) -> None:
        """Stop everything, whatever the state it is in."""
        self.command.is_up = self.command.is_up or bool(self.processes.children())
        try:
            self.command.down()
        finally:
            self.watch.close()
            self._end_witness()
            self.keep()

    def control(self, page: str, wanted: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask the exchange's control page; with something wanted, set it."""
        return exchange_books.ask(exchange_books.exchange_of(self.home), page, wanted)

    # --- looking -------------------------------------------------------------------

    def reports(self) -> list[Report]:
        """Return what the witness wrote."""
        return reports_in(self.processes.witness)

    def cycle_now(self) -> int:
        """Return the cycle that the clock says."""
        return self.schedule.cycle_at(time.time_ns())

    def is_present(self) -> bool:
        """Tell whether every cycle that was due is run, the newest perhaps not to its end."""
        record = self.processes.record()
        return record is not None and record.progress.cycle >= self.cycle_now() - 1

    def keep(self) -> None:
        """Write down what was seen of the book."""
        seen = self.watch
        kept = Kept(
            held=list(dict(seen.held).values()),
            decided=list(dict(seen.decided).values()),
            altered=list(seen.altered),
            closed_early=list(seen.closed_early),
            adopted=sorted(seen.adopted),
            handovers=list(seen.handovers),
        )
        temporary = self._books.with_suffix(".new")
        temporary.write_bytes(msgspec.json.encode(kept))
        temporary.rename(self._books)

    def _remember(self) -> None:
        """Let the watch know what was seen before."""
        if not self._books.exists():
            return
        kept = msgspec.json.decode(self._books.read_bytes(), type=Kept)
        self.watch.held |= {each.entry.effect_id: each for each in kept.held}
        self.watch.decided |= {each.entry.effect_id: each for each in kept.decided}
        self.watch.altered += kept.altered
        self.watch.closed_early += kept.closed_early
        self.watch.adopted |= set(kept.adopted)
        self.watch.handovers += kept.handovers

    # --- the witness ---------------------------------------------------------------

    def _start_witness(self) -> None:
        """Start the witness, if none listens: it outlives whoever started it."""
        listening = self._listening()
        if listening is not None and send(listening, 0):
            return
        self._started = Witness(self.directory / PIPE, self.processes.witness)
        identity = identity_of(self._started.pid)
        self._witness.write_text(json.dumps(identity), encoding="ascii")

    def _listening(self) -> Identity | None:
        """Return the witness that this run or an interrupted one has started, if there is one."""
        if not self._witness.exists():
            return None
        return Identity(*json.loads(self._witness.read_text(encoding="ascii")))

    def _end_witness(self) -> None:
        if self._started is not None:
            self._started.end()
        listening = self._listening()
        if listening is not None:  # one that an interrupted run had started
            end(listening, signal.SIGTERM)

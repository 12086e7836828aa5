"""The installation that a drill hurts: what runs there, and how it is hurt and started again.

Owns what is asked of it, and its launcher's start. What must come of a fault is `verdict`'s
matter.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from foresight.evidence import exchange_books
from foresight.evidence.command import Answer, run_foresight
from foresight.evidence.errors import CannotBegin, CourseLeft
from foresight.evidence.processes import send, workers_of
from foresight.evidence.waiting import now_ns, wait_for
from foresight.overrides import EXCHANGE_URL, LIVE
from handoff.errors import HandoffError, NotRunning
from handoff.launcher import process as launcher_process
from handoff.launcher.engine_config import read_engine_config
from handoff.launcher.supervision import Role
from handoff.processes import KILL, Identity, Watched, identity_of, proven_dead, spawn
from handoff.release_files import Manifest, read_manifest
from handoff.rollout.launcher_client import LauncherClient
from handoff.wire import Kind
from state.local_store import read_only_snapshot
from state.record import Phase

if TYPE_CHECKING:
    from foresight.evidence.exchange_books import Ledger
    from handoff.cadence import Schedule
    from state.record import Record, WorkerId

COMMAND_S_MAX: Final = 60.0
END_S_MAX: Final = 10.0  # a killed process is gone at once, unless the disk hangs
# A launcher tells itself by these that it was prepared by an earlier image of itself.
_OWN_MARKS: Final = ("FORESIGHT_LAUNCHER_",)


class Instance:
    """A running installation.

    Args:
        home: Its state directory.
        schedule: Its boundaries.
        config_path: Its configuration, for commands that a user would type.
    """

    def __init__(self, home: Path, schedule: Schedule, config_path: Path) -> None:
        """Look at it; nothing is touched.

        Raises:
            NotRunning: There is no launcher, or nobody owns.
            CannotBegin: It trades real money.
        """
        self.home = home
        self.schedule = schedule
        self.period_s = schedule.bounds.period_ns / 1e9
        self._config_path = config_path
        self._started: list[Watched] = []
        refuse_real_money(home)
        self.status()
        owner = self.record().ownership.owner
        if owner is None:
            message = f"no worker owns {home}"
            raise NotRunning(message)
        self.release = owner.release  # the one that was there; afterwards it is again

    # --- looking -------------------------------------------------------------------

    def record(self) -> Record:
        """Return the newest record."""
        return read_only_snapshot(self.home / "state")

    def owner(self) -> WorkerId:
        """Return who owns; waits for somebody to."""
        return wait_for("an owner", lambda: self.record().ownership.owner, COMMAND_S_MAX)

    def live(self) -> Manifest:
        """Return the release that owns."""
        return read_manifest(self.home, self.owner().release)

    def status(self) -> dict[str, Any]:
        """Return what the launcher says of itself.

        Raises:
            NotRunning: There is none.
        """
        with LauncherClient(self.home) as client:
            return client.ask(Kind.STATUS)

    def launcher(self) -> Identity:
        """Return the launcher's process."""
        identity = identity_of(int(self.status()["pid"]))
        if identity is None:
            message = "the launcher ended while it was looked at"
            raise CourseLeft(message)
        return identity

    def is_led(self) -> bool:
        """Tell whether a launcher answers that knows who owns."""
        try:
            return any(child["owner"] for child in self.status()["children"])
        except HandoffError:
            return False

    def children(self, *roles: Role) -> dict[str, Identity]:
        """Return the launcher's children of some roles, by name."""
        found = {
            child["name"]: identity_of(int(child["pid"]))
            for child in self.status()["children"]
            if not roles or Role(child["role"]) in roles
        }
        return {name: each for name, each in found.items() if each is not None}

    def workers(self) -> list[Identity]:
        """Return every worker of this home by its command line, whoever started it."""
        return workers_of(self.home)

    def ledger(self) -> Ledger | None:
        """Return the local exchange's own books; None where orders go elsewhere."""
        if EXCHANGE_URL not in dict(read_engine_config(self.home).environment):
            return None

        def fetched() -> Ledger | None:
            try:
                return exchange_books.ledger(exchange_books.exchange_of(self.home))
            except OSError:
                return None  # it was killed with everything else, and is being started

        return wait_for("the exchange's answer", fetched, COMMAND_S_MAX)

    # --- hurting -------------------------------------------------------------------

    def kill(self, who: Identity) -> None:
        """Kill a process and wait until it is gone."""
        send(who, KILL)
        self.wait_gone(who, END_S_MAX)

    def wait_gone(self, who: Identity, limit_s: float) -> None:
        """Wait until a process is gone."""
        wait_for(f"the end of pid {who.pid}", lambda: proven_dead(who), limit_s)
        for watched in self._started:
            watched.reap()

    def environment_of(self, who: Identity) -> dict[str, str]:
        """Return the environment that a process was started with; ours where it is not told."""
        try:
            data = Path(f"/proc/{who.pid}/environ").read_bytes()
        except OSError:
            return dict(os.environ)
        pairs = (os.fsdecode(each).partition("=") for each in data.split(b"\0") if b"=" in each)
        return {name: value for name, _, value in pairs if not name.startswith(_OWN_MARKS)}

    # --- starting ------------------------------------------------------------------

    def start_launcher(self, environment: dict[str, str]) -> Watched:
        """Start a launcher as `foresight up --detach` does, in the home as it is."""
        log = os.open(self.home / "logs" / "launcher.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            argv = launcher_process.command(self.home)
            watched = spawn(argv, environment=environment, output=log)
        finally:
            os.close(log)
        self._started.append(watched)
        return watched

    def call(self, *arguments: str) -> Answer:
        """Run a `foresight` command as a user would."""
        words = ("-c", str(self._config_path), *arguments)
        return run_foresight(*words, environment=os.environ, limit_s=COMMAND_S_MAX)

    # --- waiting -------------------------------------------------------------------

    def wait_cycles(self, number: int, limit_s: float) -> int:
        """Wait until so many more cycles are settled; return the newest one."""
        wanted = self.record().progress.cycle + number
        return self.wait_cycle(wanted, limit_s)

    def wait_cycle(self, cycle: int, limit_s: float) -> int:
        """Wait until a cycle is settled; return the newest one that is."""

        def settled() -> int | None:
            newest = self._settled()
            return newest if newest >= cycle else None

        return wait_for(f"cycle {cycle}", settled, limit_s)

    def _settled(self) -> int:
        """Return the newest cycle whose orders have a fate."""
        progress = self.record().progress
        return progress.cycle if progress.phase is Phase.SETTLED else progress.cycle - 1

    def wait_caught_up(self, limit_s: float) -> None:
        """Wait until every cycle that is due is settled, under a launcher that knows the owner."""

        def caught_up() -> bool:
            due = self.schedule.cycle_at(now_ns())
            return self._settled() >= due and self.is_led()

        wait_for("the cycle that is due", caught_up, limit_s)


def refuse_real_money(home: Path) -> None:
    """Refuse an installation that was started with real money.

    Raises:
        CannotBegin: It was.
    """
    if LIVE in dict(read_engine_config(home).environment):
        message = f"what runs under {home} trades real money"
        raise CannotBegin(message, "drill a demonstration: `make run` in another clone")

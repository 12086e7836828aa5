"""Striking one of an installation's processes at a chosen moment.

Owns the aim and the blow: who is meant, what is waited for, which signal. A process is named
by its identity before it is struck, so that no stranger ever is. What was struck is returned,
never judged; the plan is `fault_plan`'s matter.
"""

from __future__ import annotations

import json
import os
import signal
import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple

from bench.fault_plan import MISLEADING, RELEASE_FAULTS, Fault, Place, Strike
from bench.misleading import KEPT_NAME, can_rename, put_back, start_copy
from bench.struck import Struck
from foresight.evidence.processes import send
from handoff.errors import HandoffError
from handoff.processes import Identity, identity_of
from handoff.wire import Kind
from handoff.worker.hosts import process_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from threading import Event

    from bench.installation import Installation

AIM_S_MAX: Final = 12.0  # an order comes within a few cycles, or the owner dies without one
MEET_S_MAX: Final = 20.0  # until there is a candidate, or a deployer
_POLL_S: Final = 0.02
_AIM_POLL_S: Final = 0.0005


class Aim(NamedTuple):
    """What tells that an owner is in a place, and for how long after that it may be."""

    kind: str
    from_s: float
    until_s: float


EXAMPLE_AIMS: Final[Mapping[Place, Aim]] = MappingProxyType(
    {
        Place.OBSERVE: Aim("observe", 0.0, 0.02),
        Place.DECIDE: Aim("decide", 0.0, 0.02),
        Place.COMMIT: Aim("decided", 0.0, 0.004),
        Place.PERFORM: Aim("perform", 0.0, 0.02),
        Place.SETTLE: Aim("performed", 0.0, 0.004),
        Place.IDLE: Aim("performed", 0.05, 0.3),
    }
)
TRADING_AIMS: Final[Mapping[Place, Aim]] = MappingProxyType(
    {
        Place.OBSERVE: Aim("observe", 0.0, 0.05),
        Place.PERFORM: Aim("perform", 0.0, 0.05),
        Place.IDLE: Aim("observe", 0.5, 0.9),
    }
)


class Striker:
    """Strikes one installation.

    Args:
        installation: Whose processes.
        aims: What tells that its owner is in a place.
        revive: Starts the launcher again; with a standby or without, under the name of a host.
        deployer: Returns who drives the deploy, or None as long as nobody does.
    """

    def __init__(
        self,
        installation: Installation,
        *,
        aims: Mapping[Place, Aim],
        revive: Callable[[bool, str], None],
        deployer: Callable[[], Identity | None],
    ) -> None:
        """Keep the parts."""
        self._installation = installation
        self._aims = aims
        self._revive = revive
        self._deployer = deployer

    def strike(self, strike: Strike, ended: Event) -> list[Struck]:
        """Let a fault strike; return the blows that met somebody.

        Args:
            strike: The fault.
            ended: Set when the deploy has ended: who is not there by then does not come.
        """
        if strike.fault in RELEASE_FAULTS or strike.fault in (Fault.NONE, Fault.CLOCK_JUMP):
            return []
        time.sleep(strike.after_s)
        return self._struck(strike, ended)

    def _struck(self, strike: Strike, ended: Event) -> list[Struck]:  # noqa: PLR0911 - one for each fault
        if strike.fault in MISLEADING:
            return self._misled(strike, ended)
        match strike.fault:
            case Fault.OWNER_KILL:
                return self._blows(("owner", self._aimed(strike, ended), signal.SIGKILL))
            case Fault.OWNER_STOP:
                return self._pause("owner", self._owner(), strike.pause_s)
            case Fault.CANDIDATE_KILL:
                return self._blows(("candidate", self._candidate(ended), signal.SIGKILL))
            case Fault.CANDIDATE_STOP:
                return self._pause("candidate", self._candidate(ended), strike.pause_s)
            case Fault.BOTH_KILL:
                candidate, owner = self._candidate(ended), self._owner()
                return self._blows(
                    ("owner", owner, signal.SIGKILL), ("candidate", candidate, signal.SIGKILL)
                )
            case Fault.LAUNCHER_KILL:
                return self._restart_launcher(strike)
            case Fault.LAUNCHER_REPLACE:
                return self._blows(("launcher", self._launcher(), signal.SIGUSR2))
            case _:
                deployer = self._met(self._deployer, ended)
                return self._blows(("deployer", deployer, signal.SIGKILL))

    def _misled(self, strike: Strike, ended: Event) -> list[Struck]:
        match strike.fault:
            case Fault.RENAMED:
                return self._rename(strike)
            case Fault.COPIED:
                return start_copy(self._installation)
            case Fault.PUT_BACK:
                return put_back(self._installation.home)
            case _:
                # The release that forks is met once it owns, in the commit that its helper shares.
                if self._new_owner(strike, ended) is None:
                    return []
                owner = self._aimed(strike._replace(place=Place.COMMIT), ended)
                return self._blows(("owner", owner, signal.SIGKILL))

    def _rename(self, strike: Strike) -> list[Struck]:
        """End everything at once, and start it on a host of another name, where that is allowed."""
        owner = self._owner()
        wanted = [("launcher", self._launcher(), signal.SIGKILL), ("owner", owner, signal.SIGKILL)]
        others = [identity_of(pid) for pid in self._installation.workers()]
        wanted += [("worker", each, signal.SIGKILL) for each in others if each != owner]
        blows = self._blows(*wanted)
        able = can_rename()
        self._revive(strike.standby, f"host-{strike.number}" if able else "")
        return blows if able else [*blows, Struck("launcher", KEPT_NAME, 0, 0, time.time_ns())]

    def _restart_launcher(self, strike: Strike) -> list[Struck]:
        blows = self._blows(("launcher", self._launcher(), signal.SIGKILL))
        time.sleep(min(strike.pause_s, 2.0))
        self._revive(strike.standby, "")
        return blows

    # --- who -----------------------------------------------------------------------

    def _owner(self) -> Identity | None:
        owner = self._installation.owner()
        return process_of(owner) if owner is not None else None

    def _launcher(self) -> Identity | None:
        try:
            return identity_of(int(self._installation.ask(Kind.STATUS)["pid"]))
        except HandoffError:
            return None

    def _candidate(self, ended: Event) -> Identity | None:
        """Wait for a candidate; one that has taken meanwhile stays the one that is meant."""
        return self._met(lambda: self._child("candidate"), ended)

    def _child(self, role: str) -> Identity | None:
        for child in self._installation.children():
            if child["role"] == role and child["stopping_s"] is None:
                return identity_of(int(child["pid"]))
        return None

    @staticmethod
    def _met(look: Callable[[], Identity | None], ended: Event) -> Identity | None:
        deadline_s = time.monotonic() + MEET_S_MAX
        while time.monotonic() < deadline_s:
            found = look()
            if found is not None or ended.is_set():
                return found
            time.sleep(_POLL_S)
        return None

    # --- when ----------------------------------------------------------------------

    def _aimed(self, strike: Strike, ended: Event) -> Identity | None:
        """Return the owner as soon as it is where it is to be met, or when it never is."""
        if strike.place is Place.TAKE:
            return self._new_owner(strike, ended)
        aim = self._aims.get(strike.place) if strike.place is not None else None
        if aim is None:
            return self._owner()
        with self._installation.witness.open("rb") as file:
            found = self._wait_told(file, aim.kind)
        time.sleep(aim.from_s + strike.share * (aim.until_s - aim.from_s))
        return found

    def _wait_told(self, file: BinaryIO, kind: str) -> Identity | None:
        """Return the owner as soon as it tells the witness that it does this."""
        file.seek(0, os.SEEK_END)
        deadline_s, rest = time.monotonic() + AIM_S_MAX, b""
        owner = self._owner()  # known before: some places are left within a millisecond or two
        while time.monotonic() < deadline_s:
            *lines, rest = (rest + file.read()).split(b"\n")
            said: list[dict[str, Any]] = [json.loads(line) for line in lines]
            if owner is not None and any(
                each["kind"] == kind and each["pid"] == owner.pid for each in said
            ):
                return owner
            if said:
                owner = self._owner()
            time.sleep(_AIM_POLL_S)
        return self._owner()

    def _new_owner(self, strike: Strike, ended: Event) -> Identity | None:
        before, stamp = self._owner(), 0
        record = self._installation.home / "state" / "record.json"
        while not ended.is_set():
            newest = record.stat().st_mtime_ns
            if newest != stamp:
                stamp, owner = newest, self._owner()
                if owner not in (None, before):
                    time.sleep(strike.share * 0.02)
                    return owner
            time.sleep(_AIM_POLL_S)
        return None

    # --- the blow ------------------------------------------------------------------

    def _pause(self, whom: str, identity: Identity | None, pause_s: float) -> list[Struck]:
        blows = self._blows((whom, identity, signal.SIGSTOP))
        time.sleep(pause_s)
        # A standby may have ended it by now: then there is nobody to continue.
        return blows + self._blows((whom, identity, signal.SIGCONT))

    @staticmethod
    def _blows(*wanted: tuple[str, Identity | None, signal.Signals]) -> list[Struck]:
        struck = []
        for whom, identity, number in wanted:
            if identity is not None and send(identity, number):
                at_ns = time.time_ns()
                blow = Struck(whom, number.name, identity.pid, identity.start_ticks, at_ns)
                struck.append(blow)
        return struck

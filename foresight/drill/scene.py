"""What a fault is made with: the installation, the drill's deploys, and what must be mended.

Owns what a fault leaves behind when it goes otherwise than it must: processes that are stopped,
a launcher that is gone. Whatever happens, a drill leaves an installation that runs.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from foresight.drill.faults import patience_s
from foresight.evidence.errors import CourseLeft
from foresight.evidence.processes import send
from foresight.evidence.waiting import wait_for

if TYPE_CHECKING:
    from foresight.drill.deploys import Deploys
    from foresight.drill.instance import Instance
    from handoff.processes import Identity
    from state.record import WorkerId

LAUNCHER_S_MAX = 60.0


class Scene:
    """One installation, ready to be hurt.

    Args:
        instance: The installation.
        deploys: Asks for deploys; None where no fault needs one.
    """

    def __init__(self, instance: Instance, deploys: Deploys | None) -> None:
        """Remember how its launcher was started."""
        self.instance = instance
        self._deploys = deploys
        self.limit_s = patience_s(instance.period_s)
        self.environment = instance.environment_of(instance.launcher())
        self._stopped: list[Identity] = []

    @property
    def deploys(self) -> Deploys:
        """What asks for deploys."""
        assert self._deploys is not None, "made where a fault needs it"
        return self._deploys

    def stop(self, who: Identity) -> None:
        """Stop a process; it is continued at the latest when the fault is over."""
        self._stopped.append(who)
        send(who, signal.SIGSTOP)

    def go_on(self, who: Identity) -> bool:
        """Continue a process; return False if it is gone."""
        return send(who, signal.SIGCONT)

    def lead(self) -> None:
        """Start a launcher if there is none, and wait until it knows who owns."""
        instance = self.instance
        if not instance.is_led():
            instance.start_launcher(self.environment)
        wait_for("a launcher that knows the owner", instance.is_led, LAUNCHER_S_MAX)

    def mend(self) -> None:
        """Leave nothing stopped and nobody without a launcher."""
        while self._stopped:
            self.go_on(self._stopped.pop())
        self.lead()

    def wait_other_owner(self, old: WorkerId) -> WorkerId:
        """Wait until somebody else owns; return who."""

        def other() -> WorkerId | None:
            owner = self.instance.record().ownership.owner
            return owner if owner is not None and owner.worker != old.worker else None

        return wait_for("another owner", other, self.limit_s)


def require(what: str, *, holds: bool) -> None:
    """Require something that must be seen.

    Raises:
        CourseLeft: It was not.
    """
    if not holds:
        raise CourseLeft(what)

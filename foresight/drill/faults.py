"""The faults that a drill knows: what is done to whom, what must be seen, what it costs.

Owns the table and the arithmetic of its duration. How a fault is made is in `candidates`,
`owners`, `launchers` and `copies`; whether it was survived is `verdict`'s judgement.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

PERIODS_AFTER: Final = 2  # cycles that are watched after everything is well again
BAKE: Final = 2  # clean cycles that make a release of the drill permanent


class Needs(enum.Enum):
    """What a fault is made with."""

    PROCESSES = "processes"  # those that run
    DEPLOY = "deploy"  # releases of the drill's own
    COPY = "copy"  # a copy of the state; what runs is not touched


DEPLOY: Final = Needs.DEPLOY
COPY: Final = Needs.COPY


class Fault(NamedTuple):
    """One row of the table.

    Attributes:
        name: What `--only` calls it.
        fault: What is done, and to whom.
        step: In which step of a cycle or of a deploy.
        changes: How often the owner must change.
        needs: What it is made with.
        punctual: Whether every cycle must begin in time all the same.
        periods: How many periods it takes, about.
        seconds: How long it takes besides, about.
    """

    name: str
    fault: str
    step: str
    changes: int = 0
    needs: Needs = Needs.PROCESSES
    punctual: bool = True
    periods: int = 4
    seconds: float = 0.5


FAULTS: Final = (
    Fault("candidate-killed", "candidate killed", "gating", needs=DEPLOY, seconds=3),
    Fault(
        *("candidate-stopped", "candidate stopped, aborted, continued", "gating"),
        needs=DEPLOY,
        periods=7,
        seconds=3,
    ),
    Fault(
        *("candidate-import", "candidate cannot be imported", "its code is loaded"),
        needs=DEPLOY,
        seconds=3,
    ),
    Fault(
        *("deployer-killed", "deployer killed", "gating"),
        changes=1,
        needs=DEPLOY,
        periods=6,
        seconds=3,
    ),
    Fault(
        *("deploy-superseded", "deploy asked for during a deploy", "gating"),
        changes=1,
        needs=DEPLOY,
        periods=7,
        seconds=4,
    ),
    Fault(
        *("new-owner-killed", "new owner killed", "first cycle of its bake"),
        changes=2,
        punctual=False,
        needs=DEPLOY,
        periods=5,
        seconds=3,
    ),
    Fault("owner-killed-before", "owner killed", "before a boundary", 1, punctual=False),
    Fault("owner-killed-begun", "owner killed", "begun, not decided", 1, punctual=False),
    Fault(
        *("owner-killed-decided", "owner killed", "decided, not settled"),
        changes=1,
        punctual=False,
        periods=6,
    ),
    Fault(
        *("owner-stopped", "owner stopped, continued later", "over a boundary"),
        changes=1,
        punctual=False,
        seconds=5,
    ),
    Fault("launcher-killed", "launcher killed, started again", "steady", periods=6),
    Fault("launcher-replaced", "launcher replaces itself", "steady"),
    Fault("launcher-second", "second launcher started", "steady"),
    Fault("home-copied", "home copied, a launcher started in the copy", "steady", seconds=2),
    Fault("abort-nothing", "abort with no deploy", "steady"),
    Fault(
        *("all-killed", "everything killed, started again", "steady"),
        changes=1,
        punctual=False,
        seconds=3,
    ),
    Fault("record-damaged", "record damaged", "on a copy", needs=COPY, periods=0),
    Fault(
        *("record-put-back", "generation before the record put in its place", "on a copy"),
        needs=COPY,
        periods=0,
    ),
    Fault("record-cut", "record cut in half", "on a copy", needs=COPY, periods=0),
    Fault("journal-cut", "newest line of the journal lost", "on a copy", needs=COPY, periods=0),
    Fault("journal-changed", "line of the journal changed", "on a copy", needs=COPY, periods=0),
)


class Elsewhere(NamedTuple):
    """A fault that cannot be made from outside a running installation, and what proves it."""

    fault: str
    proof: str


ELSEWHERE: Final = (
    Elsewhere("power cut, EIO, kill at any system call of a commit", "`make crash`"),
    Elsewhere("disk full or read-only", "`make crash`, `tests/core/test_worker_full_disk.py`"),
    Elsewhere("clock stepped, host suspended", "`make sim`, `tests/core/test_worker_clock.py`"),
    Elsewhere("host, boot or container under another name", "`tests/process/test_whose_home.py`"),
    Elsewhere("a cycle that no owner survives", "`tests/process/test_handoff_poison.py`"),
    Elsewhere("a blind or a slow release", "`make releases-bad`"),
    Elsewhere("memory for two workers is missing", "`tests/core/test_deploy_gates.py`"),
    Elsewhere("a release that fails in its first cycle", "`make demo`"),
    Elsewhere("newer format, another app or timeline", "`tests/process/test_cli_refusals.py`"),
)


def chosen(names: Collection[str]) -> list[Fault]:
    """Return the faults of these names in the table's order; all of them if none is named."""
    return [fault for fault in FAULTS if not names or fault.name in names]


def estimate_s(faults: Sequence[Fault], period_s: float) -> float:
    """Return about how long they take, one after another, in seconds."""
    return sum(fault.seconds + fault.periods * period_s for fault in faults)


def patience_s(period_s: float) -> float:
    """Return the longest wait for one thing to happen: eight periods, and two minutes of work."""
    return 8 * period_s + 120.0

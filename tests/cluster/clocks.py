"""How far the wall clocks of the two hosts are off in a series, and whether anybody says so."""

from __future__ import annotations

import json
import random
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

from foresight.evidence.errors import NeverCame
from handoff.limits import SHARED_SKEW_WARNED_MS
from tests.process import shifted_clock
from tests.process.other_hosts import PATH

if TYPE_CHECKING:
    from tests.cluster.hosts import Home
    from tests.cluster.stage import Stage

CHOICES_MS: Final = ((0, 0), (250, -250), (-250, 250), (500, 0), (0, 500), (-500, 0), (0, -500))
"""None is further apart than two hosts may be."""
SAID_S_MAX: Final = 60.0
DOCTOR: Final = """
import os
from foresight.cluster_check import examine_cluster
from handoff.shared_record import cluster_in
for each in examine_cluster(cluster_in(os.environ)):
    print(each)
"""


class Clocks(NamedTuple):
    """What was seen of them.

    Attributes:
        ahead_ms: How far ahead each host's is.
        wrong: Who says too little, or too much.
    """

    ahead_ms: tuple[int, int] = (0, 0)
    wrong: tuple[str, ...] = ()


def drawn(seed: int) -> tuple[int, int]:
    """Return how far ahead each host's clock is, milliseconds; nothing without libfaketime."""
    if shifted_clock.library() is None:
        return 0, 0
    return random.Random(f"clocks {seed}").choice(CHOICES_MS)  # noqa: S311 - can be drawn again


def looked_at(stage: Stage) -> Clocks:
    """Ask `status` and `doctor` on each host; they warn if the clocks are too far apart."""
    north, south = (home.clock_ms for home in stage.homes)
    is_far = abs(north - south) > SHARED_SKEW_WARNED_MS
    wrong = []
    for home, other in (stage.homes, stage.homes[::-1]):
        try:
            home.wait(lambda home=home: _status_warns(home) is is_far, "it", limit_s=SAID_S_MAX)  # type: ignore[misc]
        except NeverCame:
            wrong.append(f"status on {home.name}")
        if _doctor_warns(home, other) is not is_far:
            wrong.append(f"doctor on {home.name}")
    return Clocks((north, south), tuple(wrong))


def _status_warns(home: Home) -> bool:
    hosts = json.loads(home.call("status", "--json").stdout)["hosts"]
    return hosts is not None and bool(hosts["warnings"])


def _doctor_warns(home: Home, other: Home) -> bool:
    variables = {"PATH": PATH, **home.variables}
    done = home.host.run(sys.executable, "-c", DOCTOR, variables=variables)
    assert done.returncode == 0, done.stderr
    return f"The clock of {other.name} is" in done.stdout

"""The course of a series: a round is a fault, perhaps in the middle of a deploy, then calm.

What it all adds up to is `evidence`'s matter.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from handoff.errors import HandoffError
from handoff.launcher.supervision import Role
from handoff.rollout.driver import Watcher
from handoff.rollout.table import Deploy, Phase
from tests.cluster import clocks, evidence
from tests.cluster.faults import OUTAGES, Fault, plan
from tests.cluster.stage import CALM_S_MAX, PERIOD_S, Stage
from tests.cluster.striking import Blow, Striker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from handoff.rollout.events import Event
    from tests.cluster.faults import Strike

DEPLOY_S_MAX: Final = 400.0
BAKE: Final = 3  # clean cycles, where the majority is lost in a bake
BROKEN: Final = "broken"  # whoever drove the deploy could not see it to its end


class Course(NamedTuple):
    """What a series is to do.

    Attributes:
        seconds: No round is begun after so many.
        seed: Decides which.
        outage_s: How long there is no majority.
        only: These faults alone, once each in this order; all if none.
        clocks_ms: How far ahead the clock of each host is; the seed decides if None.
    """

    seconds: float
    seed: int
    outage_s: float
    only: tuple[Fault, ...] = ()
    clocks_ms: tuple[int, int] | None = None


class Deployed(NamedTuple):
    """How a deploy ended.

    Attributes:
        fault: What struck in it.
        outcome: Its last phase, or `broken`.
        reason: Why it is not permanent.
    """

    fault: str
    outcome: str
    reason: str


class Untouched(NamedTuple):
    """Who there was before an outage and after it.

    Attributes:
        before: Epoch and owner, and the workers of both hosts.
        after: Epoch and owner once all is well again, and the workers at its end.
    """

    before: tuple[object, ...]
    after: tuple[object, ...]


def run(place: Path, course: Course, say: Callable[[str], None]) -> dict[str, Any]:
    """Run a series in a new directory; return the report."""
    begun_s = time.monotonic()
    clocks_ms = clocks.drawn(course.seed) if course.clocks_ms is None else course.clocks_ms
    # The stage ends first: whoever still drives a deploy is hung up on, and its thread ends.
    with ThreadPoolExecutor(2) as threads, Stage(place, clocks_ms) as stage:
        stage.up()
        say(f"{time.monotonic() - begun_s:5.0f} s  three members, two hosts, seed {course.seed}")
        seen = clocks.looked_at(stage)
        say(f"{time.monotonic() - begun_s:5.0f} s  clocks {seen.ahead_ms} ms ahead")
        series = Series(stage, threads)
        first = stage.cycle_now() + 1  # who comes to own runs the next one
        plans = plan(
            seed=course.seed, outage_s=course.outage_s, period_s=PERIOD_S, only=course.only
        )
        begun_s = time.monotonic()
        for strike in plans:
            over = time.monotonic() - begun_s > course.seconds
            if over or (course.only and strike.number > len(course.only)):
                break
            words = series.round(strike)
            say(f"{time.monotonic() - begun_s:5.0f} s  {strike.number:3d} {words}")
        seconds = time.monotonic() - begun_s
        stage.wait_ends()
        last = stage.cycle_now() - 1
        series.close()
        found = evidence.gather(stage, first=first, last=last)
    report = evidence.judge(found, series.blows, series.deploys, series.outages, seen)
    return {"seed": course.seed, "seconds": round(seconds, 1), **report}


class Series:
    """A series under way."""

    def __init__(self, stage: Stage, threads: ThreadPoolExecutor) -> None:
        """Begin with a stage that is calm."""
        self._stage = stage
        self._threads = threads
        self._striker = Striker(stage)
        self.blows: list[Blow] = []
        self.deploys: list[Deployed] = []
        self.outages: list[Untouched] = []

    def close(self) -> None:
        """Give back what is held beside the stage."""
        self._striker.close()

    def round(self, strike: Strike) -> str:
        """Strike, perhaps in a deploy, and wait for calm; return words for it."""
        begun_s, deploying = time.monotonic(), None
        baking = threading.Event()
        if strike.deploys:
            deploying = self._begin_deploy(strike, baking)
        if strike.fault is Fault.NO_MAJORITY_IN_BAKE:
            assert baking.wait(CALM_S_MAX), "the deploy takes"
        else:
            time.sleep(strike.after_s)
        blow = self._strike(strike)
        self.blows.append(blow)
        outcome = ""
        if deploying is not None:
            deployed = deploying.result(DEPLOY_S_MAX)
            self.deploys.append(deployed)
            outcome = f", deploy {deployed.outcome} {deployed.reason}".rstrip()
        self._stage.wait_calm()
        took = "" if blow.commit_s is None else f", a commit after {blow.commit_s:.2f} s"
        missed = "" if blow.met or strike.fault is Fault.NONE else " (met nobody)"
        return f"{strike.fault}{missed}{took}{outcome}, calm {time.monotonic() - begun_s:.0f} s"

    def _strike(self, strike: Strike) -> Blow:
        if strike.fault not in OUTAGES:
            return self._striker.strike(strike)
        owner, before, end = self._owner(), self._there(), list[tuple[object, ...]]()
        blow = self._striker.strike(strike, look=lambda: end.append(self._there()))
        self._stage.homes[0].wait(self._is_back, "the end of the outage")
        self.outages.append(Untouched((owner, *before), (self._owner(), *end[0])))
        return blow

    def _is_back(self) -> bool:
        stage = self._stage
        newest = stage.newest()
        assert newest is not None, "there is a record"
        return newest.record.progress.cycle >= stage.cycle_now() - 1 and not any(
            home.away_since_ms() for home in stage.homes
        )

    def _owner(self) -> object:
        """Return the epoch and who owns."""
        newest = self._stage.newest()
        assert newest is not None, "there is a record"
        held = newest.record.ownership
        return held.epoch, held.owner.worker if held.owner else ""

    def _there(self) -> tuple[object, ...]:
        """Return the workers of both hosts that own or follow, each with its number there."""
        workers = [
            (home.name, each["name"], each["pid"])
            for home in self._stage.homes
            for each in home.children()
            if each["stopping_s"] is None and each["role"] == Role.STANDBY
        ]
        return tuple(sorted(workers))

    def _begin_deploy(self, strike: Strike, baking: threading.Event) -> Future[Deployed]:
        """Begin a deploy on one of the hosts."""
        stage = self._stage
        release = stage.prepare()
        home = stage.owners()[int(strike.there)]
        bake = BAKE if strike.fault is Fault.NO_MAJORITY_IN_BAKE else 1

        def moved(deploy: Deploy, _event: Event, _before: Phase) -> None:
            if deploy.phase is Phase.BAKING:
                baking.set()

        def drive() -> Deployed:
            try:
                done = stage.deploy(home, release, bake=bake, watcher=Watcher(moved=moved))
            except HandoffError as error:
                return Deployed(strike.fault.value, BROKEN, str(error))
            return Deployed(strike.fault.value, done.phase.value, done.reason)

        return self._threads.submit(drive)


def outcomes_of(deploys: Sequence[Deployed]) -> dict[str, int]:
    """Return how often each outcome came."""
    return {
        outcome: sum(each.outcome == outcome for each in deploys)
        for outcome in sorted({each.outcome for each in deploys})
    }

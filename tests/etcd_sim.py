"""Search simulated hosts over a modelled etcd for a broken guarantee: `make sim-etcd`.

`python -m tests.etcd_sim --seeds N [--first S]` runs seeds one after another, `--seed S` one and
says what befell it. Everything but the etcd, the venue and time is the real code. A seed draws
what befalls processes, hosts, leases and lines; afterwards all is well again and the cycles go on,
unless an older copy of the etcd was put back: then nobody who saw more may decide anything.
"""

from __future__ import annotations

import argparse
import sys
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from handoff.limits import NS
from state.record import Outcome, Phase
from tests.engine_world import FIRST, PERIOD_S
from tests.etcd_world import EtcdWorld, Plans, Seat
from tests.worker_world import told_in

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from handoff.workload import Cycle
    from state.journal_frames import Line
    from tests.worker_world import Process

EVENTS: Final = 8
TRIES: Final = 4  # of one transaction: no time passes between them here
SEEDS_DEFAULT: Final = 200
BEYOND_LEASE_S: Final = 12.0
OBSERVES_S_MAX: Final = 4.8  # its budget is 5 s
WELL_CYCLES: Final = 3
PUT_BACK: Final = 0.15  # of the seeds
FAULT_RATES: Final = (0.0, 0.02, 0.2, 0.5)


class Came(NamedTuple):
    """What a seed came to.

    Attributes:
        seed: The seed.
        violation: What was broken; empty if nothing.
        cycles: Decided.
        owners: Changes of owner.
        faults: Requests and answers that went wrong.
        lost: Whether an older copy was put back.
    """

    seed: int
    violation: str
    cycles: int = 0
    owners: int = 0
    faults: int = 0
    lost: bool = False


class Story:
    """What befalls the hosts of one seed."""

    def __init__(self, world: EtcdWorld, say: Callable[[str], object]) -> None:
        self._world = world
        self._draw = world.random
        self._say = say
        self._started = 0
        self.lost = False

    async def tell(self) -> None:
        """Live, be struck, be well."""
        world = self._world
        world.begin()
        owner = self._start()
        await world.until(lambda: world.owner() == owner.me.worker)
        for _ in range(2):
            self._start()
        await world.settled(FIRST + 2)
        befalls = (
            self._stop,
            self._cut,
            self._mute,
            self._kill,
            self._lengthen,
            self._end_lease,
            self._outage,
            self._trouble,
            self._slow_venue,
        )
        for _ in range(EVENTS):
            await world.clock.pause(self._draw.uniform(0.0, 1.5 * PERIOD_S))
            await self._draw.choice(befalls)()
        if self._draw.random() < PUT_BACK:
            await self._put_back()
        else:
            await self._be_well()

    def _note(self, what: str) -> None:
        self._say(f"{self._world.clock.monotonic_ns() / NS:8.2f} s  {what}")

    def _start(self) -> Process:
        self._started += 1
        process = self._world.start(f"w{self._started}")
        process.app.plans = Plans()
        process.app.observed = self._observe
        process.app.venue = Seat(self._world, process)  # type: ignore[assignment] # all that is asked of one
        return process

    async def _observe(self, cycle: Cycle) -> list[str]:
        """Take as long as the world takes; a lease may end meanwhile."""
        await self._world.clock.pause(self._draw.choice((0.0, 0.0, 1.0, OBSERVES_S_MAX)))
        return [f"seen in {cycle.number}"]

    def _living(self) -> list[Process]:
        return [each for each in self._world.processes if not each.gone]

    def _one(self) -> Process:
        """Return somebody, mostly the owner."""
        owning = [each for each in self._living() if each.me.worker == self._world.owner()]
        return self._draw.choice(owning * 3 + self._living())

    async def _stop(self) -> None:
        process = self._one()
        seconds = self._draw.uniform(0.1, BEYOND_LEASE_S)
        self._note(f"{process.me.worker} stands still for {seconds:.1f} s")
        process.stop()
        await self._world.clock.pause(seconds)
        process.wake()

    async def _cut(self) -> None:
        name = self._one().me.worker
        seconds = self._draw.uniform(0.1, BEYOND_LEASE_S)
        self._note(f"{name} is cut off for {seconds:.1f} s")
        self._world.cut.add(name)
        await self._world.clock.pause(seconds)
        self._world.cut.discard(name)

    async def _mute(self) -> None:
        name = self._one().me.worker
        seconds = self._draw.uniform(0.1, BEYOND_LEASE_S)
        self._note(f"renewals of {name} are lost for {seconds:.1f} s")
        self._world.mute.add(name)
        await self._world.clock.pause(seconds)
        self._world.mute.discard(name)

    async def _kill(self) -> None:
        process = self._one()
        self._note(f"{process.me.worker} is killed")
        process.die()
        await self._world.clock.pause(self._draw.uniform(0.0, BEYOND_LEASE_S))
        self._start()

    async def _lengthen(self) -> None:
        self._note("another leader")
        self._world.leases.lengthen()

    async def _end_lease(self) -> None:
        ends = self._world.leases.ends_ns
        if ends:
            lease = self._draw.choice(sorted(ends))
            self._note(f"lease {lease} ends early")
            self._world.leases.end_early(lease)

    async def _outage(self) -> None:
        seconds = self._draw.uniform(0.1, 3 * PERIOD_S)
        self._note(f"nobody reaches it for {seconds:.1f} s")
        self._world.is_away = True
        await self._world.clock.pause(seconds)
        self._world.is_away = False

    async def _trouble(self) -> None:
        self._world.fault_rate = self._draw.choice(FAULT_RATES)
        self._note(f"of 100 requests {100 * self._world.fault_rate:.0f} go wrong")

    async def _slow_venue(self) -> None:
        self._world.late_venue.longest_s = self._draw.choice((0.2, 1.0, 8.0))
        self._note(f"the venue takes up to {self._world.late_venue.longest_s} s")

    async def _be_well(self) -> None:
        world = self._world
        self._heal()
        due = FIRST + int(world.clock.monotonic_ns() // (PERIOD_S * NS))
        await world.settled(due + WELL_CYCLES)

    def _heal(self) -> None:
        world = self._world
        world.fault_rate, world.is_away = 0.0, False
        world.cut.clear()
        world.late_venue.longest_s = 0.2
        if not self._living():
            self._start()

    async def _put_back(self) -> None:
        """Put a copy back from which something is missing that everybody has seen."""
        world = self._world
        self._heal()
        copy, before = world.etcd.snapshot(), world.store.read()
        await world.settled(before.progress.cycle + 2)
        journal, sent = world.store.journal(), len(world.venue.sent)
        world.put_back(copy)
        self._note("an older copy is put back")
        await world.clock.pause(3 * PERIOD_S)
        assert world.store.read() == before, "somebody wrote into an older copy"
        assert len(world.venue.sent) == sent, "somebody sent from an older copy"
        self.lost = True
        self.journal = journal


def run(seed: int, say: Callable[[str], object] = lambda _: None) -> Came:
    """Run a seed; raise what was broken."""
    stories: list[Story] = []

    async def tell(world: EtcdWorld) -> None:
        stories.append(Story(world, say))
        await stories[0].tell()

    with pytest.MonkeyPatch.context() as patch:
        # Count tries instead of seconds: no virtual time passes in a call.
        patch.setattr("state.etcd.session._PAUSE_S", 0.0)
        patch.setattr("state.etcd.session.TRIES_MAX", TRIES)
        world = told_in(lambda: EtcdWorld(seed), tell)
    story = stories[0]
    lines = story.journal if story.lost else world.store.journal()
    for before, after in pairwise(lines):
        assert after.parent == before.result, "a commit was made from another record"
    assert not world.without_lease, f"sent without a lease: {world.without_lease}"
    _judge_orders(world, lines)
    return Came(
        seed=seed,
        violation="",
        cycles=sum(each.kind == "decide" for each in lines),
        owners=sum(each.kind == "seize" for each in lines),
        faults=world.count,
        lost=story.lost,
    )


def _judge_orders(world: EtcdWorld, lines: Sequence[Line]) -> None:
    """What the body says of each order is what the venue did."""
    inherited = {
        each.cycle for each in lines if each.kind == "seize" and each.phase is Phase.DECIDED
    }
    said = dict(each.split() for each in world.body()["outcomes"])
    for name, outcome in said.items():
        if outcome == Outcome.CONFIRMED.value:
            assert name in world.venue.executed, f"{name} is confirmed and was never executed"
        elif outcome != Outcome.UNKNOWN.value:
            assert name not in world.venue.executed, f"{name} is {outcome} and was executed"
        elif name not in world.venue.sent:
            # Who comes after another cannot know it; the very owner that planned it does.
            assert int(name.removeprefix("order-")) in inherited, f"{name} is unknown, and unsent"


def try_seed(seed: int) -> Came:
    """Run a seed; say what was broken."""
    try:
        return run(seed)
    except Exception as error:  # noqa: BLE001 - whatever breaks is what is searched for
        return Came(seed, f"{type(error).__name__}: {error}")


def main(argv: list[str] | None = None) -> int:
    """Run what is asked for; return 1 if a guarantee is broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.etcd_sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS_DEFAULT, help="how many")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--seed", type=int, help="run this one and tell what befell it")
    options = parser.parse_args(argv)
    if options.seed is not None:
        print(run(options.seed, print))  # noqa: T201 - what was asked for
        return 0
    begun_s, outcomes = time.monotonic(), []
    for seed in range(options.first, options.first + options.seeds):
        outcomes.append(try_seed(seed))
        if outcomes[-1].violation:
            sys.stdout.write(f"seed {seed}: {outcomes[-1].violation}\n")
            sys.stdout.write(f"    replay: make sim-etcd SEED={seed}\n")
            sys.stdout.flush()
    broken = sum(bool(each.violation) for each in outcomes)
    sys.stdout.write(
        f"{len(outcomes)} seeds in {time.monotonic() - begun_s:.1f} s: "
        f"{sum(each.cycles for each in outcomes)} cycles, "
        f"{sum(each.owners for each in outcomes)} owners, "
        f"{sum(each.faults for each in outcomes)} faults of lines, "
        f"{sum(each.lost for each in outcomes)} older copies put back, {broken} violations\n"
    )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())

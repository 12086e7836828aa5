"""Owners and standbys of several hosts: a lease instead of a process's end, and outages of etcd."""

from __future__ import annotations

import asyncio
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from handoff.limits import ELSEWHERE_EVERY_NS, MS, NS, STANDBY_SILENCE_S_MAX
from handoff.log_events import LogEvent
from handoff.wire import Kind
from handoff.worker.reach import Reach
from handoff.worker.warming import GETTING_WARM
from handoff.workload import Absent
from state import transitions
from state.planned_stop import ASKED
from state.record import Control, Delivery, Fate, Outcome
from state.store import Note
from tests.engine_world import FIRST, PERIOD_S, schedule
from tests.records import effect as planned
from tests.shared_world import TTL_S, SharedWorld
from tests.worker_world import World, told_in

if TYPE_CHECKING:
    from handoff.workload import Cycle
    from state.record import Record
    from tests.engine_world import Body
    from tests.worker_world import Process


TOLD = {"seize": Kind.SEIZED, "take": Kind.TOOK}


async def two_hosts(world: SharedWorld) -> tuple[Process, Process]:
    owner = world.start("a")
    await world.settled(FIRST + 1)
    standby = world.start("b")
    await world.until(lambda: bool(standby.told(Kind.READY)))
    await world.after(FIRST + 2, TTL_S + 2)  # it holds its own lease for long enough
    return owner, standby


def proofs(world: SharedWorld) -> list[object]:
    return [line.evidence["proof"] for line in world.lines("seize")]


def test_a_dead_owner_of_another_host_is_followed_within_its_lease_and_a_second() -> None:
    async def story(world: SharedWorld) -> None:
        owner, standby = await two_hosts(world)
        owner.die()
        died_ns = world.clock.boot_ns()
        await world.until(lambda: world.owner() == "b")
        assert world.clock.boot_ns() - died_ns <= (TTL_S + 1) * NS
        await world.settled(FIRST + 5)
        assert standby.told(Kind.SEIZED)[0]["proof"] == "lease_ended"

    assert proofs(told_in(SharedWorld, story)) == ["none", "lease_ended"]


def test_each_worker_says_to_all_hosts_what_it_is_and_why_it_leaves() -> None:
    async def story(world: SharedWorld) -> None:
        def said(process: Process) -> list[str]:
            return [f"{each.role}:{each.why}" for each in world.host(process).said]

        owner, standby = await two_hosts(world)
        warmed = [f"not_standby:{GETTING_WARM}", "standby:"]
        assert (said(owner), said(standby)) == ([*warmed, "owner:"], warmed)
        candidate = world.start("c", release="r2", deploy_id="d")
        await world.until(lambda: bool(candidate.told(Kind.READY)))
        await world.after(FIRST + 5, 0)
        assert said(candidate)[-1] == "candidate:"
        owner.line.say(Kind.DRAIN)
        await owner.left()
        assert said(owner)[-1] == f"left:{ASKED}"

    told_in(SharedWorld, story)


@pytest.mark.parametrize("seconds", [1.0, 4.0, 60.0])
@pytest.mark.parametrize("moment", [-3.0, 0.0, 1.0])
def test_an_outage_of_etcd_costs_nobody_ownership_or_life(seconds: float, moment: float) -> None:
    """Everybody's lease ends in it: who came first afterwards would own, and nothing was wrong."""

    async def story(world: SharedWorld) -> None:
        owner, standby = await two_hosts(world)
        await world.after(FIRST + 4, moment)
        world.is_away = True
        await world.clock.pause(seconds)
        world.is_away = False
        await world.settled(FIRST + 14)
        assert (world.owner(), world.store.read().ownership.epoch) == ("a", 1)
        assert [owner.gone, standby.gone] == [False, False]
        assert world.killed == []

    world = told_in(SharedWorld, story)
    assert set(world.deciders().values()) == {"a"}
    assert proofs(world) == ["none"]


def test_who_cannot_reach_etcd_says_so_and_says_when_it_is_back() -> None:
    async def story(world: SharedWorld) -> None:
        owner, _ = await two_hosts(world)
        world.is_away = True
        await world.after(FIRST + 5, 0)
        away_ms = owner.told(Kind.AWAY)[0]["since_ms"]
        assert abs(away_ms - schedule().boundary_ns(FIRST + 3) / MS) < 1000
        assert owner.told(Kind.BACK) == []
        world.is_away = False
        await world.settled(FIRST + 5)
        (back,) = owner.told(Kind.BACK)
        assert back["away_ms"] >= PERIOD_S * 1000
        assert back["overdue_boot_ms"] * MS > world.clock.boot_ns() - PERIOD_S * NS
        assert len(owner.told(Kind.AWAY)) == 1
        assert len(owner.log.lines(LogEvent.RECORD_AWAY.value)) == 1

    told_in(SharedWorld, story)


def test_an_owner_that_is_asked_to_leave_in_an_outage_leaves() -> None:
    async def story(world: SharedWorld) -> None:
        owner, _ = await two_hosts(world)
        world.is_away = True
        await world.after(FIRST + 3, 2)
        owner.line.say(Kind.DRAIN)
        assert (await owner.left()).name == "DRAINED"
        (leaving,) = owner.told(Kind.LEAVING)
        assert "out of reach" in leaving["reason"]

    told_in(SharedWorld, story)


def test_a_worker_that_starts_in_an_outage_waits_for_its_end() -> None:
    async def story(world: SharedWorld) -> None:
        world.is_away = True
        worker = world.start("a")
        await world.clock.pause(300)
        assert not worker.gone
        assert worker.told(Kind.READY) == []
        world.is_away = False
        await world.settled(FIRST + 1)

    told_in(SharedWorld, story)


def test_an_owner_whose_host_is_cut_off_is_followed_and_decides_nothing_more() -> None:
    async def story(world: SharedWorld) -> None:
        owner, standby = await two_hosts(world)
        world.host(owner).is_cut = True
        await world.settled(FIRST + 6)
        assert world.owner() == "b"
        world.host(owner).is_cut = False
        await world.until(lambda: bool(owner.told(Kind.LOST)))
        await world.settled(FIRST + 8)
        assert (world.owner(), standby.gone, owner.gone) == ("b", False, False)

    world = told_in(SharedWorld, story)
    assert proofs(world) == ["none", "lease_ended"]


def test_an_owner_that_sleeps_beyond_its_lease_wakes_as_a_standby() -> None:
    """Its process lives, and nobody can end it from elsewhere."""

    async def story(world: SharedWorld) -> None:
        owner, _ = await two_hosts(world)
        owner.stop()
        await world.until(lambda: world.owner() == "b")
        owner.wake()
        await world.until(lambda: bool(owner.told(Kind.LOST)))
        await world.settled(FIRST + 8)
        assert world.owner() == "b"

    told_in(SharedWorld, story)


def test_an_owner_of_another_host_that_hangs_with_a_lease_is_followed_at_its_limit() -> None:
    """The thread that renews asks nobody whether the rest of the process does anything."""

    async def story(world: SharedWorld) -> None:
        owner, _ = await two_hosts(world)
        world.host(owner).renews_anyway = True
        owner.stop()
        await world.until(lambda: world.owner() == "b", limit_s=400)
        await world.settled(FIRST + 6)

    world = told_in(SharedWorld, story)
    assert proofs(world)[-1] == "lease_ended"


def test_an_owner_whose_lease_etcd_forgot_binds_the_key_anew_and_goes_on() -> None:
    async def story(world: SharedWorld) -> None:
        owner = world.start("a")
        await world.settled(FIRST + 1)
        await world.after(FIRST + 2, 1)
        world.end_lease(owner)
        await world.until(lambda: not world.is_bound(), limit_s=0.1)
        await world.until(world.is_bound, limit_s=2)
        await world.settled(FIRST + 4)
        assert owner.log.lines(LogEvent.LEASE_LOST.value)[0]["epoch"] == 1

    world = told_in(SharedWorld, story)
    assert world.store.read().ownership.epoch == 1
    assert len(world.lines("decide")) >= 3


@pytest.mark.parametrize("binds", [True, False])
def test_an_owner_whose_key_is_anothers_by_now_says_nothing_of_its_lease(*, binds: bool) -> None:
    """It made way, or somebody seized: an operator would look for what is wrong with etcd."""

    async def pause(_seconds: float) -> None:
        return

    said: list[dict[str, object]] = []
    parts: Any = SimpleNamespace(
        me=None,
        store=None,
        channel=None,
        clock=SimpleNamespace(pause=pause),
        footing=SimpleNamespace(is_lost=lambda: True, regain=lambda _: binds),
        log=SimpleNamespace(write=lambda _, **members: said.append(members)),
    )
    reach: Reach[Body, object] = Reach(parts, leaving=lambda: False, due=dict)
    asyncio.run(reach.regain(3))
    assert said == [{"epoch": 3, "bound": True}] * binds


def test_an_owner_sends_nothing_once_its_lease_may_be_over() -> None:
    """It was stopped between the commit and the send, for longer than its lease lasts."""

    async def story(world: SharedWorld) -> None:
        owner = world.start("a")
        await world.settled(FIRST + 1)
        cycle = FIRST + 3
        owner.app.plans[cycle] = [planned("order-x")]
        owner.app.deciding = lambda at, _: world.host(owner).age() if at.number == cycle else None
        await world.settled(cycle + 2)

    world = told_in(SharedWorld, story)
    assert world.venue.sent == []
    settled = next(line for line in world.lines("settle") if line.cycle == FIRST + 3)
    (receipt,) = msgspec.json.decode(settled.header)["receipts"]
    assert (receipt["outcome"], "lease" in receipt["reason"]) == ("refused", True)


@pytest.mark.parametrize("lanes", [1, 3])
def test_what_is_decided_as_the_lease_is_found_to_be_over_is_sent_once_the_key_is_bound_anew(
    lanes: int,
) -> None:
    """Whoever waited for the end of the cycle for that would have its orders refused."""

    async def story(world: SharedWorld) -> None:
        owner = world.start("a")
        await world.settled(FIRST + 1)
        cycle = FIRST + 3
        owner.app.plans[cycle] = [planned(f"order-{lane}") for lane in range(lanes)]
        owner.app.deciding = lambda at, _: world.host(owner).lose() if at.number == cycle else None
        await world.settled(cycle)
        (said,) = owner.log.lines(LogEvent.LEASE_LOST.value)
        assert (said["epoch"], said["bound"]) == (1, True)
        assert world.is_bound()
        await world.settled(cycle + 1)

    world = told_in(SharedWorld, story)
    assert sorted(world.venue.sent) == [f"order-{lane}" for lane in range(lanes)]
    assert set(world.body()["outcomes"]) == {f"order-{lane} confirmed" for lane in range(lanes)}


def test_nobody_waits_for_etcd_while_a_request_is_under_way() -> None:
    """It would go out later than its time-out, and the lease that covers it, allow."""

    async def story(world: SharedWorld) -> None:
        owner = world.start("a")
        await world.settled(FIRST + 1)
        cycle, host = FIRST + 3, world.host(owner)
        owner.app.plans[cycle] = [planned("order-0"), planned("order-1")]
        bind, under_way = host.bind_anew, list[int]()

        def binds(*, epoch: int) -> bool:
            under_way.append(world.venue.under_way)
            return bind(epoch=epoch)

        async def performed() -> None:
            host.lose()
            await world.clock.pause(1.0)

        host.bind_anew = binds  # type: ignore[method-assign] # it notes when it is asked
        world.venue.hooks["order-0"] = performed
        await world.settled(cycle)
        assert (under_way, world.venue.sent) == ([0], ["order-0", "order-1"])

    told_in(SharedWorld, story)


def test_a_standby_says_as_long_as_it_is_so_that_another_host_owns() -> None:
    """Its launcher hears no owner: it would take a silent standby for one that hangs."""

    async def story(world: SharedWorld) -> None:
        owner, standby = await two_hosts(world)
        await world.clock.pause(STANDBY_SILENCE_S_MAX)
        said = len(standby.told(Kind.ELSEWHERE))
        assert said >= STANDBY_SILENCE_S_MAX * NS // ELSEWHERE_EVERY_NS
        assert standby.told(Kind.ELSEWHERE)[-1]["worker"] == "a"
        assert owner.told(Kind.ELSEWHERE) == []
        owner.line.say(Kind.DRAIN)
        await owner.left()
        await world.until(lambda: world.owner() == "b")
        said = len(standby.told(Kind.ELSEWHERE))
        await world.clock.pause(STANDBY_SILENCE_S_MAX)
        assert len(standby.told(Kind.ELSEWHERE)) == said

    told_in(SharedWorld, story)


def test_a_standby_of_the_owners_own_host_says_nothing_of_another() -> None:
    async def story(world: World) -> None:
        world.start("a")
        await world.settled(FIRST + 1)
        standby = world.start("b")
        await world.settled(FIRST + 6)
        assert standby.told(Kind.ELSEWHERE) == []

    told_in(World, story)


def carried(record: Record) -> list[tuple[Fate, bool]]:
    return [(each.fate, each.unproven) for each in record.outbox]


@pytest.mark.parametrize("kind", ["seize", "take"])
def test_who_comes_to_own_after_it_stopped_waiting_for_the_answer_finds_that_it_owns(
    kind: str,
) -> None:
    """A member of the etcd stood still with the request; nobody else would decide, nor it."""

    async def story(world: SharedWorld) -> None:
        owner, standby = await two_hosts(world)
        if kind == "seize":
            newest = standby
            world.host(newest).late.add(kind)
            owner.die()
        else:
            newest = await world.candidate("c", bake=None)
            world.host(newest).late.add(kind)
            newest.line.say(Kind.GO, bake=3)
        name = newest.me.worker
        await world.until(lambda: world.owner() == name)
        owned = world.store.read().progress.cycle
        await world.until(lambda: world.done() >= owned + 3, limit_s=5 * PERIOD_S)
        assert (world.owner(), world.killed) == (name, [])
        assert [each["epoch"] for each in newest.told(TOLD[kind])] == [2]

    told_in(SharedWorld, story)


@pytest.mark.parametrize("on_top", [False, True])
def test_what_was_decided_by_a_write_that_was_given_up_is_sent_for_nobody_else_could(
    *, on_top: bool
) -> None:
    """Once at most, an order that its own sender took for another's would be unknown, unsent."""

    async def story(world: SharedWorld) -> None:
        owner, cycle = world.start("a"), FIRST + 3
        await world.settled(FIRST + 1)
        owner.app.plans[cycle] = [planned("order-x", delivery=Delivery.AT_MOST_ONCE)]
        host, tries = world.host(owner), list[int]()

        def reach() -> None:
            host.is_cut = False

        def goes_late(at: Cycle, _: Body) -> None:
            tries.append(at.number)
            if at.number == cycle and tries.count(cycle) == 1:
                host.late.add("decide")
                host.is_cut = True
                asyncio.get_running_loop().call_later(1.0, reach)

        owner.app.deciding = goes_late
        await world.until(lambda: world.store.read().progress.cycle == cycle)
        if on_top:
            noted = Control(note="looked at")
            world.store.transact(
                partial(transitions.command, control=noted, attempt="c"), Note(kind="command")
            )
        await world.settled(cycle)
        assert world.venue.sent == ["order-x"]
        await world.settled(cycle + 1)
        assert (tries.count(cycle), owner.told(Kind.LOST)) == (1, [])

    world = told_in(SharedWorld, story)
    assert world.body()["outcomes"] == ["order-x confirmed"]


def test_what_was_planned_by_an_owner_without_a_lease_is_asked_about_and_not_written_off() -> None:
    async def story(world: SharedWorld) -> None:
        owner, standby = await two_hosts(world)
        cycle = FIRST + 3
        owner.app.plans[cycle] = [planned("order-x")]
        standby.app.plans[cycle] = []

        async def never() -> None:
            await world.clock.pause(10_000)

        world.venue.hooks["order-x"] = never
        world.venue.resolving["order-x"] = [Absent()] * 3
        await world.until(lambda: bool(world.venue.sent))
        owner.stop()
        await world.until(lambda: world.owner() == "b")
        assert carried(world.store.read()) == [(Fate.DOUBTFUL, True)]
        del world.venue.hooks["order-x"]
        await world.settled(cycle + 3)
        outcomes = {each.outcome for each in world.store.read().receipts}
        assert Outcome.EXPIRED not in outcomes

    told_in(SharedWorld, story)

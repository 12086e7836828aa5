"""The planned way from one owner to the next: before a boundary, or at the one after."""

from __future__ import annotations

from typing import Any

import pytest
from typing_extensions import override

from handoff.limits import NS, YIELD_NS
from handoff.wire import Kind
from handoff.worker.leaving import Leaving
from handoff.workload import NotReady, Ready, Reconciliation
from state.record import Phase
from tests.engine_world import FIRST, PERIOD_S, Application, Body, order, schedule
from tests.worker_world import World, told

NEXT = FIRST + 1


def test_the_first_worker_seizes_what_nobody_owns_and_runs_every_cycle_punctually() -> None:
    async def story(world: World) -> None:
        a = world.start("a")
        await world.settled(NEXT + 4)
        late = [message["late_ms"] for message in a.told(Kind.SETTLED)]
        assert late == pytest.approx([0.0] * 5, abs=1)
        [seized] = a.told(Kind.SEIZED)
        assert (seized["cycle"], seized["proof"], seized["release"]) == (NEXT, "none", "r1")

    world = told(story)
    assert set(world.deciders().values()) == {"a"}


def test_a_candidate_takes_before_the_boundary_and_its_first_cycle_is_punctual() -> None:
    """A planned handoff costs no punctuality: nothing but the version number changes."""

    async def story(world: World) -> None:
        a = world.start("a")
        await world.settled(NEXT)
        b = await world.candidate("b")
        await world.settled(NEXT + 2)
        [took] = b.told(Kind.TOOK)
        boundary_ms = schedule().boundary_ns(NEXT + 1) // 1_000_000
        assert (took["cycle"], took["boundary_ms"], took["of"]) == (NEXT + 1, boundary_ms, 3)
        assert took["deploy"] == "deploy-b"
        settled = b.told(Kind.SETTLED)
        assert [message["late_ms"] for message in settled] == pytest.approx([0, 0], abs=1)
        assert len(a.told(Kind.LOST)) == 1

    world = told(story)
    assert world.deciders() == {NEXT: "a", NEXT + 1: "b", NEXT + 2: "b"}
    [take] = world.lines("take")
    assert (take.evidence["old_alive"], take.evidence["new_pid"]) == (1, 1000 + ord("b"))


def test_the_old_owner_stays_warm_during_the_bake_and_leaves_when_it_is_over() -> None:
    async def story(world: World) -> None:
        a = world.start("a")
        await world.settled(NEXT)
        b = await world.candidate("b", bake=2)
        await world.settled(NEXT + 1)
        record = world.store.read()
        assert record.rollout is not None
        assert record.ownership.previous == a.me
        assert not a.gone
        assert await a.left() is Leaving.DRAINED
        record = await world.settled(NEXT + 2)
        assert (record.rollout, record.ownership.previous) == (None, None)
        assert a.told(Kind.LEAVING)[0]["reason"] == "no part left"
        assert a.app.closed == 1
        counts = [(message["clean_cycles"], message["of"]) for message in b.told(Kind.SETTLED)]
        assert counts == [(1, 2), (0, 0)]

    told(story)


def test_a_take_without_a_bake_is_permanent_at_once() -> None:
    async def story(world: World) -> None:
        a = world.start("a")
        await world.settled(NEXT)
        await world.candidate("b", bake=0)
        assert await a.left() is Leaving.DRAINED
        assert world.store.read().rollout is None
        await world.settled(NEXT + 1)

    assert told(story).deciders()[NEXT + 1] == "b"


def test_who_comes_too_late_takes_the_boundary_after() -> None:
    """Inside the margin the owner may have begun: it runs this one, the candidate the next."""

    async def story(world: World) -> None:
        world.start("a")
        await world.settled(NEXT)
        b = await world.candidate("b", bake=None)
        await world.after(NEXT + 1, -0.15)
        b.line.say(Kind.GO, bake=3)
        await world.settled(NEXT + 2)
        assert b.told(Kind.TOOK)[0]["cycle"] == NEXT + 2

    assert told(story).deciders() == {NEXT: "a", NEXT + 1: "a", NEXT + 2: "b"}


def test_the_moment_of_a_take_is_read_when_the_record_is_locked() -> None:
    """A worker that queued for the lock across the last moment must not take."""

    async def story(world: World) -> None:
        world.start("a")
        await world.settled(NEXT)
        b = await world.candidate("b", bake=None)
        transact = world.store.transact

        def queued(change: Any, note: Any) -> Any:  # noqa: ANN401 - as the store has them
            if note.kind == "take":
                world.store.transact = transact  # type: ignore[method-assign] # once
                world.clock.suspend(8 * NS)
            return transact(change, note)

        world.store.transact = queued  # type: ignore[method-assign] # the lock is not free at once
        await world.after(NEXT + 1, -7)
        b.line.say(Kind.GO, bake=3)
        await world.settled(NEXT + 1)
        assert b.log.lines("take_refused")[0]["refusal"] == "too_late"
        assert all(took["cycle"] == NEXT + 2 for took in b.told(Kind.TOOK))

    assert told(story).deciders()[NEXT + 1] == "a"


def test_a_candidate_that_is_not_approved_neither_takes_nor_seizes() -> None:
    """Even if nobody else is left: nobody examined it from outside yet."""

    async def story(world: World) -> None:
        a = world.start("a")
        await world.settled(NEXT)
        b = await world.candidate("b", bake=None)
        await world.settled(NEXT + 1)
        a.die()
        await world.clock.pause(20 * PERIOD_S)
        assert world.owner() == "a"
        assert not b.gone
        assert world.killed == []
        b.line.say(Kind.DRAIN)
        assert await b.left() is Leaving.DRAINED

    assert told(story).deciders() == {NEXT: "a", NEXT + 1: "a"}


def test_an_approved_candidate_seizes_if_the_owner_dies_before_it_could_take() -> None:
    async def story(world: World) -> None:
        a = world.start("a")
        await world.settled(NEXT)
        b = await world.candidate("b", bake=None)
        await world.after(NEXT + 1, -0.15)
        a.die()
        b.line.say(Kind.GO, bake=3)
        await world.settled(NEXT + 2)
        assert b.told(Kind.SEIZED)[0]["proof"] == "dead"

    assert told(story).deciders() == {NEXT: "a", NEXT + 1: "b", NEXT + 2: "b"}


@pytest.mark.parametrize("bake", [0, 2])
def test_whoever_seizes_says_how_many_cycles_it_bakes(bake: int) -> None:
    """Its driver waits for so many: for one that never comes it would wait two hours."""

    async def story(world: World) -> None:
        a = world.start("a")
        await world.settled(NEXT)
        b = await world.candidate("b", bake=None)
        a.die()
        b.line.say(Kind.GO, bake=bake)
        await world.until(lambda: bool(b.told(Kind.SEIZED)))
        assert b.told(Kind.SEIZED)[0]["of"] == bake

    told(story)


def test_nobody_takes_from_an_owner_that_may_have_another_home() -> None:
    """A take asks for no proof of death: in a copied home both owners would decide."""

    async def story(world: World) -> None:
        world.start("a")
        await world.settled(NEXT)
        world.doubt = "it is of another machine"
        b = await world.candidate("b")
        await world.settled(NEXT + 2)
        assert b.told(Kind.TOOK) == []
        world.doubt = ""
        await world.settled(NEXT + 4)
        assert len(b.told(Kind.TOOK)) == 1

    told(story)


def test_a_candidate_whose_streams_do_not_cover_the_next_cycle_waits() -> None:
    async def story(world: World) -> None:
        world.start("a")
        await world.settled(NEXT)
        app = Application()
        app.readiness = NotReady("no candles yet")
        b = await world.candidate("b", app=app)
        await world.settled(NEXT + 2)
        assert b.told(Kind.TOOK) == []
        [line] = b.log.lines("gate_failed")
        assert (line["gate"], line["reason"]) == ("follow", "no candles yet")
        b.app.readiness = Ready()
        await world.settled(NEXT + 3)
        assert b.told(Kind.TOOK)[0]["cycle"] == NEXT + 3

    told(story)


class Breaks(Application):
    """Breaks where it is told to."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.where = where

    @override
    async def warm(self, body: Body) -> None:
        if self.where == "warm":
            message = "no venue"
            raise OSError(message)

    @override
    async def reconcile(self, body: Body, pending: Any) -> Reconciliation:
        differences = ("one position more",) if self.where == "reconcile" else ()
        return Reconciliation(differences=differences)

    @override
    async def follow(self, cycle: Any, body: Body) -> Any:
        if self.where == "follow":
            message = "a bug"
            raise ValueError(message)
        return await super().follow(cycle, body)

    @override
    async def close(self) -> None:
        if self.where == "close":
            message = "a bug"
            raise ValueError(message)


def test_an_exception_while_following_keeps_a_candidate_from_taking_and_alive() -> None:
    async def story(world: World) -> None:
        world.start("a")
        await world.settled(NEXT)
        b = await world.candidate("b", app=Breaks("follow"))
        await world.settled(NEXT + 2)
        assert not b.gone
        assert b.log.lines("gate_failed")[0]["reason"] == "ValueError: a bug"

    assert set(told(story).deciders().values()) == {"a"}


@pytest.mark.parametrize(
    ("where", "reason"), [("warm", "OSError: no venue"), ("reconcile", "one position more")]
)
def test_a_candidate_that_fails_a_gate_leaves_and_says_which(where: str, reason: str) -> None:
    async def story(world: World) -> None:
        world.start("a")
        await world.settled(NEXT)
        b = world.start("b", "r2", app=Breaks(where), deploy_id="d1")
        assert await b.left() is Leaving.REFUSED
        failed = [gate for gate in b.told(Kind.GATE) if not gate["passed"]]
        assert [(gate["gate"], gate["reason"]) for gate in failed] == [(where, reason)]
        assert b.told(Kind.READY) == []
        assert b.told(Kind.LEAVING)[0] == {
            "kind": "leaving",
            "leaving": "REFUSED",
            "reason": f"{where}: {reason}",
            "deploy": "d1",
        }
        await world.settled(NEXT + 1)

    assert set(told(story).deciders().values()) == {"a"}


def test_a_worker_that_cannot_close_its_connections_leaves_all_the_same() -> None:
    async def story(world: World) -> None:
        a = world.start("a", app=Breaks("close"))
        await world.settled(NEXT)
        a.worker.drain()
        assert await a.left() is Leaving.DRAINED
        assert a.told(Kind.LEAVING)[0]["reason"] == "asked to; close raised ValueError: a bug"

    told(story)


def test_a_third_release_waits_for_the_end_of_a_bake_in_silence() -> None:
    async def story(world: World) -> None:
        world.start("a")
        await world.settled(NEXT)
        await world.candidate("b", "r2", bake=3)
        await world.settled(NEXT + 1)
        c = await world.candidate("c", "r3")
        await world.settled(NEXT + 3)
        assert c.told(Kind.TOOK) == []
        assert c.log.lines("take_refused") == []
        await world.settled(NEXT + 4)
        assert c.told(Kind.TOOK)[0]["cycle"] == NEXT + 4

    deciders = told(story).deciders()
    assert [deciders[NEXT + each] for each in range(5)] == ["a", "b", "b", "b", "c"]


def test_of_two_approved_candidates_one_takes_and_the_other_waits() -> None:
    async def story(world: World) -> None:
        world.start("a")
        await world.settled(NEXT)
        b = await world.candidate("b", "r2", bake=None)
        c = await world.candidate("c", "r3", bake=None)
        b.line.say(Kind.GO, bake=1)
        c.line.say(Kind.GO, bake=1)
        await world.settled(NEXT + 2)
        cycles = sorted(each.told(Kind.TOOK)[0]["cycle"] for each in (b, c))
        assert cycles == [NEXT + 1, NEXT + 2]

    assert len(told(story).lines("take")) == 2


def test_an_owner_that_is_drained_releases_between_two_cycles() -> None:
    async def story(world: World) -> None:
        a = world.start("a")
        await world.settled(NEXT)
        await world.after(NEXT + 1, -5)
        a.worker.drain()
        assert await a.left() is Leaving.DRAINED
        assert world.clock.now_ns() < schedule().boundary_ns(NEXT + 1) - 4 * NS
        record = world.store.read()
        assert (record.ownership.owner, record.ownership.last_owner) == (None, a.me)

    world = told(story)
    asked_ms = (schedule().boundary_ns(NEXT + 1) - 5 * NS) / 1e6
    assert world.lines("release")[0].evidence == {"reason": "asked to", "asked_ms": asked_ms}


def test_an_owner_that_is_drained_while_it_works_finishes_its_cycle() -> None:
    """Effects that were sent get their fates before it goes."""

    async def story(world: World) -> None:
        a = world.start("a")
        a.app.plans[NEXT] = [order()]

        async def slow() -> None:
            a.worker.drain()
            await world.clock.pause(1)

        world.venue.hooks["order-1"] = slow
        assert await a.left() is Leaving.DRAINED
        record = world.store.read()
        assert (record.progress.cycle, record.progress.phase) == (NEXT, Phase.SETTLED)
        assert [each.effect_id for each in record.receipts] == ["order-1"]

    told(story)


def test_after_a_drained_owner_a_standby_goes_on_without_a_gap() -> None:
    async def story(world: World) -> None:
        a = world.start("a")
        await world.settled(NEXT)
        s = world.start("s")
        await world.until(lambda: bool(s.told(Kind.READY)))
        a.worker.drain()
        await world.settled(NEXT + 2)
        assert s.told(Kind.SETTLED)[0]["late_ms"] == pytest.approx(0, abs=1)

    assert told(story).deciders() == {NEXT: "a", NEXT + 1: "s", NEXT + 2: "s"}


def test_a_busy_owner_steps_aside_for_a_candidate_that_waits() -> None:
    """With work as long as the period there is never a gap before a boundary."""

    async def story(world: World) -> None:
        a = world.start("a")
        await world.settled(NEXT)
        b = await world.candidate("b", bake=None)

        async def busy(_: object) -> list[str]:
            await world.clock.pause(2)
            return []

        a.app.observed = busy
        # It is behind from now on: when a cycle is settled, the next boundary has passed.
        world.clock.suspend(6 * PERIOD_S * NS)
        b.line.say(Kind.GO, bake=1)
        a.line.say(Kind.WAITING)
        await world.until(lambda: bool(a.told(Kind.YIELDING)))
        until_ns = a.told(Kind.YIELDING)[0]["until_ns"]
        assert until_ns - world.clock.now_ns() == pytest.approx(YIELD_NS, abs=NS // 20)
        b.line.say(Kind.YIELDING, until_ns=until_ns)
        await world.until(lambda: bool(b.told(Kind.TOOK)), limit_s=1)
        assert world.clock.now_ns() < until_ns

    assert "b" in {line.worker for line in told(story).lines("take")}


def test_an_owner_with_a_gap_before_its_next_boundary_steps_aside_for_nobody() -> None:
    """A candidate has the gap: an owner that let half a second pass as well would be late."""

    async def story(world: World) -> None:
        a = world.start("a")
        await world.settled(NEXT)
        for _ in range(3):
            a.line.say(Kind.WAITING)
            await world.settled(world.done() + 1)
        assert a.told(Kind.YIELDING) == []

    assert set(told(story).deciders().values()) == {"a"}


def test_why_a_worker_leaves_is_a_status_of_its_own_and_the_one_that_launchers_know() -> None:
    """A launcher of another release reads the number: none of them ever changes."""
    statuses = {leaving.name: leaving.value for leaving in Leaving}
    known = {"DRAINED": 0, "FAILED": 1, "REFUSED": 3, "FAULTY": 4, "OUTSIDE": 5, "OLDER": 6}
    # To launchers before them as any other failure.
    assert statuses == known | {"NO_ENTRY": 7, "OTHER": 8}

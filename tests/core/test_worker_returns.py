"""The way back during a bake, and what an owner does about faults of its own and of the disk."""

from __future__ import annotations

import errno
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from typing_extensions import override

from handoff.cadence import Cadence, every
from handoff.limits import DECIDE_ATTEMPTS_MAX, NS
from handoff.wire import Kind
from handoff.worker.leaving import Leaving
from handoff.workload import Decision
from state import transitions
from state.attempts import ATTEMPTS_MAX
from state.errors import DiskFull
from state.record import Control, evidence_of
from state.schema import Schema
from state.store import Note
from tests.engine_world import FIRST, PERIOD_S, Application, worker_id
from tests.worker_world import Process, World, told

if TYPE_CHECKING:
    from state.memory_store import Moment
    from state.record import Record

NEXT = FIRST + 1
RECORD = "record.json"


class NewBody(msgspec.Struct):
    """The body of the new release: another name for one field, which v1 cannot read."""

    cycles: list[int] = []
    results: list[str] = []


def renamed(old: str, new: str) -> Any:  # noqa: ANN401 - a step of a schema
    return lambda plain: {name if name != old else new: value for name, value in plain.items()}


class NewApplication(Application):
    """A release with a new schema that fails from a cycle on."""

    body: Schema[Any] = Schema(
        "test.body",
        2,
        NewBody,
        up={1: renamed("outcomes", "results")},
        down={2: renamed("results", "outcomes")},
    )

    def __init__(self, bad_from: int = 1 << 60) -> None:
        super().__init__()
        self.bad_from = bad_from

    @override
    def decide(self, cycle: Any, body: Any, inputs: Any, receipts: Any) -> Any:
        if cycle.number >= self.bad_from:
            message = "a bug of the new release"
            raise ValueError(message)
        return Decision(body=NewBody(cycles=[*body.cycles, cycle.number], results=body.results))


async def baking(world: World, app: Application, *, bake: int = 5) -> tuple[Process, Process]:
    """Let b take from a for the cycle after the next."""
    a = world.start("a")
    await world.settled(NEXT)
    b = await world.candidate("b", app=app, bake=bake)
    await world.until(lambda: bool(b.told(Kind.TOOK)))
    return a, b


def test_a_bad_cycle_in_a_bake_returns_and_the_previous_release_runs_that_very_cycle() -> None:
    """With the body in the shape that it reads, all cycles of the bake included."""

    async def story(world: World) -> None:
        a, b = await baking(world, NewApplication(bad_from=NEXT + 3))
        assert await b.left() is Leaving.FAULTY
        reason = "decide raised ValueError: a bug of the new release"
        assert b.told(Kind.LEAVING)[0]["reason"] == reason
        record = await world.settled(NEXT + 4)
        assert record.ownership.owner == a.me
        assert (record.rollout, record.ownership.previous, record.fallback) == (None, None, None)
        assert a.told(Kind.SETTLED)[-2]["late_ms"] < 100

    world = told(story)
    assert world.deciders() == {
        NEXT: "a",
        NEXT + 1: "b",
        NEXT + 2: "b",
        NEXT + 3: "a",
        NEXT + 4: "a",
    }
    assert world.body() == {"cycles": [NEXT + each for each in range(5)], "outcomes": []}
    assert world.lines("release")[0].evidence["reason"].startswith("decide raised")  # type: ignore[union-attr] # a text


def test_a_new_owner_that_dies_in_its_bake_is_followed_by_the_previous_release() -> None:
    async def story(world: World) -> None:
        _, b = await baking(world, NewApplication())
        await world.settled(NEXT + 2)
        b.die()
        await world.settled(NEXT + 3)

    world = told(story)
    assert world.deciders()[NEXT + 3] == "a"
    assert world.body()["cycles"] == [NEXT + each for each in range(4)]
    assert world.store.read().rollout is None


def test_a_bad_first_cycle_returns_with_the_body_as_it_was() -> None:
    async def story(world: World) -> None:
        _, b = await baking(world, NewApplication(bad_from=0))
        assert await b.left() is Leaving.FAULTY
        await world.settled(NEXT + 1)

    world = told(story)
    assert world.deciders() == {NEXT: "a", NEXT + 1: "a"}


def test_an_abort_in_the_bake_is_an_ordinary_take_by_the_previous_release() -> None:
    """Even where the body of the new release is beyond it (its own is in the fallback)."""

    async def story(world: World) -> None:
        a, b = await baking(world, NewApplication())
        await world.settled(NEXT + 1)
        for process in (a, b):
            process.line.say(Kind.RETURN, deploy="deploy-b")
        await world.settled(NEXT + 2)
        assert a.told(Kind.TOOK)[0]["cycle"] == NEXT + 2
        assert a.told(Kind.SETTLED)[-1]["late_ms"] == pytest.approx(0, abs=1)
        assert await b.left() is Leaving.DRAINED

    world = told(story)
    assert world.deciders() == {NEXT: "a", NEXT + 1: "b", NEXT + 2: "a"}
    assert world.body() == {"cycles": [NEXT, NEXT + 1, NEXT + 2], "outcomes": []}


def test_a_wish_to_undo_one_deploy_does_not_undo_a_later_one() -> None:
    async def story(world: World) -> None:
        a = world.start("a")
        await world.settled(NEXT)
        a.line.say(Kind.RETURN, deploy="deploy-x")
        b = await world.candidate("b")
        await world.settled(NEXT + 4)
        assert a.told(Kind.TOOK) == []
        assert len(b.told(Kind.SETTLED)) == 4

    told(story)


def test_in_a_bake_a_worker_of_the_previous_release_can_be_started_again() -> None:
    """After failed starts of the new one: its gates look at the body that it would own."""

    async def story(world: World) -> None:
        a, b = await baking(world, NewApplication())
        await world.settled(NEXT + 1)
        a.die()
        b.die()
        again = world.start("again", "r1")
        await world.settled(NEXT + 2)
        assert [gate["passed"] for gate in again.told(Kind.GATE)] == [True] * 3

    world = told(story)
    assert world.deciders()[NEXT + 2] == "again"


def spent_but_for_one(record: Record) -> Record:
    """The record as it is after so many owners did not survive what comes next."""
    progress = msgspec.structs.replace(record.progress, attempts=ATTEMPTS_MAX - 1)
    return msgspec.structs.replace(record, progress=progress, attempt="spent")


@pytest.mark.parametrize("way_back", ["r1", "r2"])
def test_a_cycle_that_kills_in_a_bake_is_left_to_the_way_back_only_if_that_is_another_release(
    way_back: str,
) -> None:
    """A release can be deployed over itself: left to each other, nobody would own any more."""

    async def story(world: World) -> None:
        a = world.start("a", way_back)
        await world.settled(NEXT)
        b = await world.candidate("b", app=Application(), bake=5)
        await world.until(lambda: bool(b.told(Kind.TOOK)))
        a.die()
        b.stop()
        world.store.transact(spent_but_for_one, Note(kind="command"))
        await world.after(NEXT + 1, 0.1)
        b.die()
        third = world.start("third", "r2")
        if way_back == "r1":
            assert await third.left() is Leaving.FAULTY
            return
        record = await world.settled(NEXT + 2)
        assert [each.cycle for each in record.progress.missed] == [NEXT + 1]

    told(story)


def test_after_the_bake_the_old_code_is_refused_by_its_gate() -> None:
    async def story(world: World) -> None:
        await baking(world, NewApplication(), bake=1)
        await world.settled(NEXT + 2)
        old = world.start("old", "r1", deploy_id="deploy-old")
        assert await old.left() is Leaving.REFUSED
        [_, gate] = old.told(Kind.GATE)
        assert (gate["gate"], gate["passed"]) == ("schema", False)
        assert "newer than this code" in gate["reason"]

    told(story)


def test_a_fault_outside_a_bake_costs_that_cycle_and_no_other() -> None:
    """There is nobody to return to: it is tried again with fresh inputs, then given up."""

    async def story(world: World) -> None:
        a = world.start("a")
        attempts: list[int] = []

        def deciding(cycle: Any, _: object) -> None:  # noqa: ANN401 - a Cycle
            if cycle.number == NEXT + 1:
                attempts.append(cycle.number)
                message = "only in this cycle"
                raise ValueError(message)

        a.app.deciding = deciding
        record = await world.settled(NEXT + 2)
        assert len(attempts) == DECIDE_ATTEMPTS_MAX
        [missed] = record.progress.missed
        assert missed.cycle == NEXT + 1
        assert missed.reason == "failed: decide raised ValueError: only in this cycle"
        assert len(a.log.lines("cycle_faulty")) == DECIDE_ATTEMPTS_MAX

    assert sorted(told(story).deciders()) == [NEXT, NEXT + 2]


def test_a_fault_that_heals_costs_nothing() -> None:
    async def story(world: World) -> None:
        a = world.start("a")
        faults = [ValueError("once")]

        def deciding(_: object, __: object) -> None:
            if faults:
                raise faults.pop()

        a.app.deciding = deciding
        record = await world.settled(NEXT + 1)
        assert record.progress.missed == ()
        [first, second] = a.told(Kind.SETTLED)
        assert first["late_ms"] < 100, "its inputs are fresh: nothing is waited for"
        assert second["late_ms"] < 100

    assert sorted(told(story).deciders()) == [NEXT, NEXT + 1]


def test_a_full_disk_leaves_the_old_record_and_the_cycle_is_run_when_there_is_room() -> None:
    async def story(world: World) -> None:
        a = world.start("a")
        await world.settled(NEXT)
        full_until_ns = world.clock.now_ns() + (PERIOD_S + 2) * NS

        def interrupt(_: Moment) -> None:
            if world.clock.now_ns() < full_until_ns:
                raise DiskFull(RECORD, OSError(errno.ENOSPC, "no space left"))

        world.store.interrupt = interrupt
        await world.settled(NEXT + 2)
        failed = a.log.lines("commit_failed")
        assert "no space left" in failed[0]["reason"]
        assert len(failed) < 30

    world = told(story)
    assert sorted(world.deciders()) == [NEXT, NEXT + 1, NEXT + 2]
    assert world.body()["cycles"] == [NEXT, NEXT + 1, NEXT + 2]


def test_ownership_that_is_lost_while_a_fault_is_handled_is_a_loss_and_no_failure() -> None:
    """The release that the fault asks for is refused; that ends no worker."""

    async def story(world: World) -> None:
        _, b = await baking(world, Application())
        await world.settled(NEXT + 1)

        def deciding(_: object, __: object) -> None:
            b.app.deciding = None
            record = world.store.read()
            world.store.transact(
                lambda found: transitions.seize(
                    found,
                    worker=worker_id("for a moment", "r2"),
                    seen=evidence_of(record),
                    proof=transitions.Proof.DEAD,
                    attempt="seize",
                ),
                Note(kind="seize"),
            )
            message = "a fault at the same time"
            raise ValueError(message)

        b.app.deciding = deciding
        await world.settled(NEXT + 3)
        assert len(b.told(Kind.LOST)) == 1
        assert [each["leaving"] for each in b.told(Kind.LEAVING)] in ([], ["DRAINED"])

    assert len(told(story).deciders()) == 4


def test_a_candidate_that_took_and_was_seized_from_at_once_has_no_part_left() -> None:
    """It took, and somebody seized before it came to look: its deploy is over.

    If it stayed it would own again, unexamined, as soon as the previous release died.
    """

    async def story(world: World) -> None:
        def seizes(_: Moment) -> None:
            record = world.store.read()
            if record.ownership.owner is None or record.ownership.owner.worker != "b":
                return
            world.store.interrupt = lambda _: None
            quick = worker_id("quick", "r1")
            seize = partial(
                transitions.seize,
                worker=quick,
                seen=evidence_of(record),
                proof=transitions.Proof.DEAD,
                attempt="seize",
            )
            world.store.transact(seize, Note(kind="seize"))

        world.start("a")
        await world.settled(NEXT)
        b = await world.candidate("b", bake=None)
        world.store.interrupt = seizes
        b.line.say(Kind.GO, bake=3)
        assert await b.left() is Leaving.DRAINED
        assert b.told(Kind.LEAVING)[0]["reason"] == "no part left"
        await world.settled(NEXT + 2)

    assert set(told(story).deciders().values()) == {"a"}


class Forgetful(Application):
    """Does not care for cycles that are more than 30 s old."""

    cadence: Cadence = every(PERIOD_S, catch_up_s=30)


def test_a_worker_of_the_same_release_says_what_it_missed() -> None:
    """Down for 200 periods: what is too old is missed with its reason, the rest is run."""

    async def story(world: World) -> None:
        a = world.start("a", app=Forgetful())
        await world.settled(NEXT)
        a.die()
        await world.after(NEXT + 200, 1)
        b = world.start("b", app=Forgetful())
        await world.settled(NEXT + 201)
        missed = [message["cycle"] for message in b.told(Kind.MISSED)]
        assert missed == [NEXT + each for each in range(1, 198)]
        assert world.store.read().progress.missed[-1].reason.endswith("beyond the catch-up limit")

    deciders = told(story).deciders()
    assert [NEXT, *(NEXT + each for each in range(198, 202))] == sorted(deciders)


def test_a_pause_by_the_operator_is_seen_by_the_next_cycle_and_survives_the_owner() -> None:
    async def story(world: World) -> None:
        a = world.start("a")
        await world.settled(NEXT)
        world.store.transact(
            lambda record: transitions.command(
                record, control=Control(paused=True, by="alice"), attempt="pause"
            ),
            Note(kind="command"),
        )
        seen: list[bool] = []

        def deciding(cycle: Any, _: object) -> None:  # noqa: ANN401 - a Cycle
            seen.append(cycle.control.paused)

        a.app.deciding = deciding
        await world.settled(NEXT + 1)
        a.die()
        b = world.start("b")
        b.app.deciding = deciding
        await world.settled(NEXT + 2)
        assert seen == [True, True]

    told(story)

"""One cycle from end to end: what is committed when, and what a failure leaves behind."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from handoff.deciding import replay_with
from handoff.virtual_time import run_virtual
from handoff.workload import Unavailable, Violation
from state import transitions
from state.cycle_audit import audit_cycles, is_over_budget
from state.errors import OutcomeUnknown, Refusal, Refused
from state.memory_store import Moment
from state.outbox import PLANNED_MAX
from state.record import Fate, Phase, Record, evidence_of
from state.replay import replay_lines
from state.transitions import Proof
from tests.engine_world import (
    FIRST,
    Application,
    Body,
    order,
    schedule,
    worker_id,
)
from tests.owner_world import LOST, NEXT, World, expect_faulty, in_world

if TYPE_CHECKING:
    from handoff.workload import Cycle


def test_a_cycle_is_decided_performed_and_settled() -> None:
    async def story(world: World) -> None:
        world.app.plans[NEXT] = [order()]
        record = await world.run()
        assert (record.progress.cycle, record.progress.phase) == (NEXT, Phase.SETTLED)
        assert record.outbox == ()
        assert [each.effect_id for each in record.receipts] == ["order-1"]
        await world.run()

    world = in_world(story)
    assert world.kinds() == ["genesis", "seize", "decide", "settle", "decide", "settle"]
    assert world.body() == Body(cycles=[NEXT, NEXT + 1], outcomes=["order-1 confirmed"])
    assert world.app.venue.executed == ["order-1"]


def test_nothing_is_sent_before_the_decision_is_in_the_record() -> None:
    """A crash in between must leave a record that knows of the order."""
    seen: list[tuple[Phase, list[str]]] = []

    async def story(world: World) -> None:
        async def look() -> None:
            record = world.store.read()
            seen.append((record.progress.phase, [each.effect_id for each in record.outbox]))

        world.app.plans[NEXT] = [order()]
        world.app.venue.hooks["order-1"] = look
        await world.run()

    in_world(story)
    assert seen == [(Phase.DECIDED, ["order-1"])]


def test_what_is_decided_upon_is_what_is_recorded() -> None:
    """A tuple is recorded as a list: had `decide` seen the tuple, a replay would differ."""
    seen: list[object] = []

    class Typed(Application):
        def decide(self, cycle: Cycle, body: Body, inputs: Any, receipts: Any) -> Any:  # type: ignore[explicit-override] # noqa: ANN401 - only looks
            seen.append(inputs)
            return super().decide(cycle, body, inputs, receipts)

    async def main() -> World:
        world = World(Typed())

        async def observed(_: Cycle) -> tuple[str, ...]:
            return ("a", "b")

        world.app.observed = observed
        await world.run()
        return world

    world = run_virtual(main())
    assert seen == [["a", "b"]]
    line = world.store.journal()[-2]
    assert (line.kind, bytes(line.inputs), line.inputs_schema) == ("decide", b'["a","b"]', 1)


def test_every_recorded_cycle_can_be_decided_again() -> None:
    """Commands, receipts, absent inputs and effects included."""

    async def story(world: World) -> None:
        world.app.plans = {NEXT: [order()], NEXT + 1: [order("order-2")]}
        await world.run()
        world.command(paused=True)

        async def absent(_: Cycle) -> Unavailable:
            return Unavailable("")

        world.app.observed = absent
        await world.run()
        world.command(halted=True)
        world.app.observed = None
        await world.run()

    world = in_world(story)
    again = Application()
    again.plans = world.app.plans
    found = replay_lines(world.store.journal(), replay_with(again, schedule()))
    assert (found.checked, found.skipped, found.deviations) == (3, 0, ())


def test_other_effects_show_only_where_they_are_decided_again_too() -> None:
    """Recovery takes them from the line; a check of the code does not."""

    async def story(world: World) -> None:
        world.app.plans[NEXT] = [order()]
        await world.run()

    world = in_world(story)
    alike, other = Application(), Application()
    alike.plans = world.app.plans
    lines = world.store.journal()
    assert replay_lines(lines, replay_with(other, schedule())).deviations == ()
    found = replay_lines(lines, replay_with(other, schedule(), effects_too=True))
    assert [each.cycle for each in found.deviations] == [NEXT]
    found = replay_lines(lines, replay_with(alike, schedule(), effects_too=True))
    assert (found.checked, found.deviations) == (1, ())


def test_a_command_that_lands_while_it_is_decided_is_decided_upon() -> None:
    """Otherwise the journal would hold a decision that its record does not lead to."""
    controls: list[tuple[bool, bool]] = []

    async def story(world: World) -> None:
        def deciding(cycle: Cycle, _: Body) -> None:
            controls.append((cycle.control.paused, cycle.control.halted))
            if len(controls) == 1:
                world.command(paused=True)
            if len(controls) == 2:
                world.command(halted=True)

        world.app.deciding = deciding
        world.app.plans[NEXT] = [order()]
        record = await world.run()
        assert record.control.halted
        assert record.outbox == ()

    world = in_world(story)
    assert controls == [(False, False), (True, False), (False, True)]
    assert world.body().cycles == [NEXT]
    assert world.app.venue.sent == []
    found = replay_lines(world.store.journal(), replay_with(Application(), schedule()))
    assert (found.checked, found.deviations) == (1, ())


def test_commands_without_end_are_nobodys_fault() -> None:
    """The cycle is tried again by the worker; no release is blamed."""

    async def story(world: World) -> None:
        world.app.deciding = lambda cycle, _: world.command(note=cycle.control.note + "x")
        with pytest.raises(Refused) as refused:
            await world.run()
        assert refused.value.refusal is Refusal.EVIDENCE_STALE

    assert in_world(story).store.read().progress.cycle == FIRST


def test_an_application_that_plans_effects_although_halted_is_at_fault() -> None:
    async def story(world: World) -> None:
        world.command(halted=True)
        world.app.decide = lambda cycle, body, inputs, receipts: msgspec.structs.replace(  # type: ignore[method-assign] # a careless one
            Application.decide(world.app, cycle, body, inputs, receipts), effects=[order()]
        )
        await expect_faulty(world, world.run(), "planned while halted")

    assert in_world(story).app.venue.sent == []


def test_ownership_that_is_lost_while_deciding_stops_the_cycle() -> None:
    """The old owner wakes after a pause: it can neither commit nor send."""

    async def story(world: World) -> None:
        def lose(_: Cycle, __: Body) -> None:
            seen = evidence_of(world.store.read())
            world.change(
                lambda record: transitions.seize(
                    record, worker=worker_id("b"), seen=seen, proof=Proof.DEAD, attempt="s"
                )
            )

        world.app.deciding = lose
        world.app.plans[NEXT] = [order()]
        with pytest.raises(Refused) as refused:
            await world.run()
        assert refused.value.refusal is Refusal.NOT_OWNER

    world = in_world(story)
    assert world.store.read().progress.cycle == FIRST
    assert world.app.venue.sent == []


def test_ownership_that_is_lost_while_performing_leaves_the_settling_to_the_new_owner() -> None:
    async def story(world: World) -> None:
        async def lose() -> None:
            seen = evidence_of(world.store.read())
            world.change(
                lambda record: transitions.seize(
                    record, worker=worker_id("b"), seen=seen, proof=Proof.DEAD, attempt="s"
                )
            )

        world.app.plans[NEXT] = [order()]
        world.app.venue.hooks["order-1"] = lose
        with pytest.raises(Refused):
            await world.run()

    record = in_world(story).store.read()
    assert record.progress.phase is Phase.DECIDED
    assert [each.fate for each in record.outbox] == [Fate.PLANNED]


def test_inputs_that_do_not_come_are_decided_without() -> None:
    async def story(world: World) -> None:
        async def hang(_: Cycle) -> list[str]:
            await world.clock.pause(10_000)
            return []

        async def reset(_: Cycle) -> list[str]:
            error = ConnectionResetError("by peer")
            raise error

        async def given(_: Cycle) -> Unavailable:
            return Unavailable("closed on Sundays")

        async def silent(_: Cycle) -> Unavailable:
            return Unavailable("")

        for observed in (hang, reset, given, silent):
            world.app.observed = observed
            await world.run()

    world = in_world(story)
    lines = [line for line in world.store.journal() if line.kind == "decide"]
    remedy = "a release that needs longer says so: every(10, budget_s=7.5)"
    reasons = [
        f"observe ran over its budget of 5 s; {remedy}",
        "ConnectionResetError: by peer",
        "closed on Sundays",
        "no reason given",
    ]
    assert [line.unavailable for line in lines] == reasons
    assert [line["reason"] for line in world.log.lines("inputs_unavailable")] == reasons[1:]
    assert [line["reason"] for line in world.log.lines("observe_over_budget")] == reasons[:1]
    assert [is_over_budget(line) for line in lines] == [True, False, False, False]
    report = audit_cycles(world.store.journal())
    assert (report.decided, report.unavailable, report.over_budget) == (4, 4, 1)
    assert len(world.body().cycles) == 4


def test_a_time_limit_of_the_application_itself_is_not_the_budget() -> None:
    """Who is told to raise the budget for a venue that does not answer looks in the wrong place."""

    async def story(world: World) -> None:
        async def impatient(_: Cycle) -> list[str]:
            async with asyncio.timeout(1):
                await world.clock.pause(10_000)
            return []

        world.app.observed = impatient
        await world.run()

    world = in_world(story)
    (line,) = [each for each in world.store.journal() if each.kind == "decide"]
    assert line.unavailable == "TimeoutError: "
    assert not is_over_budget(line)
    assert world.log.lines("observe_over_budget") == []


def test_a_cycle_without_inputs_counts_neither_for_nor_against_a_bake() -> None:
    async def story(world: World) -> None:
        async def absent(_: Cycle) -> Unavailable:
            return Unavailable("down")

        world.bake()
        world.app.observed = absent
        record = await world.run()
        assert record.rollout is not None
        assert record.rollout.clean_cycles == 0
        world.app.observed = None
        record = await world.run()
        assert record.rollout is not None
        assert record.rollout.clean_cycles == 1

    assert in_world(story).body().cycles == [NEXT, NEXT + 1]


def test_a_write_whose_outcome_is_unknown_and_that_landed_is_not_repeated() -> None:
    """The attempt id in the record says whose write it was."""

    async def story(world: World) -> None:
        def unknown(moment: Moment) -> None:
            if moment is Moment.AFTER_RECORD:
                world.store.interrupt = lambda _: None
                raise OutcomeUnknown(LOST)

        world.app.plans[NEXT] = [order()]
        world.store.interrupt = unknown
        await world.run()

    world = in_world(story)
    assert world.kinds()[2:] == ["decide", "settle"]
    assert world.app.venue.sent == ["order-1"]


def test_a_write_whose_outcome_is_unknown_and_that_did_not_land_is_made_again() -> None:
    async def story(world: World) -> None:
        def unknown(moment: Moment) -> None:
            if moment is Moment.BEFORE_JOURNAL:
                world.store.interrupt = lambda _: None
                raise OutcomeUnknown(LOST)

        world.app.plans[NEXT] = [order()]
        world.store.interrupt = unknown
        await world.run()

    world = in_world(story)
    assert world.kinds()[2:] == ["decide", "settle"]
    assert world.body().cycles == [NEXT]
    assert world.app.venue.executed == ["order-1"]


def test_what_fails_between_the_line_and_the_record_has_happened_and_is_ones_own() -> None:
    """Reading finishes it; found again, the decision's effects are its own and unsent."""

    async def story(world: World) -> None:
        def unknown(moment: Moment) -> None:
            if moment is Moment.BETWEEN:
                world.store.interrupt = lambda _: None
                raise OutcomeUnknown(LOST)

        world.app.plans[NEXT] = [order()]
        world.store.interrupt = unknown
        await world.run()

    world = in_world(story)
    assert world.kinds()[2:] == ["decide", "settle"]
    assert world.app.venue.sent == ["order-1"]
    assert world.app.venue.asked == []


def test_reading_after_an_unknown_outcome_is_tried_again() -> None:
    async def story(world: World) -> None:
        read, failures = world.store.read, [OSError("busy"), OSError("busy")]

        def unsteady() -> Record:
            if failures:
                raise failures.pop()
            return read()

        def unknown(moment: Moment) -> None:
            if moment is Moment.AFTER_RECORD:
                world.store.interrupt = lambda _: None
                world.store.read = unsteady  # type: ignore[method-assign] # a medium that fails
                raise OutcomeUnknown(LOST)

        world.store.interrupt = unknown
        record = world.store.read()
        await world.runner().run(record, NEXT)
        assert failures == []

    assert in_world(story).kinds()[2:] == ["decide", "settle"]


def test_a_settle_that_cannot_be_written_does_not_repeat_its_effects() -> None:
    async def story(world: World) -> None:
        async def full() -> None:
            def interrupt(_: Moment) -> None:
                world.store.interrupt = lambda _: None
                raise OSError(28, "no space left")

            world.store.interrupt = interrupt

        world.app.plans[NEXT] = [order()]
        world.app.venue.hooks["order-1"] = full
        with pytest.raises(OSError, match="no space"):
            await world.run()
        record = await world.runner().finish(world.store.read(), fresh=False)
        assert [each.effect_id for each in record.receipts] == ["order-1"]

    world = in_world(story)
    assert (world.app.venue.sent, world.app.venue.asked) == (["order-1"], [])


def test_a_cycle_can_be_given_up_and_ownership_released() -> None:
    async def story(world: World) -> None:
        missed = world.runner().miss(NEXT, "too late")
        assert [(each.cycle, each.reason) for each in missed.progress.missed] == [
            (NEXT, "too late")
        ]
        released = world.runner().release("asked to")
        assert released.ownership.owner is None

    world = in_world(story)
    lines = world.store.journal()[-2:]
    assert [(line.kind, line.evidence) for line in lines] == [
        ("miss", {"reason": "too late"}),
        ("release", {"reason": "asked to"}),
    ]
    assert world.log.lines("cycle_missed")[0]["cycle"] == NEXT


def test_effects_beyond_the_bound_are_refused_before_the_commit() -> None:
    async def story(world: World) -> None:
        world.app.plans[NEXT] = [order(f"order-{number}") for number in range(PLANNED_MAX + 1)]
        await expect_faulty(world, world.run(), f"more than {PLANNED_MAX}")

    assert in_world(story).app.venue.sent == []


def test_an_invariant_that_is_violated_is_a_fault() -> None:
    async def story(world: World) -> None:
        world.app.violations = [Violation("negative cash"), Violation("two positions")]
        await expect_faulty(world, world.run(), "negative cash; two positions")

    assert in_world(story).store.read().progress.cycle == FIRST

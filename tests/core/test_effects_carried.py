"""What becomes of effects of earlier cycles whose outcome is unknown: one more try a cycle."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from msgspec.structs import replace

from handoff.limits import CARRIED_PART, LANES_MAX, NS, RESOLVE_ATTEMPTS_MAX
from handoff.virtual_time import VirtualClock, run_virtual
from handoff.worker.carried import CarriedEffects
from handoff.worker.effects import Performer
from handoff.worker.requests import Requests
from handoff.workload import Absent, Unknown, receipt
from state.absence import CARRIED_CYCLES_MIN, CARRIED_NS_MIN
from state.record import Delivery, Effect, Fate, Outcome, Receipt, Record
from tests.engine_world import FIRST, START_NS, Application, LogBook, Venue, order, schedule
from tests.owner_world import NEXT, World, in_world

DOWN = [OSError("down")] * (1 + RESOLVE_ATTEMPTS_MAX)


def message(name: str = "message", **changes: Any) -> Effect:  # noqa: ANN401 - arguments of effect
    return order(name, delivery=Delivery.AT_LEAST_ONCE, **changes)


def doubtful(effect: Effect, **changes: Any) -> Effect:  # noqa: ANN401 - members of Effect
    return replace(effect, **({"fate": Fate.DOUBTFUL, "cycle": FIRST} | changes))


def carrying(world: World, *effects: Effect) -> None:
    """Put effects of an earlier cycle into the outbox."""
    world.change(lambda record: replace(record, outbox=effects))


async def settled_once(world: World, *effects: Effect) -> None:
    """Let the owner settle a cycle and then find these effects."""
    await world.run()
    carrying(world, *effects)


def outcomes(record: Record) -> dict[str, Outcome]:
    return {each.effect_id: each.outcome for each in record.receipts}


def test_a_message_outlasts_an_outage_of_several_cycles() -> None:
    """Each later cycle tries once, and the answer reaches the application."""

    async def story(world: World) -> None:
        venue = world.app.venue
        world.app.plans[NEXT] = [message()]
        venue.answers["message"] = [*DOWN, OSError("down"), OSError("down")]
        for sent in (len(DOWN), len(DOWN) + 1, len(DOWN) + 2):
            after = await world.run()
            assert [each.fate for each in after.outbox] == [Fate.DOUBTFUL]
            assert len(venue.sent) == sent
        after = await world.run()
        assert (after.outbox, outcomes(after)) == ((), {"message": Outcome.CONFIRMED})

    in_world(story)


def test_a_doubtful_effect_crosses_cycles_until_its_fate_is_proven() -> None:
    async def story(world: World) -> None:
        venue = world.app.venue
        world.app.plans[NEXT] = [order()]
        venue.answers["order-1"] = [OSError("reset")]
        venue.lost = {"order-1"}
        venue.resolving["order-1"] = [Unknown("busy")] * (RESOLVE_ATTEMPTS_MAX + 1)
        for asked in (RESOLVE_ATTEMPTS_MAX, RESOLVE_ATTEMPTS_MAX + 1):
            after = await world.run()
            assert [each.fate for each in after.outbox] == [Fate.DOUBTFUL]
            assert after.receipts == ()
            assert len(venue.asked) == asked
        last = await world.run()
        assert last.outbox == ()
        assert [each.effect_id for each in last.receipts] == ["order-1"]
        await world.run()

    world = in_world(story)
    assert world.app.venue.sent == ["order-1"]
    assert world.body().outcomes == ["order-1 confirmed"]


def test_what_is_carried_comes_after_the_cycles_own_effects() -> None:
    async def story(world: World) -> None:
        await settled_once(world, doubtful(message("old")))
        world.app.plans[NEXT + 1] = [order("new")]
        await world.run()
        assert world.app.venue.sent == ["new", "old"]

    in_world(story)


def test_only_an_owner_that_settled_a_cycle_asks_about_earlier_ones() -> None:
    """An effect whose asking kills must not cost every later cycle its own effects."""

    async def story(world: World) -> None:
        carrying(world, doubtful(order("old")), doubtful(message("message")))
        await world.run()
        assert (world.app.venue.asked, world.app.venue.sent) == ([], [])
        await world.run()
        assert (world.app.venue.asked, world.app.venue.sent) == (["old"], ["message"])
        world.restart()
        carrying(world, doubtful(order("older")))
        await world.run()
        assert world.app.venue.asked == ["old"], "a new owner begins anew"

    in_world(story)


def test_while_halted_what_is_carried_is_kept_and_not_sent() -> None:
    async def story(world: World) -> None:
        await settled_once(world, doubtful(message()))
        world.command(halted=True)
        after = await world.run()
        assert [each.effect_id for each in after.outbox] == ["message"]
        assert world.app.venue.sent == []
        world.command(halted=False)
        assert outcomes(await world.run()) == {"message": Outcome.CONFIRMED}

    in_world(story)


def test_what_comes_after_a_carried_effect_waits_for_it() -> None:
    async def story(world: World) -> None:
        await settled_once(world, doubtful(order("first")), doubtful(message(after="first")))
        world.app.venue.resolving["first"] = [Unknown("busy")]
        await world.run()
        assert world.app.venue.sent == []
        world.app.venue.executed = ["first"]
        await world.run()
        await world.run()
        assert world.app.venue.sent == ["message"]

    in_world(story)


def test_a_new_effect_after_a_carried_one_is_refused() -> None:
    async def story(world: World) -> None:
        await settled_once(world, doubtful(order("old")))
        world.app.plans[NEXT + 1] = [order("new", after="old")]
        after = await world.run()
        assert outcomes(after)["new"] is Outcome.REFUSED
        assert world.app.venue.sent == []

    in_world(story)


def test_what_finds_no_time_has_its_turn_in_the_next_cycle() -> None:
    """A venue that hangs costs a cycle its share and no more, and nobody waits for ever."""

    async def story(world: World) -> None:
        names = [f"old-{number:02}" for number in range(LANES_MAX + 4)]
        await settled_once(world, *(doubtful(message(name)) for name in names))
        for name in names[:LANES_MAX]:
            world.app.venue.hooks[name] = partial(world.clock.pause, 1000)
        began_ns = world.clock.monotonic_ns()
        await world.run()
        took_ns = world.clock.monotonic_ns() - began_ns
        assert took_ns <= schedule().bounds.budget_ns * CARRIED_PART + NS // 100
        assert world.app.venue.executed == []
        await world.run()
        assert world.app.venue.executed == names[LANES_MAX:]

    in_world(story)


def test_what_is_carried_ends_as_unknown_after_its_last_moment() -> None:
    """The application hears of it; nobody can say any more whether it went through."""

    async def story(world: World) -> None:
        await settled_once(world)
        late_ns = world.clock.now_ns()
        carrying(world, doubtful(message(not_after_ns=late_ns)))
        assert outcomes(await world.run()) == {"message": Outcome.UNKNOWN}
        assert world.app.venue.sent == []

    in_world(story)


def test_without_a_last_moment_it_ends_after_a_day_and_a_thousand_cycles() -> None:
    """Also where the owner dies of every question: to end it, nobody is asked."""
    long_ago = FIRST - max(CARRIED_CYCLES_MIN, CARRIED_NS_MIN // schedule().bounds.period_ns)

    async def story(world: World) -> None:
        young, old = message("young"), message("old")
        carrying(world, doubtful(young, cycle=long_ago + 100), doubtful(old, cycle=long_ago))
        after = await world.run()
        assert outcomes(after) == {"old": Outcome.UNKNOWN}
        assert [each.effect_id for each in after.outbox] == ["young"]
        assert world.app.venue.sent == []

    in_world(story)


def test_an_unproven_effect_is_never_written_off_by_waiting() -> None:
    """The owner before the last one may still send it; only the venue's own word ends it."""

    async def story(world: World) -> None:
        await settled_once(world, doubtful(order("old"), unproven=True))
        world.app.venue.resolving["old"] = [Absent(), Absent(enforced=True)]
        await world.clock.pause(100)
        after = await world.run()
        assert [each.effect_id for each in after.outbox] == ["old"]
        assert outcomes(await world.run()) == {"old": Outcome.EXPIRED}
        assert world.app.venue.sent == []

    in_world(story)


def test_an_unproven_effect_is_sent_again_where_a_second_one_is_refused() -> None:
    """Whoever else may still send it: the venue takes one of the two, and its answer ends it."""

    async def story(world: World) -> None:
        await settled_once(world, doubtful(order("old"), unproven=True))
        assert outcomes(await world.run()) == {"old": Outcome.CONFIRMED}
        assert (world.app.venue.sent, world.app.venue.executed) == (["old"], ["old"])

    in_world(story)


def test_what_has_no_answer_that_counts_stays_doubtful_and_had_its_turn() -> None:
    """Nothing in its place would be taken for a fate by whoever settles."""
    venue = Venue(refuses_repeats=False)

    async def main() -> None:
        requests = Requests(Application(venue), VirtualClock(START_NS), LogBook().log)
        carried = CarriedEffects(requests, limit_s=1, may_send=True)
        once = order("once", delivery=Delivery.AT_MOST_ONCE)
        verdicts = await carried.run((doubtful(order("absent")), doubtful(once)))
        assert verdicts == {"absent": Fate.DOUBTFUL, "once": Fate.DOUBTFUL}
        assert carried.tried == ["absent", "once"]

    run_virtual(main())
    assert (venue.sent, venue.asked) == ([], ["absent"])


def test_a_carried_effect_is_tried_once_though_its_settling_is_written_twice() -> None:
    venue = Venue()
    venue.answers["message"] = [OSError("down")]

    async def main() -> None:
        performer = Performer(Application(venue), VirtualClock(START_NS), LogBook().log)
        asked = partial(
            performer.ask_carried,
            (doubtful(message()),),
            cycle=NEXT,
            limit_s=1,
            may_send=True,
            planned_ns=schedule().boundary_ns,
        )
        assert await asked() == await asked() == {"message": Fate.DOUBTFUL}
        performer.settled()
        assert venue.sent == ["message"]
        await asked()
        assert venue.sent == ["message"] * 2

    run_virtual(main())


class Crowded:
    """A venue that answers one request at a time, and needs three for an answer."""

    outside = ()

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._counter = asyncio.Lock()

    async def perform(self, effect: Effect) -> Receipt:
        raise AssertionError(effect)

    async def resolve(self, effect: Effect) -> Receipt:
        for _ in range(3):
            async with self._counter:
                await self._clock.pause(0.01)
        return receipt(effect, Outcome.CONFIRMED)


def test_a_crowd_of_carried_effects_is_asked_about_a_few_at_a_time() -> None:
    """Asked together, each would run out of time in each cycle, and none ever have an answer."""

    async def main() -> None:
        clock = VirtualClock(START_NS)
        performer = Performer(Crowded(clock), clock, LogBook().log)
        left = [doubtful(order(f"order-{number}")) for number in range(LANES_MAX)]
        known = []
        for cycle in range(NEXT, NEXT + 20):
            verdicts = await performer.ask_carried(
                left,
                cycle=cycle,
                limit_s=0.1,
                may_send=True,
                planned_ns=schedule().boundary_ns,
            )
            performer.settled()
            left = [one for one in left if verdicts[one.effect_id] is Fate.DOUBTFUL]
            known.append(LANES_MAX - len(left))
        assert known[0] == 0, "they are a crowd"
        assert left == []

    run_virtual(main())

"""What a loop remembers, when it runs, and what an operator's word does to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from handoff import LoopCycle, PlainLoopCycle, loop, simulate
from handoff.errors import WorkloadFaulty
from handoff.limits import NS
from handoff.loops.daily import TIMES_MAX, due
from handoff.loops.errors import LoopFaulty
from handoff.loops.facts import READS, Envelope, Reads
from handoff.simulation import START_NS
from handoff.workload import Cycle, Decision, Unavailable
from state import Delivery
from state.record import Control, Timeline

if TYPE_CHECKING:
    from handoff.loops.decorator import Loop

FAST = Timeline(origin_ns=START_NS, speed=3600)  # waiting for an hour takes as long as a second


class Seen(msgspec.Struct):
    """The first shape."""

    known: list[str] = []


class Since(msgspec.Struct):
    """The second: each with the cycle in which it was seen."""

    first: dict[str, int] = {}


def noting() -> Loop:
    @loop(every=60, state=Seen, acts=[abs])
    async def notes(cycle: LoopCycle, state: Seen) -> None:
        state.known.append(str(cycle.number))
        cycle.do(abs, -1)
        cycle.due("00:00")

    return notes


def noting_since(**steps: Any) -> Loop:  # noqa: ANN401 - steps
    @loop(every=60, state=Since, acts=[abs], version=2, **steps)
    async def notes(cycle: LoopCycle, state: Since) -> None:
        state.first[str(cycle.number)] = cycle.number
        cycle.do(abs, -len(cycle.done))

    return notes


def up(old: Any) -> Any:  # noqa: ANN401 - plain JSON
    return {"first": dict.fromkeys(old["known"], 0)}


def down(new: Any) -> Any:  # noqa: ANN401 - plain JSON
    return {"known": list(new["first"])}


def test_a_changed_shape_goes_up_and_comes_down_with_the_loops_own_steps() -> None:
    """The steps see the state alone; what the engine keeps beside it is not theirs to lose."""
    simulation = simulate(noting()(), cycles=2)
    before = simulation.body
    simulation.deploy(noting_since(up=up, down=down)(), bake=9).run(1)
    assert list(simulation.body.state.first.values())[:2] == [0, 0]
    assert simulation.body.due == before.due != {}
    assert simulation.effects[-1].payload == msgspec.Raw(b"-1"), "what was done before is told"
    back = simulation.give_back().run(1)
    assert len(back.body.state.known) == 4


def test_steps_may_be_named_by_the_versions_that_they_lead_from() -> None:
    new = noting_since(up={1: up}, down={2: down})
    simulation = simulate(noting()(), cycles=1).deploy(new(), bake=0).run(1)
    assert len(simulation.body.state.first) == 2


def test_a_changed_shape_without_a_version_or_steps_is_refused() -> None:
    @loop(every=60, state=Since)
    async def unversioned(cycle: LoopCycle, state: Since) -> None:
        """Do nothing."""

    with pytest.raises(WorkloadFaulty, match=r"shape of loop\.state changed without a new version"):
        simulate(noting()(), cycles=1).deploy(unversioned()).run(1)
    with pytest.raises(WorkloadFaulty, match="no step up from version 1"):
        simulate(noting()(), cycles=1).deploy(noting_since(down=down)()).run(1)
    with pytest.raises(WorkloadFaulty, match="no step down from version 2"):
        simulate(noting()(), cycles=1).deploy(noting_since(up=up)()).run(1)


def test_a_loop_may_be_renamed() -> None:
    """The state is found by the home, not by what the function is called."""
    simulation = simulate(noting()(), cycles=1)

    @loop(every=60, state=Seen)
    def renamed(_cycle: PlainLoopCycle, state: Seen) -> None:
        state.known.append("renamed")

    assert simulation.deploy(renamed(), bake=0).run(1).body.state.known[-1] == "renamed"


def test_a_state_may_be_a_dict_or_left_out() -> None:
    @loop(every=60)
    def counts(_cycle: PlainLoopCycle, state: dict[str, int]) -> None:
        state["n"] = state.get("n", 0) + 1

    assert simulate(counts(), cycles=3).body.state == {"n": 3}


def test_a_state_may_be_a_list_that_later_becomes_a_dict() -> None:
    """A list that a plain program kept in a file is the state as it is."""

    @loop(every=60, state=list)
    def notes(_cycle: PlainLoopCycle, known: list[int]) -> None:
        known.append(len(known))
        del known[:-2]

    @loop(every=60, version=2, up=lambda old: {"known": old}, down=lambda new: new["known"])
    def counts(_cycle: PlainLoopCycle, state: dict[str, Any]) -> None:
        state["n"] = state.get("n", 0) + 1

    simulation = simulate(notes(), cycles=3)
    assert simulation.body.state == [1, 2]
    simulation.deploy(counts(), bake=9).run(2)
    assert simulation.body.state == {"known": [1, 2], "n": 2}
    assert simulation.give_back().run(1).body.state == [2, 2]


def test_a_key_of_a_dict_that_is_no_text_is_a_fault_that_names_the_place() -> None:
    """Found by its number in this cycle, it would be missed in the next one."""

    @loop(every=60)
    def counts(_cycle: PlainLoopCycle, state: dict[str, Any]) -> None:
        state["seen"] = [{"a": 1}, {7: 1}]

    with pytest.raises(WorkloadFaulty, match=r"state\.seen\[1\] has the key 7"):
        simulate(counts(), cycles=1)


def test_a_state_is_not_shared_by_the_runs_of_a_cycle() -> None:
    """What observing changes is thrown away; only what is decided counts."""
    runs: list[int] = []

    @loop(every=60, state=Seen)
    def counts(_cycle: PlainLoopCycle, state: Seen) -> None:
        state.known.append("a")
        runs.append(len(state.known))

    assert simulate(counts(), cycles=2).body.state == Seen(["a", "a"])
    assert runs == [1, 1, 2, 2, 1, 2], "observed and decided, twice, and both decided again"


def test_paused_the_loop_sees_it_and_leaves_out_what_it_would_open() -> None:
    @loop(every=60, acts=[abs])
    def opens(cycle: PlainLoopCycle, state: dict[str, Any]) -> None:
        state["n"] = state.get("n", 0) + 1
        if not cycle.paused:
            cycle.do(abs, 1)

    simulation = simulate(opens(), cycles=1).command(paused=True).run(2).command().run(1)
    assert (simulation.body.state["n"], len(simulation.effects)) == (4, 2)


def test_halted_the_function_does_not_run_and_nothing_is_dropped() -> None:
    ran: list[int] = []

    @loop(every=60, acts=[abs])
    def does(cycle: PlainLoopCycle, state: dict[str, Any]) -> None:
        ran.append(cycle.number)
        state["told"] = state.get("told", 0) + len(cycle.done)
        cycle.do(abs, 1)

    simulation = simulate(does(), cycles=2)
    ran.clear()
    before = simulation.body.state
    simulation.command(halted=True).run(3)
    assert (ran[2:], simulation.body.state) == ([], before), "the first two are decided again"
    assert [each.act for each in simulation.body.done] == ["abs", "abs"]
    health = [line.health for line in simulation.lines if line.kind == "decide"][-1]
    assert health is not None
    assert (health.asked, health.answered) == (0, 0), "nothing was due, which is no outage"
    simulation.command().run(1)
    assert simulation.body.state["told"] == before["told"] + 2


def test_both_runs_of_a_cycle_see_one_word_of_the_operator() -> None:
    """A pause may come between them; the loop would ask for what was not read."""

    @loop(every=60)
    def reads(cycle: PlainLoopCycle, state: dict[str, Any]) -> None:
        state["seen"] = cycle.read(abs, 1 if cycle.paused else 2)

    workload = reads()
    observed = simulate(reads(), cycles=1)
    line = next(line for line in observed.lines if line.kind == "decide")
    inputs = msgspec.json.decode(line.inputs, type=Reads)
    cycle = Cycle(number=1, now_ns=0, seed=0)
    for control, state in ((Control(paused=True), {"seen": 2}), (Control(halted=True), {})):
        later = msgspec.structs.replace(cycle, control=control)
        assert workload.decide(later, Envelope(state={}), inputs, ()).body.state == state


def test_resumed_between_the_two_runs_the_function_waits_for_the_next_cycle() -> None:
    workload = noting()()
    inputs = Reads(skipped="halted")
    decided = workload.decide(Cycle(number=1, now_ns=0, seed=0), Envelope(state=Seen()), inputs, ())
    assert decided == Decision(body=Envelope(state=Seen()))
    assert isinstance(READS.decode(READS.encode(inputs), READS.schema_id), Reads)


def test_when_it_runs_and_how_long_it_may_take_are_options() -> None:
    @loop(every=60, offset=5, budget=20, catch_up=300, observe_twice=False, delivery="at_most_once")
    def runs(cycle: PlainLoopCycle, state: dict[str, Any]) -> None:
        state["at"] = cycle.now.second

    workload = runs()
    cadence = workload.cadence
    assert cadence.period_ns == 60 * NS
    assert (cadence.offset_ns, cadence.budget_ns) == (5 * NS, 20 * NS)
    assert cadence.catch_up_ns == 300 * NS
    assert workload.observe_twice is False
    assert runs.declared.delivery is Delivery.AT_MOST_ONCE
    assert simulate(workload, cycles=1).body.state == {"at": 5}


def test_what_is_not_said_is_as_the_engine_has_it() -> None:
    workload = noting()()
    assert (workload.cadence.budget_ns, workload.cadence.catch_up_ns) == (None, None)
    assert workload.observe_twice is True
    assert noting().declared.delivery is Delivery.AT_LEAST_ONCE
    assert workload.health(Unavailable("down")).answered == 0


def days(at: str, zone: str, *, hours: int, every: int = 3600) -> list[datetime]:
    """When a time of day was due, asked once per cycle from the start of 2026 on."""
    found: list[datetime] = []

    @loop(every=every)
    def asks(cycle: PlainLoopCycle, state: dict[str, Any]) -> None:
        if cycle.due(at, zone):
            state.setdefault("due", []).append(cycle.now.isoformat())

    ran = simulate(asks(), cycles=hours * 3600 // every, timeline=FAST)
    found += [datetime.fromisoformat(each) for each in ran.body.state.get("due", [])]
    return found


def test_a_time_of_day_is_due_once_a_day_where_it_is_that_time() -> None:
    found = days("09:30", "Europe/Berlin", hours=72)
    assert found == [datetime(2026, 1, day, 9, tzinfo=UTC) for day in (1, 2, 3)]


def test_at_its_first_asking_later_on_the_day_it_is_not_due() -> None:
    """A loop begun at noon does not send the report of nine o'clock."""
    assert days("22:30", "UTC", hours=20) == [], "the simulation begins at midnight"
    assert days("23:30", "UTC", hours=20) == [datetime(2026, 1, 1, tzinfo=UTC)]


def test_what_came_while_no_cycle_ended_is_due_once_afterwards() -> None:
    def fetch(hour: int) -> None:
        if 5 <= hour <= 11:
            message = "down"
            raise OSError(message)

    @loop(every=3600)
    def asks(cycle: PlainLoopCycle, state: dict[str, Any]) -> None:
        is_due = [cycle.due("09:00"), cycle.due("09:00")]
        cycle.read(fetch, cycle.now.hour)
        if any(is_due):
            state.setdefault("due", []).append([cycle.now.hour, *is_due])

    assert simulate(asks(), cycles=23, timeline=FAST).body.state == {"due": [[12, True, True]]}


def test_in_nights_without_or_with_twice_the_time_it_is_due_once() -> None:
    """Berlin has no 02:30 on 29 March 2026, and has it twice on 25 October."""
    for start in (datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC)):
        last, found = "2026-01-01", []
        for minute in range(0, 48 * 60, 10):
            now = start + timedelta(minutes=minute)
            answer = due("02:30", "Europe/Berlin", now=now, period=timedelta(minutes=10), last=last)
            last = answer.date
            found += [now] if answer.is_due else []
        assert len(found) == 3, "the first one is of the days before"
        assert found[1].date() != found[2].date()


@pytest.mark.parametrize("at", ["9:00", "25:00", "09", "nine", "09:00:00.5", "09:00Z", 9])
def test_what_is_no_time_of_day_is_a_fault(at: Any) -> None:  # noqa: ANN401 - mistakes
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(LoopFaulty, match='write it as "09:00"'):
        due(at, "UTC", now=now, period=timedelta(minutes=1), last="")


def test_an_unknown_zone_and_too_many_times_are_faults_of_the_loop() -> None:
    with pytest.raises(WorkloadFaulty, match="no time zone 'Europe/Berln'"):
        days("09:00", "Europe/Berln", hours=1)

    @loop(every=60)
    def asks(cycle: PlainLoopCycle, _state: dict[str, Any]) -> None:
        for second in range(TIMES_MAX + 1):
            cycle.due(f"09:{second // 60:02}:{second % 60:02}")

    with pytest.raises(WorkloadFaulty, match="more than 256 times of day"):
        simulate(asks(), cycles=1)

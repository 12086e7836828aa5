"""Recorded cycles decided again by other code: what differs is counted, named and bounded."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec.structs import replace
from typing_extensions import override

from handoff.cadence import Schedule
from handoff.replay.comparison import (
    EXAMPLES_MAX,
    REPLAY_FORMAT,
    WORDS_MAX,
    Comparison,
    Example,
    Lost,
    Origin,
    Recorded,
    compare,
    difference,
    impurity_of,
    origin_of,
    recorded_cycles,
    refusal_of,
    words_of,
)
from handoff.simulation import simulate
from state.record import Delivery
from state.schema import Schema
from tests.engine_world import Application, order

if TYPE_CHECKING:
    from collections.abc import Callable

    from handoff.replay.comparison import Message
    from handoff.simulation import Simulation
    from handoff.workload import Cycle, Decision

CYCLES = 150  # two checkpoints


def ordering(price: Callable[[int], int] = lambda _: 1) -> Application:
    """An application with an order in each cycle."""
    app = Application()

    def plan(cycle: Cycle, _body: Any) -> None:  # noqa: ANN401 - the application's body
        name = f"order-{cycle.number}"
        app.plans[cycle.number] = [order(name, payload={"price": price(cycle.number)})]

    app.deciding = plan
    return app


def told(ran: Simulation, app: Application, *, last: int = CYCLES) -> list[Message]:
    """What the running release tells of its newest cycles."""
    record = ran.record
    schedule = Schedule(app.cadence, record.timeline)
    first = record.progress.cycle - last + 1
    cycles = recorded_cycles(ran.lines, app, schedule, release=ran.release, first=first)
    messages = [origin_of(app, ran.release), *cycles]
    # Through the bytes: it crosses a pipe.
    decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Origin | Recorded | Lost)
    return [decoder.decode(msgspec.json.encode(each)) for each in messages]


class Ordered(dict[int, Any]):
    """The plans of `ordering`, whichever application asks."""

    @override
    def get(self, number: int, default: Any = None) -> Any:
        return [order(f"order-{number}", payload={"price": 1})]


@pytest.fixture(scope="module")
def ran() -> Simulation:
    return simulate(ordering(), cycles=CYCLES)


def test_the_same_code_decides_every_cycle_alike(ran: Simulation) -> None:
    found = compare(told(ran, ordering()), ordering())
    assert found == Comparison(release="r1", cycles=CYCLES)
    assert words_of(found) == "150 cycles, 0 differ"
    assert refusal_of(found, differ_max=0.0) == ""


def test_only_the_newest_are_told_and_those_before_them_lead_there(ran: Simulation) -> None:
    messages = told(ran, ordering(), last=10)
    cycles = [each.cycle.number for each in messages if isinstance(each, Recorded)]
    newest = ran.record.progress.cycle
    assert cycles == list(range(newest - 9, newest + 1))


def test_code_that_decides_otherwise_is_counted_with_the_first_examples(ran: Simulation) -> None:
    first = ran.record.progress.cycle - CYCLES + 1
    dear = ordering(lambda number: 2 if (number - first) % 10 < 3 else 1)
    found = compare(told(ran, ordering()), dear)
    assert (found.cycles, found.differ, found.raised) == (CYCLES, 45, 0)
    assert len(found.differing) == EXAMPLES_MAX
    assert found.differing[0].cycle == first
    assert found.differing[0].words == (
        f"payload of order-{first} was {{'price': 1}}, is {{'price': 2}}"
    )
    reason = refusal_of(found, differ_max=0.25)
    assert reason.startswith("45 of 150 recorded cycles are decided otherwise (30%, at most 25%)")
    assert refusal_of(found, differ_max=0.3) == ""


def test_what_is_shown_of_a_comparison_is_bounded_by_the_stated_numbers() -> None:
    assert (REPLAY_FORMAT, EXAMPLES_MAX, WORDS_MAX) == (1, 5, 300)
    assert Origin(release="r1").format == REPLAY_FORMAT


def test_a_cycle_is_decided_again_on_its_recorded_inputs(ran: Simulation) -> None:
    """On others, or none, every release that reads the world would look like another one."""

    class Reading(Application):
        @override
        def decide(self, cycle: Cycle, body: Any, inputs: Any, receipts: Any) -> Decision[Any]:
            assert inputs == [f"seen in {cycle.number}"]
            return super().decide(cycle, body, inputs, receipts)

    app = Reading()
    app.plans = Ordered()
    found = compare(told(ran, ordering(), last=3), app)
    assert (found.cycles, found.raised, found.differ) == (3, 0, 0)


def test_a_cycle_without_inputs_is_decided_again_without_them(ran: Simulation) -> None:
    """A record of it has no inputs to leave out but those."""
    [origin, cycle] = told(ran, ordering(), last=1)
    assert isinstance(cycle, Recorded)
    bare = Recorded(cycle=cycle.cycle, before=cycle.before)
    assert (bytes(bare.inputs), bare.inputs_schema, bare.effects) == (b"null", 0, ())
    unavailable = replace(bare, unavailable="no answer", effects=cycle.effects)
    found = compare([origin, unavailable], ordering())
    assert (found.raised, found.differ) == (0, 0)


def test_the_first_example_is_the_one_that_a_refusal_names() -> None:
    examples = (Example(7, "first"), Example(9, "last"))
    differs = Comparison(release="r1", cycles=10, differ=2, differing=examples)
    assert refusal_of(differs, differ_max=0.1).endswith("; cycle 7: first")
    raises = replace(differs, raised=2, raising=examples)
    assert refusal_of(raises, differ_max=1.0).endswith("; cycle 7: first")
    impure = replace(differs, impure=2, impurities=examples)
    assert impurity_of(impure).endswith("; cycle 7: first")
    assert words_of(raises).startswith("10 cycles, 2 differ, 2 cannot be decided; cycle 7: first")


def test_code_that_raises_speaks_against_itself_whatever_may_differ(ran: Simulation) -> None:
    broken = ordering()
    newest = ran.record.progress.cycle

    def fail(cycle: Cycle, _body: Any) -> None:  # noqa: ANN401 - the application's body
        if cycle.number == newest:
            message = "nothing"
            raise KeyError(message)

    broken.deciding = fail
    found = compare(told(ran, ordering()), broken)
    assert found.raised == 1
    assert "decide raised KeyError: 'nothing'" in refusal_of(found, differ_max=1.0)


def test_a_release_that_is_not_pure_is_told_from_one_that_another_release_deviates_from() -> None:
    """Only what it decided itself can prove it; the candidate may still be the same code."""
    counter = itertools.count(100)
    impure = ordering(lambda _: next(counter))
    ran = simulate(ordering(), cycles=5).deploy(ordering(lambda _: 7), bake=0).run(5)
    found = compare(told(ran, impure, last=10), ordering())
    assert (found.impure, found.cycles) == (5, 10), "the first five are of another release"
    assert found.impurities[0].cycle == ran.record.progress.cycle - 4
    assert impurity_of(found).startswith("r2 is not pure: it decides 5 of 10 recorded cycles")
    assert impurity_of(Comparison()) == ""
    assert "5 not pure in the running release" in words_of(found)


def test_a_release_that_cannot_decide_its_own_cycle_again_is_not_pure(ran: Simulation) -> None:
    broken = ordering()

    def fail(_cycle: Cycle, _body: Any) -> None:  # noqa: ANN401 - the application's body
        message = "only once"
        raise KeyError(message)

    broken.deciding = fail
    found = compare(told(ran, broken), ordering())
    assert found.impure >= 1
    assert "KeyError: 'only once'" in impurity_of(found)


def test_what_a_release_decided_itself_is_known_from_its_first_cycle_on() -> None:
    """Also where what was decided before leads its code elsewhere."""

    def noting() -> Application:
        app = ordering()

        def note(_cycle: Cycle, body: Any) -> None:  # noqa: ANN401 - the application's body
            body.outcomes.append("seen")

        app.deciding = note
        return app

    ran = simulate(ordering(), cycles=5).deploy(noting(), bake=0).run(5)
    found = compare(told(ran, noting(), last=5), noting())
    assert found == Comparison(release="r2", cycles=5)


def test_a_cycle_without_a_body_to_start_from_is_told_as_lost(ran: Simulation) -> None:
    lines = ran.lines
    begun = next(index for index, line in enumerate(lines) if line.kind == "decide") + 20
    app = ordering()
    schedule = Schedule(app.cadence, ran.record.timeline)
    messages = recorded_cycles(lines[begun:], app, schedule, release="r1", first=0)
    found = compare(messages, ordering())
    assert found.lost > 0
    assert found.cycles + found.lost == len({each.cycle for each in lines[begun:]})
    assert f"{found.lost} without a body to start from" in words_of(found)


def test_from_a_checkpoint_on_nothing_is_lost_any_more(ran: Simulation) -> None:
    """A decision that carries its body is one to start from, though it cannot be judged itself."""
    app = ordering()
    _, *decided = [line for line in ran.lines if line.kind == "decide"]
    begun = ran.lines.index(decided[0])
    checkpoint = next(line.cycle for line in decided if bytes(line.body) != b"null")
    schedule = Schedule(app.cadence, ran.record.timeline)
    first = checkpoint - 3
    cycles = list(recorded_cycles(ran.lines[begun:], app, schedule, release="r1", first=first))
    lost = [each.cycle for each in cycles if isinstance(each, Lost)]
    assert lost == [first, first + 1, first + 2, checkpoint]
    found = [each.cycle.number for each in cycles if isinstance(each, Recorded)]
    assert found == list(range(checkpoint + 1, ran.record.progress.cycle + 1))


def test_a_body_that_comes_out_otherwise_is_said_and_speaks_against_nobody(
    ran: Simulation,
) -> None:
    other = ordering()
    decide = other.deciding
    assert decide is not None

    def note(cycle: Cycle, body: Any) -> None:  # noqa: ANN401 - the application's body
        decide(cycle, body)
        body.outcomes.append("noted")

    other.deciding = note
    found = compare(told(ran, ordering(), last=10), other)
    assert (found.differ, found.bodies) == (0, 10)
    assert words_of(found) == "10 cycles, 0 differ, 10 lead to another body only"
    assert refusal_of(found, differ_max=0.0) == ""


def test_a_shape_that_changed_without_a_version_cannot_decide_anything(ran: Simulation) -> None:
    class Odd(msgspec.Struct):
        cycles: list[int] = []
        outcomes: list[str] = []
        more: int = 0

    app = ordering()
    known = type(app).body.schema_id
    app.body = Schema(known.name, known.version, Odd)  # another release's
    found = compare(told(ran, ordering(), last=1), app)
    assert "changed without a new version" in found.raising[0].words


@pytest.mark.parametrize(
    ("mine", "theirs", "strange"),
    [
        ({"order": 1}, {"order": 1}, ()),
        ({"order": 2}, {"order": 1}, ("order version 2",)),
        ({"order": 1, "alert": 1}, {"order": 1}, ("alert version 1",)),
        ({"order": 1}, {"order": 1, "alert": 1}, ()),
        ({"order": 1}, {}, ()),  # it declares nothing: nothing can be said
    ],
)
def test_effects_that_the_other_release_does_not_know_are_named(
    mine: dict[str, int], theirs: dict[str, int], strange: tuple[str, ...]
) -> None:
    app = ordering()
    kinds = {kind: Schema(kind, version, int) for kind, version in mine.items()}
    app.effect_kinds = kinds  # type: ignore[misc] # another release's
    found = compare([Origin(release="r1", effect_kinds=theirs)], app)
    assert found.strange_kinds == strange
    assert found.kinds_known == bool(theirs)


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "alert"},
        {"payload": msgspec.Raw(b'{"of":"another"}')},
        {"delivery": Delivery.AT_MOST_ONCE},
        {"lane": "elsewhere"},
        {"after": "order-0"},
        {"not_after_ns": 1},
        {"schema_version": 2},
    ],
)
def test_every_fact_about_an_effect_is_compared(changes: dict[str, Any]) -> None:
    planned = order(lane="here")
    changed = replace(planned, **changes)
    assert next(iter(changes)) in difference([planned], [changed])


def test_what_the_engine_notes_on_an_effect_is_not_compared() -> None:
    planned = order()
    spaced = msgspec.Raw(b'{ "of" : "order-1" }')
    assert difference([replace(planned, cycle=7)], [replace(planned, payload=spaced)]) == ""


def test_effects_too_many_and_too_few_are_named() -> None:
    one, two = order("order-1"), order("order-2")
    assert difference([one, two], [one]) == "order order-2 is not wanted"
    assert difference([one], [one, two]) == "order order-2 is new"
    assert difference([one], [two]) == "order order-1 is not wanted; order order-2 is new"
    assert difference([one, two], [two, one]) == "the same effects in another order"
    assert difference([], []) == ""


def test_an_example_is_short_whatever_the_payload(ran: Simulation) -> None:
    long = ordering(lambda _: 10**2000)
    found = compare(told(ran, ordering(), last=1), long)
    assert len(found.differing[0].words) == WORDS_MAX

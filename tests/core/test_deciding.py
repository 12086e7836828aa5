"""What a decision is given, what is checked of it, and what of it is stored."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import Raw
from msgspec.structs import replace
from typing_extensions import override

from handoff.deciding import (
    decide_once,
    encode_bodies,
    fallback_of,
    health_of,
    inputs_of,
    shape_fault,
)
from handoff.errors import WorkloadFaulty
from handoff.workload import Cycle, Decision, Unavailable, Violation, effect
from state.errors import SchemaMismatch
from state.journal_frames import Health
from state.record import Delivery, Effect, Fallback, Progress, Record, Rollout, SchemaId
from state.schema import Schema
from state.store import Note
from tests.engine_world import APP, FIRST, Application, Body, order

CYCLE = Cycle(number=FIRST + 1, now_ns=0, seed=0)
KNOWN = Application.body.schema_id
OLDER = SchemaId(name="test.body", version=0, fingerprint="of version 0")
BAKE = Rollout(deploy_id="d1", of=3)


class Counting(Application):
    """Counts as the test says."""

    def __init__(self, counted: Any) -> None:  # noqa: ANN401 - also what is no count
        super().__init__()
        self._counted = counted

    @override
    def health(self, inputs: Any) -> Health:
        counted: Health = self._counted(inputs)
        return counted


class Planning(Application):
    """Plans what the test says, also what is no effect."""

    def __init__(self, *planned: Any) -> None:  # noqa: ANN401 - as above
        super().__init__()
        self._planned = planned

    @override
    def decide(self, cycle: Cycle, body: Body, inputs: Any, receipts: Any) -> Decision[Body]:
        return Decision(body=body, effects=self._planned)


class Word(str):
    """Text to Python, and of no kind that an encoder knows, as the words of numpy are."""

    __slots__ = ()


class Stepping(Application):
    """Its body has a version before it, whose cycles were called otherwise."""

    body: Schema[Any] = Schema(
        "test.body", 1, Body, down={1: lambda value: {"numbers": value["cycles"]}}
    )


def record(**members: Any) -> Record:  # noqa: ANN401 - members of Record
    return Record(app=APP, progress=Progress(cycle=FIRST), **members)


# --- inputs and health -------------------------------------------------------------------


def test_recorded_inputs_come_back_and_what_was_unavailable_stays_so() -> None:
    """A replay that took a missing answer for an empty one would decide what nobody decided."""
    app = Application()
    note = Note(kind="decide", inputs=Raw(b'["a"]'), inputs_schema=1)
    assert inputs_of(app, note) == ["a"]
    lost = replace(note, unavailable="no answer")
    assert inputs_of(app, lost) == Unavailable("no answer")
    with pytest.raises(SchemaMismatch, match="newer than this code"):
        inputs_of(app, replace(note, inputs_schema=2))


@pytest.mark.parametrize(("asked", "answered"), [(0, 0), (16, 0), (16, 16), (1, 1)])
def test_health_is_what_the_application_counts(asked: int, answered: int) -> None:
    counted = Health(asked=asked, answered=answered)
    assert health_of(Counting(lambda _: counted), []) == counted


@pytest.mark.parametrize(("asked", "answered"), [(0, 1), (16, 17), (16, -1), (-1, -1)])
def test_a_count_that_makes_no_sense_is_the_releases_fault(asked: int, answered: int) -> None:
    """More answers than questions would make a blind release look better than its owner."""
    app = Counting(lambda _: Health(asked=asked, answered=answered))
    with pytest.raises(WorkloadFaulty, match=f"health says that {answered} of {asked}"):
        health_of(app, [])


def test_a_count_that_raises_is_the_releases_fault() -> None:
    with pytest.raises(WorkloadFaulty, match="health raised AttributeError"):
        health_of(Counting(lambda _: None), [])


# --- shapes ------------------------------------------------------------------------------


def test_only_the_same_version_with_another_shape_is_at_fault() -> None:
    other = replace(KNOWN, fingerprint="another")
    words = "the shape of test.body changed without a new version: raise version 1"
    assert shape_fault(KNOWN, other).startswith(words)
    for stored in (
        None,
        KNOWN,
        replace(other, version=2),
        replace(other, version=0),
        replace(other, name="of another application"),
    ):
        assert shape_fault(KNOWN, stored) == ""


# --- what is planned ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "stranger",
    [
        "an order",
        None,
        {"effect_id": "order-1"},
        replace(order(), payload=Raw(b"{")),
        replace(order(), lane="caf\udc80"),
        replace(order(), kind="caf\udc80"),
        replace(order(), effect_id=""),
        replace(order(), payload=b"{}"),
        replace(order(), payload={"of": "order-1"}),
        replace(order(), not_after_ns=CYCLE.now_ns + 30 * 1e9),
        replace(order(), not_after_ns=float("nan")),
        replace(order(), not_after_ns="soon"),
        replace(order(), delivery="perhaps"),
        replace(order(), schema_version="1"),
        replace(order(), effect_id=Word("order-1")),
    ],
    ids=[
        *("words", "nothing", "plain values", "no JSON", "no lane", "no kind", "no id"),
        *("bytes", "dict", "fraction", "no number", "no time", "no delivery", "no version"),
        "no plain text",
    ],
)
def test_what_cannot_be_stored_as_an_effect_is_the_releases_fault(stranger: object) -> None:
    """In the record it would stop every later owner; here it costs one decision."""
    with pytest.raises(WorkloadFaulty, match=r"decide planned .*, which cannot be stored"):
        decide_once(Planning(order("first"), stranger), record(), CYCLE, [])


def test_effects_are_passed_on_as_they_were_planned() -> None:
    planned: tuple[Effect, ...] = (order("a"), effect("alert", effect_id="b", payload=None))
    assert tuple(decide_once(Planning(*planned), record(), CYCLE, []).effects) == planned


def test_an_effect_that_says_its_delivery_in_words_is_delivered_so() -> None:
    """Who plans it sees the words, a later owner the member: one of them would send it twice."""
    planned = replace(order(), delivery="at_most_once")
    (effect_once,) = decide_once(Planning(planned), record(), CYCLE, []).effects
    assert effect_once.delivery is Delivery.AT_MOST_ONCE


def test_effects_that_can_be_counted_only_once_are_all_there() -> None:
    """A generator that was looked through for faults has none left to send."""
    planned = (order("a"), order("b"))

    class Yielding(Planning):
        @override
        def decide(self, cycle: Cycle, body: Body, inputs: Any, receipts: Any) -> Decision[Body]:
            return Decision(body=body, effects=(each for each in planned))  # type: ignore[arg-type]  # a tired author's

    assert tuple(decide_once(Yielding(), record(), CYCLE, []).effects) == planned


def test_a_violation_in_whatever_words_is_a_violation() -> None:
    app = Application()
    app.violations = [Violation(7)]  # type: ignore[arg-type]  # as above
    with pytest.raises(WorkloadFaulty, match="invariant violated: 7"):
        decide_once(app, record(), CYCLE, [])


# --- bodies ------------------------------------------------------------------------------


def test_a_body_is_stored_for_the_previous_release_as_well_while_it_may_come_back() -> None:
    """Without it a return would find a body that its code cannot read, and nobody would own."""
    body = Body(cycles=[1, 2])
    stored, fallback = encode_bodies(Stepping(), record(schema=OLDER, rollout=BAKE), body)
    assert bytes(stored) == b'{"cycles":[1,2],"outcomes":[]}'
    assert fallback == Fallback(schema=OLDER, body=Raw(b'{"numbers":[1,2]}'))


def test_in_a_bake_the_shape_of_the_way_back_is_that_of_the_first_decision() -> None:
    """From then on the record's own schema is the new release's."""
    kept = Fallback(schema=OLDER, body=Raw(b'{"numbers":[]}'))
    baking = record(schema=KNOWN, rollout=BAKE, fallback=kept)
    fallback = fallback_of(Stepping(), baking, Body(cycles=[3]))
    assert fallback == Fallback(schema=OLDER, body=Raw(b'{"numbers":[3]}'))


@pytest.mark.parametrize(
    "without",
    [record(schema=OLDER), record(rollout=BAKE), record(schema=KNOWN, rollout=BAKE)],
    ids=["no bake", "nothing stored yet", "one shape for both"],
)
def test_a_body_is_stored_once_where_one_is_enough(without: Record) -> None:
    assert encode_bodies(Stepping(), without, Body())[1] is None


def test_a_body_that_could_not_be_read_back_is_never_stored() -> None:
    """A member of the wrong kind is written well, and no release could go on from it."""

    class Wrong(msgspec.Struct):
        cycles: str = "none"
        outcomes: list[str] = []

    wrong: Any = Wrong()
    with pytest.raises(WorkloadFaulty, match="the body cannot be stored: "):
        encode_bodies(Application(), record(), wrong)


def test_a_body_without_a_step_down_cannot_bake() -> None:
    with pytest.raises(WorkloadFaulty, match="no step down from version 1"):
        encode_bodies(Application(), record(schema=OLDER, rollout=BAKE), Body())
